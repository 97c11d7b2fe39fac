// SPDX-License-Identifier: BSD-3-Clause
#include "reply.h"

#include "core/dns/dns_block_fast.h"
#include "reply_fast.h"

#include <weir/dns_identity.h>
#include <weir/dns_reply.h>
#include <weir/limit.h>
#include <weir/rule_image.h>
#include <weir/rule_reply.h>

void reply_answer(struct batch *b, struct packet *p, const struct l0_view *view, bool stale)
{
	reply_fast_answer(b, p, view, stale);
}

void reply_charge(struct worker *w, unsigned version, const uint8_t *ip, bool proven, uint32_t len)
{
	const struct worker_tables *t = w->tables;
	const struct policy_reader *r = &t->policy;
	uint32_t bytes = r->limit.reply_octets;
	if (!t->has_access || bytes == 0 || len <= bytes)
		return;
	unsigned leaf = version == 4 ? policy_leaf_v4(r, ip) : policy_leaf_v6(r, ip);
	if (policy_access_of(leaf) == POLICY_ASK_LIMITED)
		limit_take_more(w->limit, version, ip, proven, limit_reply_more(len, bytes));
}

void reply_more(struct batch *b, struct packet *p, uint32_t len)
{
	enum { IPV4_SOURCE = 12, IPV6_SOURCE = 8 };
	const uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l3);
	reply_charge(b->w, p->ip_version, ip + (p->ip_version == 4 ? IPV4_SOURCE : IPV6_SOURCE),
		batch_is_proven(b, p), len);
	if (b->tables->config.rotate)
		dns_rotate(packet_dns(p), len, DNS_HEADER_LEN + (size_t)p->q.question_len,
			b->w->turn++);
}

// The reply of most blocked questions, without a record of the rule. 0: not plain.
ATTR_INLINE uint32_t plain_reply(const struct batch *b, struct packet *p,
	const struct rule_decision *d, unsigned *rcode, uint64_t *sum)
{
	const struct dns_block *block = reply_block_of(b, p);
	unsigned mode = block->mode;
	if (unlikely_(d->action != RULE_BLOCK))
		return 0;
	if (unlikely_(d->reply != RULE_REPLY_GROUP) || unlikely_(d->typed))
		mode = rule_reply_mode(d, mode);
	*rcode = mode == DNS_BLOCK_NXDOMAIN ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR;
	*sum = reply_fast_question_sum(p);
	return dns_block_fast(packet_dns(p), (uint32_t)packet_dns_room(p), &p->q, mode,
		block->ttl_s, rule_class_ede(d->rule_class), reply_fast_limit(b), sum);
}

static void write_ruled(
	struct batch *b, struct packet *p, const struct rule_decision *d, enum verdict v)
{
	unsigned rcode;
	uint64_t wide;
	uint32_t len = plain_reply(b, p, d, &rcode, &wide);
	if (likely_(len)) {
		if (unlikely_(len > reply_fast_plain_most(b)))
			reply_more(b, p, len);
		stats_add(&b->w->stats->rcode[rcode], 1);
		frame_fast_reply(p, packet_dns(p), (uint16_t)len, wide);
		batch_tx(b, p, v);
		return;
	}
	const struct rule_reply_opts o = {
		.block = reply_block_of(b, p),
		.hash = d->action == RULE_DATA ? p->probe.hash[d->index] : 0,
		.ttl_cap_s = b->tables->config.client_ttl_cap_s,
		.limit = reply_fast_limit(b),
	};
	uint16_t sum = 0;
	len = rule_reply_write(
		packet_dns(p), packet_dns_room(p), &p->q, &b->tables->rules, d, &o, &sum);
	reply_fast_finish(b, p, (uint16_t)len, sum, v);
}

static void settle_ruled(
	struct batch *b, struct packet *p, const struct rule_decision *d, enum verdict v)
{
	const bool drops = d->action == RULE_DROP;
	if (b->logs) {
		const int ede = drops ? DNS_EDE_NONE : rule_class_ede(d->rule_class);
		batch_note(b, p)->list = d->matched ? d->list : LOG_NO_LIST;
		batch_note(b, p)->ede = p->q.has_opt && ede >= 0 ? (uint16_t)ede : LOG_NO_EDE;
	}
	if (unlikely_(drops))
		batch_drop(b, p, VERDICT_drop_rule);
	else
		write_ruled(b, p, d, v);
}

void reply_ruled(struct batch *b, struct packet *p, const struct rule_decision *d)
{
	settle_ruled(b, p, d, d->rule_class == RULE_CLASS_LOCAL ? VERDICT_local : VERDICT_blocked);
}

bool reply_checked(struct batch *b, struct packet *p, const struct l0_view *view)
{
	const struct rule_reader *r = &b->tables->rules;
	const uint64_t *lists = batch_lists(b, p);
	const bool may_be_named = b->rules && p->probe.candidates;
	struct rule_decision d = {.matched = 0};
	uint64_t allowing[4] = {0};
	if (!view->masked || !b->blocks || (may_be_named && p->unchecked))
		return false;
	for (unsigned class = 0; class < RULE_CLASSES; class ++)
		for (unsigned w = 0; w < 4 && RULE_MASK_ALLOWING >> class & 1; w++)
			allowing[w] |= r->of_class[class][w];
	if (!rule_mask_blocks(&view->mask, allowing, lists))
		return false;
	// For a rule at the name, stage_rules left it to the control plane whether a pattern allows
	// it.
	if (may_be_named)
		d = rule_probe_decide(r, &p->probe, &p->q.name, p->q.qtype, lists);
	const bool named = d.matched && rule_mask_has(&view->mask, d.list);
	const struct rule_set by = rule_mask_lists(&view->mask, allowing, lists);
	d = rule_decision_checked(r, &d, named, &by, view->mask.lists[0] & RULE_MASK_TYPED);
	settle_ruled(b, p, &d, named ? VERDICT_blocked : VERDICT_blocked_answer);
	return true;
}

void reply_any(struct batch *b, struct packet *p)
{
	uint16_t sum = 0;
	uint16_t len =
		dns_reply_any(packet_dns(p), packet_dns_room(p), &p->q, reply_fast_limit(b), &sum);
	reply_fast_finish(b, p, len, sum, VERDICT_any_minimal);
}

bool reply_identity(struct batch *b, struct packet *p)
{
	uint16_t sum = 0;
	uint16_t len = dns_identity_reply(packet_dns(p), packet_dns_room(p), &p->q,
		&b->tables->config.identity, reply_fast_limit(b), &sum);
	if (len)
		reply_fast_finish(b, p, len, sum, VERDICT_identity);
	return len > 0;
}

void reply_note_ede(struct batch *b, const struct packet *p, uint16_t len, int ede)
{
	if (p->q.has_opt && dns_reply_tells_ede(packet_dns(p), len, 0, ede))
		batch_note(b, p)->ede = (uint16_t)ede;
}

void reply_rcode(struct batch *b, struct packet *p, uint16_t rcode, int ede, enum verdict v)
{
	uint16_t sum = 0;
	if (b->logs) {
		batch_note(b, p)->rcode_high = (uint8_t)(rcode >> 4);
		batch_note(b, p)->ede = p->q.has_opt && ede >= 0 ? (uint16_t)ede : LOG_NO_EDE;
	}
	uint16_t len = dns_reply_rcode(packet_dns(p), packet_dns_room(p), &p->q, rcode, ede, &sum);
	reply_fast_finish(b, p, len, sum, v);
}

void reply_truncated(struct batch *b, struct packet *p, enum verdict v)
{
	uint16_t sum = 0;
	uint16_t len = dns_reply_truncated(packet_dns(p), packet_dns_room(p), &p->q, &sum);
	reply_fast_finish(b, p, len, sum, v);
}
