// SPDX-License-Identifier: BSD-3-Clause
#include "inflight_internal.h"

// Waiters come after their question, the oldest of each first: those of questions that are younger
// than the oldest waiter found need no look.
uint64_t inflight_waiting_ms(const struct inflight *f, uint64_t now_ms)
{
	uint64_t since = 0;
	const struct question *q = NULL;
	while ((q = inflight_younger(f, q)) && (!since || q->age.since_ms < since))
		if (q->first_waiter != NIL)
			since = age_earlier(since, f->waiter[q->first_waiter].arrival_ms);
	return table_age(since, now_ms);
}

void inflight_stats(const struct inflight *f, struct inflight_stats *out)
{
	*out = (struct inflight_stats){
		.questions = f->questions,
		.questions_max = f->questions_max,
		.questions_cap = f->limit.questions,
		.waiters = f->waiters,
		.waiters_cap = f->waiter_cap,
		.waiters_max = f->waiters_max,
		.refused = f->refused,
		.let_in = f->let_in,
	};
}

void inflight_tables(const struct inflight *f, struct table_registry *tables)
{
	uint64_t now_ms = clock_mono_ms();
	table_register(tables,
		&(struct table_info){.name = "inflight",
			.owner = "resolver loop",
			.eviction = "refuse: stale answer or SERVFAIL",
			.lifetime = "5 s",
			TABLE_WORK_FOR(5000),
			.cap = f->limit.questions,
			.used = f->questions,
			.bytes = f->question_touched * sizeof(*f->question)
				 + (f->bucket_mask + 1) * sizeof(*f->bucket) + sizeof(f->zones)
				 + sizeof(f->clients) + sizeof(f->subnets),
			.high = f->questions_max,
			.refused = f->refused.full + f->refused.zone + f->refused.suffix,
			.oldest_ms = table_age(age_since(&f->ages), now_ms),
			.has = TABLE_AGES | TABLE_REFUSES | TABLE_RESERVED});
	table_register(tables, &(struct table_info){.name = "waiters",
				       .owner = "resolver loop",
				       .eviction = "refuse: drop or SERVFAIL",
				       .lifetime = "limits.answer_deadline_ms",
				       TABLE_WORK_FOR(5000),
				       .cap = f->waiter_cap,
				       .used = f->waiters,
				       .bytes = f->waiter_touched * sizeof(*f->waiter),
				       .high = f->waiters_max,
				       .refused = f->refused.waiters + f->refused.client,
				       .oldest_ms = inflight_waiting_ms(f, now_ms),
				       .has = TABLE_AGES | TABLE_REFUSES | TABLE_RESERVED});
}
