// SPDX-License-Identifier: BSD-3-Clause
// What a set of servers has done, and several sets together.

#include "upstream_internal.h"

#include <weir/clock.h>

void upstreams_totals(const struct upstreams *u, struct upstream_totals *out)
{
	uint64_t now = clock_mono_ms();
	unsigned up = 0;

	*out = u->totals;
	for (unsigned i = 0; i < u->count; i++)
		up += !u->server[i].is_nowhere && !upstream_server_down(u, &u->server[i], now);
	out->sets = 1;
	out->sets_down = u->count > 0 && up == 0;
	upstream_sockets_stats(u->sockets, &out->sockets);
	upstream_streams_stats(u->streams, &out->streams);
	upstream_https_stats(u, &out->https);
}

static void streams_add(struct upstream_streams_stats *sum, const struct upstream_streams_stats *s)
{
	sum->open += s->open;
	sum->high += s->high;
	sum->queries += s->queries;
	sum->opened += s->opened;
	sum->reused += s->reused;
	sum->late += s->late;
	sum->bad += s->bad;
	sum->stalled += s->stalled;
	sum->broken += s->broken;
	sum->waiting += s->waiting;
	sum->waiting_high += s->waiting_high;
	sum->waited += s->waited;
	sum->closed_peer += s->closed_peer;
	sum->closed_idle += s->closed_idle;
	sum->evicted += s->evicted;
	sum->full += s->full;
	sum->bytes += s->bytes;
	sum->since_ms = age_earlier(sum->since_ms, s->since_ms);
}

void upstream_totals_add(struct upstream_totals *sum, const struct upstream_totals *t)
{
	sum->sent += t->sent;
	sum->replies += t->replies;
	sum->mismatched += t->mismatched;
	sum->subnet_sent += t->subnet_sent;
	sum->subnet_mismatched += t->subnet_mismatched;
	sum->tcp_again += t->tcp_again;
	sum->sets += t->sets;
	sum->sets_down += t->sets_down;
	streams_add(&sum->streams, &t->streams);
	upstream_https_stats_add(&sum->https, &t->https);
	sum->sockets.since_ms = age_earlier(sum->sockets.since_ms, t->sockets.since_ms);
	sum->sockets.idle += t->sockets.idle;
	sum->sockets.open += t->sockets.open;
	sum->sockets.opened += t->sockets.opened;
	sum->sockets.made += t->sockets.made;
	sum->sockets.strays += t->sockets.strays;
	sum->sockets.full += t->sockets.full;
	sum->sockets.evicted += t->sockets.evicted;
	sum->sockets.bytes += t->sockets.bytes;
}

void upstream_totals_end(struct upstream_totals *t)
{
	t->streams.open = t->streams.queries = t->streams.waiting = 0;
	t->streams.bytes = 0;
	t->streams.since_ms = 0;
	t->https.open = t->https.queries = 0;
	t->https.bytes = 0;
	t->sets = t->sets_down = 0;
	t->sockets.since_ms = 0;
	t->sockets.idle = t->sockets.open = 0;
	t->sockets.bytes = 0;
}
