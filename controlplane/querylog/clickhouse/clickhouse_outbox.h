// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Chunks between the thread that makes them and the one that sends them: some in memory, and as
// many more as the spool on disk may hold (clickhouse_spool.h), oldest first.
//
// While the server accepts chunks nothing is written to disk. From the first failure on
// (clickhouse_outbox_failed) the chunks in memory move to disk, as far as there is room, and new
// chunks go there at once, so that a kill loses only unsealed rows. The sender then reads the disk
// until it is empty. When memory is full its oldest chunks go to disk too. When the disk does not
// accept them either, clickhouse_outbox_put fails and the maker waits. It also waits when memory
// and spool are full and the server accepts chunks: old rows are deleted only while the server is
// away, one chunk for each new chunk.
//
// The halves of a chunk that was cut in two replace it, on disk or in memory; the oldest chunk on
// disk or in memory is sent first.
//
// For one maker and one sender. A file is written under the lock, so the log thread must not call
// these functions. Any thread may call clickhouse_outbox_counts, which never takes that lock: a
// hanging disk does not delay it, and it returns the counts from before the file that is being
// written.

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
// Numbers are in network byte order. A file may be of another build, truncated, or foreign: it is
// read within bounds, and refused unless its sums and its name match. A file of a build without
// this head is a body alone; it begins as gzip or zstd does, and has the columns of
// clickhouse_layout_first. Pure, no allocation.

enum {
	CLICKHOUSE_FILE_BODY_MAX = 20 << 20, // more than the builder's 16 MiB can become
	CLICKHOUSE_FILE_HEAD_MAX = 128 + CLICKHOUSE_BOX_MAX + CLICKHOUSE_LAYOUT_MAX,
	CLICKHOUSE_FILE_MAX = CLICKHOUSE_FILE_HEAD_MAX + CLICKHOUSE_FILE_BODY_MAX,
};

// The head for `body` (what->bytes bytes) of this build. 0: `box` is too long.
size_t clickhouse_file_head(uint8_t out[CLICKHOUSE_FILE_HEAD_MAX],
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body);

// Bytes of the head that clickhouse_file_head writes for `origin`.
uint32_t clickhouse_file_head_bytes(const struct clickhouse_origin *origin);

// Reads all of a file. *body_at, *body_len: its body. *origin: from the head; its box is "" in a
// file without one. -EBADMSG: the file is foreign, truncated, damaged, or does not match `named`,
// its name. -EPROTONOSUPPORT: the file is whole, but this build does not know its version or
// columns.
ATTR_MUST_CHECK int clickhouse_file_read(const void *bytes, size_t len,
	const struct clickhouse_spooled *named, struct clickhouse_origin *origin, size_t *body_at,
	size_t *body_len);

// The servers that may have a chunk and have not answered yet, so that no second one gets it. A
// server is known by its place in the list of URLs, from 0 on.

struct clickhouse_places {
	uint32_t may_have; // one bit for each server
	uint32_t given_up; // servers that may have it too; weir asks each in turn, without waiting
	uint64_t since_ms; // when the chunk was first due for another server; 0: not yet
};

// Any of the first `servers` servers may have the chunk.
void clickhouse_places_all(struct clickhouse_places *p, unsigned servers);
bool clickhouse_places_is_at(const struct clickhouse_places *p, unsigned server);
// Whether another server than `server` may have the chunk.
bool clickhouse_places_is_elsewhere(const struct clickhouse_places *p, unsigned server);
void clickhouse_places_set(struct clickhouse_places *p, unsigned server, bool may_have);
// Whether `server` may get the chunk: no other server may have it, except `replicas`, a bit for
// each server that knows the tokens of `server`. *is_uncertain: another server may have it and did
// not answer within hold_ms, so the rows may be stored twice.
bool clickhouse_places_may_send(struct clickhouse_places *p, unsigned server, uint32_t replicas,
	unsigned hold_ms, bool *is_uncertain);

enum {
	CLICKHOUSE_OUTBOX_MAX = 64,
	CLICKHOUSE_OUTBOX_SLOTS = CLICKHOUSE_OUTBOX_MAX + 32, // room for pieces of cut chunks
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

// Takes `body` over on success. -EAGAIN: memory and spool are full, and the server accepts chunks;
// -errno of the disk: memory is full.
ATTR_MUST_CHECK int clickhouse_outbox_put(
	struct clickhouse_outbox *o, const struct clickhouse_spooled *what, void *body);
// From now on a chunk that does not fit evicts the oldest. The maker calls this at shutdown.
void clickhouse_outbox_hurry(struct clickhouse_outbox *o);
// No more chunks are put; clickhouse_outbox_take no longer waits.
void clickhouse_outbox_close(struct clickhouse_outbox *o);

struct clickhouse_parcel {
	struct clickhouse_spooled what;
	void *body;
	struct clickhouse_origin
		*origin; // writer and format; NULL: this control plane with its present columns
	bool is_spooled; // a file has it too
	uint64_t put_ms;
};

// Takes the oldest chunk, after at most timeout_ms. -ENOENT: no chunk; -ENOMEM, -EMFILE, -ENFILE,
// at once: it cannot be read now. The sender owns the chunk until it calls done, cut, refuse or
// give_back.
ATTR_MUST_CHECK int clickhouse_outbox_take(
	struct clickhouse_outbox *o, unsigned timeout_ms, struct clickhouse_parcel *out);
void clickhouse_outbox_done(struct clickhouse_outbox *o, struct clickhouse_parcel *p);
// Replaces the chunk by its halves and takes ownership of their bodies. -ENOSPC, -errno of the
// disk: nothing is changed.
ATTR_MUST_CHECK int clickhouse_outbox_cut(
	struct clickhouse_outbox *o, struct clickhouse_parcel *p, struct clickhouse_half half[2]);
// This build cannot send the chunk: its file is put aside, and its rows count as lost.
void clickhouse_outbox_refuse(struct clickhouse_outbox *o, struct clickhouse_parcel *p);
// The chunk was not sent, and the sender keeps it. It and all chunks in memory go to disk, new ones
// too, until the next clickhouse_outbox_done.
void clickhouse_outbox_failed(struct clickhouse_outbox *o, struct clickhouse_parcel *p);
// The sender ends without having sent the chunk: it goes to disk, or is lost.
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
	uint64_t bytes_max;    // most bytes of the chunks in memory
	uint64_t memory;       // bytes of the outbox, its chunks in memory and the chunk being sent
	uint64_t rows, weight; // rows in memory, those that only the sender holds included
	uint64_t dropped_chunks;                      // chunks deleted because the spool was full
	uint64_t lost_chunks, lost_rows, lost_weight; // unreadable files; no disk at shutdown
	uint64_t cut_chunks;                          // chunks cut in two
	uint64_t spilled,
		refused; // chunks moved to disk, for lack of memory or of a server; chunks refused
	uint64_t since_ms;   // when the oldest chunk in memory was put; 0: no chunk
	uint32_t spool_hour; // hour of the oldest file's rows, since 1970; 0: no file
	int spool_err;       // -errno of the last write; 0: it succeeded
};
COUNTS(clickhouse_outbox_rows, struct clickhouse_outbox_counts, "weir_clickhouse_",
	CLICKHOUSE_OUTBOX_COUNTS)
void clickhouse_outbox_counts(struct clickhouse_outbox *o, struct clickhouse_outbox_counts *out);
