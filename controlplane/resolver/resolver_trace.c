// SPDX-License-Identifier: BSD-3-Clause
// What the resolver does for queries that somebody watches (trace.h).
#include "resolver_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

static void name_take(struct trace *t, const struct dns_query *q)
{
	t->qtype = q->qtype;
	t->name_len = q->question_len ? q->name.len : 0;
	memcpy(t->name, q->name.wire, t->name_len);
}

trace_handle trace_miss(struct resolver *r, const struct msg_miss *m, const struct dns_query *q)
{
	struct trace t = {.number = m->trace,
		.worker = m->path.worker,
		.verdict = VERDICT_miss,
		.ip_version = m->path.ip_version == 6 ? 6 : 4,
		.client_port = be16toh(m->path.client_udp),
		.arrival_us = m->arrival_ms * 1000 + m->arrival_more_us};
	memcpy(t.client, m->path.client_ip, sizeof t.client);
	name_take(&t, q);
	return traces_start(r->traces, &t);
}

static struct trace client_trace(const struct dns_query *q, const union client_address *client,
	uint64_t arrival_us, bool is_tcp)
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
	name_take(&t, q);
	return t;
}

trace_handle trace_client(struct resolver *r, const struct dns_query *q,
	const union client_address *client, uint64_t arrival_us, bool is_tcp)
{
	if (likely_(!traces_on(r->traces)))
		return 0;
	const struct trace t = client_trace(q, client, arrival_us, is_tcp);
	return traces_start(r->traces, &t);
}

void trace_client_settled(struct resolver *r, const struct dns_query *q,
	const union client_address *client, bool is_tcp, unsigned verdict)
{
	if (likely_(!traces_on(r->traces)))
		return;
	struct trace t = client_trace(q, client, clock_mono_us(), is_tcp);
	t.verdict = (uint8_t)verdict;
	trace_handle h = traces_start(r->traces, &t);
	trace_note(r, h, TRACE_settled, 0);
	traces_settle(r->traces, h);
}

// Views of groups and zones ask with the callbacks of the resolver too, so each ask is a
// question's.
void trace_upstream(struct upstream_ask *a, const struct trace_event *e)
{
	const struct question *q =
		(const struct question *)(const void *)((const char *)a
							- offsetof(struct question, ask));
	const struct resolver *r = q->owner;
	if (q->trace)
		traces_note_server(r->traces, q->trace, e);
}

void trace_tables(const struct resolver *r, struct table_registry *tables)
{
	struct traces_counts c;
	traces_counts(r->traces, &c);
	table_register(tables, &(struct table_info){.name = "trace",
				       .owner = "resolver loop",
				       .eviction = "leave the next step out",
				       .lifetime = "life of the question, 5 s",
				       .cap = TRACES_MAX,
				       .used = c.live,
				       .high = c.most,
				       .bytes = c.bytes,
				       .refused = c.left_out,
				       .oldest_ms = table_age(c.since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_REFUSES});
}

struct watch_call {
	struct resolver *resolver;
	bool is_begin;
	struct dp_watch filter;
	trace_put_fn put;
	void *arg;
};

static void watch_apply(void *arg)
{
	struct watch_call *c = arg;
	struct traces *t = c->resolver->traces;
	if (!c->is_begin)
		traces_end(t);
	else if (traces_begin(t, &c->filter, c->put, c->arg) < 0)
		log_info("a watch: no memory for what the control plane does");
	free(c);
}

int resolver_watch(struct resolver *r, const struct dp_watch *filter, trace_put_fn put, void *arg)
{
	struct watch_call *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->resolver = r;
	c->is_begin = filter != NULL;
	if (filter)
		c->filter = *filter;
	c->put = put;
	c->arg = arg;
	int rc = loop_call(r->loop, watch_apply, c);
	if (rc < 0)
		free(c);
	return rc;
}
