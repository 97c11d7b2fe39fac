// SPDX-License-Identifier: BSD-3-Clause
// The state of an engine, and its tables.
#include "base/age_list.h"
#include "frontend_internal.h"

#include <weir/clock.h>

const char *const frontend_transport_names[FRONTEND_TRANSPORTS] = {"udp", "tcp", "dot", "doh"};

void frontend_status(const struct frontend *f, struct frontend_status *out)
{
	*out = f->status;
	out->pending = (unsigned)f->pending.own;
	out->macs_unasked = f->policy.neighbours.refused;
}

struct frontend_shared *frontend_shared_of(const struct frontend *f)
{
	return f->shared;
}

// 0: none.
static uint64_t since_ms(const struct frontend *f, const struct frontend_ages *ages)
{
	return ages->oldest == FRONTEND_NIL ? 0 : f->slot[ages->oldest].asked_us / 1000;
}

uint64_t frontend_streams_since(const struct frontend *f)
{
	return since_ms(f, &f->streams);
}

void frontend_tables(const struct frontend *f, struct table_registry *tables)
{
	const uint64_t now_ms = clock_mono_ms(),
		       oldest_ms = table_age(
			       age_earlier(since_ms(f, &f->datagrams), since_ms(f, &f->streams)),
			       now_ms);
	if (f->number == 0)
		frontend_shared_tables(f->shared, tables);
	table_register(tables, &(struct table_info){.name = "frontend_pending",
				       .owner = "frontend loop",
				       .eviction = "refuse: cached answer or SERVFAIL",
				       .lifetime = "limits.answer_deadline_ms",
				       TABLE_WORK_FOR(5000),
				       .cap = f->number == 0 ? FRONTEND_PENDING_MAX : 0, // of all
				       .used = f->pending.own,
				       .high = f->status.pending_max,
				       .refused = f->full,
				       .oldest_ms = oldest_ms,
				       .has = TABLE_AGES | TABLE_REFUSES | TABLE_RESERVED,
				       .bytes = f->touched * sizeof(f->slot[0])});
	kept_queries_table(&f->kept,
		(struct table_info){.name = "frontend_queries",
			.owner = "frontend loop",
			.oldest_ms = oldest_ms},
		tables);
	struct ring_mesh_status rings;
	ring_mesh_status(f->resolvers, &rings);
	table_register(tables, &(struct table_info){.name = "frontend_rings",
				       .owner = "frontend loop",
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
				.owner = "frontend loop",
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
