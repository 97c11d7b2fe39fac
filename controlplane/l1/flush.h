// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A flush: its names, its message to other boxes, and the rate limits.
//
// The message on the channel `<namespace>-meta:flush` is `1 <box> <kind> <name>`: the version, 16
// hex digits that a box draws at its start (its own messages come back and mean nothing), `name`,
// `below` or `all`, and the name in presentation form (`all`: the root). Any Redis client can write
// these. So weir accepts only messages that flush_write would have written, and the gate bounds
// their cost: FLUSH_NAMES_A_SECOND and FLUSH_NAMES_AN_HOUR single names, one `below` or `all` each
// FLUSH_WIDE_MS and FLUSH_WIDE_AN_HOUR of them. So a hostile Redis can empty a cache at times, but
// never keep it empty. Pure functions.

#include <weir/dns_name.h>

#define FLUSH_CHANNEL "flush"

enum flush_kind { FLUSH_NAME, FLUSH_BELOW, FLUSH_ALL };

struct flush {
	enum flush_kind kind;
	struct dns_name name; // FLUSH_ALL: the root
};

bool flush_fits(const struct flush *f, const struct dns_name *name);

enum { FLUSH_MESSAGE_MAX = DNS_NAME_TEXT_MAX + 32 };

// NUL-terminated; its length.
size_t flush_write(const struct flush *f, uint64_t box, char out[FLUSH_MESSAGE_MAX]);
ATTR_MUST_CHECK bool flush_parse(const char *text, size_t len, struct flush *out, uint64_t *box);

enum {
	FLUSH_NAMES_A_SECOND = 10,
	FLUSH_NAMES_AN_HOUR = 600,
	FLUSH_WIDE_MS = 2000,
	FLUSH_WIDE_AN_HOUR = 10,
};

// A window of a rate limit: it begins with the first flush in it.
struct flush_span {
	uint64_t began_ms;
	unsigned count;
};

struct flush_gate { // starts zeroed
	struct flush_span names_second, names_hour, wide, wide_hour;
};

// True: the flush is within the rate limits, and was counted.
ATTR_MUST_CHECK bool flush_admit(struct flush_gate *g, enum flush_kind kind, uint64_t now_ms);

// The flushes of the last FLUSH_REMEMBER_MS, so that flushed answers do not come back: an answer to
// an earlier question that arrives after the flush, or a value in Redis that is about to be
// deleted. A fixed ring; when the oldest is evicted early, all that is older than it counts as
// flushed (weir may store too little, never too much). Resolver loop's thread only.
enum {
	FLUSH_LOG_MAX = 256,
	FLUSH_REMEMBER_MS = 15000, // longer than a question lives and a flush of L1 takes
};

struct flush_log_entry {
	uint64_t at_ms;
	struct flush flush;
};

struct flush_log {        // starts zeroed
	uint64_t count;   // flushes ever logged
	uint64_t lost_ms; // at_ms of the newest flush that was evicted early
	uint64_t lost;    // flushes ever evicted early
	struct flush_log_entry entry[FLUSH_LOG_MAX];
};

void flush_log_add(struct flush_log *l, const struct flush *f, uint64_t now_ms);
// Was the name flushed at `since_ms` or later? Costs nothing while there was no flush lately.
bool flush_log_covers(
	const struct flush_log *l, const struct dns_name *name, uint64_t since_ms, uint64_t now_ms);
// When the oldest flush in the log was; 0: the log is empty.
uint64_t flush_log_since(const struct flush_log *l, uint64_t now_ms);
unsigned flush_log_used(const struct flush_log *l, uint64_t now_ms);
