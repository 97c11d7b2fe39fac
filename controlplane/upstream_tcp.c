// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>

// One query on one connection (RFC 7766 allows more; a fallback needs no pool).
struct upstream_tcp {
	struct upstream_leg leg;
	struct event event;
	struct age_link age;
	int fd;
	uint16_t out_len, out_pos;
	uint16_t in_len; // 0: the length itself is being read
	uint32_t in_pos;
	uint8_t *in;
	uint8_t head[2];
	uint8_t out[UPSTREAM_QUERY_MAX];
};

static void on_tcp(evutil_socket_t fd, short what, void *arg);

void upstream_tcp_free(struct upstream_ask *a)
{
	if (!a->tcp)
		return;
	upstream_leg_close(&a->tcp->leg);
	if (a->tcp->fd >= 0) {
		event_del(&a->tcp->event);
		close(a->tcp->fd);
	}
	a->owner->totals.tcp_open--;
	a->owner->totals.tcp_bytes -= sizeof(*a->tcp) + (a->tcp->in ? a->tcp->in_len : 0);
	age_remove(&a->owner->tcp_ages, &a->tcp->age);
	free(a->tcp->in);
	free(a->tcp);
	a->tcp = NULL;
}

// 1: all is there, 0: more to come, -errno.
static int read_into(int fd, uint8_t *buf, uint32_t *pos, uint32_t len)
{
	while (*pos < len) {
		ssize_t n = recv(fd, buf + *pos, len - *pos, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		*pos += (uint32_t)n;
	}
	return 1;
}

static int reply_read(struct upstream_tcp *t)
{
	if (t->in_len == 0) {
		int rc = read_into(t->fd, t->head, &t->in_pos, sizeof(t->head));
		if (rc <= 0)
			return rc;
		t->in_len = get_u16(t->head);
		t->in_pos = 0;
		if (t->in_len < DNS_HEADER_LEN)
			return -EBADMSG;
		t->in = malloc(t->in_len);
		if (!t->in)
			return -ENOMEM;
		t->leg.ask->owner->totals.tcp_bytes += t->in_len;
	}
	return read_into(t->fd, t->in, &t->in_pos, t->in_len);
}

static int query_send(struct upstream_tcp *t)
{
	while (t->out_pos < t->out_len) {
		ssize_t n = send(t->fd, t->out + t->out_pos, t->out_len - t->out_pos,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		t->out_pos += (uint16_t)n;
	}
	return 1;
}

// The whole reply is there. Nobody off the path can have sent it, so letter case does not matter.
static void reply_judge(struct upstream_tcp *t)
{
	uint8_t *msg = t->in;

	if (!upstream_leg_matches(&t->leg, msg, t->in_len, false)) {
		upstream_count_bad(&t->leg);
		upstream_tcp_failed(&t->leg);
		return;
	}
	t->leg.ask->owner->totals.tcp_bytes -= t->in_len;
	t->in = NULL; // the ask, and t with it, may be gone before we are done with the octets
	if (upstream_replied(&t->leg, msg, t->in_len) == UPSTREAM_IGNORED)
		upstream_tcp_failed(&t->leg);
	free(msg);
}

// The ask's timer limits all of it.
static int tcp_wait(struct upstream_tcp *t, short what)
{
	struct event_base *base = loop_base(t->leg.ask->owner->loop);

	event_assign(&t->event, base, t->fd, what, on_tcp, t);
	return event_add(&t->event, NULL) < 0 ? -ENOMEM : 0;
}

static void on_tcp(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_tcp *t = arg;
	(void)fd, (void)what;

	bool writing = t->out_pos < t->out_len;
	int rc = writing ? query_send(t) : reply_read(t);
	if (rc == 1 && !writing) {
		reply_judge(t);
		return;
	}
	if (rc >= 0)
		rc = tcp_wait(t, writing && rc == 0 ? EV_WRITE : EV_READ);
	if (rc < 0)
		upstream_tcp_failed(&t->leg);
}

int upstream_tcp_start(struct upstream_ask *a, unsigned server, struct upstream_leg **leg)
{
	struct upstreams *u = a->owner;

	if (u->totals.tcp_open >= UPSTREAM_TCP_MAX) {
		u->totals.tcp_full++;
		return -EMFILE;
	}
	struct upstream_tcp *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->fd = -1;
	a->tcp = t;
	age_add(&u->tcp_ages, &t->age);
	u->totals.tcp_bytes += sizeof(*t);
	if (++u->totals.tcp_open > u->totals.tcp_most)
		u->totals.tcp_most = u->totals.tcp_open;
	upstream_leg_init(&t->leg, a, server, false);
	t->leg.tcp = true;
	t->leg.sends = 1;
	t->leg.first_sent_us = t->leg.last_sent_us = clock_mono_us();
	uint16_t len = upstream_leg_query(&t->leg, t->out + 2, sizeof(t->out) - 2);
	if (len == 0)
		return -EMSGSIZE;
	put_u16(t->out, len);
	t->out_len = (uint16_t)(len + 2);
	t->fd = socket(t->leg.peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return -errno;
	t->leg.open = true;
	int rc = tcp_wait(t, EV_WRITE);
	if (rc < 0)
		return rc;
	if (connect(t->fd, &t->leg.peer.any, t->leg.peer_len) < 0 && errno != EINPROGRESS)
		return -errno;
	*leg = &t->leg;
	return 0;
}
