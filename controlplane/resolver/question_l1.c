// SPDX-License-Identifier: BSD-3-Clause
#include "question.h"
#include "resolver_answer.h"
#include "resolver_check.h"
#include "resolver_store.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>

// A question's use of L1: looks it up before the upstreams are asked, and stores their answer
// there. After any error of Redis the question goes to the upstreams.

enum {
	LOCK_SPARE_MS = 1000, // of a lock's life that its owner does not count on
	CLOCK_STEP_MS = 1000,
};
// An answer has no longer than its TTL and the stale window, and both have this limit.
static_assert(2 * UINT64_C(1000) * TTL_MAX_S < CLOCK_AHEAD_MS);

// The DS of a zone is not where the rest of it is (RFC 4035 3.1.4.1). An exempt zone is none.
const struct forward_zone *question_zone(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype)
{
	const struct forward_zone *zone = views_zone(r->views, view, asked);
	bool is_above = zone && qtype == DNS_TYPE_DS && zone->ds_is_above
			&& dns_name_equal(&zone->name, asked);
	if (is_above)
		zone = views_zone(r->views, view, &zone->above);
	return zone && zone->set ? zone : NULL;
}

uint64_t question_l1_hash_of(const struct resolver *r, const struct view *view,
	const struct forward_zone *zone, uint16_t qtype)
{
	return view_l1_hash(view, zone, qtype) ^ (zone ? r->set.dnssec : 0);
}

uint64_t question_l1_hash(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype)
{
	return question_l1_hash_of(r, view, question_zone(r, view, asked, qtype), qtype);
}

static void key_text(const struct question *q, struct l1_key *out)
{
	const struct resolver *r = q->owner;
	const struct dns_name *asked = question_asked(q);
	struct l0_key key = inflight_key(q);
	key.name = asked->wire;
	key.name_len = asked->len;
	l1_key_write(l1_space(r->l1), &key, q->l1_hash, out);
}

// The record to be renewed is at least as new as what another box has put there.
static bool is_known(struct resolver *r, const struct l0_key *key, uint64_t created_ms)
{
	struct l0_view v;
	return store_find(r, key, &v) && v.created_ms + 1000 >= created_ms;
}

// Values in L1 have times of whole seconds.
static bool value_is_flushed(const struct question *q, uint64_t created_ms, uint64_t now_ms)
{
	return question_is_flushed(
		q, created_ms > CLOCK_STEP_MS ? created_ms - CLOCK_STEP_MS : 0, now_ms);
}

// Boxes that validate alike share L1, so a value without AD is proven to be insecure, unless it may
// be of DNS64.
static bool value_is_insecure(const struct question *q, const struct l1_value *v)
{
	const bool is_dns64 = q->query.qtype == DNS_TYPE_AAAA && q->def->ipv6.dns64.version;

	return question_validates(q) && !is_dns64 && !q->rewrite
	       && !(get_u16(v->msg + 2) & DNS_FLAG_AD);
}

// False: ask the upstreams; a stale value is in L0 then, in case they fail.
static bool value_take(struct question *q, const struct l1_value *v)
{
	struct resolver *r = q->owner;
	struct dns_answer a;
	struct answer_match finding;
	const struct l0_key key = inflight_key(q);
	const uint64_t now_ms = clock_mono_ms(), created_ms = now_ms - (uint64_t)v->age_s * 1000;

	const int rc = question_read(q, v->msg, v->len, &a);
	if (rc == -EPROTO)
		return false;
	if (rc != 0 || a.truncated || a.kind == DNS_ANSWER_FAILURE) {
		struct l1_key text;
		key_text(q, &text);
		l1_bad(r->l1, &text);
		return false;
	}
	if (a.ttl_s > v->stored_ttl_s)
		a.ttl_s = v->stored_ttl_s;
	a.auth_ttl_s = v->auth_ttl_s;
	a.authenticated =
		question_may_have_ad(q) && !q->rewrite && get_u16(v->msg + 2) & DNS_FLAG_AD;
	a.insecure = value_is_insecure(q, v);
	if (is_known(r, &key, created_ms) || value_is_flushed(q, created_ms, now_ms)
		|| !views_same_servers(r->views, q->def, q->turn))
		return false;
	if (a.ttl_s > v->age_s && question_follow(q, v->msg, v->len, v->age_s, &a))
		return true;
	if (question_leads_on(q, &a)) // a stale end, where weir has another one
		return false;
	resolver_check_reply(r, q->def, &q->query, &a, &finding);
	store_answer(r, q, &a, &finding, created_ms, now_ms);
	if (a.ttl_s <= v->age_s)
		return false;
	const struct dns_answer_view view = dns_answer_view_of(&a);
	struct resolver_answer answer = resolver_answer_fresh(r, &view, v->age_s);
	answer.kind = ANSWER_CACHED;
	answer.finding = &finding;
	answer.from_l1 = true;
	r->count.l1_answers++;
	question_answered(q, &answer);
	return true;
}

static void on_lock(void *arg, bool got)
{
	struct question *q = arg;
	struct resolver *r = q->owner;

	q->look = NULL;
	if (got)
		question_note(q, TRACE_l1_locked, 0);
	if (got)
		q->locked_until_ms = clock_mono_ms() + REFRESH_LOCK_S * 1000 - LOCK_SPARE_MS;
	// Clients that came meanwhile wait for no other box.
	if (got || q->waiters > 0) {
		question_ask(q);
		return;
	}
	r->count.refreshed_elsewhere++;
	question_finish(q, REFRESH_ELSEWHERE);
}

void question_l1_unlock(struct question *q)
{
	struct resolver *r = q->owner;
	struct l1_key text;

	// Later it may be another box's.
	if (clock_mono_ms() < q->locked_until_ms) {
		key_text(q, &text);
		l1_unlock(r->l1, &text);
	}
	q->locked_until_ms = 0;
}

static void on_found(void *arg, enum l1_found found, const struct l1_value *v)
{
	static const enum trace_step steps[] = {
		[L1_HIT] = TRACE_l1_hit,
		[L1_MISS] = TRACE_l1_miss,
		[L1_BAD] = TRACE_l1_bad,
		[L1_AWAY] = TRACE_l1_away,
		[L1_LATE] = TRACE_l1_late,
	};
	struct question *q = arg;
	struct resolver *r = q->owner;

	q->look = NULL;
	question_note(q, steps[found], found == L1_HIT ? v->age_s : 0);
	if (found == L1_HIT && value_take(q, v))
		return;
	if (found == L1_HIT)
		question_note(q, TRACE_l1_unused, 0);
	if (q->waiters == 0 && found != L1_AWAY && found != L1_LATE) {
		struct l1_key text;
		key_text(q, &text);
		q->look = l1_lock(r->l1, &text, REFRESH_LOCK_S, on_lock, q);
	}
	if (!q->look)
		question_ask(q);
}

bool question_l1_look(struct question *q)
{
	struct resolver *r = q->owner;
	struct l1_key text;

	if (!l1_usable(r->l1))
		return false;
	key_text(q, &text);
	q->look = l1_get(r->l1, &text, on_found, q);
	question_note(q, q->look ? TRACE_l1_sent : TRACE_l1_away, 0);
	return q->look != NULL;
}

// Stores the answer from L1 under the name of the question.
static void value_store(
	const struct question *q, const struct dns_query *asked, const struct dns_answer *a)
{
	struct resolver *r = q->owner;
	uint8_t message[L1_MESSAGE_MAX];
	struct l1_key text;
	const struct l0_key key = inflight_key(q);
	const struct refresh_policy *policy = refresh_policy(r->refresh);
	const struct dns_answer_view view = dns_answer_view_of(a);

	key_text(q, &text);
	if (a->ttl_s == 0) {
		l1_delete(r->l1, &text);
		return;
	}
	const struct l1_put put = {
		.msg = message,
		.len = resolver_answer_message(message, sizeof(message), asked, &view, 0),
		.stored_ttl_s = a->ttl_s,
		.auth_ttl_s = a->auth_ttl_s,
		.hits = refresh_rate(policy, l0_writer_heat(r->l0, &key)),
	};
	if (get_u16(put.msg + 2) & DNS_FLAG_TC)
		r->count.l1_too_large++;
	else if (l1_put(r->l1, &text, &put))
		question_note(q, TRACE_l1_stored, 0);
}

void question_l1_store(
	const struct question *q, const struct dns_answer *a, const uint8_t *msg, size_t len)
{
	const struct resolver *r = q->owner;
	struct dns_query asked = q->query;
	struct dns_answer target;

	if (!l1_usable(r->l1))
		return;
	if (!q->rewrite) {
		value_store(q, &asked, a);
		return;
	}
	// Without the CNAMEs, which are this box's own.
	asked.name = *question_asked(q);
	if (dns_answer_read(msg, len, &asked, &r->set.ttl.limits, &target) < 0)
		return;
	target.authenticated = q->is_secure;
	value_store(q, &asked, &target);
}

// False: the record's clients would miss it.
static bool record_drop(struct resolver *r, struct l0_key *key)
{
	struct l0_view v;

	l0_key_hash(l0_writer_reader(r->l0), key);
	if (store_find(r, key, &v) && store_usable(&v, clock_mono_ms())) {
		const struct refresh_record record = {.soft_ms = v.soft_ms,
			.auth_ttl_s = v.auth_ttl_s,
			.heat = l0_writer_heat(r->l0, key)};
		if (refresh_heat_of(refresh_policy(r->refresh), &record) != REFRESH_COLD)
			return false;
	}
	(void)l0_writer_delete(r->l0, key);
	return true;
}

// Deletes its copies in L0 too, or the next refresh would bring it back. If clients ask for it
// again it comes back with its hits. A zone's answers are in all views that have the zone; answers
// of other views have no reader here. Those in the part of another resolver stay for their time.
bool question_l1_drop(void *resolver, const struct l1_key_parts *parts)
{
	struct resolver *r = resolver;
	bool cold = true;
	struct l0_key key = {
		.name = parts->name.wire,
		.name_len = parts->name.len,
		.flags = parts->flags,
		.qtype = parts->qtype,
		.qclass = parts->qclass,
	};

	for (unsigned i = 0; i < VIEWS_MAX && cold; i++) {
		const struct view *view = views_at(r->views, i);
		if (!view || view->left_ms || view->no_cache
			|| question_l1_hash(r, view, &parts->name, parts->qtype)
				   != parts->view_hash)
			continue;
		key.view = view->number;
		cold = record_drop(r, &key);
	}
	return cold;
}
