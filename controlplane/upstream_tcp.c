// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/log.h>

// An ask's query over TCP. `leg` comes first: a leg of TCP is one of these.
struct upstream_tcp {
	struct upstream_leg leg;
	struct upstream_stream *stream; // NULL: on none (any more)
	unsigned again;                 // sent on another connection so often
};

static struct upstream_tcp *tcp_of(struct upstream_leg *leg)
{
	return leg->ask->tcp;
}

void upstream_tcp_free(struct upstream_ask *a)
{
	struct upstream_tcp *t = a->tcp;

	if (!t)
		return;
	upstream_leg_close(&t->leg);
	if (t->stream)
		upstream_stream_drop(t->stream, &t->leg);
	free(t);
	a->tcp = NULL;
}

// How many queries the server takes on a connection, if it is known to end them so; else 0.
static unsigned limit_of(const struct upstream *s)
{
	return s->tcp_limit_until_ms > clock_mono_ms() ? s->tcp_limit : 0;
}

// It closed a connection after some replies, with queries on it. Once is a restart or an accident.
static void limit_learn(struct upstream *s, unsigned answered)
{
	if (answered > s->tcp_limit)
		s->tcp_strikes = 0;
	s->tcp_limit = answered;
	if (++s->tcp_strikes < UPSTREAM_TCP_STRIKES)
		return;
	if (s->tcp_strikes == UPSTREAM_TCP_STRIKES)
		log_info("upstream %s closes TCP connections after %u replies", s->name, answered);
	s->tcp_limit_until_ms = clock_mono_ms() + UPSTREAM_PLAIN_MS;
}

static int tcp_ask(struct upstream_tcp *t, struct upstream *s, unsigned limit)
{
	int rc = upstream_stream_ask(t->leg.ask->owner->streams, &t->leg, limit, &t->stream);
	if (rc == 0)
		s->tcp_opened += t->stream->taken == 1;
	return rc;
}

// Its whole reply. Nobody off the path can have sent it, so letter case does not matter. One
// without a question, as of servers that did not read ours, is no answer, but ends nobody else's
// wait.
void upstream_tcp_reply(
	struct upstream_leg *leg, struct upstream_stream *stream, uint8_t *msg, size_t len)
{
	struct upstream *s = upstream_of(leg);

	tcp_of(leg)->stream = NULL;
	if (s && stream->answered > s->tcp_limit)
		s->tcp_strikes = 0;
	if (upstream_leg_is_bare_refusal(leg, msg, len)) {
		upstream_go_plain(leg);
	} else if (get_u16(msg + 4) == 0) {
		upstream_count_bad(leg);
		upstream_tcp_failed(leg);
	} else if (upstream_replied(leg, msg, len) == UPSTREAM_IGNORED) {
		upstream_tcp_failed(leg);
	}
}

// A query that had a connection to itself has had its try. One that shared it may have met its idle
// end, or that of its number of queries (RFC 7766 6.2.1: clients have to expect that), so it is
// sent once more on another; should that end under it too, on one of its own.
void upstream_tcp_broken(struct upstream_leg *leg, struct upstream_stream *stream)
{
	struct upstream_tcp *t = tcp_of(leg);
	struct upstream_ask *a = leg->ask;
	struct upstream *s = upstream_of(leg);

	t->stream = NULL;
	if (s && stream->answered && !stream->learnt)
		limit_learn(s, stream->answered);
	stream->learnt = true;
	bool again = s && stream->there && stream->taken > 1 && t->again < UPSTREAM_TCP_AGAIN
		     && a->sends < a->owner->max_sends && clock_mono_ms() < a->deadline_ms;
	if (again) {
		t->again++;
		a->sends++;
		if (tcp_ask(t, s, t->again == 1 ? stream->answered : 1) == 0) {
			s->sent++;
			a->owner->totals.sent++;
			a->owner->totals.tcp_again++;
			return;
		}
		s->send_errors++;
	}
	upstream_tcp_failed(leg);
}

int upstream_tcp_start(struct upstream_ask *a, unsigned server, struct upstream_leg **leg)
{
	struct upstreams *u = a->owner;
	struct upstream_tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	a->tcp = t;
	upstream_leg_init(&t->leg, a, server, false);
	t->leg.tcp = true;
	t->leg.sends = 1;
	t->leg.first_sent_us = t->leg.last_sent_us = clock_mono_us();
	int rc = tcp_ask(t, &u->server[server], limit_of(&u->server[server]));
	if (rc < 0)
		return rc;
	t->leg.open = true;
	*leg = &t->leg;
	return 0;
}
