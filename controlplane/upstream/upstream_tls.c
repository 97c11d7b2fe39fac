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

void upstream_tls_open(struct upstream *s, const char *ca_file)
{
	const struct config_upstream_tls *t = &s->config.tls;
	const struct tls_target target = {
		.name = t->name[0] ? t->name : NULL,
		.address = s->config.address.ip,
		.ca_file = ca_file && *ca_file ? ca_file : NULL,
		.alpn = "dot",
		.pin_count = t->pin_count,
		.pin = t->pin,
	};

	if (!t->is_on)
		return;
	s->is_tls = true;
	if (tls_peer_new(&s->tls.peer, &target, s->tls.why) == 0)
		return;
	log_error("upstream %s is not asked: authorities of upstreams.ca_file: %s", s->name,
		s->tls.why);
}

void upstream_tls_continue(struct upstream *s, struct upstream_tls *old)
{
	struct tls_peer *fresh = s->tls.peer;

	if (!fresh || !old->peer || !tls_peer_same(fresh, old->peer))
		return;
	s->tls = *old;
	old->peer = NULL; // that is s->tls now
	tls_peer_free(fresh);
}

void upstream_tls_close(struct upstream *s)
{
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

void upstream_tls_secure(const struct upstream_stream *stream)
{
	struct upstream *s = server_at(stream->pool->owner, &stream->peer);

	if (!s || s->tls.peer != stream->tls_peer)
		return;
	s->tls.handshakes++;
	s->tls.resumed += tls_conn_is_resumed(stream->tls);
	s->tls.backoff_ms = 0;
	s->tls.until_ms = 0;
	s->tls.why[0] = 0;
	tls_conn_about(stream->tls, s->tls.about);
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

// Connections that were opened together fail together, in one accident: during the back-off of the
// first one the others are counted, but neither extend it nor are unanswered queries of their own.
void upstream_tls_insecure(
	struct upstream_stream *stream, enum tls_failure failure, const char *why)
{
	struct upstream *s = server_at(stream->pool->owner, &stream->peer);
	uint64_t now_ms = clock_mono_ms();

	if (!s || s->tls.peer != stream->tls_peer)
		return;
	s->tls.failed[failure]++;
	snprintf(s->tls.why, sizeof(s->tls.why), "%s", why);
	stream->missed = now_ms >= s->tls.until_ms;
	if (stream->missed)
		backoff_begin(&s->tls, now_ms);
	if (s->tls.logged_ms && now_ms < s->tls.logged_ms + LOG_MS)
		return;
	s->tls.logged_ms = now_ms;
	log_warning("upstream %s: no connection over TLS (%s): %s", s->name,
		tls_failure_names[failure], why);
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
static unsigned wait_for(const struct upstream_ask *a, const struct upstream_leg *leg, unsigned i)
{
	const struct upstream *s = &a->owner->server[i];

	if (!leg->measures || !upstream_pick_left(a, UPSTREAM_SENDS_EACH, (int)i, clock_mono_ms()))
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
		upstream_ask_wait(a, leg, wait_for(a, leg, i), now_ms);
	return 0;
}
