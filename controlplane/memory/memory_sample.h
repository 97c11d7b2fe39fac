// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What memory looked like at one instant: named values, as many as fit; what does not is counted.

#include <stdint.h>

enum { MEMORY_SERIES_MAX = 128, MEMORY_NAME_MAX = 32 };
static const uint64_t MEMORY_ABSENT = UINT64_MAX;

enum memory_kind {
	MEMORY_BYTES, // of a process or a subsystem
	MEMORY_FILL,  // entries of a table, of `cap`
};

struct memory_item {
	char name[MEMORY_NAME_MAX]; // longer ones are cut
	uint32_t kind;              // enum memory_kind
	uint64_t value, cap;
};

struct memory_sample {
	uint64_t uptime_ms; // of this process
	uint64_t wall_s;    // Unix time, for people alone
	uint64_t queries;   // answered or refused since the start
	unsigned count;
	unsigned refused;
	struct memory_item item[MEMORY_SERIES_MAX];
};

void memory_sample_bytes(struct memory_sample *s, const char *name, uint64_t bytes);
void memory_sample_fill(struct memory_sample *s, const char *name, uint64_t used, uint64_t cap);
// Of a kind and name; MEMORY_ABSENT: there is none.
uint64_t memory_sample_get(const struct memory_sample *s, uint32_t kind, const char *name);
