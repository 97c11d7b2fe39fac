// SPDX-License-Identifier: BSD-3-Clause
// Which servers of a set a question may be sent to.

#include "upstream_internal.h"

// Were all of them, questions would fail: then it means nothing.
static bool has_others(const struct upstreams *u)
{
	for (unsigned i = 0; i < u->count; i++)
		if (!u->server[i].is_nowhere && !upstream_is_drained(&u->server[i]))
			return true;
	return false;
}

static bool may_have(const struct upstream_ask *a, unsigned i, uint64_t now_ms)
{
	const struct upstream *s = &a->owner->server[i];
	unsigned most = s->is_tls ? UPSTREAM_TLS_EACH : UPSTREAM_SENDS_EACH;

	if (s->is_nowhere)
		return false;
	if (upstream_server_down(a->owner, s, now_ms))
		most = !a->failing || now_ms >= s->down_tried_ms + UPSTREAM_DOWN_TRY_MS;
	if (a->only ? a->only != i + 1 : upstream_is_drained(s) && has_others(a->owner))
		return false;
	return !(a->failed >> i & 1) && a->sends_to[i] < most;
}

// A refusal by ICMP is as good as the second silence.
static bool is_tried(const struct upstream_ask *a, unsigned i)
{
	if (a->sends_to[i] >= UPSTREAM_RECURSION_AFTER)
		return true;
	for (unsigned k = 0; k < UPSTREAM_LEGS; k++)
		if (a->leg[k].open && a->leg[k].refused && upstream_leg_index(&a->leg[k]) == (int)i)
			return true;
	return false;
}

// Recursion is for questions that no server answers, and one lost datagram is no such sign. The
// last query of a question is recursion's in any case.
static bool is_early(const struct upstream_ask *a, uint64_t now_ms)
{
	const struct upstreams *u = a->owner;

	if (a->only || a->sends + 1 >= upstream_sends_max(a))
		return false;
	for (unsigned i = 0; i < u->count; i++)
		if (!u->server[i].config.is_recursion && !is_tried(a, i) && may_have(a, i, now_ms)
			&& !upstream_server_down(u, &u->server[i], now_ms))
			return true;
	return false;
}

static bool is_eligible(const struct upstream_ask *a, unsigned i, uint64_t now_ms)
{
	if (a->owner->server[i].config.is_recursion && is_early(a, now_ms))
		return false;
	return may_have(a, i, now_ms);
}

unsigned upstream_sends_max(const struct upstream_ask *a)
{
	return a->is_check ? 1 : a->owner->max_sends;
}

int upstream_pick(struct upstream_ask *a, uint64_t now_us)
{
	struct upstreams *u = a->owner;
	struct upstream_known known[CONFIG_UPSTREAMS_MAX];

	if (a->sends >= upstream_sends_max(a))
		return -1;
	for (unsigned i = 0; i < u->count; i++) {
		known[i] = upstream_server_known(u, &u->server[i], now_us);
		known[i].eligible = is_eligible(a, i, now_us / 1000);
		known[i].sends = a->sends_to[i];
	}
	uint16_t draw = u->policy == UPSTREAM_LATENCY ? rng_u16(&u->rng) : 0;
	return upstream_choose(u->policy, known, u->count, &u->turn, draw);
}

bool upstream_pick_left(const struct upstream_ask *a, unsigned sends, int server, uint64_t now_ms)
{
	const struct upstreams *u = a->owner;
	bool left = false;

	for (unsigned i = 0; i < u->count && a->sends < upstream_sends_max(a); i++)
		left |= (int)i != server && a->sends_to[i] <= sends && is_eligible(a, i, now_ms);
	return left;
}
