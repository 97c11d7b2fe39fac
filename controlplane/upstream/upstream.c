// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/log_msg.h>

// How long a question waits before it looks again for the first address of a host name.
enum { NAME_WAIT_MS = 100 };

static void wait_end(struct upstream_ask *a, struct upstream_leg *aside);
static void on_wait_over(void *arg);

// A server that waits for its turn by TCP; -1: none.
static int pick_tcp(const struct upstream_ask *a)
{
	return a->tcp_wanted && a->sends < upstream_sends_max(a) ? __builtin_ctz(a->tcp_wanted)
								 : -1;
}

// The first lookup of a server of the list has not ended, and no other one has replied: there may
// be an address in time.
static bool waits_for_name(const struct upstream_ask *a)
{
	return a->owner->unknown > 0 && !a->only && !a->any_reply
	       && a->sends < upstream_sends_max(a);
}

// Starts the wait for the query just sent, or, without one, until the deadline.
void upstream_ask_wait(
	struct upstream_ask *a, struct upstream_leg *current, unsigned longest_ms, uint64_t now_ms)
{
	uint64_t left_ms = a->deadline_ms > now_ms ? a->deadline_ms - now_ms : 0;
	bool last = !upstream_pick_left(a, UPSTREAM_SENDS_EACH, -1, now_ms) && pick_tcp(a) < 0
		    && !waits_for_name(a) && (!current || upstream_leg_is_awaited(current));
	uint64_t wait_ms = last || longest_ms > left_ms ? left_ms : longest_ms;

	a->current = current;
	wheel_start(loop_wheel(a->owner->loop), &a->timer, wait_ms, now_ms);
}

void upstream_ask_stop(struct upstream_ask *a)
{
	if (!a->owner)
		return;
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++)
		upstream_leg_close(&a->leg[i]);
	upstream_tcp_free(a);
	wheel_stop(&a->timer);
	a->owner = NULL;
}

static void ask_end(struct upstream_ask *a)
{
	enum upstream_end why = a->any_reply  ? UPSTREAM_END_FAILURE
				: a->any_sent ? UPSTREAM_END_TIMEOUT
					      : UPSTREAM_END_NETWORK;
	upstream_ask_stop(a);
	a->callbacks->ended(a, why);
}

// Legs to servers that stay are legs to them in the new list. Others are still listened to.
static void activate_new_list(struct upstream_ask *a)
{
	const struct upstreams *u = a->owner;

	if (a->generation == u->generation)
		return;
	a->generation = u->generation;
	a->failed = a->failing = a->blamed = a->silent = a->tcp_wanted = a->tcp_tried =
		a->truncated = a->plain = a->no_option = 0;
	a->no_subnet = a->subnet_refused = 0;
	memset(a->sends_to, 0, sizeof(a->sends_to));
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = &a->leg[i];
		unsigned k = 0;
		while (k < u->count
			&& (u->server[k].is_tls
				|| !upstream_same_address(&u->server[k].address, &leg->peer)))
			k++;
		if (!leg->open || k == u->count)
			continue;
		leg->server = k;
		leg->generation = a->generation;
	}
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = upstream_tcp_leg(a->tls[i]);
		unsigned k = 0;
		while (leg && k < u->count
			&& !(u->server[k].is_tls
				&& upstream_same_address(&u->server[k].address, &leg->peer)))
			k++;
		if (!leg || k == u->count)
			continue;
		leg->server = k;
		leg->generation = a->generation;
	}
}

// `aside`: beside the query that is waited for.
static int send_udp(struct upstream_ask *a, unsigned i, uint64_t now_us, bool aside)
{
	struct upstream *s = &a->owner->server[i];
	struct upstream_leg *leg = upstream_leg_to(a, i);
	int rc = 0;

	a->sends_to[i]++;
	if (!leg) {
		leg = upstream_leg_spare(a);
		upstream_leg_init(leg, a, i,
			!a->case_off && upstream_server_mixes_case(s, now_us / 1000),
			now_us / 1000);
		rc = upstream_leg_connect(leg, i, now_us / 1000);
		if (rc == 0)
			upstream_leg_open(leg);
	}
	if (rc == 0)
		rc = upstream_leg_send(leg, now_us);
	leg->aside = aside;
	if (rc == 0 && a->is_check)
		atomic_fetch_add_explicit(&s->health->checks, 1, memory_order_relaxed);
	else if (rc == 0)
		upstream_server_sent(a->owner, s);
	s->sent_port += rc == 0 && leg->by_port && !a->is_check;
	unsigned wait_ms = upstream_server_wait_ms(s, a->owner->first_timeout_ms, a->sends_to[i]);
	upstream_note(a, rc == 0 ? TRACE_udp_sent : TRACE_send_failed, (int)i, a->sends, wait_ms);
	if (rc == 0 && !aside)
		upstream_ask_wait(a, leg, wait_ms, now_us / 1000);
	else if (rc < 0 && leg->sends == 0)
		upstream_leg_close(leg);
	return rc;
}

static int send_query(struct upstream_ask *a, unsigned i, uint64_t now_us, bool aside)
{
	struct upstream *s = &a->owner->server[i];

	if (upstream_server_down(a->owner, s, now_us / 1000))
		s->down_tried_ms = now_us / 1000;
	return s->is_tls ? upstream_tls_send(a, i, now_us, aside) : send_udp(a, i, now_us, aside);
}

// The first query of an ask has left. Another server gets it too, unless that one may be down.
static void send_aside(struct upstream_ask *a, uint64_t now_us)
{
	struct upstreams *u = a->owner;
	int i = u->race > 1 && a->sends == 1 && !a->only ? upstream_pick(a, now_us) : -1;

	if (i < 0 || a->sends_to[i] > 0 || upstream_server_avoid(u, &u->server[i], now_us / 1000))
		return;
	a->sends++;
	if (send_query(a, (unsigned)i, now_us, true) < 0)
		u->server[i].send_errors++;
}

struct upstream_leg *upstream_leg_aside_take(struct upstream_ask *a)
{
	for (unsigned i = 0; i < 2 * UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = i < UPSTREAM_LEGS
						   ? &a->leg[i]
						   : upstream_tcp_leg(a->tls[i - UPSTREAM_LEGS]);
		if (!leg || !leg->open || !leg->aside)
			continue;
		leg->aside = false;
		return leg;
	}
	return NULL;
}

// `bit`: the server; 0 if it has left the list. A truncated reply without TCP is no reply. After a
// wrong id or letter case there is another way: a new query by UDP, whose forgeries are then
// ignored as long as it waits.
void upstream_without_tcp(struct upstream_ask *a, uint32_t bit)
{
	if (a->truncated & bit)
		a->failed |= bit;
	else if (bit)
		a->stay_udp = a->case_off = true;
}

static int send_tcp(struct upstream_ask *a, unsigned i, uint64_t now_us)
{
	uint32_t bit = 1u << i;

	a->tcp_wanted &= ~bit;
	a->tcp_tried |= bit;
	a->owner->server[i].tcp_retries++;
	struct upstream_leg *leg;
	upstream_note(a, TRACE_tcp_queued, (int)i, a->sends, UPSTREAM_TCP_MS);
	int rc = upstream_tcp_start(a, i, &leg);
	if (rc == 0) {
		upstream_ask_wait(a, leg, UPSTREAM_TCP_MS, now_us / 1000);
	} else {
		upstream_note(a, TRACE_send_failed, (int)i, a->sends, 0);
		if (leg)
			upstream_tcp_end(leg);
		upstream_without_tcp(a, bit);
	}
	return rc;
}

// The next query, or waiting for the legs that are left, or the end. Bounded: every round spends
// one of max_sends.
void upstream_ask_next(struct upstream_ask *a)
{
	struct upstreams *u = a->owner;

	activate_new_list(a);
	for (;;) {
		uint64_t now_us = clock_mono_us(), now_ms = now_us / 1000;
		if (now_ms >= a->deadline_ms)
			break;
		int tcp = pick_tcp(a), i = tcp >= 0 ? tcp : upstream_pick(a, now_us);
		if (i < 0 && (upstream_leg_any_awaited(a) || waits_for_name(a))) {
			upstream_ask_wait(
				a, NULL, waits_for_name(a) ? NAME_WAIT_MS : UINT32_MAX, now_ms);
			return;
		}
		if (i < 0)
			break;
		a->sends++;
		if ((tcp >= 0 ? send_tcp(a, (unsigned)i, now_us)
			      : send_query(a, (unsigned)i, now_us, false))
			== 0) {
			a->any_sent = true;
			send_aside(a, now_us);
			return;
		}
		u->server[i].send_errors++;
	}
	ask_end(a);
}

// The server's host says that nobody is there. Another server may be asked sooner for it, no more:
// it may be forged. The leg stays open, and the server has had its try.
void upstream_refused(struct upstream_leg *leg)
{
	struct upstream_ask *a = leg->ask;
	struct upstream *s = upstream_leg_server(leg);
	bool first = !leg->refused;

	leg->refused = true;
	if (!s || !first)
		return;
	s->refused++;
	if (a->current == leg && a->generation == a->owner->generation
		&& upstream_pick_left(
			a, a->sends_to[leg->server] - 1u, (int)leg->server, clock_mono_ms()))
		wait_end(a, NULL); // the refusal says nothing of a server that it races with
}

void upstream_wait_over(struct upstream_leg *leg)
{
	struct upstreams *u = leg->ask->owner;
	struct upstream *s = upstream_leg_server(leg);

	if (s && upstream_server_timed_out(u, s, leg) && !leg->ask->is_check)
		upstream_check_now(u->checks, leg->server);
}

// `aside`: a second server that had as long to reply, or NULL.
static void wait_end(struct upstream_ask *a, struct upstream_leg *aside)
{
	struct upstream_leg *leg = a->current;

	if (leg || !waits_for_name(a))
		upstream_note(a, TRACE_timed_out, leg ? upstream_leg_index(leg) : -1, 0,
			leg ? clock_mono_us() - leg->last_sent_us : 0);
	if (leg)
		upstream_wait_over(leg);
	if (aside)
		upstream_wait_over(aside);
	if (leg && leg->tcp && !leg->is_tls)
		upstream_tcp_failed(leg);
	else
		upstream_ask_next(a);
}

static void on_wait_over(void *arg)
{
	struct upstream_ask *a = arg;
	wait_end(a, upstream_leg_aside_take(a));
}

// Cut once more: these servers may get fewer bits than the question has.
static struct ip_address subnet_for(const struct upstreams *u, const struct ip_address *client)
{
	const uint8_t *address = client->prefix_len ? client->bytes : NULL;
	struct ip_address out = upstreams_subnet(u, client->version, address);

	if (out.version && out.prefix_len > client->prefix_len)
		out.prefix_len = client->prefix_len;
	return out;
}

void upstream_ask_start(
	struct upstreams *u, struct upstream_ask *a, const struct upstream_request *request)
{
	bool by_tcp = request->by_tcp && !u->server[request->only - 1].is_tls;

	*a = (struct upstream_ask){
		.owner = u,
		.callbacks = request->callbacks,
		.generation = u->generation,
		.cd = request->cd,
		.dnssec_ok = request->dnssec_ok,
		.is_check = request->is_check,
		.case_off = request->is_check,
		.plain = request->is_check ? UINT32_MAX : 0,
		.only = request->only,
		.tcp_wanted = by_tcp ? 1u << (request->only - 1) : 0,
		.question_len = request->question_len,
		.deadline_ms = request->deadline_ms,
		.timer = {.fn = on_wait_over, .arg = a},
	};
	memcpy(a->question, request->question, request->question_len);
	if (request->subnet)
		a->subnet = subnet_for(u, request->subnet);
	upstream_ask_next(a);
}

struct upstream_progress upstream_ask_progress(const struct upstream_ask *a)
{
	const struct upstream_leg *leg = a->owner ? a->current : NULL;
	const struct upstream *s = leg ? upstream_leg_server(leg) : NULL;
	struct upstream_progress p = {.server = s ? s->number : LOG_NO_UPSTREAM, .sends = a->sends};

	if (!a->owner)
		return p;
	p.step = !leg             ? UPSTREAM_STEP_LATE
		 : !leg->tcp      ? UPSTREAM_STEP_UDP
		 : leg->sends > 0 ? UPSTREAM_STEP_TCP
				  : UPSTREAM_STEP_CONNECTION;
	p.since_us = leg && leg->sends > 0 ? leg->last_sent_us : 0;
	return p;
}
