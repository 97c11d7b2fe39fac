// SPDX-License-Identifier: BSD-3-Clause
#include "base/table_registry.h"
#include "upstream_https_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

static void pool_turn(struct upstream_https *h, int fd, bool is_readable, bool is_writable);

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	pool_turn(arg, fd, what & EV_READ, what & EV_WRITE);
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	pool_turn(arg, -1, false, false);
}

static struct timeval after(uint64_t ms)
{
	return (struct timeval){
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

struct upstream_https_socket *upstream_https_socket(const struct upstream_https_query *q)
{
	for (unsigned i = 0; i < UPSTREAM_HTTPS_SOCKETS; i++)
		if (q->pool->socket[i].fd >= 0 && q->pool->socket[i].port == q->port)
			return &q->pool->socket[i];
	return NULL;
}

static struct upstream_https_socket *socket_of(struct upstream_https *h, int fd)
{
	for (unsigned i = 0; i < UPSTREAM_HTTPS_SOCKETS; i++)
		if (h->socket[i].fd == fd)
			return &h->socket[i];
	return NULL;
}

static uint16_t local_port(int fd)
{
	union upstream_peer p = {0};
	socklen_t len = sizeof(p);

	if (getsockname(fd, &p.any, &len) < 0)
		return 0;
	return ntohs(p.any.sa_family == AF_INET6 ? p.v6.sin6_port : p.v4.sin_port);
}

// libcurl has UPSTREAM_HTTPS_CONNECTIONS at most, and those that it is about to close.
static void on_watch(void *arg, int fd, bool reads, bool writes)
{
	struct upstream_https *h = arg;
	struct upstream_https_socket *s = socket_of(h, fd);

	if (s)
		event_del(&s->event);
	else if (reads || writes)
		s = socket_of(h, -1);
	if (!s)
		return;
	if (s->fd < 0) {
		s->heard_ms = 0;
		s->port = local_port(fd);
	}
	s->fd = reads || writes ? fd : -1;
	if (s->fd < 0)
		return;
	event_assign(&s->event, loop_base(h->owner->loop), fd,
		(short)(EV_PERSIST | (reads ? EV_READ : 0) | (writes ? EV_WRITE : 0)), on_socket,
		h);
	event_add(&s->event, NULL);
}

static void on_due(void *arg, long ms)
{
	struct upstream_https *h = arg;

	if (ms < 0) {
		event_del(&h->timer);
		return;
	}
	const struct timeval t = after((uint64_t)ms);
	event_add(&h->timer, &t);
}

// Frees what an idle one holds.
static void pool_rest(struct upstream_https *h)
{
	event_del(&h->idle);
	upstream_https_unkeep(h);
	http_multi_close(h->multi);
	h->multi = NULL;
	event_del(&h->timer);
	for (unsigned i = 0; i < UPSTREAM_HTTPS_SOCKETS; i++)
		if (h->socket[i].fd >= 0)
			on_watch(h, h->socket[i].fd, false, false);
}

int upstream_https_begin(struct upstream_https *h)
{
	const struct http_multi_calls calls = {.watch = on_watch, .timer = on_due, .arg = h};
	return h->multi ? 0 : http_multi_open(&h->multi, &calls, UPSTREAM_HTTPS_CONNECTIONS);
}

static void on_idle(evutil_socket_t, short, void *arg)
{
	pool_rest(arg);
}

static void pool_destroy(struct upstream_https *h)
{
	while (h->busy)
		upstream_https_put(upstream_https_take(h->busy));
	pool_rest(h);
	event_del(&h->leave);
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	tls_peer_free(h->peer);
	heap_free(h);
}

// After a turn, and when queries were dropped.
void upstream_https_settle(struct upstream_https *h)
{
	const struct timeval t = after(UPSTREAM_HTTPS_IDLE_MS);

	if (h->queries > 0)
		event_del(&h->idle);
	else if (h->multi)
		event_add(&h->idle, &t);
}

static void pool_turn(struct upstream_https *h, int fd, bool is_readable, bool is_writable)
{
	if (!h->multi)
		return;
	http_multi_turn(h->multi, fd, is_readable, is_writable);
	upstream_https_settle(h);
}

// Its server has left the list.
static void on_leave(evutil_socket_t, short, void *arg)
{
	struct upstream_https *h = arg;

	while (h->busy) {
		struct upstream_https_query *q = upstream_https_take(h->busy);
		upstream_https_ended(q, -ECANCELED, NULL);
		upstream_https_put(q);
	}
	pool_destroy(h);
}

static void url_write(struct upstream_https *h, const struct config_upstream *s)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	bool is_v6 = s->address.ip.version == 6;
	const char *name = s->tls.name;

	ip_address_text(&s->address.ip, false, text);
	if (*name)
		snprintf(h->addresses, sizeof(h->addresses), "%s:%u:%s%s%s", name, s->address.port,
			is_v6 ? "[" : "", text, is_v6 ? "]" : "");
	snprintf(h->url, sizeof(h->url), "https://%s%s%s:%u%s", is_v6 && !*name ? "[" : "",
		*name ? name : text, is_v6 && !*name ? "]" : "", s->address.port, s->tls.path);
}

struct upstream_https *upstream_https_new(
	struct upstreams *u, const struct config_upstream *server, struct tls_peer *peer)
{
	struct event_base *base = loop_base(u->loop);
	struct upstream_https *h = heap_calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->owner = u;
	h->peer = peer;
	tls_peer_hold(peer);
	url_write(h, server);
	evtimer_assign(&h->timer, base, on_timer, h);
	evtimer_assign(&h->idle, base, on_idle, h);
	evtimer_assign(&h->leave, base, on_leave, h);
	for (unsigned i = 0; i < UPSTREAM_HTTPS_SOCKETS; i++)
		h->socket[i].fd = -1;
	h->next = u->https;
	h->link = &u->https;
	if (h->next)
		h->next->link = &h->next;
	u->https = h;
	return h;
}

void upstream_https_free(struct upstream_https *h)
{
	if (!h)
		return;
	if (h->queries == 0)
		pool_destroy(h);
	else
		event_active(&h->leave, EV_TIMEOUT, 0);
}

void upstream_https_end(struct upstreams *u)
{
	while (u->https)
		pool_destroy(u->https);
}

bool upstream_https_same(const struct upstream_https *a, const struct upstream_https *b)
{
	return (!a && !b)
	       || (a && b && strcmp(a->url, b->url) == 0
		       && strcmp(a->addresses, b->addresses) == 0);
}

unsigned upstream_https_open(const struct upstream_https *h)
{
	return h && h->multi ? http_multi_sockets(h->multi) : 0;
}

static unsigned open_all(const struct upstreams *u)
{
	unsigned n = 0;

	for (const struct upstream_https *h = u->https; h; h = h->next)
		n += upstream_https_open(h);
	return n;
}

// Idle ones of other servers make room.
bool upstream_https_may_open(struct upstream_https_query *q)
{
	struct upstreams *u = q->pool->owner;
	struct upstream_https *h = u->https;

	while (h && open_all(u) >= UPSTREAM_HTTPS_ALL) {
		if (h != q->pool && h->queries == 0 && h->multi) {
			u->https_stats.evicted++;
			pool_rest(h);
		}
		h = h->next;
	}
	q->is_refused = open_all(u) >= UPSTREAM_HTTPS_ALL;
	u->https_stats.refused += q->is_refused;
	q->opens = !q->is_refused;
	return q->opens;
}

void upstream_https_stats_add(
	struct upstream_https_stats *sum, const struct upstream_https_stats *one)
{
	sum->open += one->open;
	sum->queries += one->queries;
	sum->high += one->high;
	sum->late += one->late;
	sum->full += one->full;
	sum->refused += one->refused;
	sum->evicted += one->evicted;
	sum->bytes += one->bytes;
}

static size_t replies_bytes(const struct upstream_https_query *q)
{
	size_t bytes = 0;

	for (; q; q = q->next)
		bytes += q->reply_cap;
	return bytes;
}

void upstream_https_stats(const struct upstreams *u, struct upstream_https_stats *out)
{
	*out = u->https_stats;
	for (const struct upstream_https *h = u->https; h; h = h->next) {
		out->open += upstream_https_open(h);
		out->queries += h->queries;
		out->bytes += sizeof(*h)
			      + (h->queries + h->kept_count) * sizeof(struct upstream_https_query)
			      + replies_bytes(h->busy) + replies_bytes(h->kept);
	}
}

// libcurl's own memory is the library's.
void upstream_https_table(
	const struct upstream_https_stats *s, unsigned sets, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "upstream_https",
				       .owner = "resolver loop",
				       .eviction = "end a dropped one; else refuse",
				       .lifetime = "5 s, kept 90 s for the next one",
				       .kind = TABLE_WORK,
				       .cap = UPSTREAM_HTTPS_QUERIES * CONFIG_UPSTREAMS_MAX * sets,
				       .descriptors = s->open,
				       .used = s->queries,
				       .high = s->high,
				       .bytes = s->bytes,
				       .evicted = s->evicted,
				       .refused = s->full + s->refused,
				       .has = TABLE_EVICTS | TABLE_REFUSES});
}
