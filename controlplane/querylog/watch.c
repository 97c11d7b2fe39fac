// SPDX-License-Identifier: BSD-3-Clause
#include "watch.h"

#include "base/rdata_text.h"
#include "querylog_row.h"
#include "upstream_book.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/shm_stats.h>
#include <weir/text.h>

// Joins the parts of a watched miss: the worker's message, the control plane's steps, and the
// sending of the answer. The first part waits here for the others, because the log rings are read
// at their own pace and a question lives up to 5 s.

struct watch_half {
	uint32_t number; // 0: the place is free
	uint16_t worker;
	bool has_worker, has_control, has_answer;
	uint64_t until_ms, order; // order: number among all queries that ever waited
	struct watch_msg msg;
	uint8_t name[255];
	struct trace trace;
	struct watch_msg answer;
};

struct watch_join {
	struct watch_half half[WATCH_JOIN_MAX];
	uint64_t count; // queries that ever waited
};

// The place of a query, by its number. If the query has no place: a free one (number 0), or else
// the place of the oldest query, which the caller shows first. The caller fills it in; its `order`
// is the next `count`.
static struct watch_half *join_place(struct watch_join *j, uint32_t number, uint16_t worker)
{
	struct watch_half *free = NULL, *oldest = &j->half[0];
	for (unsigned i = 0; i < WATCH_JOIN_MAX; i++) {
		struct watch_half *h = &j->half[i];
		if (h->number == number && h->worker == worker)
			return h;
		if (!h->number)
			free = h;
		if (h->order < oldest->order)
			oldest = h;
	}
	return free ? free : oldest;
}

// A query whose time is over at `now_ms`, UINT64_MAX: any query. NULL: there is no such query.
static struct watch_half *join_due(struct watch_join *j, uint64_t now_ms)
{
	for (unsigned i = 0; i < WATCH_JOIN_MAX; i++)
		if (j->half[i].number && j->half[i].until_ms < now_ms)
			return &j->half[i];
	return NULL;
}

static unsigned join_used(const struct watch_join *j)
{
	unsigned used = 0;
	for (unsigned i = 0; i < WATCH_JOIN_MAX; i++)
		used += j->half[i].number != 0;
	return used;
}

// One query as a line of JSON: the worker's part, the control plane's, or both.

struct watch_line {
	char text[24576];
	size_t len;
};

struct watch_parts {
	const struct watch_msg *worker; // NULL: no message of the worker
	const uint8_t *behind;          // name and frame behind `worker`
	const struct trace *control;    // NULL: no trace
	const struct watch_msg *answer; // WATCH_ANSWER: the answer was sent; NULL: no such message
	bool is_alone;                  // the other part is missing
};

// Bytes of a name, of an event and of the rest: names are escaped twice, an event has one name, and
// all else is numbers and constant words.
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

// Adds a text as a JSON string; escapes its backslashes and quotes.
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

// Adds a query without a worker's part, from its trace.
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

// The steps of an answer in the worker that are left to print. They come after the event that the
// answer left the control plane, because the worker's clock may differ by some microseconds.
struct answer_way {
	const struct watch_msg *msg; // NULL: the worker has no steps, or all are printed
	unsigned behind; // number of the event TRACE_answered, before which no step is printed
	uint32_t took_us, sent_us;
	bool is_taken; // worker_took is printed
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

// Adds the worker's steps that come before event `i` + 1.
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

// `wall_us`: added to times to get wall time; `hiding`: how to show clients; `book`: names of
// servers, NULL: they have no names.
static void line_make(struct watch_line *l, int64_t wall_us, const struct watch_parts *parts,
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

struct lines {
	struct watch_join join;
	char text[WATCH_BUFFER_MAX];
};

struct watch {
	pthread_mutex_t lock;
	const struct upstream_book *book;
	struct lines *lines; // NULL: no watch is active
	size_t used;
	uint64_t missed; // queries left out since watch_take
	uint16_t id;     // id of the newest watch
	unsigned outcomes;
	struct querylog_hiding hiding;
	int64_t wall_us; // offset from the monotonic clock to wall time
	struct watch_counts counts;
	struct watch_line line; // the line being made
};

static int64_t wall_of_clock(void)
{
	return (int64_t)(clock_us_of(CLOCK_REALTIME) - clock_mono_us());
}

int watch_open(struct watch **out)
{
	struct watch *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	// Messages of a watch of the previous run may still be on the rings.
	w->id = (uint16_t)clock_mono_ms();
	*out = w;
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	pthread_mutex_destroy(&w->lock);
	FREE_AND_NULL(w->lines);
	heap_free(w);
}

void watch_set_book(struct watch *w, const struct upstream_book *book)
{
	w->book = book;
}

int watch_begin(struct watch *w, unsigned outcomes, uint16_t *id)
{
	int rc = 0;
	pthread_mutex_lock(&w->lock);
	if (w->lines) {
		rc = -EBUSY;
		w->counts.refused++;
	} else {
		w->lines = heap_malloc(sizeof(*w->lines));
		rc = w->lines ? 0 : -ENOMEM;
		if (w->lines)
			memset(&w->lines->join, 0, sizeof(w->lines->join));
		w->used = 0;
		w->outcomes = outcomes;
		w->hiding = (struct querylog_hiding){.how = LOG_CLIENTS_WHOLE};
		w->wall_us = wall_of_clock();
		w->missed = 0;
		w->counts.begun += rc == 0;
		if (rc == 0)
			*id = ++w->id;
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

void watch_hide(struct watch *w, const struct querylog_hiding *hiding)
{
	pthread_mutex_lock(&w->lock);
	w->hiding = *hiding;
	pthread_mutex_unlock(&w->lock);
}

void watch_end(struct watch *w)
{
	pthread_mutex_lock(&w->lock);
	FREE_AND_NULL(w->lines);
	pthread_mutex_unlock(&w->lock);
}

static bool message_read(struct watch_msg *m, const uint8_t *msg, size_t len)
{
	if (len < sizeof(*m))
		return false;
	memcpy(m, msg, sizeof(*m));
	if (m->part != WATCH_QUERY && (m->part != WATCH_ANSWER || !m->trace || m->kept))
		return false;
	return m->record.verdict < VERDICT_COUNT && m->kept <= WATCH_FRAME_MAX
	       && len == sizeof(*m) + m->record.name_len + m->kept;
}

static bool is_wanted(const struct watch *w, const struct watch_parts *p)
{
	if (!w->outcomes)
		return true;
	if (p->worker && p->worker->record.verdict != VERDICT_miss)
		return true;
	const struct trace *t = p->control;
	if (t && t->verdict != VERDICT_miss)
		return true;
	return t && !t->is_left_out && (w->outcomes >> t->outcome & 1);
}

static void show(struct watch *w, const struct watch_parts *p)
{
	if (!is_wanted(w, p))
		return;
	if (WATCH_BUFFER_MAX - w->used < sizeof(w->line.text)) {
		w->missed++;
		w->counts.missed++;
		return;
	}
	line_make(&w->line, w->wall_us, p, &w->hiding, w->book);
	memcpy(w->lines->text + w->used, w->line.text, w->line.len);
	w->used += w->line.len;
	w->counts.shown++;
	w->counts.incomplete += p->is_alone;
}

static void half_show(struct watch *w, struct watch_half *h)
{
	const struct watch_parts p = {
		.worker = h->has_worker ? &h->msg : NULL,
		.behind = h->name,
		.control = h->has_control ? &h->trace : NULL,
		.answer = h->has_answer ? &h->answer : NULL,
		.is_alone = !h->has_worker || !h->has_control,
	};
	if (p.worker || p.control) // else the answer is of a query that was already shown
		show(w, &p);
	*h = (struct watch_half){0};
}

// The place for a part that has come. The query is shown once its other parts have come.
static struct watch_half *half_of(
	struct watch *w, uint32_t number, uint16_t worker, unsigned wait_ms)
{
	struct watch_half *h = join_place(&w->lines->join, number, worker);
	if (h->number && (h->number != number || h->worker != worker))
		half_show(w, h);
	if (!h->number) {
		h->number = number;
		h->worker = worker;
		h->until_ms = clock_mono_ms() + wait_ms;
		h->order = ++w->lines->join.count;
	}
	return h;
}

static void half_show_whole(struct watch *w, struct watch_half *h)
{
	if (h->has_worker && h->has_control && (h->has_answer || !h->trace.is_handed))
		half_show(w, h);
}

static void worker_receive(struct watch *w, const struct watch_msg *m, const uint8_t *behind)
{
	if (!m->trace) {
		show(w, &(struct watch_parts){.worker = m, .behind = behind});
		return;
	}
	struct watch_half *h = half_of(w, m->trace, m->worker, WATCH_FOR_CONTROL_MS);
	if (m->part == WATCH_ANSWER) {
		h->has_answer = true;
		h->answer = *m;
		half_show_whole(w, h);
		return;
	}
	h->has_worker = true;
	h->msg = *m;
	h->msg.kept = 0; // the frame of a traced query is not kept
	memcpy(h->name, behind, m->record.name_len);
	half_show_whole(w, h);
}

bool watch_put(void *watch, int64_t wall_us, const uint8_t *msg, size_t len)
{
	struct watch *w = watch;
	struct watch_msg m;
	bool is_sane = message_read(&m, msg, len);
	pthread_mutex_lock(&w->lock);
	w->counts.bad += !is_sane;
	w->wall_us = wall_us;
	bool is_ours = is_sane && w->lines && m.id == w->id;
	w->counts.former += is_sane && !is_ours;
	if (is_ours)
		worker_receive(w, &m, msg + sizeof(m));
	pthread_mutex_unlock(&w->lock);
	return is_sane;
}

void watch_put_trace(void *watch, const struct trace *t)
{
	struct watch *w = watch;
	pthread_mutex_lock(&w->lock);
	bool is_ours = w->lines && t->number >> 16 == w->id;
	w->counts.former += !is_ours;
	if (is_ours && t->worker == TRACE_OF_FRONTEND) {
		show(w, &(struct watch_parts){.control = t});
	} else if (is_ours) {
		struct watch_half *h = half_of(w, t->number, t->worker, WATCH_FOR_WORKER_MS);
		h->has_control = true;
		h->trace = *t;
		h->until_ms = clock_mono_ms() + WATCH_FOR_WORKER_MS;
		half_show_whole(w, h);
	}
	pthread_mutex_unlock(&w->lock);
}

unsigned watch_waiting(struct watch *w)
{
	pthread_mutex_lock(&w->lock);
	unsigned n = w->lines ? join_used(&w->lines->join) : 0;
	pthread_mutex_unlock(&w->lock);
	return n;
}

static bool half_due_show(struct watch *w, uint64_t until_ms)
{
	pthread_mutex_lock(&w->lock);
	struct watch_half *h = w->lines ? join_due(&w->lines->join, until_ms) : NULL;
	if (h)
		half_show(w, h);
	pthread_mutex_unlock(&w->lock);
	return h != NULL;
}

// Shows queries one by one, so that the resolver never waits for more than a line. At most
// WATCH_JOIN_MAX; later ones can wait.
static void halves_show(struct watch *w, uint64_t until_ms)
{
	for (unsigned i = 0; i < WATCH_JOIN_MAX && half_due_show(w, until_ms); i++)
		;
}

void watch_complete(struct watch *w)
{
	halves_show(w, UINT64_MAX);
}

size_t watch_take(struct watch *w, char *out, uint64_t *missed)
{
	halves_show(w, clock_mono_ms());
	pthread_mutex_lock(&w->lock);
	size_t used = w->lines ? w->used : 0;
	if (used)
		memcpy(out, w->lines->text, used);
	*missed = w->missed;
	w->used = 0;
	w->missed = 0;
	pthread_mutex_unlock(&w->lock);
	return used;
}

void watch_counts(struct watch *w, struct watch_counts *out)
{
	pthread_mutex_lock(&w->lock);
	*out = w->counts;
	out->is_watched = w->lines != NULL;
	out->bytes = w->lines ? sizeof(*w->lines) : 0;
	pthread_mutex_unlock(&w->lock);
}

#define V(name) (UINT64_C(1) << VERDICT_##name)
// Words for several verdicts, or for the results of a miss beside the equal verdicts of workers.
static const struct {
	const char *word;
	uint64_t verdicts;
	const char *begin; // names of further verdicts begin with it; NULL: no further verdicts
	unsigned outcomes;
} words[] = {
	{"servfail", V(miss), "servfail", 1u << ANSWER_SERVFAIL},
	{"stale", V(miss), "hit_stale", 1u << ANSWER_STALE},
	{"upstream", V(miss), NULL, 1u << ANSWER_UPSTREAM},
	{"cached", V(miss), NULL, 1u << ANSWER_CACHED},
	{"blocked_answer", V(miss), "blocked_answer", 1u << ANSWER_BLOCKED},
	{"unanswered", V(miss), NULL, 1u << TRACE_NO_ANSWER},
	{"malformed",
		V(formerr) | V(drop_runt) | V(drop_ip_header) | V(drop_ip_csum) | V(drop_udp_header)
			| V(drop_udp_csum) | V(drop_dns_short) | V(drop_chained),
		NULL, 0},
	{"dropped", 0, "drop_", 0},
};
#undef V

static uint64_t verdicts_from(const char *begin)
{
	uint64_t bits = 0;
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		if (strncmp(verdict_names[v], begin, strlen(begin)) == 0)
			bits |= UINT64_C(1) << v;
	return bits;
}

bool watch_verdicts(const char *word, uint64_t *verdicts, unsigned *outcomes)
{
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i].word) != 0)
			continue;
		*outcomes = words[i].outcomes;
		*verdicts =
			words[i].verdicts | (words[i].begin ? verdicts_from(words[i].begin) : 0);
		return true;
	}
	*outcomes = 0;
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		if (strcmp(word, verdict_names[v]) == 0) {
			*verdicts = UINT64_C(1) << v;
			return true;
		}
	}
	return false;
}

const char *watch_verdict_near(const char *word)
{
	struct text_near near;
	text_near_begin(&near, word);
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		text_near_try(&near, words[i].word);
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		text_near_try(&near, verdict_names[v]);
	return near.best;
}
