// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"
#include "core/l0/l0_hit.h"
#include "record_fast.h"
#include "reply_fast.h"
#include "stages.h"
#include "state/mark.h"

#include <weir/shm_msg.h>

// Requests a renewal of a record that is fresh, or served past its soft expiry. True: requested, so
// the mark may be set; then no worker requests it again until the control plane clears the mark.
static bool ask_refresh(struct batch *b, const struct packet *p)
{
	if (!b->control_alive)
		return false;
	if (!ask_control(b, p, MISS_REFRESH, 0)) {
		batch_count(b, COUNTER_refresh_full, 1);
		return false;
	}
	batch_count(b, COUNTER_refresh_asked, 1);
	return true;
}

static void want_refresh(struct batch *b, const struct packet *p, _Atomic uint8_t *mark)
{
	uint8_t old = atomic_load_explicit(mark, memory_order_relaxed);
	if (!(old & MARK_REFRESH) && ask_refresh(b, p))
		atomic_store_explicit(mark, old | MARK_REFRESH, memory_order_relaxed);
}

// Notes the use of records in this worker's own marks, and writes only what changes: the line of a
// hot record is clean once its hits are at their end (mark.h). In a pass of its own, whose loads
// all start at once: each mark is on a line that no other code has fetched.
static void mark_used(_Atomic uint8_t *marks, const uint32_t *used, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint8_t old = atomic_load_explicit(&marks[used[i]], memory_order_relaxed);
		uint8_t now = mark_hit(old) | MARK_VISITED;
		if (now != old)
			atomic_store_explicit(&marks[used[i]], now, memory_order_relaxed);
	}
}

// The cases in which a worker may use a record past its soft expiry unasked.
// The third, a full miss ring, is found out by stage_miss.
static bool stale_is_allowed(const struct batch *b, const struct l0_view *view, uint64_t age_ms)
{
	return age_ms < view->stale_until_ms || !b->control_alive
	       || b->tables->config.stale_mode == STALE_IMMEDIATE;
}

// Reads the record again: were the address of the caller's view known here, all of it would have to
// be in memory for every hit, at some ten cycles. True: settled, as a blocked answer.
static __attribute__((noinline)) bool settle_checked(struct batch *b, struct packet *p)
{
	struct l0_view view;
	return l0_record_read(&b->tables->l0, p->record, &view) && reply_checked(b, p, &view);
}

static bool is_led(const struct batch *b, const struct packet *p)
{
	return b->rules && p->probe.candidates && p->is_led;
}

// Answers from p->record. True: not answered, a miss. p->record then is a record past its soft but
// not its hard expiry, or L0_NONE.
static bool answer(struct batch *b, struct packet *p, _Atomic uint8_t *marks, uint64_t *anomalies)
{
	const struct l0_reader *l0 = &b->tables->l0;
	struct l0_view view;
	if (p->record == L0_NONE)
		return true;
	if (!l0_read_record_most(l0, p->record, MSG_DNS_MAX, &view)) {
		(*anomalies)++;
		p->record = L0_NONE;
		return true;
	}
	enum l0_age age = l0_age_of(&view, b->now_ms);
	if (age == L0_HARD_EXPIRED) {
		p->record = L0_NONE;
		return true;
	}
	uint64_t age_ms = b->now_ms > view.created_ms ? b->now_ms - view.created_ms : 0;
	bool stale = age == L0_SOFT_EXPIRED;
	if (stale && !stale_is_allowed(b, &view, age_ms))
		return true;
	// Not renewed for those who do not get it.
	if (unlikely_(view.masked)) {
		if (is_led(b, p)) {
			p->record = L0_NONE;
			return true;
		}
		if (settle_checked(b, p))
			return false;
	}
	// A record that the control plane stamped as stale is in its hands already.
	bool stamped = age_ms < view.stale_until_ms;
	bool wants_refresh =
		(stale && !stamped)
		|| (!stale && view.refresh_ms != UINT32_MAX && age_ms >= view.refresh_ms);
	if (unlikely_(wants_refresh) && marks)
		want_refresh(b, p, &marks[p->record]);
	reply_fast_answer(b, p, &view, stale);
	return false;
}

// The hits of a batch, for passes over all of them.
struct hits {
	unsigned count, others;      // others: hits that are not plain
	uint32_t used[WORKER_BATCH]; // records
};

// All of a group found before any is answered: l0_read_find fetches the lines of a long record that
// the candidate's prefetch left out, and these arrive while the others are compared. So does the
// line of the mark, which is set at the end without waiting.
ATTR_INLINE void find_group(struct batch *b, unsigned first, unsigned end, struct l0_found found[],
	_Atomic uint8_t *marks, uint64_t *anomalies)
{
	const struct l0_reader *l0 = &b->tables->l0;
	for (unsigned i = first; i < end; i++) {
		struct packet *p = b->pkt[i];
		const struct l0_key key = packet_key(p);
		p->record = l0_read_find(l0, &key, p->record, &found[i - first], anomalies);
		if (marks)
			prefetch_far(&marks[p->record]);
	}
}

// For the query log, what the records found know of their signatures.
static __attribute__((noinline)) void note_group(
	struct batch *b, unsigned first, unsigned end, const struct l0_found found[])
{
	for (unsigned i = first; i < end; i++) {
		const uint64_t head = found[i - first].head;
		if (b->pkt[i]->record == L0_NONE || likely_(l0_is_not_validated(head)))
			continue; // a new note says the same
		batch_note(b, b->pkt[i])->validation =
			l0_insecure_of(head) ? LOG_VALIDATION_INSECURE : LOG_VALIDATION_SECURE;
	}
}

// True: answered, as most are; only the counters are not touched yet.
ATTR_INLINE bool answer_plain(struct batch *b, struct packet *p, const struct l0_found *f,
	const struct l0_hit_terms *t, uint32_t plain_most, _Atomic uint64_t rcodes[])
{
	if (unlikely_(p->record == L0_NONE))
		return false;
	uint8_t *msg = packet_dns(p);
	uint64_t sum = reply_fast_question_sum(p);
	uint32_t len = l0_hit_reply(f, &p->q, msg, (uint32_t)packet_dns_room(p), t, &sum);
	if (unlikely_(len == 0))
		return false;
	if (unlikely_(len > plain_most))
		reply_more(b, p, len);
	struct rte_mbuf *m = p->m;
	frame_fast_reply(p, msg, (uint16_t)len, sum);
	stats_add(&rcodes[l0_rcode_of(f->head)], 1);
	b->tx[b->tx_count++] = m;
	p->m = NULL;
	return true;
}

static void answer_all(struct batch *b, struct hits *h, _Atomic uint8_t *marks, uint64_t *anomalies)
{
	const struct dp_config *config = &b->tables->config;
	const struct l0_hit_terms terms = {
		.now_ms = b->now_ms,
		.most_ttl_s = config->client_ttl_cap_s ? config->client_ttl_cap_s : UINT32_MAX,
		.limit = reply_fast_limit(b),
	};
	const uint32_t plain_most = reply_fast_plain_most(b);
	const unsigned count = b->count;
	unsigned kept = 0;
	struct l0_found found[RECORD_GROUP];
	_Atomic uint64_t *rcodes = b->w->stats->rcode;
	static_assert(STATS_RCODES == 16);
	h->count = h->others = 0;
	for (unsigned first = 0; first < count; first += RECORD_GROUP) {
		const unsigned end = record_least(count, first + RECORD_GROUP);
		record_look_ahead(b, first);
		find_group(b, first, end, found, marks, anomalies);
		if (b->logs)
			note_group(b, first, end, found);
		for (unsigned i = first; i < end; i++) {
			struct packet *p = b->pkt[i];
			h->used[h->count] = p->record;
			if (likely_(answer_plain(
				    b, p, &found[i - first], &terms, plain_most, rcodes))) {
				h->count++;
			} else if (answer(b, p, marks, anomalies)) {
				b->pkt[kept++] = p;
			} else {
				h->count++;
				h->others++;
			}
		}
	}
	b->count = kept;
	stats_add(&b->w->stats->verdict[VERDICT_hit], h->count - h->others);
}

void stage_lookup(struct batch *b)
{
	const struct worker_tables *t = b->tables;
	if (!t->has_l0) {
		for (unsigned i = 0; i < b->count; i++)
			b->pkt[i]->record = L0_NONE;
		return;
	}
	_Atomic uint8_t *marks = t->marks[b->w->index];
	uint64_t anomalies = 0;
	struct hits hits;
	answer_all(b, &hits, marks, &anomalies);
	if (marks)
		mark_used(marks, hits.used, hits.count);
	if (unlikely_(anomalies))
		batch_count(b, COUNTER_record_anomaly, anomalies);
}
