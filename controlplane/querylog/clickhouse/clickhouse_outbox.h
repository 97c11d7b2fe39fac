// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Chunks between the thread that makes them and the one that sends them: some in memory, and as
// many more as the spool on disk may hold (clickhouse_spool.h), oldest first.
//
// While the server accepts chunks nothing is written to disk. From the first failure on
// (clickhouse_outbox_failed) the chunks in memory move to disk, as far as there is room, and new
// ones go there at once, so that a kill loses only unsealed rows. The sender then reads the disk
// until it is empty. When memory is full its oldest chunks go to disk too. When the disk does not
// accept them either, clickhouse_outbox_put fails and the maker waits. It also waits when memory
// and spool are full and the server accepts chunks: only a server that is away makes old rows go,
// one chunk for each new one.
//
// The halves of a chunk that was cut in two replace it, on disk or in memory;
// the oldest of both comes first.
//
// One maker, one sender; one lock, under which a file at a time is written: not for the log thread.
// clickhouse_outbox_counts never takes that lock. It is for any thread: a disk that hangs does not
// hold it up, and it returns the counts from before the file that is being written.

#include "base/counts.h"
#include "clickhouse_chunk.h"
#include "clickhouse_spool.h"

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

// A file of the spool: a head, then the body of a chunk.
//
//   "weirrows"  version u16 = 1  coding u8  0 u8  bytes of the head u32
//   run u64  number u64  weight u64  hour u32  rows u32  bytes of the body u64
//   contenthash of the body u64
//   length u16 and box   length u16 and columns (a layout)
//   contenthash of the head up to here u64
//
// in network byte order. A file may be of another build, truncated, or foreign: it is read within
// bounds, and refused unless its sums and its name match. Files of builds without this head are the
// body alone; they begin as gzip or zstd does, and have the columns of clickhouse_layout_first.
// Pure, no allocation.

enum {
	CLICKHOUSE_FILE_BODY_MAX = 20 << 20, // over what a builder's 16 MiB can become
	CLICKHOUSE_FILE_HEAD_MAX = 128 + CLICKHOUSE_BOX_MAX + CLICKHOUSE_LAYOUT_MAX,
	CLICKHOUSE_FILE_MAX = CLICKHOUSE_FILE_HEAD_MAX + CLICKHOUSE_FILE_BODY_MAX,
};

// The head for `body` (what->bytes bytes) of this build. 0: `box` is too long.
size_t clickhouse_file_head(uint8_t out[CLICKHOUSE_FILE_HEAD_MAX],
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body);

// Bytes of that head, by `origin` alone.
uint32_t clickhouse_file_head_bytes(const struct clickhouse_origin *origin);

// Reads all of a file. *body_at, *body_len: its body. *origin: from the head; its box is "" in a
// file without one. -EBADMSG: no such file, truncated, damaged, or different from `named`, its
// name. -EPROTONOSUPPORT: whole, of a version or with columns that this build does not know.
ATTR_MUST_CHECK int clickhouse_file_read(const void *bytes, size_t len,
	const struct clickhouse_spooled *named, struct clickhouse_origin *origin, size_t *body_at,
	size_t *body_len);

// The servers that may have a chunk and have not answered yet, so that no second one gets it. A
// server is known by its place in the list of URLs, from 0 on.

struct clickhouse_places {
	uint32_t may_have; // a bit for each server
	uint32_t given_up; // may have it too, no longer waited for, but asked in their turn
	uint64_t since_ms; // when another server was wanted first; 0: not yet
};

// Any of that many servers may have it.
void clickhouse_places_all(struct clickhouse_places *p, unsigned servers);
bool clickhouse_places_is_at(const struct clickhouse_places *p, unsigned server);
// Whether another server than that one may have it.
bool clickhouse_places_is_elsewhere(const struct clickhouse_places *p, unsigned server);
void clickhouse_places_set(struct clickhouse_places *p, unsigned server, bool may_have);
// Whether that server may get the chunk, because no other one may have it, or only some of
// `replicas`, a bit for each server that knows the same tokens. *is_uncertain: another one may have
// it and did not answer within hold_ms, so the rows may be there twice.
bool clickhouse_places_may_send(struct clickhouse_places *p, unsigned server, uint32_t replicas,
	unsigned hold_ms, bool *is_uncertain);

enum {
	CLICKHOUSE_OUTBOX_MAX = 64,
	CLICKHOUSE_OUTBOX_SLOTS = CLICKHOUSE_OUTBOX_MAX + 32, // with pieces of cut chunks
};

struct clickhouse_outbox;

struct clickhouse_outbox_settings {
	const char *folder, *box; // copied
	uint64_t spool_max_bytes, memory_max_bytes;
};

// A spool that cannot be used is no failure: the counts report it, and each put tries again.
ATTR_MUST_CHECK int clickhouse_outbox_open(
	struct clickhouse_outbox **out, const struct clickhouse_outbox_settings *s); // -ENOMEM
void clickhouse_outbox_free(struct clickhouse_outbox *o); // chunks in memory are lost. NULL is fine

// Takes `body` over on success. -EAGAIN: all is full, and the server is at it; -errno: memory is
// full, and the disk says that.
ATTR_MUST_CHECK int clickhouse_outbox_put(
	struct clickhouse_outbox *o, const struct clickhouse_spooled *what, void *body);
// The maker waits no more: a chunk that does not fit evicts the oldest. For the maker's end.
void clickhouse_outbox_hurry(struct clickhouse_outbox *o);
// No more puts; takers no longer wait.
void clickhouse_outbox_close(struct clickhouse_outbox *o);

struct clickhouse_parcel {
	struct clickhouse_spooled what;
	void *body;
	struct clickhouse_origin
		*origin; // its writer and format; NULL: this control plane's present ones
	bool is_spooled; // a file has it too
	uint64_t put_ms;
};

// The oldest chunk, after at most timeout_ms. -ENOENT: no chunk; -ENOMEM, -EMFILE, -ENFILE, at
// once: it cannot be read now. The sender owns it until it calls one of the functions below other
// than clickhouse_outbox_failed.
ATTR_MUST_CHECK int clickhouse_outbox_take(
	struct clickhouse_outbox *o, unsigned timeout_ms, struct clickhouse_parcel *out);
void clickhouse_outbox_done(struct clickhouse_outbox *o, struct clickhouse_parcel *p);
// Replaces the chunk by its halves and takes ownership of their bodies. -ENOSPC, -errno of the
// disk: nothing is changed.
ATTR_MUST_CHECK int clickhouse_outbox_cut(
	struct clickhouse_outbox *o, struct clickhouse_parcel *p, struct clickhouse_half half[2]);
// It cannot be sent by this build: put aside where a file has it, and counted as lost.
void clickhouse_outbox_refuse(struct clickhouse_outbox *o, struct clickhouse_parcel *p);
// Not sent, the sender keeps it: that and all else goes to disk, until the next done.
void clickhouse_outbox_failed(struct clickhouse_outbox *o, struct clickhouse_parcel *p);
// The sender ends with it unsent: to disk, or lost.
void clickhouse_outbox_give_back(struct clickhouse_outbox *o, struct clickhouse_parcel *p);
// Writes all chunks in memory to disk; those that do not fit are lost and counted. After the sender
// ended.
void clickhouse_outbox_spill(struct clickhouse_outbox *o);

#define CLICKHOUSE_OUTBOX_COUNTS(X)                                                                \
	X(FIRST, unsigned, chunks, NAMED("waiting_inserts"), NAMED("waiting_chunks"),              \
		"Chunks that wait in memory.")                                                     \
	X(FIRST, uint64_t, bytes, NAMED("waiting_bytes"), NAMED("waiting_bytes"),                  \
		"Bytes of the chunks in memory.")                                                  \
	X(FIRST, unsigned, spooled, NAMED("spool_files"), NAMED("spool_files"),                    \
		"Chunks that wait on disk.")                                                       \
	X(FIRST, unsigned, spooled_most, NAMED("spool_files_most"), NONE,                          \
		"Most chunks that waited on disk.")                                                \
	X(FIRST, uint64_t, spool_bytes, SAME, SAME, "Bytes of the chunks on disk.")                \
	X(FIRST, uint64_t, spool_max_bytes, SAME, NAMED("spool_cap_bytes"),                        \
		"Most bytes that the spool may have.")                                             \
	X(FIRST, uint64_t, dropped_rows, SAME, TOTAL, "Rows dropped because the spool was full.")  \
	X(FIRST, uint64_t, dropped_weight, SAME, NAMED("dropped_queries_total"),                   \
		"Queries that these rows stand for.")                                              \
	X(FIRST, uint64_t, unreadable, NAMED("unreadable_files"), NAMED("unreadable_files_total"), \
		"Spool files that weir could not read or could not send.")                         \
	X(FIRST, unsigned, aside, NAMED("aside_files"), NAMED("aside_files"),                      \
		"Unreadable spool files that weir keeps.")                                         \
	X(FIRST, uint64_t, aside_bytes, SAME, SAME, "Bytes of these files.")                       \
	X(FIRST, uint64_t, unspooled_halves, SAME, NONE,                                           \
		"Halves of a file that no disk took, in memory alone.")

struct clickhouse_outbox_counts {
	CLICKHOUSE_OUTBOX_COUNTS(COUNT_FIELD)
	unsigned chunks_most;
	uint64_t bytes_max;      // of its chunks in memory
	uint64_t memory;         // with its own and the chunk being sent
	uint64_t rows, weight;   // in memory, and those that only the sender holds
	uint64_t dropped_chunks; // as the spool was full
	uint64_t lost_chunks, lost_rows, lost_weight; // unreadable files, no disk at the end
	uint64_t cut_chunks;                          // in two
	uint64_t spilled,
		refused;     // chunks to disk because there was no memory or no server; put back
	uint64_t since_ms;   // when the oldest of memory was put; 0: none
	uint32_t spool_hour; // of the oldest file's rows, since 1970; 0: none
	int spool_err;       // of the last write; 0: it went well
};
COUNTS(clickhouse_outbox_rows, struct clickhouse_outbox_counts, "weir_clickhouse_",
	CLICKHOUSE_OUTBOX_COUNTS)
void clickhouse_outbox_counts(struct clickhouse_outbox *o, struct clickhouse_outbox_counts *out);
