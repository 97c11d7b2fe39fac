// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_shared.h"

#include <errno.h>
#include <weir/heap_site.h>

int frontend_shared_new(struct frontend_shared **out, unsigned frontends)
{
	struct frontend_shared *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->pending.threads = frontends;
	int rc = limiter_new(frontends, &s->limiter);
	if (rc < 0) {
		heap_free(s);
		return rc;
	}
	frontend_sockets_init(&s->sockets, frontends > 1);
	*out = s;
	return 0;
}

static bool limit_due(const struct frontend_shared *s, uint64_t now_ms)
{
	return s->pending.threads == 1
	       || now_ms >= atomic_load_explicit(&s->looked_ms, memory_order_relaxed)
				    + FRONTEND_LIMIT_MS;
}

void frontend_shared_limit(
	struct frontend_shared *s, const struct policy_limit *limit, uint64_t now_ms)
{
	if (!limit_due(s, now_ms)
		|| atomic_exchange_explicit(&s->limiting, true, memory_order_acquire))
		return;
	if (limit_due(s, now_ms)) { // another frontend may have summed since
		atomic_store_explicit(&s->looked_ms, now_ms, memory_order_relaxed);
		limiter_look(s->limiter, limit, now_ms);
		atomic_store_explicit(&s->limited, limiter_taken(s->limiter), memory_order_relaxed);
	}
	atomic_store_explicit(&s->limiting, false, memory_order_release);
}

void frontend_shared_tables(const struct frontend_shared *s, struct table_registry *tables)
{
	table_register(
		tables, &(struct table_info){.name = "frontend_limits",
				.owner = "frontend loops",
				.eviction = "cannot be full: clients share buckets",
				.lifetime = "until the bucket is full again",
				.kind = TABLE_FIXED,
				.cap = LIMIT_CELLS,
				.used = atomic_load_explicit(&s->limited, memory_order_relaxed),
				.bytes = sizeof(*s) + limiter_bytes(s->limiter)});
}

void frontend_shared_free(struct frontend_shared *s)
{
	if (!s)
		return;
	frontend_sockets_end(&s->sockets);
	limiter_free(s->limiter);
	heap_free(s);
}
