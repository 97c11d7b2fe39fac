// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Every long-lived table of the control plane, with what bounds it: the answer to "where is the
// memory". Filled in anew for each status; a table that is not listed fails a test.

#include <stdint.h>

enum { TABLES_MAX = 48 };

struct table_info {
	const char *name, *owner;
	const char *eviction; // what happens when it is full
	const char *lifetime; // how long an entry can stay
	uint64_t cap, used;   // entries (of l0: units of 32 octets)
	uint64_t bytes;       // octets reserved
};

struct table_registry {
	unsigned count;
	struct table_info table[TABLES_MAX];
};

void table_register(struct table_registry *r, const struct table_info *t); // over the cap: dropped
