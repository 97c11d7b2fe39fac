// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"
#include "reply.h"
#include "stages.h"

#include <weir/shm_msg.h>

static void prefetch_records(struct batch *b, const _Atomic uint8_t *marks)
{
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		p->candidate = l0_candidate(&b->tables->l0, p->key.hash);
		if (marks && p->candidate != L0_NONE)
			__builtin_prefetch(&marks[p->candidate]);
	}
}

// Asks for a new copy of a record that is still good, or past its soft expiry and served all the
// same. True: asked, so the mark may be set; once it is, nobody asks again until the control plane
// clears it.
static bool ask_refresh(struct batch *b, const struct packet *p)
{
	if (!b->control_alive)
		return false;
	if (!ask_control(b, p, MISS_REFRESH)) {
		batch_count(b, COUNTER_refresh_full, 1);
		return false;
	}
	batch_count(b, COUNTER_refresh_asked, 1);
	return true;
}

// Notes the use of a record in this worker's own marks, and writes only what changes: a hot record
// is read by every worker and its mark must stay a clean line.
static void mark_used(
	struct batch *b, const struct packet *p, _Atomic uint8_t *marks, bool wants_refresh)
{
	_Atomic uint8_t *mark = &marks[p->record];
	uint8_t old = atomic_load_explicit(mark, memory_order_relaxed);
	uint8_t now = old | MARK_VISITED;
	if (unlikely_(wants_refresh) && !(old & MARK_REFRESH) && ask_refresh(b, p))
		now |= MARK_REFRESH;
	if (unlikely_(now != old))
		atomic_store_explicit(mark, now, memory_order_relaxed);
}

// The cases of design.md section 4 in which a worker may use a record past its soft expiry unasked.
// The third, a full miss ring, is found out by stage_miss.
static bool stale_is_allowed(const struct batch *b, const struct l0_view *view, uint64_t age_ms)
{
	return age_ms < view->stale_until_ms || !b->control_alive
	       || b->tables->config.stale_mode == STALE_IMMEDIATE;
}

// Answers from p->record. True: not answered, a miss. p->record then is a record past its soft but
// not its hard expiry, or L0_NONE.
static bool answer(struct batch *b, struct packet *p, _Atomic uint8_t *marks, uint64_t *anomalies)
{
	const struct l0_reader *l0 = &b->tables->l0;
	struct l0_view view;
	if (p->record == L0_NONE)
		return true;
	if (!l0_record_read(l0, p->record, &view)) {
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
	// A record that the control plane stamped as stale is in its hands already.
	bool stamped = age_ms < view.stale_until_ms;
	bool wants_refresh =
		(stale && !stamped)
		|| (!stale && view.refresh_ms != UINT32_MAX && age_ms >= view.refresh_ms);
	if (marks)
		mark_used(b, p, marks, wants_refresh);
	reply_answer(b, p, &view, stale);
	return false;
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
	prefetch_records(b, marks);

	// All found before any is answered: l0_find fetches the lines of a long record that the
	// candidate's prefetch left out, and they are on their way while the others are compared.
	uint64_t anomalies = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		p->record = l0_find(&t->l0, &p->key, p->candidate, &anomalies);
	}
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		if (answer(b, p, marks, &anomalies))
			b->pkt[kept++] = p;
	}
	b->count = kept;
	if (unlikely_(anomalies))
		batch_count(b, COUNTER_record_anomaly, anomalies);
}
