// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <weir/clock.h>

enum { PORT_FIRST = 1024, PORT_TRIES = 16, READS_A_TURN = 8 };

// The kernel draws ephemeral ports from a smaller range and by a known method, so we draw.
static int bind_random_port(struct rng *rng, int fd, sa_family_t family)
{
	int rc = -EADDRINUSE;

	for (unsigned i = 0; i < PORT_TRIES && rc == -EADDRINUSE; i++) {
		struct sockaddr_in sin = {.sin_family = AF_INET};
		struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};
		uint16_t port = rng_u16(rng);
		if (port < PORT_FIRST)
			continue; // drawn again, so that no port is likelier than another
		sin.sin_port = sin6.sin6_port = htons(port);
		rc = family == AF_INET ? bind(fd, (struct sockaddr *)&sin, sizeof(sin))
				       : bind(fd, (struct sockaddr *)&sin6, sizeof(sin6));
		rc = rc < 0 ? -errno : 0;
	}
	return rc;
}

// No reply to us may be built from fragments, nor a forged ICMP shrink our path MTU (RFC 9715).
static void no_path_mtu(int fd, sa_family_t family)
{
	const int v4 = IP_PMTUDISC_OMIT, v6 = IPV6_PMTUDISC_OMIT;
	if (family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
}

// A datagram from the server's address: is it the reply? False: keep waiting.
static bool judge(struct upstream_leg *leg, const uint8_t *msg, size_t len)
{
	if (upstream_leg_matches(leg, msg, len, leg->mixed_case))
		return upstream_replied(leg, msg, len) != UPSTREAM_IGNORED;
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

static void on_udp(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_leg *leg = arg;
	struct upstreams *u = leg->ask->owner;
	(void)what;

	for (unsigned i = 0; i < READS_A_TURN; i++) {
		union upstream_peer from;
		socklen_t from_len = sizeof(from);
		ssize_t n =
			recvfrom(fd, u->buf, sizeof(u->buf), MSG_DONTWAIT, &from.any, &from_len);
		if (n < 0 && errno == EAGAIN)
			break;
		// What came between bind and connect may be from anywhere; an ICMP error is no
		// answer.
		if (n < 0 || !upstream_same_address(&from, &leg->peer))
			upstream_count_bad(leg);
		else if (judge(leg, u->buf, (size_t)n))
			return;
	}
}

int upstream_udp_open(struct upstream_leg *leg)
{
	struct upstreams *u = leg->ask->owner;
	sa_family_t family = leg->peer.any.sa_family;

	leg->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (leg->fd < 0)
		return -errno;
	event_assign(&leg->event, loop_base(u->loop), leg->fd, EV_READ | EV_PERSIST, on_udp, leg);
	no_path_mtu(leg->fd, family);
	int rc = bind_random_port(&u->rng, leg->fd, family);
	if (rc < 0)
		return rc;
	if (connect(leg->fd, &leg->peer.any, leg->peer_len) < 0)
		return -errno;
	return event_add(&leg->event, NULL) < 0 ? -ENOMEM : 0;
}

int upstream_udp_send(struct upstream_leg *leg)
{
	uint8_t msg[UPSTREAM_QUERY_MAX];

	uint16_t len = upstream_leg_query(leg, msg, sizeof(msg));
	if (len == 0)
		return -EMSGSIZE;
	if (send(leg->fd, msg, len, 0) != len)
		return -errno;
	leg->last_sent_us = clock_mono_us();
	if (leg->sends++ == 0)
		leg->first_sent_us = leg->last_sent_us;
	return 0;
}
