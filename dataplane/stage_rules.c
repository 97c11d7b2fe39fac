// SPDX-License-Identifier: BSD-3-Clause
#include "reply.h"
#include "stages.h"

static bool is_blocked(const struct worker_tables *t, const struct packet *p)
{
	const uint64_t *lists =
		unlikely_(t->has_groups) ? t->policy.group[p->group].lists : t->config.group_lists;
	return rule_probe_decide(&t->rules, &p->probe, p->q.name.labels, p->q.qtype, lists).action
	       != RULE_PASS;
}

// First all bloom filters, whose lines stage_parse prefetched; then, for the few names that passed,
// the fingerprints, prefetched meanwhile, and where these lie farther away, the next. Most batches
// end after the first.
void stage_rules(struct batch *b)
{
	const struct worker_tables *t = b->tables;
	if (!b->blocks)
		return;
	uint64_t suspects = 0;
	static_assert(WORKER_BATCH <= 64);
	for (unsigned i = 0; i < b->count; i++) {
		struct rule_probe *probe = &b->pkt[i]->probe;
		rule_probe_bloom(&t->rules, probe);
		suspects |= (uint64_t)(probe->candidates != 0) << i;
	}
	if (likely_(!suspects))
		return;

	for (uint64_t left = suspects; left; left &= left - 1)
		rule_probe_reach(&t->rules, &b->pkt[__builtin_ctzll(left)]->probe);

	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		if ((suspects >> i & 1) && is_blocked(t, p))
			reply_blocked(b, p);
		else
			b->pkt[kept++] = p;
	}
	b->count = kept;
}
