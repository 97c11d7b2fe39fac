// SPDX-License-Identifier: BSD-3-Clause
// One query over HTTPS, from its request to its end.

#include "upstream_https_parts.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/http_coding.h>

enum { REPLY_FIRST = 1024, REPLY_KEPT = 4096 };

static void heard(struct upstream_https_query *q)
{
	struct upstream_https_socket *s = upstream_https_socket(q);
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

// Seconds: of a list the first member, and 0 if that is not a number (RFC 9111 5.1).
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

// A status line begins a reply; that of a 1xx is followed by another one.
static void on_header(void *arg, const char *line, size_t len)
{
	struct upstream_https_query *q = arg;
	const char *value;
	size_t n;

	heard(q);
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

static bool on_sent(void *arg, uint16_t local_port)
{
	struct upstream_https_query *q = arg;

	q->port = local_port;
	return upstream_https_sent(q, http_multi_new_tls(q->transfer));
}

static bool on_address(void *arg, const struct ip_address *)
{
	return upstream_https_may_open(arg);
}

static void unlink_query(struct upstream_https_query *q)
{
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
	q->pool->queries--;
}

static void on_end(void *arg, int err, const struct http_transfer_result *result)
{
	struct upstream_https_query *q = arg;

	unlink_query(q);
	upstream_https_ended(q, err, result);
	upstream_https_put(q);
}

struct upstream_https_query *upstream_https_take(struct upstream_https_query *q)
{
	http_multi_give_up(q->transfer);
	unlink_query(q);
	return q;
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

// A kept one, or a new one. NULL: no memory.
static struct upstream_https_query *query_make(struct upstream_https *h)
{
	struct upstream_https_query *q = h->kept;

	if (q) {
		h->kept = q->next;
		h->kept_count--;
		return q;
	}
	if (upstream_https_begin(h) < 0)
		return NULL;
	q = heap_calloc(1, sizeof(*q));
	if (!q || http_multi_transfer(h->multi, &q->transfer) < 0) {
		heap_free(q);
		return NULL;
	}
	q->pool = h;
	return q;
}

// One without a leg makes room.
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
	upstream_https_put(upstream_https_take(q));
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
		upstream_https_put(q);
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
	upstream_https_settle(h);
	return 0;
}

static void query_free(struct upstream_https_query *q)
{
	http_transfer_close(q->transfer);
	FREE_AND_NULL(q->reply);
	heap_free(q);
}

void upstream_https_put(struct upstream_https_query *q)
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

void upstream_https_unkeep(struct upstream_https *h)
{
	while (h->kept) {
		struct upstream_https_query *q = h->kept;
		h->kept = q->next;
		query_free(q);
	}
	h->kept_count = 0;
}

struct upstream_https_query *upstream_https_unsent(struct upstream_https *h)
{
	struct upstream_https_query *q = h->busy;

	while (q && q->sent_ms)
		q = q->next;
	return q ? upstream_https_take(q) : NULL;
}

bool upstream_https_waits_for_reply(const struct upstream_https *h)
{
	const struct upstream_https_query *q = h->busy;

	while (q && !q->sent_ms)
		q = q->next;
	return q;
}

bool upstream_https_is_sent(const struct upstream_https_query *q)
{
	return q->sent_ms;
}

bool upstream_https_is_silent(const struct upstream_https_query *q)
{
	const struct upstream_https_socket *s = upstream_https_socket(q);
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
	const struct upstream_https_socket *s = upstream_https_socket(q);

	q->leg = NULL;
	q->place = NULL;
	if (!is_silent && (q->sent_ms || q->opens))
		return;
	// libcurl sees its end: what else is on it goes to another connection, or fails.
	if (s && is_silent)
		shutdown(s->fd, SHUT_RDWR);
	upstream_https_put(upstream_https_take(q));
	upstream_https_settle(h);
}
