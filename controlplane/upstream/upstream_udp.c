// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <errno.h>

enum { READS_A_TURN = 8 };

// A datagram from the server's address: is it the reply? False: keep waiting.
static bool take_reply(struct upstream_leg *leg, uint8_t *msg, size_t len)
{
	if (upstream_leg_matches(leg, msg, len, leg->mixed_case))
		return upstream_replied(leg, msg, len) != UPSTREAM_IGNORED;
	if (upstream_leg_is_bare_refusal(leg, msg, len)) {
		upstream_go_plain(leg);
		return true;
	}
	upstream_count_bad(leg);
	if (leg->mixed_case && upstream_leg_matches(leg, msg, len, false)) {
		struct upstream *s = upstream_of(leg);
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

void upstream_udp_readable(struct upstream_socket *s)
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
			upstream_count_bad(leg);
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

int upstream_udp_send(struct upstream_leg *leg, uint64_t now_us)
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
