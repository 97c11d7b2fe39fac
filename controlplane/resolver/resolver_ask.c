// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_client.h"
#include "resolver_miss.h"
#include "resolver_trace.h"

#include <string.h>
#include <weir/clock.h>

void resolver_client_serve(struct resolver *r, resolver_client_fn answer, void *arg)
{
	r->answer_client = answer;
	r->answer_client_arg = arg;
}

// By which a client's answers are counted; those over a stream are by its connection.
static uint32_t counted_as(const struct resolver *r, const struct resolver_client *c)
{
	unsigned version;
	const uint8_t *bytes = client_bytes(c->address, &version);

	return c->is_stream ? 0 : inflight_client(r->inflight, version, bytes);
}

static struct trace client_trace(
	const union client_address *client, uint64_t arrival_us, bool is_tcp)
{
	unsigned version;
	const uint8_t *bytes = client_bytes(client, &version);
	struct trace t = {.worker = TRACE_OF_FRONTEND,
		.is_tcp = is_tcp,
		.verdict = VERDICT_miss,
		.ip_version = (uint8_t)version,
		.client_port = client_port(client),
		.arrival_us = arrival_us};
	memcpy(t.client, bytes, version == 4 ? 4 : 16);
	return t;
}

static trace_handle trace_of(
	struct resolver *r, const struct dns_query *q, const struct resolver_client *c)
{
	if (likely_(!traces_on(r->traces)))
		return 0;
	struct trace t = client_trace(c->address, c->arrival_us, c->is_stream);
	return resolver_trace_start(r, &t, q);
}

uint32_t resolver_client_ask(struct resolver *r, const struct dns_query *q, uint16_t view,
	const struct resolver_client *client)
{
	struct waiter w = {
		.ticket = client->ticket,
		.is_client = true,
		.is_stream = client->is_stream,
		.client = counted_as(r, client),
		.id = q->id,
		.flags = q->flags,
		.udp_size = q->udp_size,
		.has_opt = q->has_opt,
		.dnssec_ok = q->dnssec_ok,
		.group = client->group,
		.policy = client->policy,
		.arrival_ms = client->arrival_us / 1000,
		.trace = trace_of(r, q, client),
	};
	if (w.has_opt & DNS_OPT_COOKIE)
		memcpy(w.cookie, q->cookie, sizeof(w.cookie));
	inflight_keep_case(&w, client->name, q->name.len);
	resolver_ask(r, q, view, &w);
	return w.trace;
}

void resolver_client_answered(struct resolver *r, uint32_t trace, unsigned verdict)
{
	if (likely_(!trace))
		return;
	traces_verdict(r->traces, trace, verdict);
	traces_settle(r->traces, trace);
}

void resolver_client_waits(struct resolver *r, uint32_t trace)
{
	if (unlikely_(trace))
		traces_settle(r->traces, trace);
}

void resolver_client_settled(struct resolver *r, const struct dns_query *q,
	const union client_address *address, bool is_tcp, unsigned verdict)
{
	if (likely_(!traces_on(r->traces)))
		return;
	struct trace t = client_trace(address, clock_mono_us(), is_tcp);
	t.verdict = (uint8_t)verdict;
	trace_handle h = resolver_trace_start(r, &t, q);
	resolver_trace_note(r, h, TRACE_settled, 0);
	traces_settle(r->traces, h);
}

const struct answer_policy *resolver_answer_policy(const struct resolver *r)
{
	return r->answer_policy;
}

struct kept_queries *resolver_kept_queries(struct resolver *r)
{
	return &r->kept_queries;
}

struct resolver_log *resolver_log_of(const struct resolver *r)
{
	return r->log;
}

bool resolver_has_workers(const struct resolver *r)
{
	return worker_rings_count(r->worker_rings) > 0;
}
