// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <weir/clock.h>
#include <weir/log.h>

enum { WAIT_MIN_MS = 50, WAIT_SHIFT_MAX = 5, SHARE_SHIFT = 8, SHARE_WHOLE = 1 << 24 };

// Times that this set has not measured for so long are taken from the server's record.
// A refusal comes at once, and says nothing of how long a reply takes.
enum { TIMES_OLD_US = 1000000, REFUSED_US = 1000000 };

static void times_refresh(struct upstream *s, uint64_t now_us)
{
	if (now_us < s->times_us + TIMES_OLD_US)
		return;
	s->times_us = now_us;
	s->srtt_us = upstream_health_get(s->health, srtt_us);
	s->latency_us = upstream_health_get(s->health, latency_us);
}

static void times_share(struct upstream *s, uint64_t now_us)
{
	s->times_us = now_us;
	if (now_us < s->shared_us + UPSTREAM_SHARE_US)
		return;
	s->shared_us = now_us;
	upstream_health_set(s->health, srtt_us, s->srtt_us);
	upstream_health_set(s->health, latency_us, s->latency_us);
}

static void time_add(uint32_t *mean, uint64_t us)
{
	uint32_t sample = us > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)us;
	*mean = *mean ? (*mean * 7 + sample) / 8 : sample;
}

static void server_rtt(struct upstream *s, uint64_t rtt_us, uint64_t now_us)
{
	times_refresh(s, now_us);
	time_add(&s->srtt_us, rtt_us);
	time_add(&s->latency_us, rtt_us);
	s->wait_shift = 0;
	times_share(s, now_us);
}

enum route_way upstream_server_way(struct upstream *s)
{
	const uint64_t turn = route_board_turn();

	if (s->way_turn != turn) {
		s->way = route_board_way(&s->config.address);
		s->way_turn = turn;
	}
	return s->way;
}

void upstream_server_sent(struct upstreams *u, struct upstream *s)
{
	u->totals.sent++;
	if (!s)
		return;
	s->sent++;
	for (unsigned i = 0; i < u->count; i++)
		u->server[i].share -= u->server[i].share >> SHARE_SHIFT;
	s->share += SHARE_WHOLE >> SHARE_SHIFT;
}

void upstream_server_count(struct upstream *s, uint64_t rtt_us, bool failure)
{
	s->answered++;
	s->failures += failure;
	if (rtt_us)
		took_add(&s->took, (rtt_us > UINT32_MAX ? UINT32_MAX : rtt_us) * 1000);
}

static void server_heard(struct upstream *s, uint64_t now_us)
{
	struct upstream_health *h = s->health;

	s->answered_us = now_us;
	if (now_us >= upstream_health_get(h, answered_us) + UPSTREAM_SHARE_US)
		upstream_health_set(h, answered_us, now_us);
	if (upstream_health_get(h, silent) > 0)
		upstream_health_set(h, silent, 0);
}

static void server_up(struct upstream *s)
{
	struct upstream_health *h = s->health;

	if (upstream_health_get(h, down_until_ms) == 0)
		return;
	upstream_health_set(h, down_until_ms, 0);
	if (atomic_exchange_explicit(&h->is_logged, false, memory_order_relaxed))
		log_info("upstream %s answers again", s->name);
}

void upstream_server_answered(struct upstream *s, uint64_t rtt_us, uint64_t now_us)
{
	if (rtt_us)
		server_rtt(s, rtt_us, now_us);
	server_heard(s, now_us);
	if (upstream_health_get(s->health, is_outdone))
		upstream_health_set(s->health, is_outdone, false);
	s->silences = (struct upstream_zones){0};
	server_up(s);
}

void upstream_server_checked(struct upstream *s, uint64_t rtt_us, uint64_t now_us)
{
	times_refresh(s, now_us);
	if (rtt_us && !s->srtt_us)
		server_rtt(s, rtt_us, now_us);
	server_heard(s, now_us);
	if (!upstream_health_get(s->health, is_outdone))
		server_up(s);
}

void upstream_server_lack(
	struct upstream *s, struct upstream_lack *l, bool with, bool without, uint64_t now_ms)
{
	if (with)
		l->strikes = 0;
	if (!without || ++l->strikes < UPSTREAM_STRIKES)
		return;
	if (l->strikes == UPSTREAM_STRIKES)
		log_info("upstream %s does not %s", s->name,
			l == &s->no_edns     ? "know EDNS"
			: l == &s->no_case   ? "keep the letter case of names"
			: l == &s->no_subnet ? "take a client's subnet"
					     : "take edns-tcp-keepalive");
	l->until_ms = now_ms + UPSTREAM_PLAIN_MS;
}

static void server_down(const struct upstreams *u, struct upstream *s, uint64_t now_us)
{
	struct upstream_health *h = s->health;

	upstream_health_set(h, down_until_ms, now_us / 1000 + u->backoff_s * 1000ull);
	if (atomic_exchange_explicit(&h->is_logged, true, memory_order_relaxed))
		return;
	if (u->check == UPSTREAM_CHECK_OFF)
		log_warning("upstream %s does not answer; used only as a last resort for %u s",
			s->name, u->backoff_s);
	else if (upstream_health_get(h, silent) < UPSTREAM_DOWN_AFTER)
		log_warning("upstream %s answers checks, but no questions; used only as a last "
			    "resort for %u s",
			s->name, u->backoff_s);
	else
		log_warning("upstream %s does not answer; used only as a last resort until it "
			    "answers a check",
			s->name);
}

// It has left one more query. How many in a row.
static unsigned server_silent(const struct upstreams *u, struct upstream *s, uint64_t now_us)
{
	const unsigned silent =
		atomic_fetch_add_explicit(&s->health->silent, 1, memory_order_relaxed) + 1;

	if (silent >= UPSTREAM_DOWN_AFTER)
		server_down(u, s, now_us);
	return silent;
}

// The name was not the reason. With checks, which it answers, it may be the reason still: the
// servers of a zone may answer one of weir's servers alone.
void upstream_server_left(
	const struct upstreams *u, struct upstream *s, uint32_t zone, uint64_t now_us)
{
	struct upstream_health *h = s->health;

	if (u->check == UPSTREAM_CHECK_OFF) {
		server_silent(u, s, now_us);
	} else if (upstream_health_get(h, is_outdone)
		   || upstream_zones_add(&s->silences, zone, now_us / 1000) >= UPSTREAM_STRIKES) {
		upstream_health_set(h, is_outdone, true);
		server_down(u, s, now_us);
	}
}

// Servers of one zone may be silent, so without checks each zone counts once, but for what another
// server of the set answers in the end. True: it does not count now.
static bool may_be_the_names_fault(
	const struct upstreams *u, struct upstream *s, struct upstream_leg *leg, uint64_t now_us)
{
	struct upstream_ask *a = leg->ask;
	const bool is_question =
		!a->is_check && !leg->refused && (!leg->is_tls || upstream_tcp_is_asked(leg));

	if (is_question && u->check == UPSTREAM_CHECK_OFF
		&& upstream_zones_add(&s->silences, upstream_ask_zone(a), now_us / 1000))
		return false;
	if (is_question && leg->sends == 1)
		a->silent |= 1u << leg->server;
	return is_question && u->check == UPSTREAM_CHECK_OFF;
}

bool upstream_server_timed_out(
	const struct upstreams *u, struct upstream *s, struct upstream_leg *leg)
{
	uint64_t now_us = clock_mono_us();

	// It waited for a connection all the time.
	if (leg->tcp && leg->sends == 0)
		return false;
	if (leg->ask->is_check) {
		atomic_fetch_add_explicit(&s->health->checks_failed, 1, memory_order_relaxed);
		upstream_health_set(s->health, is_outdone, false);
	} else {
		s->timeouts += !(leg->is_tls && leg->refused);
	}
	if (!leg->tcp && !leg->refused && leg->sends == 1 && s->wait_shift < WAIT_SHIFT_MAX)
		s->wait_shift++;
	times_refresh(s, now_us);
	time_add(&s->latency_us, leg->refused ? REFUSED_US : now_us - leg->last_sent_us);
	times_share(s, now_us);
	// A cold name takes recursion longer than a server that has it; that says nothing of
	// others.
	if (s->config.is_recursion)
		return false;
	// It is slow, or drops this question; other queries had their replies meanwhile.
	if (s->answered_us > leg->last_sent_us
		|| upstream_health_get(s->health, answered_us) > leg->last_sent_us)
		return false;
	if (leg->is_tls && !upstream_tcp_is_first_silence(leg))
		return false;
	return !may_be_the_names_fault(u, s, leg, now_us) && server_silent(u, s, now_us) == 1;
}

bool upstream_server_down(const struct upstreams *u, const struct upstream *s, uint64_t now_ms)
{
	if (u->check != UPSTREAM_CHECK_OFF
		&& upstream_health_get(s->health, silent) >= UPSTREAM_DOWN_AFTER)
		return true;
	return upstream_health_get(s->health, down_until_ms) > now_ms;
}

// Where checks find out whether it is there, one wait that was over is enough.
bool upstream_server_avoid(const struct upstreams *u, const struct upstream *s, uint64_t now_ms)
{
	return (u->check != UPSTREAM_CHECK_OFF && upstream_health_get(s->health, silent) > 0)
	       || upstream_server_failing(s, now_ms) || upstream_server_down(u, s, now_ms);
}

bool upstream_takes_subnet(const struct upstream *s, uint64_t now_ms)
{
	return s->no_edns.until_ms <= now_ms && s->no_subnet.until_ms <= now_ms
	       && !s->config.is_recursion;
}

bool upstream_server_mixes_case(const struct upstream *s, uint64_t now_ms)
{
	return s->no_case.until_ms <= now_ms;
}

struct upstream_known upstream_server_known(
	const struct upstreams *u, struct upstream *s, uint64_t now_us)
{
	times_refresh(s, now_us);
	return (struct upstream_known){
		.avoid = upstream_server_avoid(u, s, now_us / 1000),
		.down = upstream_server_down(u, s, now_us / 1000),
		.weight = s->config.weight ? s->config.weight : 1,
		.under_way = s->under_way,
		.latency_us = s->latency_us,
	};
}

unsigned upstream_server_wait_ms(
	const struct upstream *s, unsigned first_timeout_ms, unsigned sends)
{
	unsigned wait_ms = first_timeout_ms;

	if (s->srtt_us) {
		uint32_t thrice_ms = s->srtt_us * 3 / 1000;
		unsigned adaptive = (thrice_ms < WAIT_MIN_MS ? WAIT_MIN_MS : thrice_ms)
				    << s->wait_shift;
		if (adaptive < wait_ms)
			wait_ms = adaptive;
	}
	return wait_ms << (sends - 1);
}
