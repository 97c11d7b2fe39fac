// SPDX-License-Identifier: BSD-3-Clause
#include "http_conns.h"

#include "base/http1_check.h"
#include "base/source_key.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// Connections over the cap that one iteration may accept and then close.
enum { OVER_MAX = 64, OVER_INPUT_MAX = 1 << 20, RATES_MAX = 128 };

#define OVER_BODY "{\"error\":\"too many connections: try again\"}"
static_assert(sizeof(OVER_BODY) - 1 == 43);
static const char over_text[] =
	"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
	"Content-Type: application/json\r\nContent-Length: 43\r\n\r\n" OVER_BODY;

struct conn {
	struct bufferevent *b;          // NULL: free
	bool is_over, is_cut, is_known; // known: its source is
	bool waits;                     // over, until another makes way or none does
	struct source_ids source;
	uint64_t user; // who has shown a right on it; 0: nobody
	uint64_t since_ms, until_ms;
	uint64_t taken; // requests, by evhttp
	unsigned refusals;
	struct http1_check check;
};

struct rate {
	struct source_id source;
	unsigned count;
};

struct http_conns {
	struct http_conns_settings settings;
	// `soon` makes a look early: to activate `look` itself would put its next time off, each
	// time.
	struct event *look, *soon;
	struct http_conns_counts counts;
	uint64_t rate_s; // the second that these are of:
	unsigned made, sources;
	struct rate rate[RATES_MAX];
	struct conn conn[HTTP_CONNS_MAX + OVER_MAX];
};

// evhttp has let go of it: bufferevent_free() takes its functions and their argument away first.
static bool is_left(const struct conn *c)
{
	void *arg = NULL;
	bufferevent_getcb(c->b, NULL, NULL, NULL, &arg);
	return arg == NULL;
}

static void conn_drop(struct http_conns *s, struct conn *c)
{
	s->counts.live -= !c->is_over;
	bufferevent_decref(c->b);
	*c = (struct conn){0};
}

// Otherwise evhttp would still read and serve the waiting input.
static void input_drop(int fd)
{
	char junk[4096];
	for (unsigned i = 0; i < OVER_INPUT_MAX / sizeof(junk); i++)
		if (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) <= 0)
			break;
}

// evhttp sees its end, or that nothing can be written, and frees what it has of it.
static void conn_cut(struct http_conns *s, struct conn *c)
{
	const int fd = bufferevent_getfd(c->b);
	s->counts.cut += !c->is_over;
	c->is_cut = true;
	if (c->is_over && !s->settings.lend)
		(void)!send(fd, over_text, sizeof(over_text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_RDWR);
	if (c->is_over)
		input_drop(fd);
}

static void left_drop(struct http_conns *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->conn); i++)
		if (s->conn[i].b && is_left(&s->conn[i]))
			conn_drop(s, &s->conn[i]);
}

// A network's share: four times an address's, and half of what all have at most.
static unsigned network_share(unsigned own, unsigned all)
{
	const unsigned most =
		all && all / 2 < own * SOURCE_NETWORK_TIMES ? all / 2 : own * SOURCE_NETWORK_TIMES;
	return most > own ? most : own;
}

static bool has_too_many(const struct http_conns *s, const struct source_ids *source)
{
	const unsigned most = s->settings.source_max;
	unsigned own = 0, network = 0;
	for (unsigned i = 0; i < ARRAY_LEN(s->conn); i++) {
		const struct conn *c = &s->conn[i];
		if (!c->b || !c->is_known || c->is_cut)
			continue;
		own += source_id_equal(&c->source.own, &source->own);
		network += source_id_equal(&c->source.network, &source->network);
	}
	return most
	       && (own > most
		       || (!source_id_is_none(&source->network)
			       && network > network_share(most, s->settings.max)));
}

// The source's count in this second; NULL: there is no place.
static unsigned *rate_of(struct http_conns *s, const struct source_id *source)
{
	unsigned i = 0;
	while (i < s->sources && !source_id_equal(&s->rate[i].source, source))
		i++;
	if (i == s->sources && i < RATES_MAX) {
		s->sources++;
		s->rate[i] = (struct rate){.source = *source};
	}
	return i < RATES_MAX ? &s->rate[i].count : NULL;
}

// A connection of a source that is admitted. The first of a network, of IPv4 of an address, is in
// no total, so that few of them cannot use it up. A source that finds no place counts in the total
// alone. An address of a network that is at its end takes no place; one that comes too fast takes
// nothing of what its network has.
static bool is_too_fast(struct http_conns *s, const struct source_ids *source)
{
	const unsigned most = s->settings.source_rate_max;
	const uint64_t now_s = clock_mono_ms() / 1000;
	if (s->rate_s != now_s)
		s->made = s->sources = 0;
	s->rate_s = now_s;
	unsigned *network =
		!source_id_is_none(&source->network) ? rate_of(s, &source->network) : NULL;
	if (most && network && *network >= network_share(most, s->settings.rate_max))
		return true;
	unsigned *own = rate_of(s, &source->own);
	if (most && own && *own >= most)
		return true;
	const unsigned nth_own = own ? ++*own : 0, nth = network ? ++*network : nth_own;
	return s->settings.rate_max && nth != 1 && ++s->made > s->settings.rate_max;
}

static void conn_shut_out(struct http_conns *s, struct conn *c)
{
	s->counts.shut_out++;
	c->is_cut = true;
	shutdown(bufferevent_getfd(c->b), SHUT_RDWR);
}

// A new connection, whose descriptor evhttp has set meanwhile.
static void conn_know(struct http_conns *s, struct conn *c)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	c->is_known = true;
	// A reply is two records, header and body; the second would wait for the client's late ACK.
	if (s->settings.lend)
		(void)setsockopt(
			bufferevent_getfd(c->b), IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (getpeername(bufferevent_getfd(c->b), (struct sockaddr *)&peer, &len) < 0)
		return;
	c->source = source_ids_of(&peer);
	if (source_id_is_none(&c->source.own))
		return;
	const bool is_refused =
		has_too_many(s, &c->source)
		|| (s->settings.refuses && s->settings.refuses(s->settings.arg, &peer));
	if (!is_refused && !is_too_fast(s, &c->source))
		return;
	conn_shut_out(s, c);
}

// Orders owners by user, without one by place: an IPv6 network is one place, however many addresses
// it has.
static int owner_order(const struct conn *a, const struct conn *b)
{
	if (a->user || b->user)
		return (a->user > b->user) - (a->user < b->user);
	const int order = memcmp(&a->source.network, &b->source.network, sizeof(a->source.network));
	if (order || !source_id_is_none(&a->source.network))
		return order;
	return memcmp(&a->source.own, &b->source.own, sizeof(a->source.own));
}

// Connections of one owner stand together, the oldest first.
static int compare_conns(const void *x, const void *y)
{
	const struct conn *a = *(struct conn *const *)x, *b = *(struct conn *const *)y;
	const int order = owner_order(a, b);
	return order ? order : (a->since_ms > b->since_ms) - (a->since_ms < b->since_ms);
}

// May it make way? A user's only beyond a quarter of all, and none while it is served.
static bool is_movable(const struct http_conns *s, const struct conn *c, unsigned count)
{
	return c->is_known
	       && (!c->user || (count > s->settings.max / 4 && c->until_ms != UINT64_MAX));
}

// The oldest one of the source or user with the most. NULL: each has its right. Sorts, because all
// that wait ask for one.
static struct conn *way_maker(struct http_conns *s)
{
	struct conn *by_owner[ARRAY_LEN(s->conn)], *found = NULL;
	unsigned count = 0, most = 0;
	for (unsigned i = 0; i < ARRAY_LEN(s->conn); i++)
		if (s->conn[i].b && !s->conn[i].is_cut && !s->conn[i].is_over)
			by_owner[count++] = &s->conn[i];
	qsort(by_owner, count, sizeof(*by_owner), compare_conns);
	for (unsigned first = 0, end = 0; first < count; first = end) {
		while (end < count && owner_order(by_owner[first], by_owner[end]) == 0)
			end++;
		const unsigned has = end - first;
		unsigned at = first;
		while (at < end && !is_movable(s, by_owner[at], has))
			at++;
		if (at < end
			&& (has > most
				|| (has == most && by_owner[at]->since_ms < found->since_ms))) {
			found = by_owner[at];
			most = has;
		}
	}
	return found;
}

// It found no place: another makes way, or it is over.
static void conn_place(struct http_conns *s, struct conn *c)
{
	c->waits = false;
	conn_know(s, c);
	struct conn *other = c->is_cut ? NULL : way_maker(s);
	s->counts.refused += !c->is_cut && !other;
	if (!other)
		return;
	conn_shut_out(s, other);
	other->is_over = true; // so it is not among the live ones
	c->is_over = false;
}

static void on_look(evutil_socket_t, short, void *arg)
{
	struct http_conns *s = arg;
	uint64_t now_ms = clock_mono_ms();
	left_drop(s);
	for (unsigned i = 0; i < ARRAY_LEN(s->conn); i++) {
		struct conn *c = &s->conn[i];
		if (c->b && c->waits)
			conn_place(s, c);
		else if (c->b && !c->is_over && !c->is_known)
			conn_know(s, c);
		if (c->b && !c->is_cut && (c->is_over || now_ms >= c->until_ms))
			conn_cut(s, c);
	}
}

int http_conns_new(struct http_conns **out, const struct http_conns_settings *settings)
{
	const struct timeval each = {.tv_usec = HTTP_CONNS_LOOK_MS * 1000};
	struct http_conns *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->settings = *settings;
	if (s->settings.max > HTTP_CONNS_MAX)
		s->settings.max = HTTP_CONNS_MAX;
	s->look = event_new(settings->base, -1, EV_PERSIST, on_look, s);
	s->soon = event_new(settings->base, -1, 0, on_look, s);
	if (!s->look || !s->soon || event_add(s->look, &each) < 0) {
		http_conns_free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void http_conns_free(struct http_conns *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(s->conn); i++)
		if (s->conn[i].b)
			conn_drop(s, &s->conn[i]);
	if (s->look)
		event_free(s->look);
	if (s->soon)
		event_free(s->soon);
	heap_free(s);
}

static struct conn *place_find(struct http_conns *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->conn); i++)
		if (!s->conn[i].b)
			return &s->conn[i];
	return NULL;
}

bool http_conns_has_place(struct http_conns *s)
{
	left_drop(s);
	return place_find(s) != NULL;
}

static struct bufferevent *buffer_new(
	const struct http_conns *s, struct event_base *base, bool is_over)
{
	struct ssl_st *ssl =
		s->settings.lend && !is_over ? s->settings.lend(s->settings.arg) : NULL;
	if (!ssl)
		return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct bufferevent *b = bufferevent_openssl_socket_new(
		base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (b)
		bufferevent_openssl_set_allow_dirty_shutdown(b, 1);
	return b;
}

// Before the functions of the bufferevent, and so of evhttp, are called for these bytes.
static void on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *c = arg;
	struct evbuffer_ptr at;
	struct evbuffer_iovec piece;
	if (!info->n_added || evbuffer_ptr_set(in, &at, info->orig_size, EVBUFFER_PTR_SET) < 0)
		return;
	while (!c->check.fault && evbuffer_peek(in, -1, &at, &piece, 1) > 0 && piece.iov_len) {
		const size_t n = http1_check(&c->check, piece.iov_base, piece.iov_len);
		if (n && evbuffer_ptr_set(in, &at, n, EVBUFFER_PTR_ADD) < 0)
			return;
	}
}

struct bufferevent *http_conns_make(struct event_base *base, void *conns)
{
	struct http_conns *s = conns;
	if (s->counts.live >= s->settings.max)
		left_drop(s);
	struct conn *c = place_find(s);
	const bool is_full = s->counts.live >= s->settings.max;
	const bool waits = is_full && s->settings.source_max;
	bool is_over = is_full;
	struct bufferevent *b = buffer_new(s, base, is_full && !waits);
	// A connection without TLS has nothing to say.
	const bool is_mute = b && s->settings.lend && !bufferevent_openssl_get_ssl(b);
	is_over |= is_mute;
	if (b)
		bufferevent_setwatermark(b, EV_READ, 0, HTTP_CONNS_INPUT_MAX);
	if (!b || !c)
		return b; // `c` is there: no connection is accepted without a place
	bufferevent_incref(b);
	*c = (struct conn){.b = b,
		.is_over = is_over,
		.waits = waits && !is_mute,
		.since_ms = clock_mono_ms()};
	c->until_ms = c->since_ms + s->settings.life_ms;
	if (!evbuffer_add_cb(bufferevent_get_input(b), on_input, c))
		c->check.fault = HTTP1_request_line; // no memory: nothing is served unseen
	s->counts.made++;
	s->counts.refused += is_full && !c->waits;
	s->counts.live += !c->is_over;
	if (s->counts.live > s->counts.most)
		s->counts.most = s->counts.live;
	if (c->is_over || s->settings.source_max || s->settings.rate_max || s->settings.refuses)
		event_active(s->soon, EV_TIMEOUT, 0);
	if (!place_find(s))
		evconnlistener_disable(s->settings.listener);
	return b;
}

static struct conn *conn_of(struct http_conns *s, const struct bufferevent *b)
{
	struct conn *c = s->conn;
	while (c < s->conn + ARRAY_LEN(s->conn) && c->b != b)
		c++;
	assert(c < s->conn + ARRAY_LEN(s->conn));
	return c;
}

// If evhttp ends a request where the check does not, its next request was never checked.
const char *http_conns_fault(struct http_conns *s, const struct bufferevent *b)
{
	struct conn *c = conn_of(s, b);
	if (++c->taken <= c->check.whole)
		return NULL;
	return c->check.fault ? http1_fault_text(c->check.fault) : "its end is not where it seems";
}

void http_conns_asked(struct http_conns *s, const struct bufferevent *b)
{
	conn_of(s, b)->until_ms = UINT64_MAX;
}

void http_conns_entitled(struct http_conns *s, const struct bufferevent *b, uint64_t user)
{
	conn_of(s, b)->user = user;
}

unsigned http_conns_replied(struct http_conns *s, const struct bufferevent *b, unsigned refusal)
{
	struct conn *c = conn_of(s, b);
	c->until_ms = clock_mono_ms() + s->settings.life_ms;
	c->refusals += refusal;
	return c->refusals;
}

void http_conns_end(struct http_conns *s, const struct bufferevent *b)
{
	conn_of(s, b)->until_ms = clock_mono_ms() + HTTP_CONNS_LOOK_MS;
}

void http_conns_counts(const struct http_conns *s, struct http_conns_counts *out)
{
	*out = s->counts;
	out->max = s->settings.max;
	out->bytes = sizeof(*s);
	for (unsigned i = 0; i < ARRAY_LEN(s->conn); i++) {
		const struct conn *c = &s->conn[i];
		if (c->b && !c->is_over && (!out->since_ms || c->since_ms < out->since_ms))
			out->since_ms = c->since_ms;
	}
}
