// SPDX-License-Identifier: BSD-3-Clause
#include "refresh_internal.h"

const struct refresh_stats *refresh_stats(const struct refresh *f)
{
	return &f->stats;
}

bool refresh_held_back(const struct refresh *f, uint64_t hash, uint64_t now_ms)
{
	return failures_recent(f->backoff, hash, now_ms);
}

void refresh_report(const struct refresh *f, uint64_t now_ms, struct refresh_report *out)
{
	*out = (struct refresh_report){
		.now_ms = now_ms,
		.round_ms = f->round_ms,
		.policy = f->policy,
		.inflight = f->inflight,
		.inflight_limit = f->inflight_limit,
		.planned = f->plan.used,
		.plan_limit = f->plan.limit,
		.held_back = failures_used(f->backoff, now_ms),
		.stats = f->stats,
	};
}

void refresh_tables(const struct refresh *f, uint64_t now_ms, struct table_registry *r)
{
	struct table_info backoff = (struct table_info){
		.name = "refresh_backoff", .lifetime = "refresh.servfail_backoff"};

	table_register(r, &(struct table_info){.name = "refresh_plan",
				  .owner = "resolver loop",
				  .eviction = "evict the least urgent",
				  .lifetime = "until due",
				  .kind = TABLE_CACHE,
				  .cap = f->plan.cap,
				  .used = f->plan.used,
				  .high = f->plan.most,
				  .evicted = f->plan.dropped,
				  .has = TABLE_EVICTS,
				  .bytes = f->plan.cap * sizeof(*f->plan.entry)});
	table_register(r, &(struct table_info){.name = "refresh_requests",
				  .owner = "resolver loop",
				  .eviction = "refuse: stays planned",
				  .lifetime = "5 s",
				  TABLE_WORK_FOR(5000),
				  .cap = REFRESH_REQUESTS,
				  .used = f->inflight,
				  .high = f->inflight_most,
				  .refused = f->refused,
				  .oldest_ms = table_age(age_since(&f->ages), now_ms),
				  .has = TABLE_AGES | TABLE_REFUSES,
				  .bytes = REFRESH_REQUESTS * sizeof(*f->request)});
	failures_table(f->backoff, now_ms, &backoff);
	table_register(r, &backoff);
	table_register(r, &(struct table_info){.name = "refresh_minutes",
				  .owner = "resolver loop",
				  .eviction = "evict the oldest",
				  .lifetime = "24 h",
				  .kind = TABLE_FIXED,
				  .cap = REFRESH_MINUTES,
				  .used = REFRESH_MINUTES,
				  .bytes = sizeof(f->stats)});
}
