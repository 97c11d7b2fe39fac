// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/log_msg.h>

static void ask_next(struct upstream_ask *a);

// Fewest sends first, then those that are up, then the configured order; -1: none left.
static int pick(const struct upstream_ask *a, uint64_t now_ms)
{
	const struct upstreams *u = a->owner;
	int best = -1;
	unsigned best_rank = 0;

	for (unsigned i = 0; i < u->count && a->sends < u->max_sends; i++) {
		bool down = u->server[i].down_until_ms > now_ms;
		if ((a->failed >> i & 1) || a->sends_to[i] >= (down ? 1 : UPSTREAM_SENDS_EACH))
			continue;
		unsigned rank = a->sends_to[i] * 2u + down;
		if (best < 0 || rank < best_rank) {
			best = (int)i;
			best_rank = rank;
		}
	}
	return best;
}

// A server that waits for its turn by TCP; -1: none.
static int pick_tcp(const struct upstream_ask *a)
{
	return a->tcp_wanted && a->sends < a->owner->max_sends ? __builtin_ctz(a->tcp_wanted) : -1;
}

// Starts the wait for the query just sent, or, without one, until the deadline.
static void ask_wait(
	struct upstream_ask *a, struct upstream_leg *current, unsigned longest_ms, uint64_t now_ms)
{
	uint64_t left_ms = a->deadline_ms > now_ms ? a->deadline_ms - now_ms : 0;
	bool last = pick(a, now_ms) < 0 && pick_tcp(a) < 0;
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
	struct upstreams *u = a->owner;
	enum upstream_end why = a->any_reply  ? UPSTREAM_END_FAILURE
				: a->any_sent ? UPSTREAM_END_TIMEOUT
					      : UPSTREAM_END_NETWORK;
	upstream_ask_stop(a);
	u->callbacks.ended(a, why);
}

// Legs to servers that stay are legs to them in the new list. Others are still listened to.
static void activate_new_list(struct upstream_ask *a)
{
	const struct upstreams *u = a->owner;

	if (a->generation == u->generation)
		return;
	a->generation = u->generation;
	a->failed = a->tcp_wanted = a->tcp_tried = a->truncated = a->plain = a->no_option = 0;
	memset(a->sends_to, 0, sizeof(a->sends_to));
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = &a->leg[i];
		unsigned k = 0;
		while (k < u->count && !upstream_same_address(&u->server[k].address, &leg->peer))
			k++;
		if (!leg->open || k == u->count)
			continue;
		leg->server = k;
		leg->generation = a->generation;
	}
}

static int send_udp(struct upstream_ask *a, unsigned i, uint64_t now_us)
{
	struct upstream *s = &a->owner->server[i];
	struct upstream_leg *leg = upstream_leg_to(a, i);
	int rc = 0;

	a->sends_to[i]++;
	if (!leg) {
		leg = upstream_leg_spare(a);
		upstream_leg_init(
			leg, a, i, !a->case_off && s->case_strikes < UPSTREAM_CASE_STRIKES);
		rc = upstream_socket_take(a->owner->sockets, i, leg, now_us / 1000, &leg->socket);
		leg->open = rc == 0;
	}
	if (rc == 0)
		rc = upstream_leg_send(leg, now_us);
	if (rc == 0)
		upstream_server_sent(a->owner, s);
	unsigned wait_ms = upstream_server_wait_ms(s, a->owner->first_timeout_ms, a->sends_to[i]);
	upstream_note(a, rc == 0 ? TRACE_udp_sent : TRACE_send_failed, (int)i, a->sends, wait_ms);
	if (rc == 0)
		ask_wait(a, leg, wait_ms, now_us / 1000);
	else if (leg->sends == 0)
		upstream_leg_close(leg);
	return rc;
}

// `bit`: the server; 0 if it has left the list. A truncated reply without TCP is no reply. After a
// wrong id or letter case there is another way: a new query by UDP, whose forgeries are then
// ignored as long as it waits.
static void without_tcp(struct upstream_ask *a, uint32_t bit)
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
		ask_wait(a, leg, UPSTREAM_TCP_MS, now_us / 1000);
	} else {
		upstream_note(a, TRACE_send_failed, (int)i, a->sends, 0);
		upstream_tcp_free(a);
		without_tcp(a, bit);
	}
	return rc;
}

// The next query, or waiting for the legs that are left, or the end. Bounded: every round spends
// one of max_sends.
static void ask_next(struct upstream_ask *a)
{
	struct upstreams *u = a->owner;

	activate_new_list(a);
	for (;;) {
		uint64_t now_us = clock_mono_us(), now_ms = now_us / 1000;
		if (now_ms >= a->deadline_ms)
			break;
		int tcp = pick_tcp(a), i = tcp >= 0 ? tcp : pick(a, now_ms);
		if (i < 0 && upstream_leg_any(a)) {
			ask_wait(a, NULL, UINT32_MAX, now_ms);
			return;
		}
		if (i < 0)
			break;
		a->sends++;
		if ((tcp >= 0 ? send_tcp(a, (unsigned)i, now_us) : send_udp(a, (unsigned)i, now_us))
			== 0) {
			a->any_sent = true;
			return;
		}
		u->server[i].send_errors++;
	}
	ask_end(a);
}

static void on_wait_over(void *arg)
{
	struct upstream_ask *a = arg;
	struct upstream_leg *leg = a->current;
	struct upstream *s = leg ? upstream_leg_server(leg) : NULL;

	upstream_note(a, TRACE_timed_out, leg ? upstream_leg_index(leg) : -1, 0,
		leg ? clock_mono_us() - leg->last_sent_us : 0);
	if (s)
		upstream_server_timed_out(s, leg, a->owner->backoff_s);
	if (leg && leg->tcp)
		upstream_tcp_failed(leg);
	else
		ask_next(a);
}

void upstream_ask_start(struct upstreams *u, struct upstream_ask *a, const uint8_t *question,
	uint16_t question_len, bool cd, bool dnssec_ok, uint64_t deadline_ms)
{
	*a = (struct upstream_ask){
		.owner = u,
		.generation = u->generation,
		.cd = cd,
		.dnssec_ok = dnssec_ok,
		.question_len = question_len,
		.deadline_ms = deadline_ms,
		.timer = {.fn = on_wait_over, .arg = a},
	};
	memcpy(a->question, question, question_len);
	ask_next(a);
}

// Closes the leg. The wait for other legs goes on.
static void leg_done(struct upstream_leg *leg)
{
	struct upstream_ask *a = leg->ask;

	if (leg->tcp)
		upstream_tcp_free(a);
	else
		upstream_leg_close(leg);
	if (!a->current)
		ask_next(a);
}

enum upstream_take upstream_replied(struct upstream_leg *leg, uint8_t *msg, size_t len)
{
	struct upstream_ask *a = leg->ask;
	struct upstreams *u = a->owner;
	struct upstream *s = upstream_leg_server(leg);
	bool udp = !leg->tcp;
	uint64_t now_us = clock_mono_us(), took_us = now_us - leg->first_sent_us;
	uint64_t rtt_us = udp && leg->sends == 1 ? took_us + !took_us : 0;
	bool edns = leg->edns, option = leg->option;
	bool without = s && (a->no_option >> leg->server & 1);
	bool plainly = s && !without && (a->plain >> leg->server & 1);

	memcpy(msg + DNS_HEADER_LEN, a->question, a->question_len);
	// A repeated query may be answered twice.
	leg->answered = leg->sends == 1;
	upstream_note(a, TRACE_reply, upstream_leg_index(leg), 0, took_us);
	a->answered_by = s ? s->number : LOG_NO_UPSTREAM;
	enum upstream_take take = u->callbacks.reply(a, msg, len);
	if (take == UPSTREAM_IGNORED) {
		leg->answered = false;
		upstream_leg_count_bad(leg);
		return take;
	}
	u->totals.replies++;
	if (s)
		upstream_server_answered(s, rtt_us, now_us, take == UPSTREAM_FAILED);
	if (take == UPSTREAM_TAKEN) { // ask and leg are gone
		if (s) {
			upstream_server_lack(s, &s->no_edns, edns, plainly, now_us / 1000);
			upstream_server_lack(
				s, &s->no_option, option, without && !udp, now_us / 1000);
		}
		return take;
	}
	a->any_reply = true;
	if (take == UPSTREAM_TRUNCATED && udp) {
		upstream_go_tcp(leg, true);
		return take;
	}
	if (upstream_leg_is_too_old(leg, msg, len)) {
		upstream_go_plain(leg);
		return take;
	}
	if (s)
		a->failed |= 1u << leg->server;
	leg_done(leg);
	return take;
}

// Not counted as one of the server's sends: its refusal does not concern the question. Over TCP the
// cause may be the keepalive option, which is in the OPT.
void upstream_go_plain(struct upstream_leg *leg)
{
	struct upstream_ask *a = leg->ask;
	uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;

	upstream_note(a, TRACE_without_edns, upstream_leg_index(leg), 0, 0);
	a->any_reply = true;
	a->plain |= bit;
	if (leg->option)
		a->no_option |= bit;
	if (bit && !leg->tcp)
		a->sends_to[leg->server] -= a->sends_to[leg->server] > 0;
	if (leg->tcp)
		a->tcp_wanted |= bit;
	leg_done(leg);
}

bool upstream_can_tcp(const struct upstream_leg *leg)
{
	const struct upstream_ask *a = leg->ask;
	return upstream_leg_server(leg) && !((a->tcp_tried | a->tcp_wanted) >> leg->server & 1)
	       && a->sends < a->owner->max_sends && clock_mono_ms() < a->deadline_ms;
}

void upstream_go_tcp(struct upstream_leg *leg, bool truncated)
{
	struct upstream_ask *a = leg->ask;
	uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;

	if (truncated)
		a->truncated |= bit;
	if (upstream_can_tcp(leg)) {
		a->tcp_wanted |= bit;
		// At once, unless another try is under way: that one is `current`.
		if (!a->tcp)
			a->current = NULL;
	} else {
		without_tcp(a, bit);
	}
	leg_done(leg);
}

void upstream_tcp_wait(struct upstream_leg *leg, unsigned longest_ms)
{
	if (leg->ask->current == leg)
		ask_wait(leg->ask, leg, longest_ms, clock_mono_ms());
}

void upstream_tcp_failed(struct upstream_leg *leg)
{
	without_tcp(leg->ask, upstream_leg_server(leg) ? 1u << leg->server : 0);
	leg_done(leg);
}
