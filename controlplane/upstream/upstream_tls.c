// SPDX-License-Identifier: BSD-3-Clause
// Queries to servers over TLS: which servers those are, how their connections fare, and the legs of
// an ask that are sent on them.

#include "upstream_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { BACKOFF_FIRST_MS = 250, BACKOFF_MAX_MS = 4000, LOG_MS = 60000 };

void upstream_tls_open(struct upstreams *u, struct upstream *s, const char *ca_file)
{
	const struct config_upstream_tls *t = &s->config.tls;
	const struct tls_target target = {
		.name = t->name[0] ? t->name : NULL,
		.address = s->config.address.ip,
		.ca_file = ca_file && *ca_file ? ca_file : NULL,
		.alpn = t->path[0] ? "h2" : "dot",
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

static struct upstream *server_at(struct upstreams *u, const union upstream_peer *address)
{
	for (unsigned i = 0; i < u->count; i++)
		if (u->server[i].is_tls && upstream_same_address(&u->server[i].address, address))
			return &u->server[i];
	return NULL;
}

// A leg may be of a list in which the server was of the other kind.
int upstream_tls_peer(struct upstreams *u, const struct upstream_leg *leg, struct tls_peer **out)
{
	const struct upstream *s = server_at(u, &leg->peer);

	if (!s)
		return leg->is_tls ? -EHOSTDOWN : 0;
	if (!leg->is_tls || !s->tls.peer || s->tls.until_ms > clock_mono_ms())
		return -EHOSTDOWN;
	*out = s->tls.peer;
	return 0;
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

void upstream_tls_secure(const struct upstream_stream *stream)
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

void upstream_tls_insecure(
	struct upstream_stream *stream, enum tls_failure failure, const char *why)
{
	struct upstream *s = server_at(stream->pool->owner, &stream->peer);

	if (s && s->tls.peer == stream->tls_peer)
		stream->missed = upstream_tls_failed(s, failure, why);
}

struct upstream_leg *upstream_tls_to(const struct upstream_ask *a, unsigned server)
{
	for (unsigned i = 0; i < UPSTREAM_LEGS; i++) {
		struct upstream_leg *leg = upstream_tcp_leg(a->tls[i]);
		if (leg && leg->server == server && leg->generation == a->generation)
			return leg;
	}
	return NULL;
}

// A place for one more leg: a free one, or that of the leg which was sent the longest ago.
static struct upstream_tcp **place_take(struct upstream_ask *a)
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

// For another server's sake as long as for a query by UDP; else as long as over TCP.
unsigned upstream_tls_wait_ms(const struct upstream_leg *leg)
{
	const struct upstream_ask *a = leg->ask;
	const struct upstream *s = upstream_leg_server(leg);
	int i = upstream_leg_index(leg);

	if (!s || !leg->measures || !upstream_pick_left(a, UPSTREAM_SENDS_EACH, i, clock_mono_ms()))
		return UPSTREAM_TCP_MS;
	return upstream_server_wait_ms(s, a->owner->first_timeout_ms, 1);
}

static int query_begin(struct upstream_ask *a, unsigned i, struct upstream_leg **leg)
{
	int rc = upstream_tcp_begin(a, place_take(a), i, true);

	*leg = upstream_tls_to(a, i);
	if (rc < 0 && *leg)
		upstream_tcp_end(*leg);
	return rc;
}

int upstream_tls_send(struct upstream_ask *a, unsigned i, uint64_t now_us, bool aside)
{
	struct upstream *s = &a->owner->server[i];
	struct upstream_leg *leg = upstream_tls_to(a, i);
	uint64_t now_ms = now_us / 1000;

	a->sends_to[i]++;
	if (leg && !upstream_tcp_is_silent(leg)) { // it may still come: no second query
		a->sends--;
		upstream_ask_wait(a, leg, UPSTREAM_TCP_MS, now_ms);
		return 0;
	}
	if (leg)
		upstream_tcp_end(leg);
	upstream_note(a, TRACE_tcp_queued, (int)i, a->sends, UPSTREAM_TCP_MS);
	int rc = query_begin(a, i, &leg);
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
