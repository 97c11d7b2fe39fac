// SPDX-License-Identifier: BSD-3-Clause
// An ask: which server gets its next query, the legs that are its queries, what follows a reply or
// the end of a wait, and the end.

#include "base/clock_grace.h"
#include "upstream_internal.h"
#include "upstream_udp.h"

#include <errno.h>
#include <string.h>
#include <weir/ascii.h>
#include <weir/clock.h>
#include <weir/dns_answer.h>
#include <weir/log_msg.h>

// More than twice the sends to any server.
enum { RANK_DOWN = 16 };

static unsigned rank_of(const struct upstream_known *k)
{
	return k->down * RANK_DOWN + k->sends * 2 + k->avoid;
}

// Bits of the eligible servers of the lowest rank.
static uint32_t best_rank(const struct upstream_known *known, unsigned count)
{
	uint32_t best = 0;
	unsigned rank = UINT32_MAX;

	for (unsigned i = 0; i < count; i++) {
		if (!known[i].eligible || rank_of(&known[i]) > rank)
			continue;
		if (rank_of(&known[i]) < rank)
			best = 0;
		rank = rank_of(&known[i]);
		best |= 1u << i;
	}
	return best;
}

static uint64_t latency_of(const struct upstream_known *k)
{
	if (k->latency_us == 0)
		return 0;
	return k->latency_us < UPSTREAM_LATENCY_FLOOR_US ? UPSTREAM_LATENCY_FLOOR_US
							 : k->latency_us;
}

// Is a / weight of a less than b / weight of b?
static bool is_less(uint64_t a, unsigned a_weight, uint64_t b, unsigned b_weight)
{
	return a * b_weight < b * a_weight;
}

static bool is_quicker(const struct upstream_known *a, const struct upstream_known *b)
{
	return is_less(latency_of(a), a->weight, latency_of(b), b->weight);
}

static bool has_fewer(const struct upstream_known *a, const struct upstream_known *b)
{
	uint64_t x = a->under_way + UINT64_C(1), y = b->under_way + UINT64_C(1);

	if (x * b->weight == y * a->weight)
		return is_quicker(a, b);
	return is_less(x, a->weight, y, b->weight);
}

static int first_by(const struct upstream_known *known, uint32_t of,
	bool (*before)(const struct upstream_known *a, const struct upstream_known *b))
{
	int best = __builtin_ctz(of);

	for (of &= of - 1; of; of &= of - 1) {
		int i = __builtin_ctz(of);
		if (before(&known[i], &known[best]))
			best = i;
	}
	return best;
}

// The quickest server; one draw in UPSTREAM_PROBE_SHARE gives any other server.
static int quickest(const struct upstream_known *known, uint32_t of, unsigned draw)
{
	int best = first_by(known, of, is_quicker);

	of &= ~(1u << best);
	if (!of || draw % UPSTREAM_PROBE_SHARE != 0)
		return best;
	draw /= UPSTREAM_PROBE_SHARE;
	for (unsigned skip = draw % (unsigned)__builtin_popcount(of); skip > 0; skip--)
		of &= of - 1;
	return __builtin_ctz(of);
}

// Every server is owed its weight more with each query; the server that is owed most gets the query
// and pays the sum of the weights.
static int next_turn(const struct upstream_known *known, uint32_t of, struct upstream_turn *turn)
{
	int best = -1;
	int32_t sum = 0;

	for (; of; of &= of - 1) {
		int i = __builtin_ctz(of);
		int32_t weight = (int32_t)known[i].weight;
		turn->owed[i] += weight;
		sum += weight;
		if (best < 0 || turn->owed[i] > turn->owed[best])
			best = i;
	}
	turn->owed[best] -= sum;
	return best;
}

int upstream_choose(enum upstream_policy policy, const struct upstream_known *known, unsigned count,
	struct upstream_turn *turn, uint16_t draw)
{
	uint32_t best = best_rank(known, count);

	if (!best)
		return -1;
	switch (policy) {
	case UPSTREAM_LATENCY:
		return quickest(known, best, draw);
	case UPSTREAM_LEAST:
		return first_by(known, best, has_fewer);
	case UPSTREAM_ROUND_ROBIN:
		return next_turn(known, best, turn);
	case UPSTREAM_FAILOVER:
		break;
	}
	return __builtin_ctz(best);
}

enum { ARCOUNT_OFF = 10 };

struct upstream *upstream_leg_server(const struct upstream_leg *leg)
{
	struct upstreams *u = leg->ask->owner;
	return leg->generation == u->generation ? &u->server[leg->server] : NULL;
}

int upstream_leg_index(const struct upstream_leg *leg)
{
	return leg->generation == leg->ask->owner->generation ? (int)leg->server : -1;
}

// The open UDP leg to a server of the ask's list, or NULL.
static struct upstream_leg *leg_to(struct upstream_ask *a, unsigned server)
{
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = &a->leg[i];
		if (leg->open && leg->server == server && leg->generation == a->generation)
			return leg;
	}
	return NULL;
}

// A UDP leg that is not in use, or else the leg that was sent the longest ago, which is closed.
static struct upstream_leg *leg_spare(struct upstream_ask *a)
{
	struct upstream_leg *spare = &a->leg[0];

	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = &a->leg[i];
		if (!leg->open)
			return leg;
		if (leg->last_sent_us < spare->last_sent_us)
			spare = leg;
	}
	upstream_leg_close(spare);
	return spare;
}

// Is a reply to the leg worth a wait? After a failure, not if its server was down when the leg was
// made.
static bool leg_is_awaited(const struct upstream_leg *leg)
{
	return !(leg->ask->failing && leg->is_doubtful);
}

// Is a reply to any open leg worth a wait?
static bool leg_any_awaited(const struct upstream_ask *a)
{
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++)
		if ((a->leg[i].open && leg_is_awaited(&a->leg[i]))
			|| (a->tls[i] && leg_is_awaited(upstream_tcp_leg(a->tls[i]))))
			return true;
	return false;
}

void upstream_leg_init(struct upstream_leg *leg, struct upstream_ask *a, unsigned server,
	bool mixed_case, uint64_t now_ms)
{
	struct upstreams *u = a->owner;
	const struct upstream *s = &u->server[server];
	bool plain = (a->plain >> server & 1) || s->no_edns.until_ms > now_ms;

	*leg = (struct upstream_leg){
		.ask = a,
		.mixed_case = mixed_case,
		.edns = !plain,
		.subnet = a->subnet.version && !plain && !s->config.is_recursion
			  && !(a->no_subnet >> server & 1) && s->no_subnet.until_ms <= now_ms,
		.asks_ad = s->config.trust_ad,
		.is_doubtful = upstream_server_down(u, s, now_ms)
			       || upstream_health_get(s->health, silent) >= UPSTREAM_DOWN_AFTER,
		.no_option = (a->no_option >> server & 1) || s->no_option.until_ms > now_ms,
		.id = rng_u16(&u->rng),
		.server = server,
		.generation = a->generation,
		.peer = s->address,
		.peer_len = s->address_len,
	};
	if (mixed_case)
		rng_bytes(&u->rng, leg->coin, (a->question_len - 4u) / 8 + 1);
}

// The server at the leg's address. The list may have changed since the leg was opened, and the ask
// may not know yet.
static struct upstream *peer_server(const struct upstream_leg *leg)
{
	struct upstreams *u = leg->ask->owner;
	unsigned i = leg->generation == u->generation ? leg->server : 0;

	while (i < u->count && !upstream_same_address(&u->server[i].address, &leg->peer))
		i++;
	return i < u->count ? &u->server[i] : NULL;
}

void upstream_leg_open(struct upstream_leg *leg)
{
	struct upstream *s = peer_server(leg);

	leg->open = true;
	if (s)
		s->under_way++;
	if (leg->ask->owner->port && !leg->tcp)
		upstream_port_add(leg->ask->owner->port, leg);
}

void upstream_leg_close(struct upstream_leg *leg)
{
	if (!leg->open)
		return;
	struct upstream *s = peer_server(leg);

	leg->open = false;
	if (s && s->under_way > 0) // the server may have left the list and come back
		s->under_way--;
	if (leg->is_listed)
		upstream_port_remove(leg->ask->owner->port, leg);
	if (!leg->tcp && !leg->by_port)
		upstream_socket_give(leg->socket, leg->answered);
	if (leg->ask->current == leg)
		leg->ask->current = NULL;
}

// The question with this leg's letter case.
static void leg_spell(const struct upstream_leg *leg, uint8_t out[UPSTREAM_QUESTION_MAX])
{
	const struct upstream_ask *a = leg->ask;

	memcpy(out, a->question, a->question_len);
	// Length bytes are below 'a', type and class are the last four.
	if (leg->mixed_case)
		ascii_raise(out, a->question_len - 4u, leg->coin);
}

uint16_t upstream_leg_query(const struct upstream_leg *leg, uint8_t *out, size_t cap)
{
	const struct upstream_ask *a = leg->ask;
	uint8_t spelled[UPSTREAM_QUESTION_MAX];

	leg_spell(leg, spelled);
	uint16_t len =
		dns_query_write(out, cap, leg->id, spelled, a->question_len, a->cd, a->dnssec_ok);
	if (len && leg->asks_ad)
		put_u16(out + 2, get_u16(out + 2) | DNS_FLAG_AD); // RFC 6840 5.7
	if (len && leg->subnet && len + (size_t)UPSTREAM_SUBNET_MAX <= cap) {
		a->owner->totals.subnet_sent++;
		return (uint16_t)upstream_subnet_add(out, len, &a->subnet);
	}
	if (len == 0 || leg->edns)
		return len;
	put_u16(out + ARCOUNT_OFF, 0);
	return len - DNS_OPT_FIXED_LEN; // the OPT is the last record
}

unsigned upstream_leg_options(const struct upstream_leg *leg)
{
	return leg->subnet ? upstream_subnet_len(&leg->ask->subnet) : 0;
}

bool upstream_leg_matches(
	const struct upstream_leg *leg, const uint8_t *msg, size_t len, bool exact_case)
{
	uint8_t spelled[UPSTREAM_QUESTION_MAX];

	leg_spell(leg, spelled);
	return dns_answer_matches(msg, len, leg->id, spelled, leg->ask->question_len, exact_case);
}

void upstream_leg_count_bad(struct upstream_leg *leg)
{
	struct upstream *s = upstream_leg_server(leg);
	if (s)
		s->bad_replies++;
	upstream_note(leg->ask, TRACE_unbelieved, upstream_leg_index(leg), 0, 0);
	leg->ask->owner->totals.mismatched++;
}

// Is the reply one of a server that does not know EDNS, or does not take a client's subnet, to a
// query that had it?
static bool leg_is_too_old(const struct upstream_leg *leg, const uint8_t *msg, size_t len)
{
	if (!leg->edns || len < DNS_HEADER_LEN)
		return false;
	unsigned rcode = get_u16(msg + 2) & DNS_FLAG_RCODE;
	return rcode == DNS_RCODE_FORMERR || rcode == DNS_RCODE_NOTIMP
	       || (leg->subnet && rcode == DNS_RCODE_REFUSED);
}

bool upstream_leg_is_bare_refusal(const struct upstream_leg *leg, const uint8_t *msg, size_t len)
{
	return len == DNS_HEADER_LEN && get_u16(msg) == leg->id
	       && (get_u16(msg + 2) & (DNS_FLAG_QR | DNS_FLAG_OPCODE)) == DNS_FLAG_QR
	       && get_u16(msg + 4) == 0 && leg_is_too_old(leg, msg, len);
}

// Has the set a server that is not drained? If all are drained, questions would fail: then the
// drain means nothing.
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

// Has the server had its tries? A refusal by ICMP counts as the second silence.
static bool is_tried(const struct upstream_ask *a, unsigned i)
{
	if (a->sends_to[i] >= UPSTREAM_RECURSION_AFTER)
		return true;
	for (unsigned k = 0; k < UPSTREAM_LEGS; k++)
		if (a->leg[k].open && a->leg[k].refused && upstream_leg_index(&a->leg[k]) == (int)i)
			return true;
	return false;
}

// Recursion is for questions that no server answers, and one lost datagram is no sign of that. The
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

// The place of the server that gets the ask's next query; -1: no server is left.
static int pick_server(struct upstream_ask *a, uint64_t now_us)
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

// How long a question waits before it looks again for the first address of a host name.
enum { NAME_WAIT_MS = 100 };

// The first lookup of a server of the list has not ended, and no other server has replied: there
// may be an address in time.
static bool waits_for_name(const struct upstream_ask *a)
{
	return a->owner->unknown > 0 && !a->only && !a->any_reply
	       && a->sends < upstream_sends_max(a);
}

// Legs to servers that stay get their places in the new list. Replies on other legs still count.
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

// The place of a server that waits for its turn by TCP; -1: no server does.
static int pick_tcp(const struct upstream_ask *a)
{
	return a->tcp_wanted && a->sends < upstream_sends_max(a) ? __builtin_ctz(a->tcp_wanted)
								 : -1;
}

// TCP did not help. `bit`: the server; 0 if it has left the list. A truncated reply without TCP is
// no reply. After a wrong id or letter case there is another way: a new query by UDP, whose
// forgeries are then ignored as long as it waits.
static void without_tcp(struct upstream_ask *a, uint32_t bit)
{
	if (a->truncated & bit)
		a->failed |= bit;
	else if (bit)
		a->stay_udp = a->case_off = true;
}

// An ask has one query over TCP at a time. One that is not awaited (leg_is_awaited) gives way.
static void tcp_give_way(struct upstream_ask *a)
{
	struct upstream_leg *leg = upstream_tcp_leg(a->tcp);

	if (!leg)
		return;
	without_tcp(a, upstream_leg_server(leg) ? 1u << leg->server : 0);
	upstream_tcp_end(leg);
}

static int send_tcp(struct upstream_ask *a, unsigned i, uint64_t now_us)
{
	uint32_t bit = 1u << i;

	tcp_give_way(a);
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
		without_tcp(a, bit);
	}
	return rc;
}

// `aside`: the query races with the one that the ask waits for.
static int send_udp(struct upstream_ask *a, unsigned i, uint64_t now_us, bool aside)
{
	struct upstream *s = &a->owner->server[i];
	struct upstream_leg *leg = leg_to(a, i);
	int rc = 0;

	a->sends_to[i]++;
	if (!leg) {
		leg = leg_spare(a);
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

// Sends the first query of an ask to another server, too, unless that server may be down.
static void send_aside(struct upstream_ask *a, uint64_t now_us)
{
	struct upstreams *u = a->owner;
	int i = u->race > 1 && a->sends == 1 && !a->only ? pick_server(a, now_us) : -1;

	if (i < 0 || a->sends_to[i] > 0 || upstream_server_avoid(u, &u->server[i], now_us / 1000))
		return;
	a->sends++;
	if (send_query(a, (unsigned)i, now_us, true) < 0)
		u->server[i].send_errors++;
}

static void ask_end(struct upstream_ask *a)
{
	enum upstream_end why = a->any_reply  ? UPSTREAM_END_FAILURE
				: a->any_sent ? UPSTREAM_END_TIMEOUT
					      : UPSTREAM_END_NETWORK;
	upstream_ask_stop(a);
	a->callbacks->ended(a, why);
}

// Sends the next query, or waits for the legs that are left, or ends the ask, which may be gone
// then. Bounded: every round spends one of max_sends.
static void ask_next(struct upstream_ask *a)
{
	struct upstreams *u = a->owner;

	activate_new_list(a);
	for (;;) {
		uint64_t now_us = clock_mono_us(), now_ms = now_us / 1000;
		if (now_ms >= a->deadline_ms)
			break;
		int tcp = pick_tcp(a), i = tcp >= 0 ? tcp : pick_server(a, now_us);
		if (i < 0 && (leg_any_awaited(a) || waits_for_name(a))) {
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

// `aside`: the leg to a second server that had as long to reply, or NULL.
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
		ask_next(a);
}

// The leg of a race that the ask does not wait for yet, or NULL. The caller begins or ends that
// wait.
static struct upstream_leg *leg_aside_promote(struct upstream_ask *a)
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

static void on_wait_over(void *arg)
{
	struct upstream_ask *a = arg;
	wait_end(a, leg_aside_promote(a));
}

// Starts the wait for the query just sent, or, without one, until the deadline.
void upstream_ask_wait(
	struct upstream_ask *a, struct upstream_leg *current, unsigned longest_ms, uint64_t now_ms)
{
	uint64_t left_ms = a->deadline_ms > now_ms ? a->deadline_ms - now_ms : 0;
	bool last = !upstream_pick_left(a, UPSTREAM_SENDS_EACH, -1, now_ms) && pick_tcp(a) < 0
		    && !waits_for_name(a) && (!current || leg_is_awaited(current));
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

// The server's host reports that the port is closed. The ask may turn to another server sooner, no
// more: the report may be forged. The leg stays open, and the server has had its try.
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

// Cuts the subnet once more: these servers may get fewer bits than the question has.
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
		.case_off = request->is_check || u->is_apart,
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
	ask_next(a);
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

// Nothing may have been sent: a leg over TLS waits for a connection, or a worker refused a datagram
// that no socket took either.
static unsigned wait_of(const struct upstream_leg *leg)
{
	const struct upstreams *u = leg->ask->owner;

	return leg->is_tls ? upstream_tls_wait_ms(leg)
			   : upstream_server_wait_ms(&u->server[leg->server], u->first_timeout_ms,
				   leg->sends + !leg->sends);
}

// Closes the leg. The wait for another leg goes on; without one the ask waits for the leg aside.
static void leg_done(struct upstream_leg *leg)
{
	struct upstream_ask *a = leg->ask;

	if (leg->tcp)
		upstream_tcp_end(leg);
	else
		upstream_leg_close(leg);
	if (a->current && leg_is_awaited(a->current))
		return;
	struct upstream_leg *aside = a->tcp_wanted ? NULL : leg_aside_promote(a);
	if (aside && aside->generation == a->owner->generation)
		upstream_ask_wait(a, aside, wait_of(aside), clock_mono_ms());
	else
		ask_next(a);
}

// Reads what the reply says of the client's subnet. False: the reply is for another subnet.
static bool subnet_accept(struct upstream_leg *leg, const uint8_t *msg, size_t len)
{
	struct upstream_ask *a = leg->ask;
	const struct upstream *s = upstream_leg_server(leg);

	a->scope = UPSTREAM_NO_SCOPE;
	if (leg->subnet && !upstream_subnet_scope(msg, len, &a->subnet, &a->scope)) {
		a->owner->totals.subnet_mismatched++;
		upstream_leg_count_bad(leg);
		return false;
	}
	a->is_unproven =
		!leg->tcp && a->scope == UPSTREAM_NO_SCOPE && !(s && s->config.is_recursion);
	// A reply to a query without the option is for weir's own network, so for no other client.
	if (!leg->subnet && a->subnet.version)
		a->scope = a->subnet.prefix_len;
	return true;
}

// How a query was sent: what its leg and ask, which may be gone, no longer say after the callback.
struct manner {
	bool edns, option, subnet, mixed_case;        // the query had these
	bool without_option, without_subnet, plainly; // a repeat without these
	struct upstream_outdid others;
};

static struct manner manner_of(const struct upstream_leg *leg, const struct upstream *s)
{
	const struct upstream_ask *a = leg->ask;
	const bool without = s && (a->no_option >> leg->server & 1);
	const uint32_t others = s ? ~(1u << leg->server) : 0, silent = a->silent & ~a->failing;

	return (struct manner){
		.edns = leg->edns,
		.option = leg->option,
		.subnet = leg->subnet,
		.mixed_case = leg->mixed_case,
		.without_option = without && leg->tcp,
		.without_subnet =
			s && leg->edns && ((a->no_subnet & ~a->subnet_refused) >> leg->server & 1),
		.plainly = s && !without && (a->plain >> leg->server & 1),
		.others = {.blamed = a->blamed & others,
			.silent = silent & others,
			.zone = (a->blamed | silent) & others ? upstream_ask_subject(a) : 0},
	};
}

// An answer that is used shows what the server takes.
static void lacks_learn(struct upstream *s, const struct manner *m, uint64_t now_ms)
{
	upstream_server_lack(s, &s->no_edns, m->edns, m->plainly, now_ms);
	upstream_server_lack(s, &s->no_option, m->option, m->without_option, now_ms);
	upstream_server_lack(s, &s->no_subnet, m->subnet, m->without_subnet, now_ms);
	if (m->mixed_case && s->no_case.until_ms)
		s->no_case = (struct upstream_lack){0};
}

enum upstream_take upstream_replied(struct upstream_leg *leg, uint8_t *msg, size_t len)
{
	struct upstream_ask *a = leg->ask;
	struct upstreams *u = a->owner;
	struct upstream *s = upstream_leg_server(leg);
	bool udp = !leg->tcp;
	uint64_t now_us = clock_mono_us(), took_us = now_us - leg->first_sent_us;
	uint64_t rtt_us = (udp || leg->measures) && leg->sends == 1 ? took_us + !took_us : 0;
	const struct manner manner = manner_of(leg, s);
	bool is_check = a->is_check;

	if (!subnet_accept(leg, msg, len))
		return UPSTREAM_IGNORED;
	memcpy(msg + DNS_HEADER_LEN, a->question, a->question_len);
	// A repeated query may be answered twice.
	leg->answered = leg->sends == 1;
	upstream_note(a, TRACE_reply, upstream_leg_index(leg), 0, took_us);
	a->answered_by = s ? s->number : LOG_NO_UPSTREAM;
	a->trusts_ad = s && s->config.trust_ad && !clock_grace_is_on();
	a->replied_ms = now_us / 1000;
	enum upstream_take take = a->callbacks->reply(a, msg, len);
	if (take == UPSTREAM_IGNORED) {
		leg->answered = false;
		upstream_leg_count_bad(leg);
		return take;
	}
	if (s && is_check)
		upstream_server_checked(s, rtt_us, now_us);
	if (is_check)
		return take;
	if (s)
		upstream_server_answered(s, rtt_us, now_us);
	u->totals.replies++;
	if (s)
		upstream_server_count(s, rtt_us, take == UPSTREAM_FAILED);
	if (take == UPSTREAM_TAKEN) { // ask and leg are gone
		if (s) {
			lacks_learn(s, &manner, now_us / 1000);
			upstream_server_outdid(u, s, &manner.others, now_us);
		}
		return take;
	}
	a->any_reply = true;
	if (take == UPSTREAM_TRUNCATED && udp) {
		upstream_go_tcp(leg, true);
		return take;
	}
	if (leg_is_too_old(leg, msg, len)) {
		// REFUSED may be for this name or client alone: no word on the option.
		if (s && (get_u16(msg + 2) & DNS_FLAG_RCODE) == DNS_RCODE_REFUSED)
			a->subnet_refused |= 1u << leg->server;
		upstream_go_plain(leg);
		return take;
	}
	if (s) {
		a->failed |= 1u << leg->server;
		a->failing |= 1u << leg->server;
		a->blamed |= (uint32_t)upstream_reply_blames(msg, len) << leg->server;
	}
	leg_done(leg);
	return take;
}

// The repeat does not count as one of the server's sends: the refusal does not concern the
// question. The cause may be the client's subnet, which goes first. Over TCP the cause may be the
// keepalive option, which is in the OPT.
void upstream_go_plain(struct upstream_leg *leg)
{
	struct upstream_ask *a = leg->ask;
	uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;

	upstream_note(a, leg->subnet ? TRACE_without_subnet : TRACE_without_edns,
		upstream_leg_index(leg), 0, 0);
	a->any_reply = true;
	*(leg->subnet ? &a->no_subnet : &a->plain) |= bit;
	if (leg->option && !leg->subnet)
		a->no_option |= bit;
	if (bit && (!leg->tcp || leg->is_tls))
		a->sends_to[leg->server] -= a->sends_to[leg->server] > 0;
	else
		a->tcp_wanted |= bit;
	leg_done(leg);
}

bool upstream_can_tcp(const struct upstream_leg *leg)
{
	const struct upstream_ask *a = leg->ask;
	return upstream_leg_server(leg) && !((a->tcp_tried | a->tcp_wanted) >> leg->server & 1)
	       && a->sends < upstream_sends_max(a) && clock_mono_ms() < a->deadline_ms;
}

void upstream_go_tcp(struct upstream_leg *leg, bool truncated)
{
	struct upstream_ask *a = leg->ask;
	uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;

	if (truncated)
		a->truncated |= bit;
	if (upstream_can_tcp(leg)) {
		a->tcp_wanted |= bit;
		// TCP is tried at once, unless another try is in flight: that leg is `current`.
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
		upstream_ask_wait(leg->ask, leg, longest_ms, clock_mono_ms());
}

void upstream_tcp_failed(struct upstream_leg *leg)
{
	uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;

	if (leg->is_tls)
		leg->ask->failed |= bit;
	else
		without_tcp(leg->ask, bit);
	leg_done(leg);
}
