// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Searches the files of the query store, on a helper thread.
//
// Bounds: `rows` found, `for_ms` of time, and one file open at a time; a search returns the place
// where it stopped, and the next search continues there. Nothing is kept between searches. Rows
// come in the order of files, and within a file as they were written: by time except for a second
// or so, because a miss is logged when its answer is there.

#include "sql.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

// Reads one file of the query store, in the order of its rows or against it, beside its writer.
//
// One thread, for a second or so: a reader keeps a snapshot, and with it the WAL. The file
// is untrusted: numbers may have any value; texts get printable ASCII alone (sql.h).

enum { QUERY_NAME_TEXT_MAX = 1024, QUERY_TEXT_MAX = 256 };

struct query_raw { // a row as it is in the file
	int64_t id, time_us;
	int64_t weight, name, client, kind, port, dataplane_us, total_us, query_len, reply_len;
};

struct query_client {
	char address[QUERY_TEXT_MAX], name[QUERY_TEXT_MAX], group[QUERY_TEXT_MAX];
	int64_t version;
};

struct query_kind {
	char box[QUERY_TEXT_MAX], verdict[QUERY_TEXT_MAX], list[QUERY_TEXT_MAX];
	char upstream[QUERY_TEXT_MAX], transport[QUERY_TEXT_MAX], tier[QUERY_TEXT_MAX];
	char validation[QUERY_TEXT_MAX]; // "none" in a file of an earlier version
	int64_t qtype, qclass, rcode, ede;
	bool answered, blocked;
};

struct query_reader;

// `stop` as sql_stop_when. -EUCLEAN: the file is damaged, of another version, or not of weir.
// -ENOENT: no file, or one without a schema: just begun, or its writer was killed.
ATTR_MUST_CHECK int query_reader_open(
	struct query_reader **out, const char *path, bool (*stop)(void *arg), void *arg);
void query_reader_close(struct query_reader *r); // NULL is fine

// False: no row has the name or one below it, or no row has the client ("": any). True: a row may.
bool query_reader_may_have(struct query_reader *r, const char *name, const char *client);

// No row is older by more than this than any row before it.
int64_t query_reader_late_us(const struct query_reader *r);

// Starts at the first row with an id over `id`; `backwards`: at the last row with an id below it.
void query_reader_start(struct query_reader *r, int64_t id, bool backwards);
// 1: a row, 0: the end, -errno.
ATTR_MUST_CHECK int query_reader_next(struct query_reader *r, struct query_raw *out);

// Read what a number stands for. 0 or -errno; a missing number gives empty texts.
ATTR_MUST_CHECK int query_reader_name(
	struct query_reader *r, int64_t id, char out[QUERY_NAME_TEXT_MAX]);
ATTR_MUST_CHECK int query_reader_client(
	struct query_reader *r, int64_t id, struct query_client *out);
ATTR_MUST_CHECK int query_reader_kind(struct query_reader *r, int64_t id, struct query_kind *out);

// Names as the log writes them (RFC 1035 5.1 text), compared. Any thread.

// Bytes of a name as text without the dot at its end.
size_t query_name_len(const char *name);
// Whether a label ends at `at`: a dot there that no backslash escapes.
bool query_name_dot_at(const char *name, size_t at);
// Whether `name` is `filter` or below it. Both are RFC 1035 5.1 texts, with or without a dot at the
// end. Every name is below ".", but not the empty text of a question that was not read.
bool query_name_below(const char *name, const char *filter);
// Whether a row with this group passes `filter`. The row's group is "" for a client in none, which
// the filter calls CONFIG_EVERYONE.
bool query_group_is(const char *group, const char *filter);

enum {
	QUERY_SEARCH_ROWS_MAX = 1000,
	QUERY_SEARCH_MS = 1000,
	QUERY_PLACE_MAX = 64,
	QUERY_UNREAD_MAX = 8
};

struct query_place { // file and number of a row; part 0: no place
	int64_t hour;
	unsigned part;
	int64_t id;
};

struct query_filter {
	char name[QUERY_NAME_TEXT_MAX];  // the name and all names below it, in any case; "": any
	char part[QUERY_NAME_TEXT_MAX];  // text that names contain, in any case; "": any
	char client[QUERY_TEXT_MAX];     // address as text, or name, in any case; "": any
	char group[QUERY_TEXT_MAX];      // CONFIG_EVERYONE: clients without a group; "": any
	char verdict[QUERY_TEXT_MAX];    // a verdict; "blocked": all blocked queries; "": any
	char validation[QUERY_TEXT_MAX]; // a word of querylog_validation_names; "": any
	int64_t since_us, until_us;      // since_us <= time < until_us
	bool has_rcode;                  // false: any rcode, and no answer
	uint16_t rcode;
	bool newest_first;
	unsigned rows, for_ms;
	struct query_place after; // part 0: from the start
};

struct query_found { // one row, with its texts
	struct query_raw raw;
	char name[QUERY_NAME_TEXT_MAX];
	struct query_client client;
	struct query_kind kind;
};

struct query_unread { // a file that could not be read
	int64_t hour;
	unsigned part;
	int err; // -errno
};

struct query_outcome {
	bool complete; // the search reached the end; else continue at `place`
	struct query_place place;
	unsigned unreadable; // files that could not be read; the first of them are in `unread`
	struct query_unread unread[QUERY_UNREAD_MAX];
	uint64_t ruled_out; // files without the name or client, by their filter (query_file.h)
	uint64_t looked_at; // rows read
	int64_t reached_us; // time of the last row read; 0: no row
};

// Calls `found` for each row. 0, -ECANCELED when *stop became true, -errno.
ATTR_MUST_CHECK int query_search(const char *folder, const struct query_filter *filter,
	const _Atomic bool *stop, void (*found)(void *arg, const struct query_found *f), void *arg,
	struct query_outcome *out);

// Parses "hour.part.id". False: the text is not a place.
bool query_place_parse(const char *text, struct query_place *out);
void query_place_print(const struct query_place *p, char out[QUERY_PLACE_MAX]);
