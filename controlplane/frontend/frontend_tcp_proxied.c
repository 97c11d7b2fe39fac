// SPDX-License-Identifier: BSD-3-Clause
// New connections from balancers (proxy_protocol.from): each begins with a header of PROXY protocol
// v2, which says whose connection it is. After the header, and not before, it is opened as one of
// that client, which may be refused by its address. Nothing counts against the balancer's address.
//
// A header is read as far as its end and no byte further: what follows is TLS or DNS and stays in
// the socket. A connection without its header is a struct tcp_proxied, FRONTEND_PROXY_WAITS of a
// frontend at most: some 800 bytes, a descriptor, and tcp.query_timeout. As a balancer sends the
// header at once, few wait. Frontend loop's thread.

#include "frontend_socket.h"
#include "frontend_tcp_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

struct tcp_proxied {
	TAILQ_ENTRY(tcp_proxied) by_age;
	struct frontend_tcp *tcp;
	struct event readable;
	struct wheel_timer timer;
	union client_address peer; // the balancer
	enum frontend_tcp_kind kind;
	int fd;
	uint16_t len, wanted; // bytes that are here, and up to where more are read
	uint8_t bytes[PROXY_HEADER_MAX];
};

// Frees the connection except for its descriptor.
static void proxied_free(struct tcp_proxied *p)
{
	event_del(&p->readable);
	wheel_stop(&p->timer);
	TAILQ_REMOVE(&p->tcp->proxied, p, by_age);
	p->tcp->proxied_count--;
	heap_free(p);
}

static void proxied_drop(struct tcp_proxied *p, enum frontend_tcp_end why)
{
	p->tcp->count.accepted++; // or more connections would end than begin
	p->tcp->count.ended[why]++;
	close(p->fd);
	proxied_free(p);
}

static void proxied_late(void *arg)
{
	proxied_drop(arg, FRONTEND_TCP_END_slow_proxy);
}

static void proxied_open(struct tcp_proxied *p, const union client_address *named)
{
	struct frontend_tcp *t = p->tcp;
	const struct tcp_arrival a = {
		.peer = named ? *named : p->peer, .kind = p->kind, .is_named = named, .fd = p->fd};

	proxied_free(p);
	tcp_accept_conn(t, &a);
}

// Reads up to `wanted` bytes; false: no byte is here, or the connection has ended.
static bool proxied_receive(struct tcp_proxied *p)
{
	const ssize_t n = recv(p->fd, p->bytes + p->len, p->wanted - (size_t)p->len, MSG_DONTWAIT);

	if (n > 0) {
		p->len = (uint16_t)(p->len + n);
		p->tcp->count.bytes_in += (uint64_t)n;
		return true;
	}
	if (n == 0)
		proxied_drop(p, FRONTEND_TCP_END_client);
	else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		proxied_drop(p, FRONTEND_TCP_END_error);
	return false;
}

// Two reads get a header that is here: its head, which says how long the header is, and the rest.
static void on_readable(evutil_socket_t, short, void *arg)
{
	struct tcp_proxied *p = arg;
	struct proxy_header header;
	union client_address named;

	for (unsigned reads = 0; reads < 2 && proxied_receive(p); reads++) {
		switch (proxy_header_read(p->bytes, p->len, &header)) {
		case PROXY_HEADER_PART:
			p->wanted = header.len;
			break;
		case PROXY_HEADER_BAD:
			proxied_drop(p, FRONTEND_TCP_END_proxy);
			return;
		case PROXY_HEADER_SENDER:
			proxied_open(p, NULL);
			return;
		case PROXY_HEADER_CLIENT:
			named = frontend_proxy_client(&header);
			proxied_open(p, &named);
			return;
		}
	}
}

void tcp_proxied_begin(struct frontend_tcp *t, int fd, const union client_address *peer,
	enum frontend_tcp_kind kind)
{
	struct tcp_proxied *p = heap_calloc(1, sizeof(*p));

	if (!p) {
		t->count.refused_full++;
		close(fd);
		return;
	}
	if (t->proxied_count == FRONTEND_PROXY_WAITS)
		proxied_drop(TAILQ_FIRST(&t->proxied), FRONTEND_TCP_END_evicted_proxy);
	p->tcp = t;
	p->fd = fd;
	p->peer = *peer;
	p->kind = kind;
	p->wanted = PROXY_HEADER_HEAD;
	p->timer.fn = proxied_late;
	p->timer.arg = p;
	TAILQ_INSERT_TAIL(&t->proxied, p, by_age);
	t->proxied_count++;
	wheel_start(loop_wheel(t->loop), &p->timer, t->set.query_timeout_s * 1000, clock_mono_ms());
	event_assign(&p->readable, loop_base(t->loop), fd, EV_READ | EV_PERSIST, on_readable, p);
	(void)event_add(&p->readable, NULL); // on failure its timer ends it
}

void tcp_proxied_end(struct frontend_tcp *t, bool all)
{
	struct tcp_proxied *p = TAILQ_FIRST(&t->proxied), *next;

	for (; p; p = next) {
		next = TAILQ_NEXT(p, by_age);
		if (all || !t->serves[p->kind].enabled)
			proxied_drop(p, FRONTEND_TCP_END_stopped);
	}
}

void tcp_proxied_tables(const struct frontend_tcp *t, struct table_registry *tables)
{
	table_register(tables,
		&(struct table_info){.name = "tcp_proxied",
			.owner = "frontend loop",
			.eviction = "close the connection that waited longest for its header",
			.lifetime = "tcp.query_timeout",
			.kind = TABLE_WORK,
			.cap = FRONTEND_PROXY_WAITS,
			.descriptors = t->proxied_count,
			.used = t->proxied_count,
			.bytes = t->proxied_count * sizeof(struct tcp_proxied),
			.evicted = t->count.ended[FRONTEND_TCP_END_evicted_proxy],
			.has = TABLE_EVICTS});
}
