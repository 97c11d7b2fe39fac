// SPDX-License-Identifier: BSD-3-Clause
#include "lists/zone_suffix.h"
#include "miss.h"
#include "question.h"
#include "resolver_check.h"

#include <string.h>
#include <weir/clock.h>

void miss_refuse(struct resolver *r, const struct miss *m, const struct l0_view *stale,
	const struct resolver_answer *refusal)
{
	struct answer_match finding;

	if (!stale) {
		resolver_answer_one(r, &m->query, &m->waiter, refusal);
		return;
	}
	resolver_check_record(r, stale, &finding);
	struct resolver_answer a = resolver_answer_stale_record(r, stale, &finding);
	resolver_answer_one(r, &m->query, &m->waiter, &a);
}

static void who_zone(const struct dns_name *name, unsigned at, char out[DNS_NAME_TEXT_MAX])
{
	struct dns_name tail = {.len = (uint8_t)(name->len - at)};

	memcpy(tail.wire, name->wire + at, tail.len);
	for (unsigned i = 0; tail.wire[i]; i += tail.wire[i] + 1u)
		tail.labels++;
	dns_name_to_text(&tail, out);
}

static void who_client(const struct miss *m, char out[DNS_NAME_TEXT_MAX])
{
	const bool is_six = m->ip_version == 6;
	struct ip_address a = {.version = is_six ? 6 : 4, .prefix_len = is_six ? 64 : 32};

	memcpy(a.bytes, m->client_ip, is_six ? 8 : 4);
	ip_address_text(&a, is_six, out);
}

// Of zone, suffix and client; nobody is to blame for the others.
static void note_who(struct resolver *r, const struct miss *m, enum bound met)
{
	const struct dns_name *name = &m->query.name;
	char who[DNS_NAME_TEXT_MAX];

	if (met == BOUND_zone)
		who_zone(name, zone_of(name).zone, who);
	else if (met == BOUND_suffix)
		who_zone(name, zone_of(name).suffix, who);
	else if (met == BOUND_client)
		who_client(m, who);
	else
		return;
	bound_log_add(&r->met_bounds, met, who, clock_mono_ms());
}

// The client met a bound.
static void miss_over(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, enum bound met)
{
	static const uint8_t step[BOUNDS] = {
#define X(name, text) [BOUND_##name] = TRACE_refused_##name,
		BOUNDS_LIST(X)
#undef X
	};
	miss_note(r, m, step[met], 0);
	note_who(r, m, met);
	// One of a thousand that ask the same: its retry will hit. Over a stream there is none.
	if ((met == BOUND_question || met == BOUND_few) && !m->waiter.is_client) {
		resolver_answer_none(r, &m->query, &m->waiter);
		return;
	}
	const struct resolver_answer refusal = resolver_answer_refused(met);
	miss_refuse(r, m, stale, &refusal);
}

// Adds the client as a waiter.
static enum bound miss_wait(struct resolver *r, const struct miss *m, struct question *q)
{
	enum bound met = inflight_wait(r->inflight, q, &m->waiter, r->set.waiters);

	q->hits += q->hits < UINT16_MAX;
	if (met == BOUND_none && unlikely_(m->waiter.trace))
		traces_join(r->traces, &q->trace, m->waiter.trace);
	return met;
}

// Joins a question that is being resolved.
static void miss_join(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, struct question *q)
{
	r->count.coalesced++;
	if (unlikely_(m->waiter.trace))
		traces_note(r->traces, m->waiter.trace, TRACE_joined, q->ask.sends, q->waiters);
	// The others had the stale answer long ago.
	if (q->stage == STAGE_BACKGROUND && stale) {
		miss_refuse(r, m, stale, NULL);
		return;
	}
	enum bound met = miss_wait(r, m, q);
	if (met == BOUND_none)
		question_wait_again(q, clock_mono_ms());
	else
		miss_over(r, m, stale, met);
}

static void miss_begin(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, uint64_t now_ms)
{
	struct question *q;
	const uint64_t servers = question_l1_hash(r, m->view, &m->query.name, m->query.qtype);
	enum bound met = inflight_add(
		r->inflight, &m->key, &m->query, &m->subnet, servers, false, now_ms, &q);

	if (met != BOUND_none) {
		miss_over(r, m, stale, met);
		return;
	}
	miss_note(r, m, TRACE_began, 0);
	if (m->subnet.version)
		miss_note(r, m, TRACE_subnet, m->subnet.prefix_len);
	q->owner = r;
	q->def = m->view;
	q->born_ms = m->waiter.arrival_ms < now_ms ? m->waiter.arrival_ms : now_ms;
	met = miss_wait(r, m, q);
	if (met != BOUND_none) {
		inflight_remove(r->inflight, q);
		miss_over(r, m, stale, met);
		return;
	}
	question_start(q, now_ms);
}

void miss_ask(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, uint64_t now_ms)
{
	struct question *q = inflight_find(r->inflight, &m->key, &m->subnet);

	if (q)
		miss_join(r, m, stale, q);
	else
		miss_begin(r, m, stale, now_ms);
}
