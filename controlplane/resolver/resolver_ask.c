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
	const union client_address *a = c->address;
	const uint8_t *v6 = a->v6.sin6_addr.s6_addr;

	if (c->is_stream)
		return 0;
	if (a->any.sa_family == AF_INET)
		return inflight_client(r->inflight, 4, (const uint8_t *)&a->v4.sin_addr);
	if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return inflight_client(r->inflight, 4, v6 + 12);
	return inflight_client(r->inflight, 6, v6);
}

static struct trace client_trace(
	const union client_address *client, uint64_t arrival_us, bool is_tcp)
{
	struct trace t = {.worker = TRACE_OF_FRONTEND,
		.is_tcp = is_tcp,
		.verdict = VERDICT_miss,
		.ip_version = 6,
		.arrival_us = arrival_us};
	const uint8_t *v6 = client->v6.sin6_addr.s6_addr;
	if (client->any.sa_family == AF_INET) {
		t.ip_version = 4;
		t.client_port = be16toh(client->v4.sin_port);
		memcpy(t.client, &client->v4.sin_addr, 4);
	} else {
		t.client_port = be16toh(client->v6.sin6_port);
		t.ip_version = IN6_IS_ADDR_V4MAPPED(&client->v6.sin6_addr) ? 4 : 6;
		memcpy(t.client, t.ip_version == 4 ? v6 + 12 : v6, t.ip_version == 4 ? 4 : 16);
	}
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
