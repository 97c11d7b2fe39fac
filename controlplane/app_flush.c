// SPDX-License-Identifier: BSD-3-Clause
// Flushes names whose answer changed with the reload, in L0 and L1. Some at a time, because each
// goes through all of Redis (l1_flush.h) and the names of the next are served meanwhile, but not as
// many as the resolver allows, because the operator's flushes come beside them.
#include "app_reload.h"

#include <errno.h>
#include <string.h>
#include <weir/log.h>

enum { FLUSHES_AT_ONCE = RESOLVER_WALKS_MAX / 2 };

static void flush_next(struct app *a);

static void on_flushed(void *arg, int err, const struct cache_flushed *f)
{
	struct app *a = arg;
	a->flushes.running--;
	(void)f;
	if (err < 0) // too many flushes; the name changes with the next reload or by TTL
		log_warning(
			"local data: changed name not flushed from the cache: %s", strerror(-err));
	flush_next(a);
}

static void flush_next(struct app *a)
{
	struct app_flushes *q = &a->flushes;
	while (q->running < FLUSHES_AT_ONCE && q->count > 0) {
		const struct flush what = q->what[0];
		q->count--;
		memmove(q->what, q->what + 1, q->count * sizeof(q->what[0]));
		int rc = resolvers_cache_flush(
			&a->resolvers, &what, false, a->service, on_flushed, a);
		q->running += rc == 0;
		if (rc < 0)
			log_warning("local data: changed name not flushed from the cache: %s",
				strerror(-rc));
	}
}

void app_flush_changes(struct app *a, const struct config *before, const struct config *after)
{
	struct app_flushes *q = &a->flushes;
	struct local_changes changes;

	if (local_changes_find(before, after, &changes) < 0)
		log_warning("local data: no memory to compare; flushing the whole cache");
	else if (changes.names > LOCAL_CHANGES_MAX)
		log_info("local data: %u names changed; flushing all names below their common "
			 "parent",
			changes.names);
	if (q->count + changes.count > LOCAL_CHANGES_MAX) {
		// Those of earlier reloads are still waiting.
		q->count = 0;
		changes.count = 1;
		changes.one[0] = (struct flush){.kind = FLUSH_ALL, .name = {.len = 1}};
	}
	memcpy(q->what + q->count, changes.one, changes.count * sizeof(q->what[0]));
	q->count += changes.count;
	flush_next(a);
}
