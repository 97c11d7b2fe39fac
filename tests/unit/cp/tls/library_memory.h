// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What weir counts of the memory of the TLS library.

#include "tests/unit/unit.h"

#include <weir/mem_account.h>

static inline struct mem_sum library_memory(void)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	struct mem_sum sum = {0};
	unsigned n = heap_sites(site, HEAP_SITES_MAX);
	for (unsigned i = 0; i < n; i++)
		if (strcmp(site[i]->file, "openssl") == 0)
			mem_sum_add(&sum, site[i]);
	return sum;
}
