// SPDX-License-Identifier: BSD-3-Clause
// Records the resolver's steps for watched queries (trace.h).
#include "resolver_trace.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

trace_handle resolver_trace_start(struct resolver *r, struct trace *t, const struct dns_query *q)
{
	t->qtype = q->qtype;
	t->name_len = q->question_len ? q->name.len : 0;
	memcpy(t->name, q->name.wire, t->name_len);
	return traces_start(r->traces, t);
}

void resolver_trace_tables(const struct resolver *r, struct table_registry *tables)
{
	struct traces_counts c;
	traces_counts(r->traces, &c);
	table_register(tables, &(struct table_info){.name = "trace",
				       .owner = "resolver loop",
				       .eviction = "leave the next step out",
				       .lifetime = "life of the question, 5 s",
				       TABLE_WORK_FOR(5000),
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
	heap_free(c);
}

int resolver_watch(struct resolver *r, const struct dp_watch *filter, trace_put_fn put, void *arg)
{
	struct watch_call *c = heap_calloc(1, sizeof(*c));
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
		heap_free(c);
	return rc;
}
