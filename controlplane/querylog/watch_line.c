// SPDX-License-Identifier: BSD-3-Clause
#include "watch_line.h"

#include "base/rdata_text.h"
#include "querylog_hide.h"
#include "upstream_book.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/shm_stats.h>

// A name is escaped once more, an event has one, and the rest is numbers and constant words.
enum { NAME_MOST = 2 * 4 * 255, EVENT_MOST = 2 * UPSTREAM_BOOK_NAME_MAX + 256, HEAD_MOST = 1536 };
static_assert(sizeof(((struct watch_line *)0)->text) > NAME_MOST + HEAD_MOST + 2 * WATCH_FRAME_MAX);

// A part without room is left out as a whole; a line always ends.
static void add(struct watch_line *l, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void add(struct watch_line *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(l->text) - l->len)
		l->len += (size_t)n;
}

// Text with backslashes, which JSON minds, and maybe quotes.
static void add_text(struct watch_line *l, const char *key, const char *text)
{
	add(l, ",\"%s\":\"", key);
	for (const char *p = text; *p; p++)
		add(l, *p == '\\' || *p == '"' ? "\\%c" : "%c", *p);
	add(l, "\"");
}

static void add_name(struct watch_line *l, const uint8_t *wire, uint8_t len)
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	struct rd rd = rd_init(wire, len);
	if (len == 0 || dns_name_read(&rd, &name) != 0 || rd_left(&rd) != 0)
		return;
	(void)dns_name_to_text(&name, text);
	add_text(l, "qname", text);
}

static void add_client(struct watch_line *l, const struct querylog_hiding *h, bool is_ipv6,
	const uint8_t *client, unsigned port)
{
	char text[QUERYLOG_CLIENT_TEXT_MAX];
	uint8_t bytes[16];
	memcpy(bytes, client, sizeof(bytes));
	querylog_hide_client(&h->key, h->how, is_ipv6 ? 6 : 4, bytes, text);
	add(l, ",\"client\":\"%s\",\"client_port\":%u", text,
		h->how == LOG_CLIENTS_WHOLE ? port : 0);
}

static void add_type(struct watch_line *l, uint16_t qtype)
{
	char type[DNS_TYPE_TEXT_MAX];
	add(l, ",\"qtype\":\"%s\"", dns_type_text(qtype, type));
}

static void add_query(
	struct watch_line *l, const struct querylog_hiding *h, const struct log_record *r)
{
	add_client(l, h, r->flags & LOG_IPV6, r->client, r->client_port);
	add(l, ",\"group\":%u", r->group % (1u << LOG_GROUP_BITS));
	add_type(l, r->qtype);
	if (r->list != LOG_NO_LIST)
		add(l, ",\"list\":%u", r->list);
	if (r->flags & LOG_ANSWERED)
		add(l, ",\"rcode\":\"%s\",\"reply_len\":%u",
			dns_rcode_text(r->rcode & LOG_RCODE_MASK), r->reply_len);
}

static void add_frame(struct watch_line *l, const uint8_t *frame, unsigned len)
{
	static const char digits[] = "0123456789abcdef";
	add(l, ",\"frame\":\"");
	for (unsigned i = 0; i < len && l->len + 2 < sizeof(l->text); i++) {
		l->text[l->len++] = digits[frame[i] >> 4];
		l->text[l->len++] = digits[frame[i] & 0xf];
	}
	add(l, "\"");
}

static void add_worker(struct watch_line *l, int64_t wall_us, const struct querylog_hiding *h,
	const struct watch_msg *m, const uint8_t *behind)
{
	const struct log_record *r = &m->record;
	add(l, "\"time_us\":%" PRId64 ",\"verdict\":\"%s\",\"frame_len\":%u,\"batch\":%u",
		(int64_t)(r->time_us + (uint64_t)wall_us), verdict_names[r->verdict], m->frame_len,
		m->batch);
	if (r->client_port)
		add_query(l, h, r);
	add_name(l, behind, r->name_len);
	add(l, ",\"stage_ns\":{");
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		add(l, "%s\"%s\":%" PRIu32, s ? "," : "", stage_names[s], m->stage_ns[s]);
	add(l, "}");
	if (m->kept)
		add_frame(l, behind + r->name_len, m->kept);
}

// A query without a worker's part.
static void add_alone(struct watch_line *l, int64_t wall_us, const struct querylog_hiding *h,
	const struct trace *t)
{
	add(l, "\"time_us\":%" PRId64 ",\"verdict\":\"%s\"",
		(int64_t)(t->arrival_us + (uint64_t)wall_us), verdict_names[t->verdict]);
	add_client(l, h, t->ip_version == 6, t->client, t->client_port);
	add_type(l, t->qtype);
	add_name(l, t->name, t->name_len);
	if (t->worker == TRACE_OF_FRONTEND)
		add(l, ",\"transport\":\"%s\"", t->is_tcp ? "tcp" : "udp");
}

static void add_numbers(struct watch_line *l, const struct trace_event *e)
{
	const char *const *keys = trace_step_keys[e->step];
	if (e->step == TRACE_answered)
		add(l, ",\"%s\":\"%s\"", keys[0], trace_outcome_names[e->n % TRACE_OUTCOMES]);
	else if (*keys[0])
		add(l, ",\"%s\":%u", keys[0], e->n);
	if (strcmp(keys[1], "rcode") == 0)
		add(l, ",\"rcode\":\"%s\"", dns_rcode_text((uint16_t)e->value));
	else if (*keys[1])
		add(l, ",\"%s\":%" PRIu32, keys[1], e->value);
}

static uint32_t since_us(const struct trace *t, uint64_t at_us)
{
	uint64_t us = at_us > t->arrival_us ? at_us - t->arrival_us : 0;
	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

// The answer's steps in the worker, whose clock may differ by some microseconds: the steps left to
// print, and the event to print them after.
struct answer_way {
	const struct watch_msg *msg; // NULL: none, or all printed
	unsigned behind;             // not before this event: the control plane's answer
	uint32_t took_us, sent_us;
	bool is_taken; // printed
};

static struct answer_way way_of(const struct trace *t, const struct watch_msg *m)
{
	struct answer_way w = {.msg = m};
	while (m && w.behind < t->count && t->event[w.behind].step != TRACE_answered)
		w.behind++;
	if (!m || w.behind == t->count)
		return (struct answer_way){.msg = NULL};
	w.took_us = since_us(t, m->record.time_us);
	if (w.took_us < t->event[w.behind].at_us)
		w.took_us = t->event[w.behind].at_us;
	w.sent_us = w.took_us + m->stage_ns[STAGE_tx] / 1000;
	return w;
}

// What came before the event behind the `i`th.
static void add_way(struct watch_line *l, const struct trace *t, struct answer_way *w, unsigned i)
{
	const uint32_t next_us = i + 1 < t->count ? t->event[i + 1].at_us : UINT32_MAX;
	if (!w->msg || i < w->behind || w->took_us > next_us)
		return;
	if (!w->is_taken)
		add(l, ",{\"at_us\":%" PRIu32 ",\"step\":\"worker_took\"}", w->took_us);
	w->is_taken = true;
	if (w->sent_us > next_us)
		return;
	add(l, ",{\"at_us\":%" PRIu32 ",\"step\":\"%s\",\"tx_ns\":%" PRIu32 "}", w->sent_us,
		w->msg->record.flags & LOG_ANSWERED ? "worker_sent" : "worker_tx_full",
		w->msg->stage_ns[STAGE_tx]);
	w->msg = NULL;
}

static void add_events(
	struct watch_line *l, const struct watch_parts *parts, const struct upstream_book *book)
{
	const struct trace *t = parts->control;
	struct answer_way way = way_of(t, parts->answer);
	unsigned i = 0;
	add(l, ",\"outcome\":\"%s\",\"events\":[", trace_outcome_names[t->outcome]);
	for (; i < t->count && sizeof(l->text) - l->len > EVENT_MOST; i++) {
		const struct trace_event *e = &t->event[i];
		add(l, "%s{\"at_us\":%" PRIu32 ",\"step\":\"%s\"", i ? "," : "", e->at_us,
			trace_step_names[e->step]);
		if (e->server != LOG_NO_UPSTREAM)
			add_text(l, "server", upstream_book_name(book, e->server));
		add_numbers(l, e);
		add(l, "}");
		add_way(l, t, &way, i);
	}
	add(l, "]");
	if (t->lost + t->count - i)
		add(l, ",\"events_lost\":%u", t->lost + t->count - i);
}

void watch_line_make(struct watch_line *l, int64_t wall_us, const struct watch_parts *parts,
	const struct querylog_hiding *hiding, const struct upstream_book *book)
{
	const struct trace *t = parts->control;
	l->len = 0;
	add(l, "{");
	if (parts->worker)
		add_worker(l, wall_us, hiding, parts->worker, parts->behind);
	else
		add_alone(l, wall_us, hiding, t);
	if (t)
		add(l, ",\"trace\":\"%04x-%u-%u\"", t->number >> 16, t->worker, t->number & 0xffff);
	if (t && !t->is_left_out)
		add_events(l, parts, book);
	if (t ? t->is_left_out || (parts->is_alone && t->worker != TRACE_OF_FRONTEND)
	      : parts->is_alone)
		add(l, ",\"incomplete\":true");
	add(l, "}\n");
}
