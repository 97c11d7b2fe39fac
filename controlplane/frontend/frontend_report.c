// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_report.h"

#include "base/loop_ask.h"
#include "frontend_internal.h"

#include <stdlib.h>
#include <weir/clock.h>

void frontend_status(const struct frontend *f, struct frontend_status *out)
{
	*out = f->status;
	out->macs_unasked = f->policy.neighbours.refused;
}

// One request on its way to the resolver loop and back.
struct report_call {
	struct loop_ask ask;
	const struct frontends *frontends;
	void (*done)(void *arg, const struct frontends_status *s);
	void *arg;
	struct frontends_status status;
};

static void report_deliver(void *arg)
{
	struct report_call *c = arg;
	c->done(c->arg, &c->status);
}

static void report_collect(void *arg)
{
	struct report_call *c = arg;
	frontend_status(c->frontends->engine, &c->status.engine);
	frontend_udp_status(c->frontends->udp, &c->status.udp);
	frontend_tcp_status(c->frontends->tcp, &c->status.tcp);
	loop_answer(&c->ask);
}

int frontends_report(const struct frontends *f, struct loop *reply_to,
	void (*done)(void *arg, const struct frontends_status *s), void *arg)
{
	struct report_call *c = calloc(1, sizeof(*c));
	if (c)
		*c = (struct report_call){.ask = {.reply_to = reply_to,
						  .work = report_collect,
						  .deliver = report_deliver},
			.frontends = f,
			.done = done,
			.arg = arg};
	return loop_ask(f->loop, c);
}

static void engine_tables(const struct frontend *f, struct table_registry *tables)
{
	uint64_t now_ms = clock_mono_ms();
	table_register(tables,
		&(struct table_info){.name = "frontend_pending",
			.owner = "resolver loop",
			.eviction = "refuse: cached answer or SERVFAIL",
			.lifetime = "limits.answer_deadline_ms",
			TABLE_WORK_FOR(5000),
			.cap = FRONTEND_PENDING_MAX,
			.used = f->status.pending,
			.high = f->status.pending_max,
			.refused = f->full,
			.oldest_ms =
				f->oldest == FRONTEND_NIL
					? 0
					: table_age(f->slot[f->oldest].asked_us / 1000, now_ms),
			.has = TABLE_AGES | TABLE_REFUSES | TABLE_RESERVED,
			.bytes = f->touched * sizeof(f->slot[0])});
	kept_queries_table(&f->kept, (struct table_info){.name = "frontend_queries"}, tables);
	struct ring_mesh_status rings;
	ring_mesh_status(f->resolvers, &rings);
	table_register(tables, &(struct table_info){.name = "frontend_rings",
				       .owner = "resolver loop",
				       .eviction = "refuse: SERVFAIL; the answer is lost",
				       .lifetime = "until the other thread reads it",
				       .kind = TABLE_WORK,
				       .cap = rings.units,
				       .used = rings.used,
				       .refused = rings.full,
				       .has = TABLE_REFUSES,
				       .bytes = rings.bytes});
	table_register(
		tables, &(struct table_info){.name = "frontend_neighbours",
				.owner = "resolver loop",
				.eviction = "evict the entry in the same slot",
				.lifetime = "5 s",
				.kind = TABLE_CACHE,
				.cap = FRONTEND_NEIGHBOURS,
				.used = f->policy.neighbours.used,
				.evicted = f->policy.neighbours.evicted,
				.refused = f->policy.neighbours.refused,
				.oldest_ms = frontend_neighbours_age(&f->policy.neighbours, now_ms),
				.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES,
				.bytes = sizeof(f->policy.neighbours.entry)});
}

void frontends_tables(void *frontends, struct table_registry *tables)
{
	const struct frontends *f = frontends;
	engine_tables(f->engine, tables);
	frontend_udp_tables(f->udp, tables);
	if (f->tcp)
		frontend_tcp_tables(f->tcp, tables);
}
