// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads one file of the query store, in the order of its rows or against it, beside its writer.
//
// Of one thread, for a second or so: an open statement keeps a snapshot, and with it the WAL.
// The file is untrusted: numbers may be any, texts have printable ASCII alone (sql.h).

#include "sql.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

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

// `stop` as sql_stop_when. -EUCLEAN: damaged, of another version, not ours. -ENOENT: no file, or an
// empty one without a schema: just begun, or its writer was killed then.
ATTR_MUST_CHECK int query_reader_open(
	struct query_reader **out, const char *path, bool (*stop)(void *arg), void *arg);
void query_reader_close(struct query_reader *r); // NULL is fine

// False: no row has such a name, or one below it, or such a client ("": any); true: perhaps.
bool query_reader_may_have(struct query_reader *r, const char *name, const char *client);

// The first row that is not earlier than time_us, in a file that is in order; of one a little out
// of it, one nearby. After the last one where none is.
ATTR_MUST_CHECK int query_reader_seek(struct query_reader *r, int64_t time_us, int64_t *id);

// From the first row with an id over `id`, or, `backwards`, from the last one with one below.
void query_reader_start(struct query_reader *r, int64_t id, bool backwards);
// 1: a row, 0: the end, -errno.
ATTR_MUST_CHECK int query_reader_next(struct query_reader *r, struct query_raw *out);

// 0 or -errno; a missing number gives empty texts.
ATTR_MUST_CHECK int query_reader_name(
	struct query_reader *r, int64_t id, char out[QUERY_NAME_TEXT_MAX]);
ATTR_MUST_CHECK int query_reader_client(
	struct query_reader *r, int64_t id, struct query_client *out);
ATTR_MUST_CHECK int query_reader_kind(struct query_reader *r, int64_t id, struct query_kind *out);

// Names as the log writes them (RFC 1035 5.1 text), compared. Any thread.

// Bytes of a name as text without the dot at its end.
size_t query_name_len(const char *name);
// Does a label end there? A dot that a backslash makes part of a label ends none.
bool query_name_dot_at(const char *name, size_t at);
// Is `name` that of the filter or below it? Both as RFC 1035 5.1 text, dot at the end or not.
bool query_name_below(const char *name, const char *filter);
