// SPDX-License-Identifier: BSD-3-Clause
#include "housekeep.h"

#include <string.h>
#include <weir/log_recent.h>

static_assert((int)STATS_ERRORS_MAX <= (int)LOG_RECENT_MAX);

static void one(struct stats_error *e, const struct log_recent *k)
{
	*e = (struct stats_error){.id = k->id,
		.level = k->level,
		.count = k->count,
		.first_unix_ms = k->first_unix_ms,
		.last_unix_ms = k->last_unix_ms};
	memcpy(e->text, k->text, sizeof(e->text) - 1);
}

void recent_errors_report(struct stats_errors *out, uint64_t *seen)
{
	struct log_recent kind[STATS_ERRORS_MAX];
	uint64_t changes = log_recent_changes(), replaced = 0;
	if (changes == *seen)
		return;
	*seen = changes;
	unsigned count = log_recent_copy(kind, STATS_ERRORS_MAX, &replaced);
	uint64_t sequence = atomic_load_explicit(&out->sequence, memory_order_relaxed);
	atomic_store_explicit(&out->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < count; i++)
		one(&out->error[i], &kind[i]);
	out->count = count;
	out->replaced = replaced;
	atomic_store_explicit(&out->sequence, sequence + 2, memory_order_release);
}
