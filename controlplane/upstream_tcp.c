// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/dns_answer.h>

// One query on one connection (RFC 7766 allows more; a fallback needs no pool).
struct upstream_tcp {
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
	a->owner->totals.tcp_open--;
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

static int reply_read(struct upstream_ask *a)
{
	struct upstream_tcp *t = a->tcp;

	if (t->in_len == 0) {
		int rc = read_into(a->fd, t->head, &t->in_pos, sizeof(t->head));
		if (rc <= 0)
			return rc;
		t->in_len = get_u16(t->head);
		t->in_pos = 0;
		if (t->in_len < DNS_HEADER_LEN)
			return -EBADMSG;
		t->in = malloc(t->in_len);
		if (!t->in)
			return -ENOMEM;
	}
	return read_into(a->fd, t->in, &t->in_pos, t->in_len);
}

static int query_send(struct upstream_ask *a)
{
	struct upstream_tcp *t = a->tcp;

	while (t->out_pos < t->out_len) {
		ssize_t n = send(a->fd, t->out + t->out_pos, t->out_len - t->out_pos,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		t->out_pos += (uint16_t)n;
	}
	return 1;
}

// The whole reply is there. Nobody off the path can have sent it, so letter case does not matter.
static void reply_judge(struct upstream_ask *a)
{
	struct upstream_tcp *t = a->tcp;
	uint8_t *msg = t->in;

	if (!dns_answer_matches(msg, t->in_len, a->id, a->spelled, a->question_len, false)) {
		upstream_count_bad(a);
		upstream_tcp_failed(a);
		return;
	}
	t->in = NULL; // the ask, and t with it, may be gone before we are done with the octets
	if (upstream_replied(a, msg, t->in_len) == UPSTREAM_IGNORED)
		upstream_tcp_failed(a);
	free(msg);
}

static void on_tcp(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_ask *a = arg;
	(void)fd;

	if (what & EV_TIMEOUT) {
		upstream_timed_out(a);
		return;
	}
	bool writing = a->tcp->out_pos < a->tcp->out_len;
	int rc = writing ? query_send(a) : reply_read(a);
	if (rc < 0)
		upstream_tcp_failed(a);
	else if (rc == 1 && !writing)
		reply_judge(a);
	else
		upstream_wait(a, writing && rc == 0 ? EV_WRITE : EV_READ, on_tcp);
}

int upstream_tcp_start(struct upstream_ask *a)
{
	struct upstreams *u = a->owner;

	if (u->totals.tcp_open >= UPSTREAM_TCP_MAX) {
		u->totals.tcp_full++;
		return -EMFILE;
	}
	struct upstream_tcp *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	a->fd = socket(a->peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	a->transport = UPSTREAM_TCP;
	a->tcp = t;
	u->totals.tcp_open++;
	event_assign(&a->event, loop_base(u->loop), a->fd, EV_WRITE, on_tcp, a);
	if (a->fd < 0)
		return -errno;
	uint16_t len = upstream_write_query(a, t->out + 2, sizeof(t->out) - 2);
	if (len == 0)
		return -EMSGSIZE;
	put_u16(t->out, len);
	t->out_len = (uint16_t)(len + 2);
	if (connect(a->fd, (const struct sockaddr *)&a->peer, a->peer_len) < 0
		&& errno != EINPROGRESS)
		return -errno;
	upstream_wait(a, EV_WRITE, on_tcp);
	return 0;
}
