// SPDX-License-Identifier: BSD-3-Clause

#include <string.h>
#include <weir/stats_read.h>

void stats_sites_copy(struct stats_copy *out, const struct stats_sites *s)
{
	uint64_t before = atomic_load_explicit(&s->sequence, memory_order_acquire);
	uint64_t count = s->count;
	out->dpdk_bytes = atomic_load_explicit(&s->dpdk_bytes, memory_order_relaxed);
	if (before % 2 || count > STATS_SITES_MAX)
		return;
	memcpy(out->site, s->site, sizeof(out->site));
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&s->sequence, memory_order_relaxed) != before)
		return;
	out->sites = (unsigned)count;
	for (unsigned i = 0; i < out->sites; i++)
		out->site[i].name[STATS_SITE_NAME - 1] = '\0';
}
