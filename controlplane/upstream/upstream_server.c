// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { WAIT_MIN_MS = 50, WAIT_SHIFT_MAX = 5 };

static void server_rtt(struct upstream *s, uint64_t rtt_us)
{
	uint32_t rtt = rtt_us > UINT32_MAX / 8 ? UINT32_MAX / 8 : (uint32_t)rtt_us;
	took_add(&s->took, rtt * UINT64_C(1000));
	s->srtt_us = s->srtt_us ? (s->srtt_us * 7 + rtt) / 8 : rtt;
	s->wait_shift = 0;
}

void upstream_server_sent(struct upstreams *u, struct upstream *s)
{
	u->totals.sent++;
	if (s)
		s->sent++;
}

void upstream_server_answered(struct upstream *s, uint64_t rtt_us, uint64_t now_us, bool failure)
{
	s->answered++;
	s->failures += failure;
	s->answered_us = now_us;
	s->timeouts_in_a_row = 0;
	s->down_until_ms = 0;
	if (rtt_us)
		server_rtt(s, rtt_us);
	if (s->was_down)
		log_info("upstream %s answers again", s->name);
	s->was_down = false;
}

void upstream_server_lack(
	struct upstream *s, struct upstream_lack *l, bool with, bool without, uint64_t now_ms)
{
	if (with)
		l->strikes = 0;
	if (!without || ++l->strikes < UPSTREAM_EDNS_STRIKES)
		return;
	if (l->strikes == UPSTREAM_EDNS_STRIKES)
		log_info("upstream %s does not %s", s->name,
			l == &s->no_edns ? "know EDNS" : "take edns-tcp-keepalive");
	l->until_ms = now_ms + UPSTREAM_PLAIN_MS;
}

void upstream_server_timed_out(
	struct upstream *s, const struct upstream_leg *leg, unsigned backoff_s)
{
	// It waited for a connection all the time.
	if (leg->tcp && leg->sends == 0)
		return;
	s->timeouts++;
	if (!leg->tcp && leg->sends == 1 && s->wait_shift < WAIT_SHIFT_MAX)
		s->wait_shift++;
	// It is slow, or drops this question; other queries had their replies meanwhile.
	if (s->answered_us > leg->last_sent_us)
		return;
	if (++s->timeouts_in_a_row < UPSTREAM_DOWN_AFTER)
		return;
	s->down_until_ms = clock_mono_ms() + backoff_s * 1000ull;
	if (!s->was_down)
		log_warning("upstream %s does not answer; used only as a last resort for %u s",
			s->name, backoff_s);
	s->was_down = true;
}

unsigned upstream_server_wait_ms(
	const struct upstream *s, unsigned first_timeout_ms, unsigned sends)
{
	unsigned wait_ms = first_timeout_ms;

	if (s->srtt_us) {
		uint32_t thrice_ms = s->srtt_us * 3 / 1000;
		unsigned adaptive = (thrice_ms < WAIT_MIN_MS ? WAIT_MIN_MS : thrice_ms)
				    << s->wait_shift;
		if (adaptive < wait_ms)
			wait_ms = adaptive;
	}
	return wait_ms << (sends - 1);
}

static void server_set(struct upstream *s, const struct config_upstream *c)
{
	struct sockaddr_storage address;

	memset(s, 0, sizeof(*s));
	s->config = *c;
	if (c->name && c->name[0])
		snprintf(s->name, sizeof(s->name), "%s", c->name);
	else
		socket_address_text(&c->address, s->name);
	s->config.name = NULL;
	if (socket_address_to_sockaddr(&c->address, &address, &s->address_len))
		memcpy(&s->address, &address, sizeof(s->address));
}

static void sockets_configure(struct upstreams *u)
{
	union upstream_peer peer[CONFIG_UPSTREAMS_MAX];
	socklen_t len[CONFIG_UPSTREAMS_MAX];

	for (unsigned i = 0; i < u->count; i++) {
		peer[i] = u->server[i].address;
		len[i] = u->server[i].address_len;
	}
	upstream_sockets_configure(u->sockets, peer, len, u->count);
	upstream_streams_configure(u->streams, peer, u->count);
}

void upstreams_configure(struct upstreams *u, const struct config_upstreams *config)
{
	upstream_sockets_uses(u->sockets, config->socket_uses);
	upstream_streams_uses(u->streams, config->socket_uses);
	struct upstream *old = malloc(sizeof(u->server));
	unsigned old_count = old ? u->count : 0;

	if (old)
		memcpy(old, u->server, sizeof(u->server));
	u->generation++;
	u->count = config->count < CONFIG_UPSTREAMS_MAX ? config->count : CONFIG_UPSTREAMS_MAX;
	u->first_timeout_ms = config->first_timeout_ms;
	u->max_sends = config->max_sends;
	u->backoff_s = config->backoff_s;
	for (unsigned i = 0; i < u->count; i++) {
		struct upstream *s = &u->server[i];
		server_set(s, &config->server[i]);
		for (unsigned k = 0; k < old_count; k++) {
			if (!upstream_same_address(&old[k].address, &s->address))
				continue;
			char name[sizeof(s->name)];
			memcpy(name, s->name, sizeof(name));
			*s = old[k];
			memcpy(s->name, name, sizeof(name));
		}
		s->number = upstream_book_number(u->callbacks.book, s->name);
	}
	free(old);
	sockets_configure(u);
}

void upstreams_one_of(struct upstreams *u, unsigned sets)
{
	upstream_sockets_one_of(u->sockets, sets);
	sockets_configure(u);
}

int upstreams_new(struct upstreams **out, struct loop *loop, const struct config_upstreams *config,
	const struct upstream_callbacks *callbacks)
{
	struct upstreams *u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->loop = loop;
	u->callbacks = *callbacks;
	int rc = upstream_sockets_new(&u->sockets, loop, &u->rng, upstream_leg_readable);
	if (rc == 0)
		rc = upstream_streams_new(&u->streams, loop, &u->rng, u, &upstream_tcp_calls);
	if (rc < 0) {
		upstreams_free(u);
		return rc;
	}
	upstreams_configure(u, config);
	*out = u;
	return 0;
}

void upstreams_free(struct upstreams *u)
{
	if (!u)
		return;
	upstream_sockets_free(u->sockets);
	upstream_streams_free(u->streams);
	free(u);
}

unsigned upstreams_status(
	const struct upstreams *u, struct upstream_status out[CONFIG_UPSTREAMS_MAX])
{
	uint64_t now = clock_mono_ms();

	for (unsigned i = 0; i < u->count; i++) {
		const struct upstream *s = &u->server[i];
		bool down = s->down_until_ms > now;
		out[i] = (struct upstream_status){
			.up = !down,
			.sent = s->sent,
			.answered = s->answered,
			.timeouts = s->timeouts,
			.bad_replies = s->bad_replies,
			.tcp_retries = s->tcp_retries,
			.send_errors = s->send_errors,
			.failures = s->failures,
			.case_changed = s->case_changed,
			.mixed_case = s->case_strikes < UPSTREAM_CASE_STRIKES,
			.edns = s->no_edns.until_ms <= now,
			.tcp_opened = s->tcp_opened,
			.tcp_open = upstream_streams_to(u->streams, &s->address),
			.tcp_limit = upstream_limit_known(&s->tcp_limit, now),
			.srtt_us = s->srtt_us,
			.took = s->took,
			.down_for_ms = down ? (uint32_t)(s->down_until_ms - now) : 0,
		};
		memcpy(out[i].name, s->name, sizeof(out[i].name));
		socket_address_text(&s->config.address, out[i].address);
	}
	return u->count;
}

void upstreams_totals(const struct upstreams *u, struct upstream_totals *out)
{
	uint64_t now = clock_mono_ms();
	unsigned up = 0;

	*out = u->totals;
	for (unsigned i = 0; i < u->count; i++)
		up += u->server[i].down_until_ms <= now;
	out->sets = 1;
	out->sets_down = u->count > 0 && up == 0;
	upstream_sockets_stats(u->sockets, &out->sockets);
	upstream_streams_stats(u->streams, &out->streams);
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
	sum->tcp_again += t->tcp_again;
	sum->sets += t->sets;
	sum->sets_down += t->sets_down;
	streams_add(&sum->streams, &t->streams);
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
	t->sets = t->sets_down = 0;
	t->sockets.since_ms = 0;
	t->sockets.idle = t->sockets.open = 0;
	t->sockets.bytes = 0;
}
