// SPDX-License-Identifier: BSD-3-Clause
#include "watch.h"

#include "querylog_hide.h"
#include "watch_join.h"
#include "watch_line.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/shm_stats.h>
#include <weir/text.h>

struct lines {
	struct watch_join join;
	char text[WATCH_BUFFER_MAX];
};

struct watch {
	pthread_mutex_t lock;
	const struct upstream_book *book;
	struct lines *lines; // NULL: no watch
	size_t used;
	uint64_t missed; // since the last look
	uint16_t id;     // of the newest watch
	unsigned outcomes;
	struct querylog_hiding hiding;
	int64_t wall_us; // offset from the monotonic clock to wall time
	struct watch_counts counts;
	struct watch_line line; // the one that is being made
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
	watch_line_make(&w->line, w->wall_us, p, &w->hiding, w->book);
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
	if (p.worker || p.control) // else it belongs to a query that was already shown
		show(w, &p);
	*h = (struct watch_half){0};
}

// For a part that has come; it is shown once the other one has.
static struct watch_half *half_of(
	struct watch *w, uint32_t number, uint16_t worker, unsigned wait_ms)
{
	struct watch_half *h = watch_join_place(&w->lines->join, number, worker);
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

static void half_settle(struct watch *w, struct watch_half *h)
{
	if (h->has_worker && h->has_control && (h->has_answer || !h->trace.is_handed))
		half_show(w, h);
}

static void worker_take(struct watch *w, const struct watch_msg *m, const uint8_t *behind)
{
	if (!m->trace) {
		show(w, &(struct watch_parts){.worker = m, .behind = behind});
		return;
	}
	struct watch_half *h = half_of(w, m->trace, m->worker, WATCH_FOR_CONTROL_MS);
	if (m->part == WATCH_ANSWER) {
		h->has_answer = true;
		h->answer = *m;
		half_settle(w, h);
		return;
	}
	h->has_worker = true;
	h->msg = *m;
	h->msg.kept = 0; // no frame is kept of a query that is traced
	memcpy(h->name, behind, m->record.name_len);
	half_settle(w, h);
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
		worker_take(w, &m, msg + sizeof(m));
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
		half_settle(w, h);
	}
	pthread_mutex_unlock(&w->lock);
}

unsigned watch_waiting(struct watch *w)
{
	pthread_mutex_lock(&w->lock);
	unsigned n = w->lines ? watch_join_used(&w->lines->join) : 0;
	pthread_mutex_unlock(&w->lock);
	return n;
}

static bool half_due_show(struct watch *w, uint64_t until_ms)
{
	pthread_mutex_lock(&w->lock);
	struct watch_half *h = w->lines ? watch_join_due(&w->lines->join, until_ms) : NULL;
	if (h)
		half_show(w, h);
	pthread_mutex_unlock(&w->lock);
	return h != NULL;
}

// One by one, so that the resolver never waits for more than a line. Later ones can wait.
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
	const char *begin; // and the verdicts whose names begin with it; NULL: none
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
