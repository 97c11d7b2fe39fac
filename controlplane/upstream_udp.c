// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include <weir/dns_answer.h>

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

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET) {
		const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
		return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
	}
	const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
	return x->sin6_port == y->sin6_port
	       && memcmp(&x->sin6_addr, &y->sin6_addr, sizeof(x->sin6_addr)) == 0;
}

// A datagram from the server's address: is it the reply? False: keep waiting.
static bool judge(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	uint16_t n = a->question_len;

	if (dns_answer_matches(msg, len, a->id, a->spelled, n, a->mixed_case))
		return upstream_replied(a, msg, len) != UPSTREAM_IGNORED;
	upstream_count_bad(a);
	if (a->mixed_case && dns_answer_matches(msg, len, a->id, a->spelled, n, false)) {
		struct upstream *s = upstream_of(a);
		if (s) {
			s->case_changed++;
			s->case_strikes++;
		}
		upstream_go_tcp(a, false);
		return true;
	}
	bool wrong_id = len >= DNS_HEADER_LEN && get_u16(msg) != a->id;
	if (!wrong_id || a->stay_udp || !upstream_can_tcp(a))
		return false;
	upstream_go_tcp(a, false);
	return true;
}

static void on_udp(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_ask *a = arg;
	struct upstreams *u = a->owner;

	if (what & EV_TIMEOUT) {
		upstream_timed_out(a);
		return;
	}
	for (unsigned i = 0; i < READS_A_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, u->buf, sizeof(u->buf), MSG_DONTWAIT,
			(struct sockaddr *)&from, &from_len);
		if (n < 0 && errno == EAGAIN)
			break;
		// What came between bind and connect may be from anywhere; an ICMP error is no
		// answer.
		if (n < 0 || !same_address(&from, &a->peer))
			upstream_count_bad(a);
		else if (judge(a, u->buf, (size_t)n))
			return;
	}
	upstream_wait(a, EV_READ, on_udp);
}

int upstream_udp_start(struct upstream_ask *a)
{
	uint8_t msg[UPSTREAM_QUERY_MAX];
	sa_family_t family = a->peer.ss_family;

	a->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		return -errno;
	a->transport = UPSTREAM_UDP;
	event_assign(&a->event, loop_base(a->owner->loop), a->fd, EV_READ, on_udp, a);
	no_path_mtu(a->fd, family);
	int rc = bind_random_port(&a->owner->rng, a->fd, family);
	if (rc < 0)
		return rc;
	if (connect(a->fd, (const struct sockaddr *)&a->peer, a->peer_len) < 0)
		return -errno;
	uint16_t len = upstream_write_query(a, msg, sizeof(msg));
	if (len == 0)
		return -EMSGSIZE;
	if (send(a->fd, msg, len, 0) != len)
		return -errno;
	upstream_wait(a, EV_READ, on_udp);
	return 0;
}
