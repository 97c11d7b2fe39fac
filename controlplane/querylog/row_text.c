// SPDX-License-Identifier: BSD-3-Clause
#include "row_text.h"

#include "base/rdata_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct line {
	char *out;
	size_t len, cap;
	bool is_full;
};

static void bytes(struct line *l, const char *from, size_t len)
{
	if (len > l->cap - l->len) {
		l->is_full = true;
		return;
	}
	memcpy(l->out + l->len, from, len);
	l->len += len;
}

static void print(struct line *l, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void print(struct line *l, const char *fmt, ...)
{
	char text[128];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		l->is_full = true;
	else
		bytes(l, text, (size_t)n);
}

// Texts of a row are printable UTF-8, so JSON needs escapes for quotes and backslashes alone.
static void json_text(struct line *l, const char *key, const char *text, size_t len)
{
	print(l, ",\"%s\":\"", key);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			bytes(l, "\\", 1);
		bytes(l, text + i, 1);
	}
	bytes(l, "\"", 1);
}

static void json_row_text(struct line *l, const char *key, struct querylog_text text)
{
	json_text(l, key, text.at, text.len);
}

static void json_name(struct line *l, const char *key, const char *text)
{
	json_text(l, key, text, strlen(text));
}

static void json_number(struct line *l, const char *key, int64_t n)
{
	print(l, ",\"%s\":%" PRId64, key, n);
}

static void json_flag(struct line *l, const char *key, bool b)
{
	print(l, ",\"%s\":%s", key, b ? "true" : "false");
}

size_t row_text_json(const struct querylog_row *row, const char *box, char *out, size_t cap)
{
	struct line l = {.out = out, .cap = cap};
	char type[DNS_TYPE_TEXT_MAX];
	print(&l, "{\"time_us\":%" PRIu64, row->time_us);
	json_number(&l, "weight", (int64_t)row->weight);
	json_name(&l, "box", box);
	json_row_text(&l, "client", row->client);
	json_number(&l, "client_port", row->client_port);
	json_row_text(&l, "client_name", row->client_name);
	json_row_text(&l, "client_group", row->group);
	json_row_text(&l, "qname", row->qname);
	json_name(&l, "qtype", dns_type_text(row->qtype, type));
	json_number(&l, "qclass", row->qclass);
	json_name(&l, "transport", querylog_transport_names[row->transport]);
	json_row_text(&l, "verdict", row->verdict);
	json_name(&l, "tier", querylog_tier_names[row->tier]);
	json_flag(&l, "answered", row->is_answered);
	json_flag(&l, "blocked", row->is_blocked);
	json_number(&l, "rcode", row->rcode);
	json_number(&l, "ede", row->ede == QUERYLOG_NO_EDE ? -1 : row->ede);
	json_name(&l, "validation", querylog_validation_names[row->validation]);
	json_row_text(&l, "list", row->list);
	json_row_text(&l, "upstream", row->upstream);
	json_number(&l, "dataplane_us", row->dataplane_us);
	json_number(&l, "total_us", row->total_us);
	json_number(&l, "query_len", row->query_len);
	json_number(&l, "reply_len", row->reply_len);
	bytes(&l, "}\n", 2);
	return l.is_full ? 0 : l.len;
}

static void word(struct line *l, struct querylog_text text)
{
	bytes(l, " ", 1);
	if (text.len == 0)
		bytes(l, "-", 1);
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == ' ')
			bytes(l, "\\x20", 4);
		else
			bytes(l, text.at + i, 1);
	}
}

static void when(struct line *l, uint64_t time_us)
{
	const time_t s = (time_t)(time_us / 1000000);
	struct tm tm;
	char text[64];
	if (!gmtime_r(&s, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
		l->is_full = true; // an impossible time
		return;
	}
	print(l, "%s.%06uZ", text, (unsigned)(time_us % 1000000));
}

size_t row_text_line(const struct querylog_row *row, char *out, size_t cap)
{
	struct line l = {.out = out, .cap = cap};
	char type[DNS_TYPE_TEXT_MAX];
	when(&l, row->time_us);
	word(&l, row->client);
	print(&l, " %u %s", row->client_port, querylog_transport_names[row->transport]);
	word(&l, row->qname);
	print(&l, " %s %u", dns_type_text(row->qtype, type), row->qclass);
	word(&l, row->verdict);
	if (row->is_answered)
		print(&l, " %u", row->rcode);
	else
		bytes(&l, " -", 2);
	if (row->ede != QUERYLOG_NO_EDE)
		print(&l, " %u", row->ede);
	else
		bytes(&l, " -", 2);
	print(&l, " %s", querylog_tier_names[row->tier]);
	word(&l, row->list);
	word(&l, row->upstream);
	print(&l, " %" PRIu32 " %" PRIu32 " %u %u %" PRIu64, row->dataplane_us, row->total_us,
		row->query_len, row->reply_len, row->weight);
	word(&l, row->client_name);
	word(&l, row->group);
	print(&l, " %s\n", querylog_validation_names[row->validation]);
	return l.is_full ? 0 : l.len;
}
