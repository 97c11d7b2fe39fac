// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_answer.h>
#include <weir/log.h>

static void ask_next(struct upstream_ask *a);

struct upstream *upstream_of(const struct upstream_ask *a)
{
	return a->generation == a->owner->generation ? &a->owner->server[a->server] : NULL;
}

static void server_answers(struct upstream *s)
{
	s->timeouts_in_a_row = 0;
	s->down_until_ms = 0;
	if (s->was_down)
		log_info("upstream %s answers again", s->name);
	s->was_down = false;
}

static void server_timed_out(struct upstream *s, unsigned backoff_s)
{
	s->timeouts++;
	if (++s->timeouts_in_a_row < UPSTREAM_DOWN_AFTER)
		return;
	s->down_until_ms = clock_mono_ms() + backoff_s * 1000ull;
	if (!s->was_down)
		log_warning("upstream %s does not answer, asked last for %u s", s->name, backoff_s);
	s->was_down = true;
}

static void server_rtt(struct upstream *s, uint64_t rtt_us)
{
	uint32_t rtt = rtt_us > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)rtt_us;
	s->srtt_us = s->srtt_us ? (s->srtt_us * 7 + rtt) / 8 : rtt + !rtt;
}

// Fewest sends first, then those that are up, then the configured order; -1: none left.
static int pick(const struct upstream_ask *a, uint64_t now_ms)
{
	const struct upstreams *u = a->owner;
	int best = -1;
	unsigned best_rank = 0;

	for (unsigned i = 0; i < u->count && a->sends < u->max_sends; i++) {
		if ((a->failed >> i & 1) || a->sends_to[i] >= UPSTREAM_SENDS_EACH)
			continue;
		unsigned rank = a->sends_to[i] * 2u + (u->server[i].down_until_ms > now_ms);
		if (best < 0 || rank < best_rank) {
			best = (int)i;
			best_rank = rank;
		}
	}
	return best;
}

// Sets the end of the wait for the query that is about to be sent.
static void wait_plan(struct upstream_ask *a, unsigned longest_ms, uint64_t now_ms)
{
	uint64_t left_ms = a->deadline_ms - now_ms;
	uint64_t wait_ms = pick(a, now_ms) < 0 || longest_ms > left_ms ? left_ms : longest_ms;
	a->due_us = clock_mono_us() + wait_ms * 1000;
}

static unsigned udp_wait_ms(const struct upstream_ask *a)
{
	const struct upstreams *u = a->owner;
	unsigned wait_ms = u->first_timeout_ms;
	uint32_t srtt_us = u->server[a->server].srtt_us;

	if (srtt_us) {
		unsigned adaptive = srtt_us * 3 / 1000 < 50 ? 50 : srtt_us * 3 / 1000;
		if (adaptive < wait_ms)
			wait_ms = adaptive;
	}
	return wait_ms << (a->sends_to[a->server] - 1);
}

uint16_t upstream_write_query(struct upstream_ask *a, uint8_t *out, size_t cap)
{
	struct upstreams *u = a->owner;
	uint8_t coin[UPSTREAM_QUESTION_MAX / 8 + 1];

	a->id = rng_u16(&u->rng);
	memcpy(a->spelled, a->question, a->question_len);
	if (a->mixed_case) {
		rng_bytes(&u->rng, coin, sizeof(coin));
		// Length octets are below 'a', type and class are the last four.
		for (unsigned i = 0; i + 4 < a->question_len; i++)
			if (a->spelled[i] >= 'a' && a->spelled[i] <= 'z'
				&& (coin[i / 8] >> i % 8 & 1))
				a->spelled[i] -= 'a' - 'A';
	}
	a->sent_us = clock_mono_us();
	return dns_query_write(out, cap, a->id, a->spelled, a->question_len, a->cd, a->dnssec_ok);
}

void upstream_wait(struct upstream_ask *a, short what, event_callback_fn fn)
{
	uint64_t now = clock_mono_us();
	uint64_t left = a->due_us > now ? a->due_us - now : 0;
	const struct timeval tv = {
		.tv_sec = (time_t)(left / 1000000), .tv_usec = (suseconds_t)(left % 1000000)};

	event_assign(&a->event, loop_base(a->owner->loop), a->fd, what, fn, a);
	event_add(&a->event, &tv);
}

void upstream_close(struct upstream_ask *a)
{
	if (a->transport == UPSTREAM_IDLE)
		return;
	event_del(&a->event);
	if (a->transport == UPSTREAM_TCP)
		upstream_tcp_free(a);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	a->transport = UPSTREAM_IDLE;
}

void upstream_ask_stop(struct upstream_ask *a)
{
	if (!a->owner)
		return;
	upstream_close(a);
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

static void adopt_new_list(struct upstream_ask *a)
{
	if (a->generation == a->owner->generation)
		return;
	a->generation = a->owner->generation;
	a->failed = a->tcp_tried = 0;
	memset(a->sends_to, 0, sizeof(a->sends_to));
}

// The next query, or the end. Bounded: every round spends one of max_sends.
static void ask_next(struct upstream_ask *a)
{
	struct upstreams *u = a->owner;

	for (;;) {
		upstream_close(a);
		adopt_new_list(a);
		uint64_t now_ms = clock_mono_ms();
		int i = now_ms < a->deadline_ms ? pick(a, now_ms) : -1;
		if (i < 0)
			break;
		struct upstream *s = &u->server[i];
		a->server = (unsigned)i;
		a->sends++;
		a->sends_to[i]++;
		a->mixed_case = !a->case_off && s->case_strikes < UPSTREAM_CASE_STRIKES;
		a->peer = s->address;
		a->peer_len = s->address_len;
		wait_plan(a, udp_wait_ms(a), now_ms);
		if (upstream_udp_start(a) == 0) {
			a->any_sent = true;
			s->sent++;
			u->totals.sent++;
			return;
		}
		s->send_errors++;
	}
	ask_end(a);
}

void upstream_ask_start(struct upstreams *u, struct upstream_ask *a, const uint8_t *question,
	uint16_t question_len, bool cd, bool dnssec_ok, uint64_t deadline_ms)
{
	*a = (struct upstream_ask){
		.owner = u,
		.fd = -1,
		.generation = u->generation,
		.cd = cd,
		.dnssec_ok = dnssec_ok,
		.question_len = question_len,
		.deadline_ms = deadline_ms,
	};
	memcpy(a->question, question, question_len);
	ask_next(a);
}

void upstream_count_bad(struct upstream_ask *a)
{
	struct upstream *s = upstream_of(a);
	if (s)
		s->bad_replies++;
	a->owner->totals.mismatched++;
}

enum upstream_take upstream_replied(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	struct upstreams *u = a->owner;
	struct upstream *s = upstream_of(a);
	bool udp = a->transport == UPSTREAM_UDP;
	uint64_t rtt_us = clock_mono_us() - a->sent_us;

	enum upstream_take take = u->callbacks.reply(a, msg, len);
	if (take == UPSTREAM_IGNORED) {
		upstream_count_bad(a);
		return take;
	}
	u->totals.replies++;
	if (s) {
		server_answers(s);
		s->answered++;
		s->failures += take == UPSTREAM_FAILED;
		if (udp)
			server_rtt(s, rtt_us);
	}
	if (take == UPSTREAM_TAKEN)
		return take;
	a->any_reply = true;
	if (take == UPSTREAM_TRUNCATED && udp) {
		upstream_go_tcp(a, true);
		return take;
	}
	if (s)
		a->failed |= 1u << a->server;
	ask_next(a);
	return take;
}

void upstream_timed_out(struct upstream_ask *a)
{
	struct upstream *s = upstream_of(a);
	if (s)
		server_timed_out(s, a->owner->backoff_s);
	if (a->transport == UPSTREAM_TCP)
		upstream_tcp_failed(a);
	else
		ask_next(a);
}

bool upstream_can_tcp(const struct upstream_ask *a)
{
	return upstream_of(a) && !(a->tcp_tried >> a->server & 1) && a->sends < a->owner->max_sends
	       && clock_mono_ms() < a->deadline_ms;
}

void upstream_go_tcp(struct upstream_ask *a, bool truncated)
{
	struct upstream *s = upstream_of(a);

	upstream_close(a);
	a->truncated = truncated;
	if (upstream_can_tcp(a)) {
		a->tcp_tried |= 1u << a->server;
		a->sends++;
		s->tcp_retries++;
		wait_plan(a, UPSTREAM_TCP_MS, clock_mono_ms());
		if (upstream_tcp_start(a) == 0) {
			s->sent++;
			a->owner->totals.sent++;
			return;
		}
		s->send_errors++;
	}
	upstream_tcp_failed(a);
}

// A truncated reply without TCP is no reply. After a wrong id or letter case there is another way:
// a new query by UDP, whose forgeries are then ignored as long as it waits.
void upstream_tcp_failed(struct upstream_ask *a)
{
	if (a->truncated && upstream_of(a))
		a->failed |= 1u << a->server;
	else
		a->stay_udp = a->case_off = true;
	ask_next(a);
}

static void server_set(struct upstream *s, const struct config_upstream *c)
{
	memset(s, 0, sizeof(*s));
	s->config = *c;
	if (c->name && c->name[0])
		snprintf(s->name, sizeof(s->name), "%s", c->name);
	else
		socket_address_text(&c->address, s->name);
	s->config.name = NULL;
	(void)socket_address_to_sockaddr(&c->address, &s->address, &s->address_len);
}

void upstreams_configure(struct upstreams *u, const struct config_upstreams *config)
{
	struct upstream *old = malloc(sizeof(u->server));
	unsigned old_count = old ? u->count : 0;

	if (old)
		memcpy(old, u->server, sizeof(u->server));
	u->generation++;
	u->count = config->count < CONFIG_UPSTREAMS_MAX ? config->count : CONFIG_UPSTREAMS_MAX;
	u->first_timeout_ms = config->first_timeout_ms;
	u->max_sends = config->max_sends;
	u->backoff_s = config->backoff_s;
	for (unsigned i = 0; i < u->count; i++) {
		struct upstream *s = &u->server[i];
		server_set(s, &config->server[i]);
		for (unsigned k = 0; k < old_count; k++) {
			if (old[k].address_len != s->address_len
				|| memcmp(&old[k].address, &s->address, s->address_len) != 0)
				continue;
			char name[sizeof(s->name)];
			memcpy(name, s->name, sizeof(name));
			*s = old[k];
			memcpy(s->name, name, sizeof(name));
		}
	}
	free(old);
}

int upstreams_new(struct upstreams **out, struct loop *loop, const struct config_upstreams *config,
	const struct upstream_callbacks *callbacks)
{
	struct upstreams *u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->loop = loop;
	u->callbacks = *callbacks;
	upstreams_configure(u, config);
	*out = u;
	return 0;
}

void upstreams_free(struct upstreams *u)
{
	free(u);
}

unsigned upstreams_status(
	const struct upstreams *u, struct upstream_status out[CONFIG_UPSTREAMS_MAX])
{
	uint64_t now = clock_mono_ms();

	for (unsigned i = 0; i < u->count; i++) {
		const struct upstream *s = &u->server[i];
		bool down = s->down_until_ms > now;
		out[i] = (struct upstream_status){
			.up = !down,
			.sent = s->sent,
			.answered = s->answered,
			.timeouts = s->timeouts,
			.bad_replies = s->bad_replies,
			.tcp_retries = s->tcp_retries,
			.send_errors = s->send_errors,
			.failures = s->failures,
			.case_changed = s->case_changed,
			.mixed_case = s->case_strikes < UPSTREAM_CASE_STRIKES,
			.srtt_us = s->srtt_us,
			.down_for_ms = down ? (uint32_t)(s->down_until_ms - now) : 0,
		};
		memcpy(out[i].name, s->name, sizeof(out[i].name));
		socket_address_text(&s->config.address, out[i].address);
	}
	return u->count;
}

void upstreams_totals(const struct upstreams *u, struct upstream_totals *out)
{
	*out = u->totals;
}
