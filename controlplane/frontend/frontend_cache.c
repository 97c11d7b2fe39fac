// SPDX-License-Identifier: BSD-3-Clause

// The cache, as a worker's stage_lookup.c reads it: a hit, a stale answer where that is allowed, or
// an answer that the lists block; and the marks by which resolvers see what clients want.
#include "frontend_internal.h"

// False: the record's mask does not block it for this group, or an allow rule or the operator's own
// data decides the question.
static bool is_blocked(const struct frontend *f, const struct frontend_question *q,
	const struct l0_view *v, struct rule_ruling *out)
{
	const struct rule_reader *rules = mapped_rules_reader(&f->rules);
	const uint64_t *lists = q->policy->lists, *allowing = f->rules.allowing;
	struct rule_verdict of;

	if (!v->masked || !q->blocks || !rules || !rule_mask_blocks(&v->mask, allowing, lists))
		return false;
	rule_decide(rules, &q->query.name, q->query.qtype, lists, &of);
	if (rule_decision_is_last(rules, lists, &of.d))
		return false;
	out->named = of.d.matched && rule_mask_has(&v->mask, of.d.list);
	out->hash = of.hash;
	const struct rule_set by = rule_mask_lists(&v->mask, allowing, lists);
	out->d = rule_decision_checked(
		rules, &of.d, out->named, &by, v->mask.lists[0] & RULE_MASK_TYPED);
	return true;
}

// Counts the hit, and requests a renewal that is due: once, until the resolver clears the mark.
static void mark(struct frontend *f, const struct frontend_question *q, uint32_t record, bool renew)
{
	_Atomic uint8_t *mark = &f->cache.marks[record];
	const uint8_t old = atomic_load_explicit(mark, memory_order_relaxed);
	unsigned next = (old < MARK_HITS ? old + MARK_HIT : old) | MARK_VISITED;

	if (renew && !(old & MARK_REFRESH) && frontend_send(f, q, NULL))
		next |= MARK_REFRESH;
	if (next != old)
		atomic_store_explicit(mark, (uint8_t)next, memory_order_relaxed);
}

static uint16_t answer_write(
	struct frontend *f, const struct frontend_question *q, const struct l0_view *v, bool stale)
{
	struct dns_reply_opts opts = {.age_s = stale ? 0 : q->age_s,
		.ttl_cap_s = f->set.ttl_cap_s,
		.ede = DNS_EDE_NONE,
		.limit = q->limit};
	uint16_t sum;

	if (stale) {
		opts.has_ttl_fixed = true;
		opts.ttl_fixed_s = f->set.stale_ttl_s;
		opts.ede = v->answer.rcode == DNS_RCODE_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN
								 : DNS_EDE_STALE_ANSWER;
	}
	uint16_t len =
		dns_reply_answer(f->reply, DNS_MESSAGE_MAX, &q->query, &v->answer, &opts, &sum);
	if (f->set.rotate && len)
		dns_rotate(
			f->reply, len, DNS_HEADER_LEN + (size_t)q->query.question_len, f->turn++);
	return len;
}

static enum verdict answer(struct frontend *f, struct frontend_question *q, uint32_t record,
	uint64_t now_ms, uint16_t *len)
{
	struct rule_ruling ruling;
	struct l0_view v;

	if (!l0_record_read(&f->cache.l0, record, &v))
		return VERDICT_miss;
	const enum l0_age age = l0_age_of(&v, now_ms);
	const uint64_t age_ms = now_ms > v.created_ms ? now_ms - v.created_ms : 0;
	const bool stale = age == L0_SOFT_EXPIRED, stamped = age_ms < v.stale_until_ms;
	if (age == L0_HARD_EXPIRED || (stale && !stamped && !f->set.stale_immediate))
		return VERDICT_miss;
	q->age_s = (uint32_t)(age_ms / 1000);
	const bool blocked = is_blocked(f, q, &v, &ruling);
	if (blocked && ruling.d.action == RULE_RESOLVE)
		return VERDICT_miss; // the resolver leads it on
	mark(f, q, record, !blocked && !stamped && (stale || age_ms >= v.refresh_ms));
	if (blocked)
		return frontend_ruled(f, q, mapped_rules_reader(&f->rules), &ruling, len);
	q->validation = (uint8_t)resolver_log_validation(&v.answer);
	*len = answer_write(f, q, &v, stale);
	return stale ? VERDICT_hit_stale : VERDICT_hit;
}

enum verdict frontend_look_up(
	struct frontend *f, struct frontend_question *q, uint64_t now_ms, uint16_t *len)
{
	const struct l0_reader *l0 = &f->cache.l0;
	enum verdict v = VERDICT_miss;
	struct l0_key key;

	l0_key_of_query(l0, &q->query, q->view, &key);
	q->resolver = l0_resolver_of(l0, key.hash);
	epoch_online(&f->cache.epoch);
	uint32_t record =
		l0_find(l0, &key, l0_candidate(l0, key.hash), &f->status.record_anomalies);
	if (record != L0_NONE)
		v = answer(f, q, record, now_ms, len);
	epoch_offline(&f->cache.epoch);
	return v;
}
