// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Every long-lived table, queue, pool and growable buffer of both processes, with its bound: the
// answer to "where is the memory". Each status fills the registry in again, with the data plane's
// tables from its statistics (api_tables.c). tools/lint/memory.txt names the table of each file
// that allocates. `weirctl mem accounts` shows what an account has beyond its tables, which a smoke
// test bounds.
//
// High water is the table's count if it has one, else the most that mem_watch has sampled.

#include <stdbool.h>
#include <stdint.h>

enum { TABLES_MAX = 128 };

// Properties of a table. A column whose property the table does not have is shown as "-"
// (docs/reference/memory.md).
enum table_notion {
	TABLE_AGES = 1,    // entries have a beginning, and `oldest_ms` is known
	TABLE_EVICTS = 2,  // entries give way to others
	TABLE_REFUSES = 4, // entries are refused
	TABLE_GROWS = 8,   // memory grows and shrinks in steps (growth.h)
	// The memory was allocated at the start, and `bytes` of it are touched. Has no column.
	TABLE_RESERVED = 16,
};

// What a table is for, which says how it is checked (memory/memory_judge.h).
enum table_kind {
	TABLE_NO_KIND, // not allowed
	TABLE_CACHE,   // fills to its cap on purpose
	TABLE_WORK,    // work in progress: an entry leaves when it is done
	TABLE_FIXED,   // the configuration, the lists or a constant give its size
	TABLE_KINDS
};
extern const char *const table_kind_texts[TABLE_KINDS];

struct table_info {
	const char *name, *owner;
	const char *eviction; // what happens when it is full
	const char *lifetime; // how long an entry can stay
	enum table_kind kind;
	uint64_t stay_ms;     // the longest that an entry may stay; 0: no limit
	uint64_t descriptors; // sockets that its entries hold
	uint64_t files;       // files that they hold open
	uint64_t cap, used;   // entries (of l0: units of 32 bytes)
	uint64_t bytes;       // bytes reserved
	uint64_t shared;      // bytes in regions that both processes map
	uint64_t high;        // most entries that there ever were
	uint64_t evicted;     // entries that gave way to others while they could have stayed
	uint64_t refused;     // entries that found the table full
	uint64_t oldest_ms;   // age of the oldest entry; 0: no entry
	uint64_t grown, shrunk;
	unsigned has; // bits of enum table_notion
	// If each worker of the data plane has such a table: the number of tables, and the worker
	// with the fullest one. The figures above are sums.
	unsigned parts, fullest;
	uint64_t fullest_used, fullest_cap;
	bool of_dataplane; // not in this process' heap
};

// Members of a table_info for work that does not stay longer than `ms`.
#define TABLE_WORK_FOR(ms) .kind = TABLE_WORK, .stay_ms = (ms)

struct table_registry {
	unsigned count;
	unsigned dropped; // tables without room: shown, and an alarm
	struct table_info table[TABLES_MAX];
};

// A table's account is that of the source file with the table's name (mem_account_of).
void table_register(struct table_registry *r, const struct table_info *t); // over the cap: counted

// Adds the tables of another thread: tables with one name become one. `dropped` is the greater one.
void tables_sum(struct table_registry *sum, const struct table_registry *one);

// Time since `since_ms`; 0 if that is 0.
static inline uint64_t table_age(uint64_t since_ms, uint64_t now_ms)
{
	return since_ms && now_ms > since_ms ? now_ms - since_ms : 0;
}
