// SPDX-License-Identifier: BSD-3-Clause
// Legs over TCP and TLS, and what their connections show of a server. `upstream_tcp_calls` is what
// the connections (upstream_stream.h) call.

#include "base/clock_grace.h"
#include "upstream_https.h"
#include "upstream_internal.h"
#include "upstream_stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// An ask's query over TCP, perhaps with TLS. `leg` comes first: a leg of TCP is one of these.
struct upstream_tcp {
	struct upstream_leg leg;
	struct upstream_stream_place place;
	unsigned again;                     // times that it was sent on another connection
	struct upstream_https_query *https; // NULL: on no connection of HTTPS
};

static struct upstream_tcp *tcp_of(struct upstream_leg *leg)
{
	return (struct upstream_tcp *)leg;
}

struct upstream_leg *upstream_tcp_leg(struct upstream_tcp *t)
{
	return t ? &t->leg : NULL;
}

static void tcp_free(struct upstream_ask *a, struct upstream_tcp **place)
{
	struct upstream_tcp *t = *place;

	if (!t)
		return;
	*place = NULL;
	upstream_leg_close(&t->leg);
	upstream_streams_drop(a->owner->streams, &t->place);
	if (t->https)
		upstream_https_drop(t->https);
	heap_free(t);
}

void upstream_tcp_free(struct upstream_ask *a)
{
	tcp_free(a, &a->tcp);
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++)
		tcp_free(a, &a->tls[i]);
}

void upstream_tcp_end(struct upstream_leg *leg)
{
	struct upstream_ask *a = leg->ask;
	struct upstream_tcp *t = tcp_of(leg), **place = &a->tcp;

	for (unsigned i = 0; i < UPSTREAM_LEGS; i++)
		if (a->tls[i] == t)
			place = &a->tls[i];
	tcp_free(a, place);
}

// Has the leg's connection been silent for too long since the query was sent?
static bool tcp_is_silent(struct upstream_leg *leg)
{
	const struct upstream_tcp *t = tcp_of(leg);
	const struct upstream_stream *stream = t->place.stream;
	return t->https ? upstream_https_is_silent(t->https)
			: stream && upstream_stream_is_silent(stream, leg);
}

bool upstream_tcp_is_asked(struct upstream_leg *leg)
{
	const struct upstream_tcp *t = tcp_of(leg);
	const struct upstream_stream *stream = t->place.stream;
	return t->https ? upstream_https_is_sent(t->https) : stream && stream->there;
}

bool upstream_tcp_is_first_silence(struct upstream_leg *leg)
{
	struct upstream_stream *stream = tcp_of(leg)->place.stream;
	if (tcp_of(leg)->https)
		return upstream_https_is_first_silence(tcp_of(leg)->https);
	if (!stream || stream->there)
		return true;
	bool first = !stream->is_silent;
	stream->is_silent = true;
	return first;
}

static unsigned on_limit(const struct upstream_leg *leg)
{
	const struct upstream *s = upstream_leg_server(leg);
	return s ? upstream_limit_now(&s->tcp_limit, clock_mono_ms()) : 0;
}

// A query that leaves after its server has left the list counts in the totals alone.
static void on_written(
	struct upstreams *u, const struct upstream_leg *leg, const union upstream_peer *peer)
{
	unsigned i = 0;
	if (leg && leg->is_tls && leg->ask->is_check)
		return; // counted as a check
	if (leg)
		upstream_note(
			leg->ask, TRACE_tcp_sent, upstream_leg_index(leg), leg->ask->sends, 0);
	while (i < u->count && !upstream_same_address(&u->server[i].address, peer))
		i++;
	upstream_server_sent(u, i < u->count ? &u->server[i] : NULL);
}

// The leg has a connection: its time counts from here.
static void tcp_sent(struct upstream_leg *leg, struct upstream_stream *stream)
{
	struct upstream *s = upstream_leg_server(leg);

	leg->sends = 1;
	leg->last_sent_us = clock_mono_us();
	leg->measures = leg->is_tls && stream->there;
	if (leg->measures)
		leg->first_sent_us = leg->last_sent_us;
	if (!s || stream->taken > 1)
		return;
	s->tcp_opened++;
	stream->ends = s->tcp_limit.ends;
	if (!tcp_of(leg)->place.alone)
		stream->probe = upstream_limit_opened(&s->tcp_limit, stream->uses, clock_mono_ms());
}

// The query waits for a connection, or leaves in the next iteration of the loop.
static int https_ask(struct upstream_tcp *t, const struct upstream *s)
{
	if (!s->tls.https || s->tls.until_ms > clock_mono_ms())
		return -EHOSTDOWN;
	t->leg.sends = 1;
	t->leg.last_sent_us = clock_mono_us();
	return upstream_https_ask(s->tls.https, &t->leg, &t->https);
}

static int tcp_ask(struct upstream_tcp *t)
{
	const struct upstream *s = upstream_leg_server(&t->leg);

	if (s && s->is_https)
		return https_ask(t, s);
	t->leg.sends = 0;
	int rc = upstream_streams_ask(t->leg.ask->owner->streams, &t->place);
	if (rc == 0 && t->place.stream)
		tcp_sent(&t->leg, t->place.stream);
	return rc;
}

static void on_placed(struct upstream_leg *leg, struct upstream_stream *stream)
{
	tcp_sent(leg, stream);
	upstream_tcp_wait(leg, UPSTREAM_TCP_MS);
}

// The server had the query and gave no answer: that counts as silence, but is known at once.
static void unanswered(struct upstream_leg *leg, struct upstream_stream *stream)
{
	leg->refused = true;
	tcp_of(leg)->place.stream = stream; // where it was asked
	upstream_wait_over(leg);
	tcp_of(leg)->place.stream = NULL;
}

// Handles a whole reply. An off-path attacker cannot have sent it, so letter case does not matter.
// A reply without a question, from a server that could not read the query, is no answer, but ends
// no other wait.
static void on_reply(
	struct upstream_leg *leg, struct upstream_stream *stream, uint8_t *msg, size_t len)
{
	struct upstream *s = upstream_leg_server(leg);

	tcp_of(leg)->place.stream = NULL;
	if (s)
		upstream_limit_answered(&s->tcp_limit, stream->answered, stream->uses);
	if (upstream_leg_is_bare_refusal(leg, msg, len)) {
		upstream_go_plain(leg);
	} else if (get_u16(msg + 4) == 0) {
		upstream_leg_count_bad(leg);
		if (leg->is_tls)
			unanswered(leg, stream);
		upstream_tcp_failed(leg);
	} else if (upstream_replied(leg, msg, len) == UPSTREAM_IGNORED) {
		upstream_tcp_failed(leg);
	}
}

// Learns how many queries the server takes. A connection that was there already when another one
// ended may have met the same accident: a restart ends all of them, and is one.
static void tcp_ended(struct upstream *s, struct upstream_stream *stream)
{
	if (!s || stream->learnt || !stream->there || stream->taken == 1
		|| stream->ends != s->tcp_limit.ends)
		return;
	if (upstream_limit_ended(&s->tcp_limit, stream->answered, clock_mono_ms()))
		log_info("upstream %s closes TCP connections after %u replies", s->name,
			s->tcp_limit.queries);
}

static unsigned left_ms(uint64_t spent_ms)
{
	return spent_ms + UPSTREAM_TCP_LEAST_MS < UPSTREAM_TCP_MS
		       ? UPSTREAM_TCP_MS - (unsigned)spent_ms
		       : UPSTREAM_TCP_LEAST_MS;
}

// The connection had the keepalive option and ended with nothing answered: that may be why, so even
// a query alone on it is sent once more, without the option (RFC 7828 3.5).
static bool option_suspect(const struct upstream_leg *leg, const struct upstream_stream *stream)
{
	return stream && stream->asked && stream->answered == 0 && !stream->ours && leg->edns
	       && !leg->no_option;
}

// The handshake has failed: one unanswered query, however many waited for it, unless one of them
// has waited so long that it was counted then.
static void not_there(struct upstream_leg *leg, struct upstream_stream *stream, struct upstream *s)
{
	leg->refused = true;
	if (stream->missed && !stream->is_silent)
		upstream_wait_over(leg);
	else if (leg->ask->is_check)
		atomic_fetch_add_explicit(&s->health->checks_failed, 1, memory_order_relaxed);
	stream->missed = false;
}

// A query with a connection of its own has had its attempt. A query on a shared connection may have
// met the connection's idle end, or its limit of queries, so it is sent once more on another one;
// if that ends too, on one of its own. The query's time goes on, but it has UPSTREAM_TCP_LEAST_MS:
// otherwise the last query on a dead connection would fail at once.
static void on_broken(struct upstream_leg *leg, struct upstream_stream *stream)
{
	struct upstream_tcp *t = tcp_of(leg);
	struct upstream_ask *a = leg->ask;
	struct upstream *s = upstream_leg_server(leg);
	uint64_t spent_ms = (clock_mono_us() - leg->last_sent_us) / 1000;

	t->place.stream = NULL;
	upstream_note(a, TRACE_tcp_broken, upstream_leg_index(leg), 0, 0);
	if (stream) {
		tcp_ended(s, stream);
		stream->learnt = true;
	}
	bool option = option_suspect(leg, stream);
	if (s && leg->is_tls && stream && !stream->there)
		not_there(leg, stream, s);
	bool again = s && stream && stream->there && (stream->taken > 1 || option)
		     && t->again < UPSTREAM_TCP_AGAIN && a->sends < upstream_sends_max(a)
		     && clock_mono_ms() < a->deadline_ms;
	if (again) {
		if (option) {
			leg->no_option = true;
			if (leg->option) // one query of a connection has the option
				a->no_option |= 1u << leg->server;
		}
		t->place.alone = ++t->again == UPSTREAM_TCP_AGAIN;
		a->sends++;
		upstream_note(
			a, TRACE_tcp_queued, upstream_leg_index(leg), a->sends, left_ms(spent_ms));
		if (tcp_ask(t) == 0) {
			a->owner->totals.tcp_again++;
			upstream_tcp_wait(leg, left_ms(spent_ms));
			return;
		}
		upstream_note(a, TRACE_send_failed, upstream_leg_index(leg), a->sends, 0);
		s->send_errors++;
	} else if (s && leg->is_tls && stream && stream->there && stream->closing) {
		unanswered(leg, stream);
	}
	upstream_tcp_failed(leg);
}

bool upstream_tcp_again(struct upstream_leg *leg)
{
	struct upstream_tcp *t = tcp_of(leg);
	struct upstream_ask *a = leg->ask;

	if (!upstream_leg_server(leg) || t->again >= UPSTREAM_TCP_AGAIN
		|| a->sends >= upstream_sends_max(a) || clock_mono_ms() >= a->deadline_ms)
		return false;
	t->again++;
	a->sends++;
	upstream_note(a, TRACE_tcp_queued, upstream_leg_index(leg), a->sends, UPSTREAM_TCP_MS);
	if (tcp_ask(t) < 0)
		return false;
	a->owner->totals.tcp_again++;
	upstream_tcp_wait(leg, UPSTREAM_TCP_MS);
	return true;
}

static struct upstream *server_at(struct upstreams *u, const union upstream_peer *address)
{
	for (unsigned i = 0; i < u->count; i++)
		if (u->server[i].is_tls && upstream_same_address(&u->server[i].address, address))
			return &u->server[i];
	return NULL;
}

// A leg may be of a list in which the server was of the other kind.
static int upstream_tls_peer(
	struct upstreams *u, const struct upstream_leg *leg, struct tls_peer **out)
{
	const struct upstream *s = server_at(u, &leg->peer);

	if (!s)
		return leg->is_tls ? -EHOSTDOWN : 0;
	if (!leg->is_tls || !s->tls.peer || s->tls.until_ms > clock_mono_ms())
		return -EHOSTDOWN;
	*out = s->tls.peer;
	return 0;
}

static void tls_secure(const struct upstream_stream *stream)
{
	struct upstream *s = server_at(stream->pool->owner, &stream->peer);

	char about[TLS_ABOUT_MAX];

	if (!s || s->tls.peer != stream->tls_peer)
		return;
	upstream_tls_done(s, tls_conn_is_resumed(stream->tls), tls_conn_about(stream->tls, about));
	for (unsigned i = 0; i < stream->held; i++)
		if (stream->query[i].leg)
			upstream_check_secure(stream->query[i].leg->ask);
}

static void tls_insecure(struct upstream_stream *stream, enum tls_failure failure, const char *why)
{
	struct upstream *s = server_at(stream->pool->owner, &stream->peer);

	if (s && s->tls.peer == stream->tls_peer)
		stream->missed = upstream_tls_failed(s, failure, why);
}

const struct upstream_stream_calls upstream_tcp_calls = {
	.limit = on_limit,
	.written = on_written,
	.peer = upstream_tls_peer,
	.secure = tls_secure,
	.insecure = tls_insecure,
	.placed = on_placed,
	.reply = on_reply,
	.broken = on_broken,
};

// Makes a leg over TCP in `*place`; upstream_tcp_end ends what a failure leaves there.
static int tcp_begin(
	struct upstream_ask *a, struct upstream_tcp **place, unsigned server, bool is_tls)
{
	struct upstream_tcp *t = heap_calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*place = t;
	const uint64_t now_us = clock_mono_us();
	upstream_leg_init(&t->leg, a, server, false, now_us / 1000);
	t->leg.tcp = true;
	t->leg.is_tls = is_tls;
	t->leg.first_sent_us = t->leg.last_sent_us = now_us;
	t->place.leg = &t->leg;
	int rc = tcp_ask(t);
	if (rc < 0)
		return rc;
	upstream_leg_open(&t->leg);
	return 0;
}

int upstream_tcp_start(struct upstream_ask *a, unsigned server, struct upstream_leg **leg)
{
	int rc = tcp_begin(a, &a->tcp, server, false);

	*leg = upstream_tcp_leg(a->tcp);
	return rc;
}

enum { BACKOFF_FIRST_MS = 250, BACKOFF_MAX_MS = 4000, LOG_MS = 60000 };

void upstream_tls_open(struct upstreams *u, struct upstream *s, const char *ca_file)
{
	const struct config_upstream_tls *t = &s->config.tls;
	const struct tls_target target = {
		.name = t->name[0] ? t->name : NULL,
		.address = s->config.address.ip,
		.ca_file = ca_file && *ca_file ? ca_file : NULL,
		.alpn = t->path[0] ? "h2" : "dot",
		.any_date = clock_grace_is_on(),
		.pin_count = t->pin_count,
		.pin = t->pin,
	};

	if (!t->is_on)
		return;
	s->is_tls = true;
	s->is_https = t->path[0];
	if (s->is_nowhere)
		return;
	if (tls_peer_new(&s->tls.peer, &target, s->tls.why) == 0) {
		if (s->is_https)
			s->tls.https = upstream_https_new(u, &s->config, s->tls.peer);
		return;
	}
	if (!u->is_apart)
		log_error("upstream %s is not asked: authorities of upstreams.ca_file: %s", s->name,
			s->tls.why);
}

void upstream_tls_continue(struct upstream *s, struct upstream_tls *old)
{
	struct tls_peer *fresh = s->tls.peer;

	if (!fresh || !old->peer || !tls_peer_same(fresh, old->peer)
		|| !upstream_https_same(s->tls.https, old->https))
		return;
	upstream_https_free(s->tls.https);
	s->tls = *old;
	old->peer = NULL; // that is s->tls now
	old->https = NULL;
	tls_peer_free(fresh);
}

void upstream_tls_close(struct upstream *s)
{
	upstream_https_free(s->tls.https);
	s->tls.https = NULL;
	tls_peer_free(s->tls.peer);
	s->tls.peer = NULL;
}

void upstream_tls_done(struct upstream *s, bool is_resumed, const char *about)
{
	s->tls.handshakes++;
	s->tls.resumed += is_resumed;
	s->tls.backoff_ms = 0;
	s->tls.until_ms = 0;
	s->tls.why[0] = 0;
	s->tls.about_ms = s->tls.why_ms = clock_mono_ms();
	snprintf(s->tls.about, sizeof(s->tls.about), "%s", about);
}

static void backoff_begin(struct upstream_tls *t, uint64_t now_ms)
{
	t->backoff_ms = t->backoff_ms ? 2 * t->backoff_ms : BACKOFF_FIRST_MS;
	if (t->backoff_ms > BACKOFF_MAX_MS)
		t->backoff_ms = BACKOFF_MAX_MS;
	t->until_ms = now_ms + t->backoff_ms;
}

bool upstream_tls_may_log(struct upstream *s)
{
	uint64_t now_ms = clock_mono_ms();

	if (s->tls.logged_ms && now_ms < s->tls.logged_ms + LOG_MS)
		return false;
	s->tls.logged_ms = now_ms;
	return true;
}

// Connections that were opened together fail together, in one accident: during the back-off of the
// first one the others are counted, but neither extend it nor are unanswered queries of their own.
bool upstream_tls_failed(struct upstream *s, enum tls_failure failure, const char *why)
{
	uint64_t now_ms = clock_mono_ms();
	bool missed = now_ms >= s->tls.until_ms;

	s->tls.failed[failure]++;
	s->tls.why_ms = now_ms;
	snprintf(s->tls.why, sizeof(s->tls.why), "%s", why);
	if (missed)
		backoff_begin(&s->tls, now_ms);
	if (upstream_tls_may_log(s))
		log_warning("upstream %s: no connection over TLS (%s): %s", s->name,
			tls_failure_names[failure], why);
	return missed;
}

// The leg over TLS to a server of the ask's list, or NULL.
static struct upstream_leg *tls_to(const struct upstream_ask *a, unsigned server)
{
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = upstream_tcp_leg(a->tls[i]);
		if (leg && leg->server == server && leg->generation == a->generation)
			return leg;
	}
	return NULL;
}

// A place for one more leg: a free one, or that of the leg which was sent the longest ago.
static struct upstream_tcp **tls_place(struct upstream_ask *a)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		if (!a->tls[i])
			return &a->tls[i];
		if (upstream_tcp_leg(a->tls[i])->last_sent_us
			< upstream_tcp_leg(a->tls[oldest])->last_sent_us)
			oldest = i;
	}
	upstream_tcp_end(upstream_tcp_leg(a->tls[oldest]));
	return &a->tls[oldest];
}

// The wait is as long as for a query by UDP if another server can be asked, else as over TCP.
unsigned upstream_tls_wait_ms(const struct upstream_leg *leg)
{
	const struct upstream_ask *a = leg->ask;
	const struct upstream *s = upstream_leg_server(leg);
	int i = upstream_leg_index(leg);

	if (!s || !leg->measures || !upstream_pick_left(a, UPSTREAM_SENDS_EACH, i, clock_mono_ms()))
		return UPSTREAM_TCP_MS;
	return upstream_server_wait_ms(s, a->owner->first_timeout_ms, 1);
}

static int tls_begin(struct upstream_ask *a, unsigned i, struct upstream_leg **leg)
{
	int rc = tcp_begin(a, tls_place(a), i, true);

	*leg = tls_to(a, i);
	if (rc < 0 && *leg)
		upstream_tcp_end(*leg);
	return rc;
}

int upstream_tls_send(struct upstream_ask *a, unsigned i, uint64_t now_us, bool aside)
{
	struct upstream *s = &a->owner->server[i];
	struct upstream_leg *leg = tls_to(a, i);
	uint64_t now_ms = now_us / 1000;

	a->sends_to[i]++;
	if (leg && !tcp_is_silent(leg)) { // the reply may still come: no second query
		a->sends--;
		upstream_ask_wait(a, leg, UPSTREAM_TCP_MS, now_ms);
		return 0;
	}
	if (leg)
		upstream_tcp_end(leg);
	upstream_note(a, TRACE_tcp_queued, (int)i, a->sends, UPSTREAM_TCP_MS);
	int rc = tls_begin(a, i, &leg);
	if (rc < 0) {
		upstream_note(a, TRACE_send_failed, (int)i, a->sends, 0);
		a->failed |= 1u << i;
		return rc;
	}
	leg->aside = aside;
	if (a->is_check)
		atomic_fetch_add_explicit(&s->health->checks, 1, memory_order_relaxed);
	if (!aside)
		upstream_ask_wait(a, leg, upstream_tls_wait_ms(leg), now_ms);
	return 0;
}
