// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The bodies of webhooks' POSTs: about blocked or failed queries, about a day, or with the caller's
// lines. Generic JSON, or Discord's form: `content` under WEBHOOK_CONTENT_MAX bytes, cut at the end
// of a line, without mentions.

#include "querylog/querylog.h"
#include "topk.h"

#include <stddef.h>
#include <weir/attr.h>
#include <weir/config_log.h>

enum { WEBHOOK_EVENTS_MAX = 8, WEBHOOK_TOP_MAX = 5, WEBHOOK_TOPK_CAP = 512 };

enum webhook_kind { WEBHOOK_BLOCK, WEBHOOK_ERROR, WEBHOOK_KINDS };

struct webhook_event { // texts are cut
	uint64_t time_us;
	char qname[256], client[64], client_name[64], list[128], verdict[32];
	uint16_t qtype, rcode;
};

// Queries of the next message: their number, and the first few of them.
struct webhook_note {
	uint64_t count;
	unsigned shown;
	struct webhook_event event[WEBHOOK_EVENTS_MAX];
};
void webhook_note_add(struct webhook_note *n, const struct querylog_row *row);

enum webhook_list { WEBHOOK_NAMES, WEBHOOK_BLOCKED, WEBHOOK_CLIENTS, WEBHOOK_LISTS };

struct webhook_day {
	uint64_t since_s; // unix time
	uint64_t queries, answered, blocked, failed, nxdomain, cached;
	struct topk *topk[WEBHOOK_LISTS]; // tables of WEBHOOK_TOPK_CAP texts
};

bool webhook_is_error(const struct querylog_row *row);
// Returns a malloced text; NULL: no memory.
ATTR_MUST_CHECK char *webhook_note_text(enum webhook_form form, const char *box,
	enum webhook_kind kind, const struct webhook_note *n);
ATTR_MUST_CHECK char *webhook_day_text(
	enum webhook_form form, const char *box, const struct webhook_day *d, uint64_t until_s);

// Discord's form.

enum { WEBHOOK_CONTENT_MAX = 1900 };

struct webhook_content { // zeros: empty
	char text[WEBHOOK_CONTENT_MAX];
	size_t len;
};

void webhook_content_line(struct webhook_content *c, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Copies a text to `out` so that it can stand between backticks: texts of clients and servers may
// have backticks.
const char *webhook_harmless(const char *from, char *out, size_t cap);
// Returns a malloced text; NULL: no memory.
ATTR_MUST_CHECK char *webhook_discord(const struct webhook_content *c);
