// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Searches the files of the query store, on a helper thread.
//
// Bounds: `rows` found, `for_ms` of time, and one file open at a time; it returns the place where
// it stopped, and the next search continues there. No state is kept in between. Rows come by file
// and in it as they were written: by time except for a second or so (a miss is logged when its
// answer is there).

#include "query_reader.h"

#include <stdatomic.h>

enum {
	QUERY_SEARCH_ROWS_MAX = 1000,
	QUERY_SEARCH_MS = 1000,
	QUERY_PLACE_MAX = 64,
	QUERY_UNREAD_MAX = 8
};

struct query_place { // of a row: its file and number; a part of 0: no place
	int64_t hour;
	unsigned part;
	int64_t id;
};

struct query_filter {
	char name[QUERY_NAME_TEXT_MAX];  // this one and all below it, whatever case; "": any
	char part[QUERY_NAME_TEXT_MAX];  // names that have this text, whatever case; "": any
	char client[QUERY_TEXT_MAX];     // address as text, or name, whatever case; "": any
	char group[QUERY_TEXT_MAX];      // CONFIG_EVERYONE: of no group; "": any
	char verdict[QUERY_TEXT_MAX];    // or "blocked": all that were; "": any
	char validation[QUERY_TEXT_MAX]; // a word of querylog_validation_names; "": any
	int64_t since_us, until_us;      // from, and up to but not including
	bool has_rcode;                  // else any, and no answer as well
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
	bool complete; // all there is; else `place` says where to go on
	struct query_place place;
	unsigned unreadable; // files that were passed over; the first ones:
	struct query_unread unread[QUERY_UNREAD_MAX];
	uint64_t ruled_out; // files that have no such name or client (query_absent.h)
	uint64_t looked_at; // rows
	int64_t reached_us; // time of the last row read, 0: none
};

// Calls `found` for each row. 0, -ECANCELED when *stop became true, -errno.
ATTR_MUST_CHECK int query_search(const char *folder, const struct query_filter *filter,
	const _Atomic bool *stop, void (*found)(void *arg, const struct query_found *f), void *arg,
	struct query_outcome *out);

// "hour.part.id". False: it is not one.
bool query_place_parse(const char *text, struct query_place *out);
void query_place_print(const struct query_place *p, char out[QUERY_PLACE_MAX]);
