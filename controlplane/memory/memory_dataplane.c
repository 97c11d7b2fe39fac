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
}

void memory_dataplane_take(struct memory_sample *m, const struct stats_copy *s)
{
	const struct stats_eal eal = stats_eal_split(s);
	heap_take(m, &s->memory);
	account_take(m, "packet buffers", eal.buffers);
	account_take(m, "workers", eal.workers);
	account_take(m, "drivers", eal.drivers);
}
