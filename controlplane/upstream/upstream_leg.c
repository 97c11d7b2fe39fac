// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/dns_answer.h>

enum { ARCOUNT_OFF = 10, READS_A_TURN = 8 };

struct upstream *upstream_leg_server(const struct upstream_leg *leg)
{
	struct upstreams *u = leg->ask->owner;
	return leg->generation == u->generation ? &u->server[leg->server] : NULL;
}

int upstream_leg_index(const struct upstream_leg *leg)
{
	return leg->generation == leg->ask->owner->generation ? (int)leg->server : -1;
}

struct upstream_leg *upstream_leg_to(struct upstream_ask *a, unsigned server)
{
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = &a->leg[i];
		if (leg->open && leg->server == server && leg->generation == a->generation)
			return leg;
	}
	return NULL;
}

struct upstream_leg *upstream_leg_spare(struct upstream_ask *a)
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

bool upstream_leg_any(const struct upstream_ask *a)
{
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++)
		if (a->leg[i].open)
			return true;
	return false;
}

void upstream_leg_init(
	struct upstream_leg *leg, struct upstream_ask *a, unsigned server, bool mixed_case)
{
	struct upstreams *u = a->owner;
	const struct upstream *s = &u->server[server];
	uint64_t now_ms = clock_mono_ms();
	bool plain = (a->plain >> server & 1) || s->no_edns.until_ms > now_ms;

	*leg = (struct upstream_leg){
		.ask = a,
		.mixed_case = mixed_case,
		.edns = !plain,
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

void upstream_leg_close(struct upstream_leg *leg)
{
	if (!leg->open)
		return;
	leg->open = false;
	if (!leg->tcp)
		upstream_socket_give(leg->socket, leg->answered);
	if (leg->ask->current == leg)
		leg->ask->current = NULL;
}

// The question with this leg's letter case.
static void leg_spell(const struct upstream_leg *leg, uint8_t out[UPSTREAM_QUESTION_MAX])
{
	const struct upstream_ask *a = leg->ask;

	memcpy(out, a->question, a->question_len);
	// Length bytes are below 'a', type and class are the last four. No branch: nothing could
	// predict it.
	for (unsigned i = 0; leg->mixed_case && i + 4 < a->question_len; i++) {
		unsigned letter = (uint8_t)(out[i] - 'a') <= 'z' - 'a';
		out[i] -= (uint8_t)((letter & (unsigned)leg->coin[i / 8] >> i % 8) * ('a' - 'A'));
	}
}

uint16_t upstream_leg_query(const struct upstream_leg *leg, uint8_t *out, size_t cap)
{
	const struct upstream_ask *a = leg->ask;
	uint8_t spelled[UPSTREAM_QUESTION_MAX];

	leg_spell(leg, spelled);
	uint16_t len =
		dns_query_write(out, cap, leg->id, spelled, a->question_len, a->cd, a->dnssec_ok);
	if (len == 0 || leg->edns)
		return len;
	put_u16(out + ARCOUNT_OFF, 0);
	return len - DNS_OPT_FIXED_LEN; // the OPT is the last of it
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

bool upstream_leg_is_too_old(const struct upstream_leg *leg, const uint8_t *msg, size_t len)
{
	if (!leg->edns || len < DNS_HEADER_LEN)
		return false;
	unsigned rcode = get_u16(msg + 2) & DNS_FLAG_RCODE;
	return rcode == DNS_RCODE_FORMERR || rcode == DNS_RCODE_NOTIMP;
}

bool upstream_leg_is_bare_refusal(const struct upstream_leg *leg, const uint8_t *msg, size_t len)
{
	return len == DNS_HEADER_LEN && get_u16(msg) == leg->id
	       && (get_u16(msg + 2) & (DNS_FLAG_QR | DNS_FLAG_OPCODE)) == DNS_FLAG_QR
	       && get_u16(msg + 4) == 0 && upstream_leg_is_too_old(leg, msg, len);
}

// A datagram from the server's address: is it the reply? False: keep waiting.
static bool take_reply(struct upstream_leg *leg, uint8_t *msg, size_t len)
{
	if (upstream_leg_matches(leg, msg, len, leg->mixed_case))
		return upstream_replied(leg, msg, len) != UPSTREAM_IGNORED;
	if (upstream_leg_is_bare_refusal(leg, msg, len)) {
		upstream_go_plain(leg);
		return true;
	}
	upstream_leg_count_bad(leg);
	if (leg->mixed_case && upstream_leg_matches(leg, msg, len, false)) {
		struct upstream *s = upstream_leg_server(leg);
		if (s) {
			s->case_changed++;
			s->case_strikes++;
		}
		upstream_go_tcp(leg, false);
		return true;
	}
	bool wrong_id = len >= DNS_HEADER_LEN && get_u16(msg) != leg->id;
	if (!wrong_id || leg->ask->stay_udp || !upstream_can_tcp(leg))
		return false;
	upstream_go_tcp(leg, false);
	return true;
}

void upstream_leg_readable(struct upstream_socket *s)
{
	struct upstream_leg *leg = s->leg;
	struct upstreams *u = leg->ask->owner;

	for (unsigned i = 0; i < READS_A_TURN; i++) {
		union upstream_peer from;
		socklen_t from_len = sizeof(from);
		ssize_t n =
			recvfrom(s->fd, u->buf, sizeof(u->buf), MSG_DONTWAIT, &from.any, &from_len);
		if (n < 0 && errno == EAGAIN)
			break;
		// What came between bind and connect may be from anywhere; an ICMP error is no
		// answer.
		if (n < 0 || !upstream_same_address(&from, &leg->peer))
			upstream_leg_count_bad(leg);
		else if (take_reply(leg, u->buf, (size_t)n))
			return;
	}
}

// An error that an ICMP message left at the socket would be told instead of sending.
static ssize_t send_after_error(int fd, const uint8_t *msg, size_t len)
{
	ssize_t n = send(fd, msg, len, MSG_DONTWAIT);

	return n < 0 && errno == ECONNREFUSED ? send(fd, msg, len, MSG_DONTWAIT) : n;
}

int upstream_leg_send(struct upstream_leg *leg, uint64_t now_us)
{
	uint8_t msg[UPSTREAM_QUERY_MAX];

	uint16_t len = upstream_leg_query(leg, msg, sizeof(msg));
	if (len == 0)
		return -EMSGSIZE;
	if (send_after_error(leg->socket->fd, msg, len) != len)
		return -errno;
	leg->last_sent_us = now_us;
	if (leg->sends++ == 0)
		leg->first_sent_us = leg->last_sent_us;
	return 0;
}
