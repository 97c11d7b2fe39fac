// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Pages of the query store, one request each: the control plane searches for about a second and
// reports where it stopped, and weirctl requests the next page from there.

#include "ctl.h"
#include "json_doc.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// Times in options: "90s", "15m", "2h", "7d" before now; "2026-11-20", "2026-11-20T10:00" or
// "2026-11-20T10:00:30" of the local clock, or with a Z at the end of UTC.
// Reads such a time as microseconds since 1970. False: it is no such time.
bool log_time_parse(const char *text, time_t now, int64_t *out);

// A page that is out of time before its first row has the place of the page before.
enum { LOG_PAGE_ROWS = 1000, LOG_PAGE_TEXT_MAX = 64, LOG_PAGES_IDLE_MAX = 60 };

struct log_pages {
	const struct ctl *ctl;
	bool oldest_first, complete;
	char since[LOG_PAGE_TEXT_MAX], until[LOG_PAGE_TEXT_MAX], after[LOG_PAGE_TEXT_MAX];
	uint64_t unreadable_files, rows;
	unsigned spent;              // budget that pages of this hour took
	unsigned idle;               // pages since the place last moved on
	char unknown_client[256];    // "": the configuration has the client, or there is no filter
	struct json_doc *unreadable; // "unreadable": [{file, why}] of all pages so far
};

// Reads the filter's options. CTL_OK, or CTL_USAGE after an error message.
ATTR_MUST_CHECK int log_pages_start(struct log_pages *p, const struct ctl *c, bool oldest_first);
// Prints on stderr which files could not be read, and that the configuration does not have the
// client. CTL_FAILED: there are such files, or no row of such a client; else CTL_OK.
int log_pages_end(struct log_pages *p);
// Requests the next page, at most `rows` rows; free it by json_doc_free. NULL: it failed, or its
// place is not behind the former one, and it has printed why.
struct json_doc *log_pages_next(struct log_pages *p, unsigned rows);

// The message about a reply that is not "complete".
#define LOG_PAGE_TIME_OVER "the search reached its time limit: older queries are not counted"

// Prints that queries are missing from a reply, as files of the store could not be read.
void log_page_unreadable(const struct json_node *root);

// The span of --since and --until. `seconds`: from --since, or a day without it, to --until;
// `until`: in microseconds since 1970, NULL without --until. False: they are no such times, which
// is printed.
enum { LOG_PAGE_SPAN_MAX = 24 };
struct log_span {
	char seconds[LOG_PAGE_SPAN_MAX], until_text[LOG_PAGE_SPAN_MAX];
	const char *until;
};
ATTR_MUST_CHECK bool log_page_span(const struct ctl *c, struct log_span *out);
