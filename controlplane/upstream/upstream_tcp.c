// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <errno.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// An ask's query over TCP, perhaps with TLS. `leg` comes first: a leg of TCP is one of these.
struct upstream_tcp {
	struct upstream_leg leg;
	struct upstream_stream_place place;
	unsigned again;                     // sent on another connection so often
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

bool upstream_tcp_is_silent(struct upstream_leg *leg)
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

// A query that leaves after its server has left the list is in the sum alone.
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

// It has a connection: time counts from here.
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

// It waits for a connection, or leaves in the next iteration of the loop.
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

// The server had the query and gave no answer: as good as silence, but known at once.
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

// One that was there already when another ended may have met the same accident: a restart ends all
// four, and is one.
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

// A query with a connection of its own has had its attempt. One on a shared connection may have met
// its idle end, or its limit of queries, so it is sent once more on another; if that ends too, on
// one of its own. Its time goes on, but it has UPSTREAM_TCP_LEAST_MS: otherwise the last query on a
// dead connection would fail at once.
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
			if (leg->option) // one of its queries reports a connection
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

const struct upstream_stream_calls upstream_tcp_calls = {
	.limit = on_limit,
	.written = on_written,
	.peer = upstream_tls_peer,
	.secure = upstream_tls_secure,
	.insecure = upstream_tls_insecure,
	.placed = on_placed,
	.reply = on_reply,
	.broken = on_broken,
};

int upstream_tcp_begin(
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
	int rc = upstream_tcp_begin(a, &a->tcp, server, false);

	*leg = upstream_tcp_leg(a->tcp);
	return rc;
}
