// SPDX-License-Identifier: BSD-3-Clause
#include "memory_dataplane.h"

#include "memory_meter.h"

#include <stdio.h>
#include <weir/mem_account.h>

static void account_take(struct memory_sample *m, const char *account, uint64_t bytes)
{
	char name[MEMORY_NAME_MAX];
	if (bytes == 0)
		return;
	snprintf(name, sizeof(name), METER_DATAPLANE "%s", account);
	memory_sample_bytes(m, name, bytes);
}

// Libraries with allocation hooks and those without are one series: of the latter only the constant
// amount at the start is known.
static void heap_take(struct memory_sample *m, const struct stats_memory_copy *heap)
{
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		account_take(m, mem_account_names[i],
			heap->account[i] + (i == MEM_ACCOUNT_libraries ? heap->libraries : 0));
	// Nothing is a value of it like others, about which it wavers.
	memory_sample_bytes(m, METER_DATAPLANE "unexplained", heap->unexplained);
	memory_sample_bytes(m, METER_DATAPLANE "allocator", heap->held);
}

static void buffers_take(struct memory_sample *m, const struct stats_copy *s)
{
	uint32_t by[MBUF_OWNERS];
	char owners[STATS_OWNERS_TEXT];
	uint64_t used = 0;
	for (unsigned i = 0; i < s->workers; i++)
		used += s->worker[i].table[STATS_dp_buffers].used;
	const uint64_t missing = stats_mbufs_missing(s, by);
	memory_sample_count(m, METER_DATAPLANE "buffers", missing);
	if (missing) {
		stats_owners_text(by, owners);
		memory_sample_by(m, MEMORY_COUNT, METER_DATAPLANE "buffers", owners);
	}
	memory_sample_count(m, METER_DATAPLANE "buffers_used", used);
}

void memory_dataplane_take(struct memory_sample *m, const struct stats_copy *s)
{
	const struct stats_eal eal = stats_eal_split(s);
	m->sites = s->sites;
	m->site = s->site;
	heap_take(m, &s->memory);
	if (s->kinds.looks)
		memory_sample_kinds(m, METER_DATAPLANE, &s->kinds, s->memory.held);
	account_take(m, "packet buffers", eal.buffers);
	account_take(m, "workers", eal.workers);
	account_take(m, "others", eal.others);
	account_take(m, "drivers", eal.drivers);
	buffers_take(m, s);
}
