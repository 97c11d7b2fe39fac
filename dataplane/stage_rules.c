// SPDX-License-Identifier: BSD-3-Clause
#include "reply.h"
#include "stages.h"

static bool is_blocked(const struct worker_tables *t, const struct packet *p)
{
	if (likely_(p->probe.candidates == 0))
		return false;
	struct rule_verdict verdict;
	rule_probe_decide(&t->rules, &p->probe, t->config.group_lists, &verdict);
	return verdict.action == RULE_BLOCK;
}

// First all bloom filters, whose lines stage_parse prefetched; then the fingerprints of the few
// names that passed, prefetched meanwhile.
void stage_rules(struct batch *b)
{
	const struct worker_tables *t = b->tables;
	if (!t->has_rules || !t->config.blocking_on)
		return;
	for (unsigned i = 0; i < b->count; i++)
		rule_probe_bloom(&t->rules, &b->pkt[i]->probe);

	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		if (is_blocked(t, p))
			reply_blocked(b, p);
		else
			b->pkt[kept++] = p;
	}
	b->count = kept;
}
