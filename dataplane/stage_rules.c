// SPDX-License-Identifier: BSD-3-Clause
#include "question_line.h"
#include "reply.h"
#include "stages.h"

#include <weir/rule_reply.h>

static struct rule_decision decide_unblocked(
	const struct rule_reader *r, const struct packet *p, const uint64_t lists[4])
{
	uint64_t kept[4];
	rule_lists_unblocked(r, lists, kept);
	return rule_probe_decide(r, &p->probe, p->q.name.labels, p->q.qtype, kept);
}

static struct rule_decision decide(const struct batch *b, const struct packet *p)
{
	const struct rule_reader *r = &b->tables->rules;
	const uint64_t *lists = batch_lists(b, p);
	if (unlikely_(!b->blocks))
		return decide_unblocked(r, p, lists);
	return rule_probe_decide(r, &p->probe, p->q.name.labels, p->q.qtype, lists);
}

// The question goes on in the view of its client's safe search, if it has that.
static void make_safe(const struct batch *b, struct packet *p)
{
	const struct worker_tables *t = b->tables;
	uint16_t view = t->has_groups ? t->policy.group[p->group].safe_view : 0;
	if (view)
		question_hash(t, p, view);
}

// Which takes the control plane to tell.
static bool pattern_may_allow(
	const struct batch *b, const struct packet *p, const struct rule_decision *d)
{
	return rule_pattern_may_allow(&b->tables->rules, batch_lists(b, p), d) && b->control_alive;
}

// True: settled.
static bool settle(struct batch *b, struct packet *p)
{
	struct rule_decision d = decide(b, p);
	// The operator's own data is not judged by where it leads.
	p->allowed = d.allowed || d.action == RULE_RESOLVE;
	switch ((enum rule_action)d.action) {
	case RULE_BLOCK:
		if (likely_(!pattern_may_allow(b, p, &d))) {
			reply_ruled(b, p, &d);
			return true;
		}
		if (d.safe) // where it is resolved, if it is
			make_safe(b, p);
		break;
	case RULE_DROP:
		if (b->logs)
			batch_note(b, p)->list = d.list;
		batch_drop(b, p, VERDICT_drop_rule);
		return true;
	case RULE_DATA:
		reply_ruled(b, p, &d);
		return true;
	case RULE_PASS:
		if (unlikely_(d.safe))
			make_safe(b, p);
		break;
	case RULE_RESOLVE: // the control plane knows from what
		break;
	}
	return false;
}

// First all bloom filters, whose lines stage_parse prefetched; then, for the few names that passed,
// the fingerprints, prefetched meanwhile, and where these lie farther away, the next. Most batches
// end after the first.
static void follow_rules(struct batch *b)
{
	const struct worker_tables *t = b->tables;
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
		if (!(suspects >> i & 1) || !settle(b, p))
			b->pkt[kept++] = p;
	}
	b->count = kept;
}

// What is left of the batch was asked by anybody; for clients that may ask for nothing now, only an
// allow rule helps.
static void block_rest(struct batch *b)
{
	static const struct rule_decision all = {.action = RULE_BLOCK,
		.reply = RULE_REPLY_GROUP,
		.rule_class = RULE_CLASS_OPERATOR_DENY};
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		bool allowed = b->rules && p->probe.candidates && p->allowed;
		if (b->tables->policy.group[p->group].block_all && !allowed)
			reply_ruled(b, p, &all);
		else
			b->pkt[kept++] = p;
	}
	b->count = kept;
}

void stage_rules(struct batch *b)
{
	if (b->rules)
		follow_rules(b);
	if (unlikely_(b->blocks_all))
		block_rest(b);
}
