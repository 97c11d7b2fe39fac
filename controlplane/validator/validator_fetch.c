// SPDX-License-Identifier: BSD-3-Clause
// To the library an answer is bogus, too, when no server gave it a key or a DS above the answer,
// and it holds the zone for bad for a minute then. That is no fault of the zone. So a context knows
// the latest of those names, and which verdicts name one of them as their reason.

#include "base/loop.h"
#include "lists/zone_suffix.h"
#include "validator_internal.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/dns_query.h>

enum { BAD_MS = 61000 }; // the library's time, and the second that it counts in

// False: it is not one that the library asks for to validate others.
static bool key_name(const uint8_t *question, uint16_t len, struct dns_name *out)
{
	struct rd rd = rd_init(question, len);

	if (dns_name_read(&rd, out) < 0)
		return false;
	const uint16_t qtype = rd_u16(&rd);
	return rd_ok(&rd) && (qtype == DNS_TYPE_DNSKEY || qtype == DNS_TYPE_DS);
}

// A fetch ends with a reply: the key of its question is not missing.
static void validator_key_there(struct validator_context *c, const uint8_t *question, uint16_t len)
{
	struct dns_name name;

	if (c->missing_count == 0 || !key_name(question, len, &name))
		return;
	for (unsigned i = 0; i < c->missing_count; i++)
		if (dns_name_equal(&c->missing[i].name, &name))
			c->missing[i].until_ms = 0;
}

// The place of the same name, else a free one, else that of the name that is forgotten first.
static unsigned place_of(struct validator_context *c, const struct dns_name *name)
{
	unsigned place = 0;

	for (unsigned i = 0; i < c->missing_count; i++) {
		if (dns_name_equal(&c->missing[i].name, name))
			return i;
		if (c->missing[i].until_ms < c->missing[place].until_ms)
			place = i;
	}
	return c->missing_count < VALIDATOR_MISSING ? c->missing_count++ : place;
}

// A fetch ends without a reply: the key of its question is missing.
static void validator_key_missing(
	struct validator_context *c, const uint8_t *question, uint16_t len)
{
	struct validator_missing m = {.until_ms = clock_mono_ms() + BAD_MS};

	if (key_name(question, len, &m.name))
		c->missing[place_of(c, &m.name)] = m;
}

// The library writes names with the last dot.
static bool names(const char *why, const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX + 2] = " ";

	dns_name_to_text(name, text + 1);
	if (strcmp(text, " .") != 0)
		strcat(text, ".");
	const size_t len = strlen(text);
	for (const char *at = strstr(why, text); at; at = strstr(at + 1, text))
		if (at[len] == ' ' || at[len] == '\0')
			return true;
	return false;
}

bool validator_key_is_missing(const struct validator_context *c, const char *why)
{
	for (unsigned i = 0; why && i < c->missing_count; i++)
		if (clock_mono_ms() < c->missing[i].until_ms && names(why, &c->missing[i].name))
			return true;
	return false;
}

enum {
	QUERY_MAX = 1024,
	REPLY_MAX = 65507, // the longest datagram over IPv4
	A_TURN = 64,
	RECEIVE_BYTES = 1 << 20,
	SEND_BYTES = 4 << 20,
};

static struct validator_fetch *of_ask(struct upstream_ask *a)
{
	return (struct validator_fetch *)(void *)((char *)a
						  - offsetof(struct validator_fetch, ask));
}

// A datagram that finds no room is lost: the library asks again, and gives up in the end.
static void reply_send(const struct validator_context *c, const struct sockaddr_in *peer,
	const uint8_t head[2], const uint8_t *rest, size_t len)
{
	uint8_t id[2] = {head[0], head[1]};
	struct sockaddr_in to = *peer;
	struct iovec part[2] = {
		{.iov_base = id, .iov_len = sizeof(id)},
		{.iov_base = (void *)(uintptr_t)rest, .iov_len = len},
	};
	const struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = part, .msg_iovlen = 2};
	(void)!sendmsg(c->fd, &msg, MSG_DONTWAIT);
}

static void servfail_send(const struct validator_context *c, const struct sockaddr_in *peer,
	uint16_t id, const uint8_t *question, uint16_t question_len)
{
	uint8_t msg[DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX] = {0};

	put_u16(msg, id);
	put_u16(msg + 2, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | DNS_RCODE_SERVFAIL);
	put_u16(msg + 4, 1);
	memcpy(msg + DNS_HEADER_LEN, question, question_len);
	reply_send(c, peer, msg, msg + 2, DNS_HEADER_LEN - 2 + (size_t)question_len);
}

static void fetch_end(struct validator_fetch *f)
{
	struct validators *v = f->context->owner;

	upstream_ask_stop(&f->ask);
	v->owner.release(v->owner.arg, &f->servers);
	age_remove(&v->fetch_ages, &f->age);
	v->count.fetching--;
	f->context = NULL;
	v->zone[f - v->fetch] = 0;
	f->next = v->fetch_free;
	v->fetch_free = f;
}

static void fetch_fail(struct validator_fetch *f)
{
	servfail_send(f->context, &f->peer, f->id, f->question, f->question_len);
	validator_key_missing(f->context, f->question, f->question_len);
	fetch_end(f);
}

// The library reads the records, and the resolver what it makes of them. A reply that no datagram
// holds would leave the library waiting, and after some of that it asks this socket no more for a
// while.
static enum upstream_take on_reply(struct upstream_ask *ask, const uint8_t *msg, size_t len)
{
	struct validator_fetch *f = of_ask(ask);
	const uint16_t flags = get_u16(msg + 2), rcode = flags & DNS_FLAG_RCODE;
	uint8_t id[2];

	if (flags & DNS_FLAG_TC)
		return UPSTREAM_TRUNCATED;
	if (len > REPLY_MAX
		|| (rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN
			&& rcode != DNS_RCODE_YXDOMAIN))
		return UPSTREAM_FAILED;
	if (validator_led_mark(f->context->owner, f, msg, len)) {
		fetch_fail(f);
		return UPSTREAM_TAKEN;
	}
	put_u16(id, f->id);
	reply_send(f->context, &f->peer, id, msg + 2, len - 2);
	validator_key_there(f->context, f->question, f->question_len);
	fetch_end(f);
	return UPSTREAM_TAKEN;
}

static void on_ended(struct upstream_ask *ask, enum upstream_end)
{
	fetch_fail(of_ask(ask));
}

void validator_fetch_init(struct validators *v)
{
	v->callbacks = (struct upstream_callbacks){.reply = on_reply, .ended = on_ended};
	rng_bytes(&v->rng, v->secret.bytes, sizeof(v->secret.bytes));
}

// A zone may have as many as are free (Choudhury and Hahne 1998, dynamic thresholds): half of them
// when it is alone, and a part stays free whatever the others have.
static bool zone_is_full(const struct validators *v, uint32_t zone)
{
	return zone_count(v->zone, v->fetch_touched, zone) >= VALIDATOR_FETCHES - v->count.fetching;
}

static struct validator_fetch *fetch_new(struct validators *v, const struct dns_name *name)
{
	const uint32_t zone = zone_key(name, &v->secret);
	struct validator_fetch *f = v->fetch_free;

	if (zone_is_full(v, zone))
		return NULL;
	if (f)
		v->fetch_free = f->next;
	else if (v->fetch_touched < VALIDATOR_FETCHES)
		f = &v->fetch[v->fetch_touched++];
	else
		return NULL;
	memset(f, 0, sizeof(*f));
	v->zone[f - v->fetch] = zone;
	age_add(&v->fetch_ages, &f->age);
	if (++v->count.fetching > v->fetches_most)
		v->fetches_most = v->count.fetching;
	v->count.fetches++;
	return f;
}

// The token is an option of the OPT: a run of bytes that no question holds by chance.
static bool has_token(const struct validator_context *c, const uint8_t *msg, size_t len,
	const struct dns_query *q)
{
	const size_t from = DNS_HEADER_LEN + (size_t)q->question_len;
	return len > from && memmem(msg + from, len - from, c->token, VALIDATOR_TOKEN_LEN);
}

static void fetch_start(struct validator_context *c, const struct sockaddr_in *peer,
	const uint8_t *msg, const struct dns_query *q)
{
	struct validators *v = c->owner;
	const uint8_t *question = msg + DNS_HEADER_LEN;
	uint8_t lower[UPSTREAM_QUESTION_MAX];
	struct validator_servers servers;
	bool found = v->owner.servers(v->owner.arg, c->view, &q->name, q->qtype, &servers);
	struct validator_fetch *f = found ? fetch_new(v, &q->name) : NULL;

	if (!f) {
		v->count.fetches_refused += found;
		if (found)
			v->owner.release(v->owner.arg, &servers);
		servfail_send(c, peer, q->id, question, q->question_len);
		validator_key_missing(c, question, q->question_len);
		return;
	}
	f->context = c;
	f->servers = servers;
	f->peer = *peer;
	f->id = q->id;
	f->question_len = q->question_len;
	memcpy(f->question, question, q->question_len);
	memcpy(lower, question, q->question_len);
	memcpy(lower, q->name.wire, q->name.len);
	const struct upstream_request request = {
		.callbacks = &v->callbacks,
		.question = lower,
		.question_len = q->question_len,
		.cd = true,
		.dnssec_ok = true,
		.deadline_ms = clock_mono_ms() + VALIDATOR_FETCH_MS,
	};
	upstream_ask_start(servers.upstreams, &f->ask, &request);
}

static void on_readable(evutil_socket_t fd, short, void *arg)
{
	struct validator_context *c = arg;

	for (unsigned i = 0; i < A_TURN; i++) {
		uint8_t msg[QUERY_MAX];
		struct sockaddr_in peer = {0};
		socklen_t peer_len = sizeof(peer);
		struct dns_query q;
		ssize_t n = recvfrom(
			fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&peer, &peer_len);
		if (n < 0)
			return;
		if (dns_query_parse(msg, (size_t)n, &q) != DNS_QUERY_OK
			|| q.question_len > UPSTREAM_QUESTION_MAX
			|| !has_token(c, msg, (size_t)n, &q))
			c->owner->count.foreign++;
		else
			fetch_start(c, &peer, msg, &q);
	}
}

static void token_make(struct validator_context *c)
{
	uint8_t random[VALIDATOR_TOKEN_LEN / 2];

	rng_bytes(&c->owner->rng, random, sizeof(random));
	for (unsigned i = 0; i < sizeof(random); i++) {
		c->token[2 * i] = "0123456789abcdef"[random[i] >> 4];
		c->token[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
	}
	c->token[VALIDATOR_TOKEN_LEN] = '\0';
}

int validator_socket_open(struct validator_context *c)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(own);
	const int receive = RECEIVE_BYTES, send = SEND_BYTES;

	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	// The kernel may grant less.
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof(send));
	if (bind(c->fd, (struct sockaddr *)&own, sizeof(own)) < 0
		|| getsockname(c->fd, (struct sockaddr *)&own, &len) < 0)
		return -errno;
	c->port = ntohs(own.sin_port);
	token_make(c);
	c->readable =
		event_new(loop_base(c->owner->loop), c->fd, EV_READ | EV_PERSIST, on_readable, c);
	return c->readable && event_add(c->readable, NULL) == 0 ? 0 : -ENOMEM;
}

void validator_socket_close(struct validator_context *c)
{
	struct validators *v = c->owner;

	for (unsigned i = 0; i < v->fetch_touched; i++)
		if (v->fetch[i].context == c)
			fetch_end(&v->fetch[i]);
	if (c->readable)
		event_free(c->readable);
	c->readable = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
