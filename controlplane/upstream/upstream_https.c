// SPDX-License-Identifier: BSD-3-Clause
// Legs over HTTPS: the connections and timers of libcurl, one exchange of HTTP, and what its end
// means for the leg and the server.

#include "upstream_https.h"

#include "base/table_registry.h"
#include "upstream_internal.h"
#include "upstream_stream.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_name.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>
#include <weir/http_coding.h>
#include <weir/log.h>

static struct timeval after(uint64_t ms)
{
	return (struct timeval){
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

// Called after a turn, and when a query begins or is dropped.
static void pool_idle_update(struct upstream_https *h)
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
	pool_idle_update(h);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	pool_turn(arg, fd, what & EV_READ, what & EV_WRITE);
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	pool_turn(arg, -1, false, false);
}

static struct upstream_https_socket *socket_of_query(const struct upstream_https_query *q)
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

// libcurl has UPSTREAM_HTTPS_CONNECTIONS sockets at most, and those that it is about to close.
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

static void query_free(struct upstream_https_query *q)
{
	http_transfer_close(q->transfer);
	FREE_AND_NULL(q->reply);
	heap_free(q);
}

static void kept_free(struct upstream_https *h)
{
	while (h->kept) {
		struct upstream_https_query *q = h->kept;
		h->kept = q->next;
		query_free(q);
	}
	h->kept_count = 0;
}

// Frees what an idle pool holds.
static void pool_rest(struct upstream_https *h)
{
	event_del(&h->idle);
	kept_free(h);
	http_multi_close(h->multi);
	h->multi = NULL;
	event_del(&h->timer);
	for (unsigned i = 0; i < UPSTREAM_HTTPS_SOCKETS; i++)
		if (h->socket[i].fd >= 0)
			on_watch(h, h->socket[i].fd, false, false);
}

static int pool_open(struct upstream_https *h)
{
	const struct http_multi_calls calls = {.watch = on_watch, .timer = on_due, .arg = h};
	return h->multi ? 0 : http_multi_open(&h->multi, &calls, UPSTREAM_HTTPS_CONNECTIONS);
}

static void on_idle(evutil_socket_t, short, void *arg)
{
	pool_rest(arg);
}

enum { REPLY_FIRST = 1024, REPLY_KEPT = 4096 };

static void query_release(struct upstream_https_query *q)
{
	struct upstream_https *h = q->pool;
	struct upstream_https_query kept = {.pool = h, .transfer = q->transfer, .next = h->kept};

	if (h->kept_count == UPSTREAM_HTTPS_KEPT) {
		query_free(q);
		return;
	}
	if (q->reply_cap <= REPLY_KEPT) {
		kept.reply = q->reply;
		kept.reply_cap = q->reply_cap;
	} else {
		FREE_AND_NULL(q->reply);
	}
	*q = kept;
	h->kept = q;
	h->kept_count++;
}

static void unlink_query(struct upstream_https_query *q)
{
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
	q->pool->queries--;
}

static struct upstream_https_query *query_cancel(struct upstream_https_query *q)
{
	http_multi_give_up(q->transfer);
	unlink_query(q);
	return q;
}

static void pool_destroy(struct upstream_https *h)
{
	while (h->busy)
		query_release(query_cancel(h->busy));
	pool_rest(h);
	event_del(&h->leave);
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	tls_peer_free(h->peer);
	heap_free(h);
}

static bool waits_for_reply(const struct upstream_https *h)
{
	const struct upstream_https_query *q = h->busy;

	while (q && !q->sent_ms)
		q = q->next;
	return q;
}

static struct upstream *server_of(const struct upstream_https *h)
{
	struct upstreams *u = h->owner;

	for (unsigned i = 0; i < u->count; i++)
		if (u->server[i].tls.https == h)
			return &u->server[i];
	return NULL;
}

static void place_clear(struct upstream_https_query *q)
{
	if (q->place)
		*q->place = NULL;
	q->place = NULL;
	q->leg = NULL;
}

// The wait ends before the leg loses its query, which shows whether it was sent.
static void leg_failed(struct upstream_https_query *q, struct upstream_leg *leg, bool is_silence)
{
	leg->refused = true;
	if (is_silence)
		upstream_wait_over(leg);
	place_clear(q);
	upstream_tcp_failed(leg);
}

// One of all queries that waited for the handshake counts its failure as an unanswered query.
static void leg_without(struct upstream_https_query *q, struct upstream *s, bool *missed)
{
	struct upstream_leg *leg = q->leg;

	place_clear(q);
	if (!leg)
		return;
	if (s && leg->ask->is_check && !*missed)
		atomic_fetch_add_explicit(&s->health->checks_failed, 1, memory_order_relaxed);
	const bool is_silence = *missed;
	*missed = false;
	leg_failed(q, leg, is_silence);
}

static struct upstream_https_query *unsent_cancel(struct upstream_https *h)
{
	struct upstream_https_query *q = h->busy;

	while (q && q->sent_ms)
		q = q->next;
	return q ? query_cancel(q) : NULL;
}

static void handshake_failed(struct upstream_https_query *q, const char *why)
{
	struct upstream_https *h = q->pool;
	struct upstream *s = server_of(h);
	struct upstream_https_query *next;
	char verdict[TLS_WHY_MAX];
	enum tls_failure f = tls_peer_verdict(h->peer, verdict);

	if (f < TLS_FAILURE_COUNT)
		why = verdict;
	else
		f = q->is_expired ? TLS_FAILURE_certificate : TLS_FAILURE_handshake;
	bool missed = s && upstream_tls_failed(s, f, why) && !h->is_silent;
	h->is_silent = false;
	leg_without(q, s, &missed);
	while ((next = unsent_cancel(h))) {
		leg_without(next, s, &missed);
		query_release(next);
	}
}

// Why the reply is no DNS message; UPSTREAM_HTTPS_FAILURE_COUNT: it is one.
static enum upstream_https_failure classify(const struct upstream_https_query *q, int err,
	const struct http_transfer_result *result, char why[UPSTREAM_HTTPS_WHY_MAX])
{
	enum upstream_https_failure f = UPSTREAM_HTTPS_FAILURE_COUNT;
	const bool is_long = q->reply_len > DNS_MESSAGE_MAX || err == -EFBIG;

	why[0] = '\0';
	if (err < 0 && !is_long) {
		f = UPSTREAM_HTTPS_connection;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "%s", result->why);
	} else if (tls_peer_is_over(q->pool->peer)) {
		f = UPSTREAM_HTTPS_connection;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "%s", "the grace of the clock has ended");
	} else if (result->status != 200) { // an error page may be of any length
		f = UPSTREAM_HTTPS_status;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "HTTP status %u", result->status);
	} else if (is_long) {
		f = UPSTREAM_HTTPS_body;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "a body of more than %u bytes",
			DNS_MESSAGE_MAX);
	} else if (!q->is_typed) {
		f = UPSTREAM_HTTPS_type;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "the reply is no application/dns-message");
	} else if (q->reply_len < DNS_HEADER_LEN) {
		f = UPSTREAM_HTTPS_body;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "a body of %u bytes", q->reply_len);
	}
	return f;
}

const char *const upstream_https_failure_names[UPSTREAM_HTTPS_FAILURE_COUNT] = {
#define X(name, text) [UPSTREAM_HTTPS_##name] = #name,
	UPSTREAM_HTTPS_FAILURES(X)
#undef X
};

static void counts_add(const struct upstream_https_query *q, enum upstream_https_failure f,
	const struct http_transfer_result *result, const char *why)
{
	struct upstream *s = server_of(q->pool);

	if (!s)
		return;
	if (result->version)
		s->https.version = result->version;
	s->https.why_ms = clock_mono_ms();
	if (f == UPSTREAM_HTTPS_status) {
		s->https.status = result->status;
		s->https.status_ms = s->https.why_ms;
	}
	snprintf(s->https.why, sizeof(s->https.why), "%s", why);
	if (f == UPSTREAM_HTTPS_FAILURE_COUNT) {
		s->https.replies++;
		return;
	}
	s->https.failed[f]++;
	s->failures += q->leg && !q->leg->ask->is_check && f != UPSTREAM_HTTPS_connection;
	if (upstream_tls_may_log(s))
		log_warning("upstream %s: no answer over HTTPS (%s): %s", s->name,
			upstream_https_failure_names[f], why);
}

// The server sent no DNS message, or nothing: that counts as silence, but is known at once. The end
// of a connection that other queries use too shows nothing of the server, as over TCP: the query
// goes to another connection.
static void no_reply(struct upstream_https_query *q, struct upstream_leg *leg,
	enum upstream_https_failure f, bool is_late)
{
	if (f == UPSTREAM_HTTPS_connection && !q->is_first && !is_late) {
		place_clear(q);
		if (!upstream_tcp_again(leg))
			leg_failed(q, leg, false);
		return;
	}
	leg->ask->any_reply |= f != UPSTREAM_HTTPS_connection;
	leg_failed(q, leg, true);
}

static void ttls_age(uint8_t *msg, size_t len, uint32_t age_s)
{
	struct rd r = rd_init(msg, len);
	struct dns_name name;

	rd_skip(&r, 4); // id and flags
	unsigned questions = rd_u16(&r), records = rd_u16(&r);
	records += rd_u16(&r);
	records += rd_u16(&r);
	for (unsigned i = 0; i < questions; i++) {
		if (dns_name_read_compressed(&r, &name, NULL))
			return;
		rd_skip(&r, 4); // type and class
	}
	for (unsigned i = 0; i < records; i++) {
		if (dns_name_read_compressed(&r, &name, NULL))
			return;
		unsigned type = rd_u16(&r);
		rd_skip(&r, 2); // class
		const size_t at = r.pos;
		uint32_t ttl = rd_u32(&r);
		rd_skip(&r, rd_u16(&r));
		if (!rd_ok(&r))
			return;
		if (type != DNS_TYPE_OPT)
			put_u32(msg + at, ttl > age_s ? ttl - age_s : 0);
	}
}

static void reply_accept(struct upstream_https_query *q, struct upstream_leg *leg)
{
	uint8_t *msg = q->reply;
	const size_t len = q->reply_len;

	if (q->age_s > 0)
		ttls_age(msg, len, q->age_s);
	bool is_bare = upstream_leg_is_bare_refusal(leg, msg, len);
	if (!is_bare && !upstream_leg_matches(leg, msg, len, false)) {
		upstream_leg_count_bad(leg);
		leg_failed(q, leg, true);
		return;
	}
	place_clear(q);
	if (is_bare) {
		upstream_go_plain(leg);
	} else if (upstream_replied(leg, msg, len) == UPSTREAM_IGNORED) {
		upstream_tcp_failed(leg);
	}
}

static void query_ended(
	struct upstream_https_query *q, int err, const struct http_transfer_result *result)
{
	struct upstream_leg *leg = q->leg;
	char why[UPSTREAM_HTTPS_WHY_MAX];

	if (result && !q->sent_ms && !q->is_refused
		&& !(err == -ETIMEDOUT && waits_for_reply(q->pool))) {
		handshake_failed(q, result->why);
		return;
	}
	if (!result || !q->sent_ms) {
		if (leg)
			leg_failed(q, leg, false);
		return;
	}
	enum upstream_https_failure f = classify(q, err, result, why);
	counts_add(q, f, result, why);
	q->pool->owner->https_stats.late += !leg && f == UPSTREAM_HTTPS_FAILURE_COUNT;
	if (leg && f < UPSTREAM_HTTPS_FAILURE_COUNT)
		no_reply(q, leg, f, err == -ETIMEDOUT);
	else if (leg)
		reply_accept(q, leg);
}

// The server of the pool has left the list.
static void on_leave(evutil_socket_t, short, void *arg)
{
	struct upstream_https *h = arg;

	while (h->busy) {
		struct upstream_https_query *q = query_cancel(h->busy);
		query_ended(q, -ECANCELED, NULL);
		query_release(q);
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

// May a connection be opened? Idle connections of other servers make room.
static bool may_open(struct upstream_https_query *q)
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

// libcurl's own memory is not in these bytes.
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

static void heard(struct upstream_https_query *q)
{
	struct upstream_https_socket *s = socket_of_query(q);
	if (s)
		s->heard_ms = clock_mono_ms();
}

static bool is_message_type(const char *value, size_t len)
{
	static const char type[] = "application/dns-message";
	size_t n = sizeof(type) - 1;
	return len >= n && strncasecmp(value, type, n) == 0
	       && (len == n || value[n] == ';' || value[n] == ' ');
}

// The age in seconds: of a list the first member, and 0 if that is no number (RFC 9111 5.1).
static uint32_t age_of(const char *value, size_t len)
{
	uint64_t age_s = 0;
	size_t i = 0;

	for (; i < len && value[i] >= '0' && value[i] <= '9'; i++)
		age_s = age_s > INT32_MAX ? age_s : age_s * 10 + (uint64_t)(value[i] - '0');
	while (i < len && (value[i] == ' ' || value[i] == '\t'))
		i++;
	if (i < len && value[i] != ',')
		return 0;
	return age_s > INT32_MAX ? INT32_MAX : (uint32_t)age_s;
}

// A status line begins a reply; the reply with a 1xx is followed by another one. Fields behind the
// body, of which nothing may have been kept, say nothing of it.
static void on_header(void *arg, const char *line, size_t len)
{
	struct upstream_https_query *q = arg;
	const char *value;
	size_t n;

	heard(q);
	if (q->reply_len > 0)
		return;
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
		q->is_typed = q->has_age = false;
		q->age_s = 0;
	} else if ((value = http_header_value(line, len, "content-type", &n))) {
		q->is_typed = is_message_type(value, n);
	} else if (!q->has_age && (value = http_header_value(line, len, "age", &n))) {
		q->has_age = true;
		q->age_s = age_of(value, n);
	}
}

static bool reply_grow(struct upstream_https_query *q, size_t len)
{
	size_t cap = q->reply_cap ? q->reply_cap : REPLY_FIRST;

	while (cap < len)
		cap *= 2;
	uint8_t *more = cap > q->reply_cap ? heap_realloc(q->reply, cap) : q->reply;
	if (!more)
		return false;
	q->reply = more;
	q->reply_cap = (uint32_t)cap;
	return true;
}

// A body that is not a DNS message is read to its end, and not kept.
static bool on_body(void *arg, unsigned status, const char *bytes, size_t len)
{
	struct upstream_https_query *q = arg;

	heard(q);
	q->reply_len += (uint32_t)len;
	if (q->reply_len > DNS_MESSAGE_MAX)
		return false;
	if (status != 200 || !q->is_typed)
		return true;
	if (!reply_grow(q, q->reply_len))
		return false;
	memcpy(q->reply + q->reply_len - len, bytes, len);
	return true;
}

// The query leaves now: the wait for a connection is no part of its round trip.
static void leg_sent(struct upstream_leg *leg, struct upstream *s, bool again)
{
	struct upstream_ask *a = leg->ask;

	leg->last_sent_us = clock_mono_us();
	if (!again)
		leg->first_sent_us = leg->last_sent_us;
	leg->measures = !again;
	upstream_note(a, TRACE_tcp_sent, upstream_leg_index(leg), a->sends, 0);
	if (a->is_check)
		upstream_check_secure(a);
	else
		upstream_tcp_wait(leg, s ? upstream_tls_wait_ms(leg) : UPSTREAM_TCP_MS);
}

static bool query_sent(struct upstream_https_query *q, const struct ssl_st *tls)
{
	struct upstream_https *h = q->pool;
	struct upstream *s = server_of(h);
	bool again = q->sent_ms != 0;

	if ((tls && !tls_lent_is_good(tls)) || tls_peer_is_over(h->peer)) {
		// no other query is to use it
		const struct upstream_https_socket *made = socket_of_query(q);
		q->is_expired = true;
		if (made)
			shutdown(made->fd, SHUT_RDWR);
		return false;
	}
	if (tls)
		h->is_silent = false;
	if (tls && s) {
		char about[TLS_ABOUT_MAX];
		upstream_tls_done(s, tls_lent_is_resumed(tls), tls_lent_about(tls, about));
		s->tcp_opened++;
	}
	q->is_first |= tls != NULL;
	q->sent_ms = clock_mono_ms();
	if (!q->leg || !q->leg->ask->is_check)
		upstream_server_sent(h->owner, s);
	if (q->leg)
		leg_sent(q->leg, s, again);
	return true;
}

static bool on_sent(void *arg, uint16_t local_port)
{
	struct upstream_https_query *q = arg;

	q->port = local_port;
	return query_sent(q, http_multi_new_tls(q->transfer));
}

static bool on_address(void *arg, const struct ip_address *)
{
	return may_open(arg);
}

static void on_end(void *arg, int err, const struct http_transfer_result *result)
{
	struct upstream_https_query *q = arg;

	unlink_query(q);
	query_ended(q, err, result);
	query_release(q);
}

static void request_write(struct upstream_https_query *q, size_t len)
{
	const struct upstream_https *h = q->pool;

	q->request = (struct http_transfer_request){
		.url = h->url,
		.addresses = h->addresses[0] ? h->addresses : NULL,
		.peer = h->peer,
		.header = {"Content-Type: application/dns-message",
			"Accept: application/dns-message"},
		.body = q->query,
		.len = len,
		.max_bytes = DNS_MESSAGE_MAX,
		.connect_ms = UPSTREAM_STREAM_HANDSHAKE_MS,
		.timeout_ms = UPSTREAM_HTTPS_MS,
		.idle_s = HTTP_MULTI_IDLE_S,
		.hooks = {.on_header = on_header,
			.on_body = on_body,
			.on_address = on_address,
			.on_sent = on_sent,
			.on_end = on_end},
		.arg = q,
	};
}

// A kept query, or a new one. NULL: no memory.
static struct upstream_https_query *query_make(struct upstream_https *h)
{
	struct upstream_https_query *q = h->kept;

	if (q) {
		h->kept = q->next;
		h->kept_count--;
		return q;
	}
	if (pool_open(h) < 0)
		return NULL;
	q = heap_calloc(1, sizeof(*q));
	if (!q || http_multi_transfer(h->multi, &q->transfer) < 0) {
		heap_free(q);
		return NULL;
	}
	q->pool = h;
	return q;
}

// A query without a leg makes room.
static bool room_make(struct upstream_https *h)
{
	struct upstream_https_query *q = h->busy;

	if (h->queries < UPSTREAM_HTTPS_QUERIES)
		return true;
	while (q && (q->leg || q->sent_ms == 0))
		q = q->next;
	if (!q) {
		h->owner->https_stats.full++;
		return false;
	}
	h->owner->https_stats.evicted++;
	query_release(query_cancel(q));
	return true;
}

static size_t query_write(struct upstream_https_query *q)
{
	size_t len = upstream_leg_query(q->leg, q->query, UPSTREAM_QUERY_MAX);
	return len > 0 && q->leg->edns
		       ? upstream_options_pad(q->query, len, upstream_leg_options(q->leg))
		       : len;
}

static void high_note(struct upstreams *u)
{
	unsigned n = 0;

	for (const struct upstream_https *h = u->https; h; h = h->next)
		n += h->queries;
	if (n > u->https_stats.high)
		u->https_stats.high = n;
}

int upstream_https_ask(
	struct upstream_https *h, struct upstream_leg *leg, struct upstream_https_query **place)
{
	struct upstream_https_query *q = room_make(h) ? query_make(h) : NULL;

	if (!q)
		return h->queries >= UPSTREAM_HTTPS_QUERIES ? -EMFILE : -ENOMEM;
	leg->id = 0;
	q->leg = leg;
	size_t len = query_write(q);
	request_write(q, len);
	if (len == 0 || http_multi_begin(q->transfer, &q->request) < 0) {
		q->leg = NULL;
		query_release(q);
		return len == 0 ? -EMSGSIZE : -ENOMEM;
	}
	q->place = place;
	*place = q;
	q->next = h->busy;
	q->link = &h->busy;
	if (q->next)
		q->next->link = &q->next;
	h->busy = q;
	h->queries++;
	high_note(h->owner);
	pool_idle_update(h);
	return 0;
}

bool upstream_https_is_sent(const struct upstream_https_query *q)
{
	return q->sent_ms;
}

bool upstream_https_is_silent(const struct upstream_https_query *q)
{
	const struct upstream_https_socket *s = socket_of_query(q);
	return q->sent_ms && clock_mono_ms() - q->sent_ms >= UPSTREAM_STREAM_STALL_MS
	       && (!s || s->heard_ms <= q->sent_ms);
}

bool upstream_https_is_first_silence(struct upstream_https_query *q)
{
	bool first = q->sent_ms || !q->pool->is_silent;

	q->pool->is_silent |= !q->sent_ms;
	return first;
}

void upstream_https_drop(struct upstream_https_query *q)
{
	struct upstream_https *h = q->pool;
	bool is_silent = upstream_https_is_silent(q);
	const struct upstream_https_socket *s = socket_of_query(q);

	q->leg = NULL;
	q->place = NULL;
	if (!is_silent && (q->sent_ms || q->opens))
		return;
	// libcurl sees the end of the connection: other queries on it go to another one, or fail.
	if (s && is_silent)
		shutdown(s->fd, SHUT_RDWR);
	query_release(query_cancel(q));
	pool_idle_update(h);
}
