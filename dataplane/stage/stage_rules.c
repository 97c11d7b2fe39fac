// SPDX-License-Identifier: BSD-3-Clause
#include "core/dns/dns_block_fast.h"
#include "core/rule/rule_fast.h"
#include "question_fast.h"
#include "record_fast.h"
#include "reply_fast.h"
#include "stages.h"

#include <weir/rule_reply.h>

static struct rule_decision decide_unblocked(
	const struct rule_reader *r, const struct packet *p, const uint64_t lists[4])
{
	uint64_t kept[4];
	rule_lists_unblocked(r, lists, kept);
	return rule_probe_decide(r, &p->probe, &p->q.name, p->q.qtype, kept);
}

static struct rule_decision decide(const struct batch *b, const struct packet *p)
{
	const struct rule_reader *r = &b->tables->rules;
	const uint64_t *lists = batch_lists(b, p);
	// A pause for everyone does not lift the rules of a group with block_all.
	if (unlikely_(!b->blocks) && !batch_blocks_all(b, p))
		return decide_unblocked(r, p, lists);
	return rule_probe_decide(r, &p->probe, &p->q.name, p->q.qtype, lists);
}

// The question goes on in the view of its client's safe search, if it has that.
static void make_safe(const struct batch *b, struct packet *p)
{
	const struct worker_tables *t = b->tables;
	uint16_t view = t->has_groups ? t->policy.group[p->group].safe_view : 0;
	if (!view)
		return;
	question_hash(t, p, view);
	if (t->has_l0) // the record counts as looked up
		p->record = l0_read_candidate(&t->l0, p->hash);
}

// Only the control plane can match patterns.
static bool pattern_may_allow(
	const struct batch *b, const struct packet *p, const struct rule_decision *d)
{
	return rule_pattern_may_allow(&b->tables->rules, batch_lists(b, p), d) && b->control_alive;
}

// True: settled.
static bool settle(struct batch *b, struct packet *p)
{
	struct rule_decision d = decide(b, p);
	const bool is_local = rule_decision_is_alias(&d);
	// The operator's own data is not checked by where it leads.
	p->allowed = d.allowed || is_local;
	p->unchecked = p->allowed
		       && (is_local || rule_is_unchecked(&b->tables->rules, batch_lists(b, p), &d));
	p->is_led = d.action == RULE_RESOLVE && !is_local;
	if (unlikely_(p->is_led) && !b->control_alive)
		d = rule_decision_blocks(&d);
	const bool answers = d.action != RULE_PASS && d.action != RULE_RESOLVE;
	if (answers && likely_(!pattern_may_allow(b, p, &d))) {
		reply_ruled(b, p, &d);
		return true;
	}
	// What goes on is resolved there, if it is; of RULE_RESOLVE the control plane finds the
	// records.
	if (unlikely_(d.safe) && d.action != RULE_RESOLVE)
		make_safe(b, p);
	return false;
}

// The common terms of the plain questions of a batch.
struct plain_terms {
	bool any;      // some may be: the rules may block
	bool patterns; // some list has one that may allow what it blocks
	uint32_t limit, most;
	_Atomic uint64_t *rcodes;
};

static struct plain_terms plain_terms_of(const struct batch *b)
{
	const uint64_t *allows = b->tables->rules.pattern_allows;
	return (struct plain_terms){
		.any = b->blocks,
		.patterns = allows[0] | allows[1] | allows[2] | allows[3],
		.limit = reply_fast_limit(b),
		.most = reply_fast_plain_most(b),
		.rcodes = b->w->stats->rcode,
	};
}

static __attribute__((noinline)) void note_plain(
	struct batch *b, const struct packet *p, const struct rule_set *set)
{
	struct batch_note *n = batch_note(b, p);
	n->list = (uint16_t)rule_fast_list(set, batch_lists(b, p));
	n->ede = p->q.has_opt ? DNS_EDE_BLOCKED : LOG_NO_EDE;
	n->verdict = VERDICT_blocked;
}

// The reply to a question that plain lists block, as most are. 0: another way, nothing is written.
ATTR_INLINE uint32_t plain_reply(const struct packet *p, const struct plain_terms *t, unsigned mode,
	uint32_t ttl_s, uint64_t *sum)
{
	*sum = reply_fast_question_sum(p);
	return dns_block_fast(packet_dns(p), (uint32_t)packet_dns_room(p), &p->q, mode, ttl_s,
		DNS_EDE_BLOCKED, t->limit, sum);
}

// True: settled, but for the verdict's counter.
ATTR_INLINE bool settle_plain(
	struct batch *b, struct packet *p, const struct rule_set *set, const struct plain_terms *t)
{
	const struct worker_tables *tables = b->tables;
	const uint64_t *lists = batch_lists(b, p);
	const struct dns_block *block = reply_block_of(b, p);
	uint64_t sum;
	if (unlikely_(!t->any) || unlikely_(!rule_fast_blocks(&tables->rules, set, lists)))
		return false;
	if (unlikely_(t->patterns))
		return false;
	const uint32_t len = plain_reply(p, t, block->mode, block->ttl_s, &sum);
	if (unlikely_(len == 0))
		return false;
	if (unlikely_(b->logs))
		note_plain(b, p, set);
	if (unlikely_(len > t->most))
		reply_more(b, p, len);
	stats_add(&t->rcodes[block->mode == DNS_BLOCK_NXDOMAIN ? DNS_RCODE_NXDOMAIN
							       : DNS_RCODE_NOERROR],
		1);
	struct rte_mbuf *m = p->m;
	frame_fast_reply(p, packet_dns(p), (uint16_t)len, sum);
	b->tx[b->tx_count++] = m;
	p->m = NULL;
	return true;
}

// Where the entries of the suspects lie; of those that are not plain, nowhere.
ATTR_INLINE void reach_sets(
	const struct batch *b, uint64_t suspects, const struct rule_set *set[WORKER_BATCH])
{
	for (uint64_t left = suspects; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		set[i] = rule_fast_reach(&b->tables->rules, &b->pkt[i]->probe);
	}
}

// The remaining packets keep their order.
static void settle_all(
	struct batch *b, uint64_t suspects, const struct rule_set *const set[WORKER_BATCH])
{
	const struct plain_terms terms = plain_terms_of(b);
	const unsigned count = b->count;
	unsigned kept = 0, blocked = 0;
	for (unsigned i = 0; i < count; i++) {
		struct packet *p = b->pkt[i];
		if (!(suspects >> i & 1)) {
			b->pkt[kept++] = p;
			continue;
		}
		const struct rule_set *of = set[i];
		if (unlikely_(!of))
			of = rule_fast_behind(&b->tables->rules, &p->probe);
		if (likely_(of) && likely_(settle_plain(b, p, of, &terms)))
			blocked++;
		else if (!settle(b, p))
			b->pkt[kept++] = p;
	}
	b->count = kept;
	stats_add(&b->w->stats->verdict[VERDICT_blocked], blocked);
}

// Where stage_parse began to look for records, and some packets leave now: the others are no longer
// at the places up to which it did.
static void look_for_all(struct batch *b)
{
	if (!b->looked_home)
		return;
	record_look_home(b, b->count);
	record_look_other(b, b->count);
}

// Suspects that are left where the image has globs.
static __attribute__((noinline)) uint64_t suspects_by_globs(
	const struct batch *b, uint64_t suspects)
{
	for (uint64_t left = suspects; left; left &= left - 1) {
		const unsigned i = (unsigned)__builtin_ctzll(left);
		struct packet *p = b->pkt[i];
		rule_probe_globs(&b->tables->rules, &p->q.name, &p->probe);
		suspects ^= (uint64_t)(p->probe.candidates == 0) << i;
	}
	return suspects;
}

// First all bloom filters, whose lines stage_parse prefetched; then, for the few names that passed,
// the fingerprints, prefetched meanwhile, and where these lie farther away, the next. Most batches
// end after the first.
static void follow_rules(struct batch *b)
{
	const struct worker_tables *t = b->tables;
	const struct rule_set *set[WORKER_BATCH];
	uint64_t suspects = 0;
	static_assert(WORKER_BATCH <= 64);
	for (unsigned i = 0; i < b->count; i++) {
		struct rule_probe *probe = &b->pkt[i]->probe;
		rule_probe_bloom(&t->rules, probe);
		suspects |= (uint64_t)(probe->candidates != 0) << i;
	}
	if (unlikely_(suspects) && unlikely_(t->rules.glob_homes))
		suspects = suspects_by_globs(b, suspects);
	if (likely_(!suspects)) {
		b->w->rules_settle = false;
		return;
	}
	reach_sets(b, suspects, set);
	look_for_all(b);
	const unsigned asked = b->count;
	settle_all(b, suspects, set);
	b->w->rules_settle = b->count * 8 < asked * 7;
}

// Blocks the rest of the batch for clients with block_all, unless an allow rule decides.
static void block_rest(struct batch *b)
{
	struct rule_decision all = {.action = RULE_BLOCK,
		.reply = RULE_REPLY_GROUP,
		.rule_class = RULE_CLASS_OPERATOR_DENY};
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		const bool may_be_named = b->rules && p->probe.candidates;
		if (!batch_blocks_all(b, p) || (may_be_named && p->allowed)) {
			b->pkt[kept++] = p;
			continue;
		}
		all.typed = may_be_named && decide(b, p).typed; // another type may be allowed
		reply_ruled(b, p, &all);
	}
	b->count = kept;
}

static __attribute__((noinline)) void close_all(struct batch *b)
{
	for (unsigned i = 0; i < b->count; i++)
		reply_rcode(b, b->pkt[i], DNS_RCODE_SERVFAIL, DNS_EDE_NOT_READY,
			VERDICT_servfail_no_rules);
	b->count = 0;
}

// Looks for the image behind all that was read of it, so that no name passes as one that is not
// listed because its lists turned to zeros under the worker's hands.
static void follow_rules_that_last(struct batch *b)
{
	follow_rules(b);
	if (unlikely_(!rule_reader_is_whole(&b->tables->rules)))
		b->closed = b->blocks && b->tables->config.blocking_on == BLOCKING_CLOSED;
}

void stage_rules(struct batch *b)
{
	if (b->rules)
		follow_rules_that_last(b);
	if (unlikely_(b->closed))
		close_all(b);
	if (unlikely_(b->blocks_all))
		block_rest(b);
}
