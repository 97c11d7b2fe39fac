// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"
#include "reply.h"
#include "stages.h"

#include <weir/shm_msg.h>

// No room on the ring, or none for it. `asked_before`: others wait for the same question already.
static void settle_ring_full(
	struct batch *b, struct packet *p, bool asked_before, enum verdict verdict)
{
	struct l0_view view;
	if (p->record != L0_NONE && l0_record_read(&b->tables->l0, p->record, &view)) {
		if (!reply_checked(b, p, &view))
			reply_answer(b, p, &view, true);
	} else if (asked_before)
		batch_drop(b, p, VERDICT_drop_ring_full);
	else
		reply_rcode(b, p, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, verdict);
}

// Counts even before any refusal.
static bool is_over_share(struct batch *b, const struct packet *p)
{
	const struct fairness_client who = {
		.ip_version = p->ip_version, .address = packet_source(p), .name = &p->q.name};
	return fairness_ask(&b->w->fairness, &b->tables->l0.secret, &who, b->now_ms);
}

static void settle_miss(struct batch *b, struct packet *p, unsigned half_full)
{
	const unsigned resolver = ask_resolver(b, p);
	struct ring_producer *miss = &b->w->miss[resolver];
	struct dedup *dedup = &b->w->dedup;
	uint64_t replaced = dedup->replaced;
	const struct recent_wait wait = dedup_ask(dedup, p->hash, b->now_ms);
	batch_count(b, COUNTER_dedup_replaced, dedup->replaced - replaced);
	if (wait.before >= DEDUP_WAITERS) {
		batch_drop(b, p, VERDICT_miss_duplicate);
		return;
	}
	if (unlikely_(half_full >> resolver & 1) && is_over_share(b, p)
		&& ring_is_fuller(miss, miss->units / 4 * 3)) {
		dedup_end(dedup, wait.ticket);
		settle_ring_full(b, p, wait.before > 0, VERDICT_servfail_fairness);
		return;
	}
	if (ask_control(b, p, MISS_WAITER, wait.ticket)) {
		batch_drop(b, p, VERDICT_miss);
		return;
	}
	dedup_end(dedup, wait.ticket);
	settle_ring_full(b, p, wait.before > 0, VERDICT_servfail_ring_full);
}

// One bit for each miss ring.
static unsigned half_full_rings(struct worker *w)
{
	unsigned rings = 0;
	for (unsigned r = 0; r < w->resolvers; r++)
		rings |= (unsigned)ring_is_fuller(&w->miss[r], w->miss[r].units / 2) << r;
	return rings;
}

void stage_miss(struct batch *b)
{
	if (b->count == 0 && !b->asked)
		return;
	const unsigned half_full = half_full_rings(b->w);
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		if (unlikely_(p->q.qtype == DNS_TYPE_ANY) && b->tables->config.any_minimal)
			reply_any(b, p);
		else if (likely_(b->control_alive))
			settle_miss(b, p, half_full);
		else
			reply_rcode(b, p, DNS_RCODE_SERVFAIL, DNS_EDE_NOT_READY,
				VERDICT_servfail_no_control);
	}
	b->count = 0;
	// Publishes also the refresh requests of stage_lookup and the replies that stage_net heard.
	ask_publish(b->w, b->asked);
}
