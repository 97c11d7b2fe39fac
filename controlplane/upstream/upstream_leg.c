// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"
#include "upstream_port.h"

#include <errno.h>
#include <string.h>
#include <weir/ascii.h>
#include <weir/clock.h>
#include <weir/dns_answer.h>

enum { ANCOUNT_OFF = 6, ARCOUNT_OFF = 10, READS_A_TURN = 8 };

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

bool upstream_leg_is_awaited(const struct upstream_leg *leg)
{
	return !(leg->ask->failing && leg->is_doubtful);
}

bool upstream_leg_any_awaited(const struct upstream_ask *a)
{
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++)
		if ((a->leg[i].open && upstream_leg_is_awaited(&a->leg[i]))
			|| (a->tls[i] && upstream_leg_is_awaited(upstream_tcp_leg(a->tls[i]))))
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

// The list may have changed since the leg was opened, and the ask may not know yet.
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
	if (s && s->under_way > 0) // it may have left the list and come back
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
	return len - DNS_OPT_FIXED_LEN; // the OPT is the last of it
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

bool upstream_leg_is_too_old(const struct upstream_leg *leg, const uint8_t *msg, size_t len)
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
			upstream_server_lack(s, &s->no_case, false, true, clock_mono_ms());
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
		if (n < 0 && errno == ECONNREFUSED) {
			upstream_refused(leg);
			return;
		}
		// What came between bind and connect may be from anywhere.
		if (n < 0 || !upstream_same_address(&from, &leg->peer))
			upstream_leg_count_bad(leg);
		else if (take_reply(leg, u->buf, (size_t)n))
			return;
	}
}

// As a reply to a query with the OPT says that it is cut: TC, and the question alone.
static size_t cut_mark(const struct upstream_leg *leg, uint8_t *msg, size_t len)
{
	const size_t keep = DNS_HEADER_LEN + leg->ask->question_len;

	if (len < keep)
		return len;
	put_u16(msg + 2, (uint16_t)(get_u16(msg + 2) | DNS_FLAG_TC));
	memset(msg + ANCOUNT_OFF, 0, DNS_HEADER_LEN - ANCOUNT_OFF);
	return keep;
}

void upstream_leg_heard(struct upstream_leg *leg, const uint8_t *dns, size_t len, bool is_cut)
{
	struct upstreams *u = leg->ask->owner;

	memcpy(u->buf, dns, len);
	if (is_cut) {
		// Perhaps with no checksum: only what fits in all ways ends the wait.
		if (!upstream_leg_matches(leg, u->buf, len, leg->mixed_case)) {
			upstream_leg_count_bad(leg);
			return;
		}
		len = cut_mark(leg, u->buf, len);
	}
	(void)take_reply(leg, u->buf, len);
}

// The first send reports an error that an ICMP message left at the socket, and sends nothing.
static int socket_send(int fd, const uint8_t *msg, size_t len)
{
	ssize_t n = send(fd, msg, len, MSG_DONTWAIT);

	if (n < 0 && errno == ECONNREFUSED)
		n = send(fd, msg, len, MSG_DONTWAIT);
	return n == (ssize_t)len ? 0 : -errno;
}

static int socket_take(struct upstream_leg *leg, unsigned i, uint64_t now_ms)
{
	int rc = upstream_socket_take(leg->ask->owner->sockets, i, leg, now_ms, &leg->socket);
	if (rc == 0)
		leg->local_port = leg->socket->local_port;
	return rc;
}

int upstream_leg_connect(struct upstream_leg *leg, unsigned i, uint64_t now_ms)
{
	struct upstream_port *port = leg->ask->owner->port;

	if (port && upstream_port_take(port, leg))
		return 0;
	return socket_take(leg, i, now_ms);
}

// Of an open leg through the port. -errno: it stays one.
static int leave_port(struct upstream_leg *leg)
{
	struct upstream_port *port = leg->ask->owner->port;
	int i = upstream_leg_index(leg);

	if (i < 0)
		return -ENOENT;
	upstream_port_remove(port, leg);
	int rc = socket_take(leg, (unsigned)i, clock_mono_ms());
	leg->by_port = rc < 0;
	upstream_port_add(port, leg);
	return rc;
}

int upstream_leg_send(struct upstream_leg *leg, uint64_t now_us)
{
	struct upstreams *u = leg->ask->owner;
	uint8_t msg[UPSTREAM_QUERY_MAX];
	int rc = 0;

	uint16_t len = upstream_leg_query(leg, msg, sizeof(msg));
	if (len == 0)
		return -EMSGSIZE;
	if (leg->by_port && upstream_port_send(u->port, leg, msg, len) < 0)
		rc = leave_port(leg);
	if (rc == 0 && !leg->by_port)
		rc = socket_send(leg->socket->fd, msg, len);
	if (rc < 0)
		return rc;
	leg->last_sent_us = now_us;
	if (leg->sends++ == 0)
		leg->first_sent_us = leg->last_sent_us;
	return 0;
}

void upstream_leg_move(struct upstream_leg *leg, bool again)
{
	if (leave_port(leg) < 0)
		return;
	leg->sends -= !again && leg->sends > 0;
	if (upstream_leg_send(leg, clock_mono_us()) < 0)
		upstream_note(leg->ask, TRACE_send_failed, upstream_leg_index(leg), 0, 0);
}
