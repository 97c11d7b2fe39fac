// SPDX-License-Identifier: BSD-3-Clause
#include "base/table_registry.h"
#include "validator_internal.h"
#include "validator_library.h"

#include <weir/clock.h>

unsigned validator_contexts(const struct validators *v)
{
	unsigned n = 0;
	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++)
		n += v->context[i].library != NULL;
	return n;
}

// Counts at most the bound of each context. Memory above the bound appears in no account, so the
// meter notices a leak.
static uint64_t contexts_memory(const struct validators *v)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++) {
		uint64_t bytes = library_memory(v->context[i].library).bytes;
		sum += bytes < VALIDATOR_CONTEXT_MEMORY ? bytes : VALIDATOR_CONTEXT_MEMORY;
	}
	return sum;
}

void validators_status(const struct validators *v, struct validators_status *out)
{
	*out = v->count;
	out->contexts = validator_contexts(v);
}

void validators_tables(const struct validators *v, struct table_registry *tables)
{
	uint64_t now_ms = clock_mono_ms();
	struct validators_status s;

	validators_status(v, &s);
	table_register(tables, &(struct table_info){.name = "validations",
				       .owner = "resolver loop",
				       .eviction = "refuse: SERVFAIL",
				       .lifetime = "until the library's verdict",
				       TABLE_WORK_FOR(60000),
				       .cap = v->question_cap,
				       .used = s.questions,
				       .bytes = v->question_cap * sizeof(struct validation),
				       .high = v->questions_most,
				       .refused = s.refused,
				       .oldest_ms = table_age(age_since(&v->question_ages), now_ms),
				       .has = TABLE_AGES | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "validator_fetches",
				       .owner = "resolver loop",
				       .eviction = "refuse: SERVFAIL to the validator",
				       .lifetime = "until a server's answer, or 4.5 s",
				       TABLE_WORK_FOR(VALIDATOR_FETCH_MS + 1000),
				       .cap = VALIDATOR_FETCHES,
				       .used = s.fetching,
				       .bytes = sizeof(struct validators),
				       .high = v->fetches_most,
				       .refused = s.fetches_refused,
				       .oldest_ms = table_age(age_since(&v->fetch_ages), now_ms),
				       .has = TABLE_AGES | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "validator_contexts",
				       .owner = "resolver loop",
				       .eviction = "evict the context that was idle for longest",
				       .lifetime = "until the settings change",
				       .kind = TABLE_CACHE,
				       .cap = VALIDATOR_CONTEXTS,
				       .used = s.contexts,
				       .bytes = contexts_memory(v),
				       .high = v->contexts_most,
				       .evicted = v->evicted,
				       .descriptors = s.contexts,
				       .has = TABLE_EVICTS});
}
