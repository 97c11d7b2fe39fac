// SPDX-License-Identifier: BSD-3-Clause

#include "housekeep.h"

#include <string.h>
#include <weir/heap_site.h>

static uint64_t bytes_of(const struct heap_site *s)
{
	return atomic_load_explicit(&s->bytes, memory_order_relaxed);
}

// The largest so far, in order; the least falls out.
static void rank(
	const struct heap_site *top[STATS_SITES_MAX], unsigned *count, const struct heap_site *s)
{
	unsigned i = *count;
	while (i > 0 && bytes_of(top[i - 1]) < bytes_of(s))
		i--;
	if (i == STATS_SITES_MAX)
		return;
	unsigned moved = (*count < STATS_SITES_MAX ? *count : STATS_SITES_MAX - 1) - i;
	memmove(&top[i + 1], &top[i], moved * sizeof(top[0]));
	top[i] = s;
	*count += *count < STATS_SITES_MAX;
}

static void write(struct stats_site *out, const struct heap_site *s)
{
	char name[HEAP_SITE_NAME] = {0}; // the bytes behind the NUL are published, too
	*out = (struct stats_site){.bytes = bytes_of(s),
		.blocks = atomic_load_explicit(&s->blocks, memory_order_relaxed),
		.is_dpdk = s->outside};
	memcpy(out->name, heap_site_name(s, name), STATS_SITE_NAME - 1);
}

void housekeep_sites_write(struct stats_sites *out)
{
	static_assert((int)HEAP_SITE_NAME >= (int)STATS_SITE_NAME);
	static const struct heap_site *site[HEAP_SITES_MAX]; // the main lcore's
	const struct heap_site *top[STATS_SITES_MAX];
	unsigned count = 0, n = heap_sites(site, HEAP_SITES_MAX);
	uint64_t dpdk_bytes = 0, sequence = atomic_load(&out->sequence);
	for (unsigned i = 0; i < n; i++) {
		dpdk_bytes += site[i]->outside ? bytes_of(site[i]) : 0;
		if (bytes_of(site[i]))
			rank(top, &count, site[i]);
	}
	atomic_store_explicit(&out->sequence, sequence | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < count; i++)
		write(&out->site[i], top[i]);
	out->count = count;
	atomic_store_explicit(&out->dpdk_bytes, dpdk_bytes, memory_order_relaxed);
	atomic_store_explicit(&out->sequence, (sequence | 1) + 1, memory_order_release);
}
