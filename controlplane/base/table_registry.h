// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Every long-lived table, queue, pool and growable buffer of both processes, with what bounds it:
// the answer to "where is the memory". Filled in again for each status, with the data plane's from
// its statistics (api_tables.c). tools/lint has each file that allocates name its table there
// (tools/lint/memory.txt), and what an account has beyond its tables is a figure of its own
// (weirctl mem accounts), which a smoke test bounds.
//
// High water is the table's own where it counts that, else the most that mem_watch, which samples
// each second, has seen.

#include <stdbool.h>
#include <stdint.h>

enum { TABLES_MAX = 128 };

// The properties that a table has. Columns of the others are shown as "-"
// (docs/reference/memory.md).
enum table_notion {
	TABLE_AGES = 1,    // entries have a beginning, and `oldest_ms` is known
	TABLE_EVICTS = 2,  // some give way to others
	TABLE_REFUSES = 4, // some are refused
	TABLE_GROWS = 8,   // its memory grows and shrinks in steps (growth.h)
	// Its memory was taken at the start, and `bytes` of it are touched: no column.
	TABLE_RESERVED = 16,
};

// What a table is for, which says how it is checked (memory/memory_judge.h).
enum table_kind {
	TABLE_NO_KIND, // refused
	TABLE_CACHE,   // it fills to its cap on purpose
	TABLE_WORK,    // work in progress: an entry leaves when it is done
	TABLE_FIXED,   // as large as the configuration, the lists or a constant say
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
	uint64_t shared;      // of these, in regions that both processes map
	uint64_t high;        // most entries that there ever were
	uint64_t evicted;     // gave way to others while they could have stayed
	uint64_t refused;     // found it full
	uint64_t oldest_ms;   // age of the oldest entry; 0: none
	uint64_t grown, shrunk;
	unsigned has; // of enum table_notion
	// Of a table that each worker of the data plane has: sums are above, here is the fullest.
	unsigned parts, fullest; // how many; which
	uint64_t fullest_used, fullest_cap;
	bool of_dataplane; // not in this process' heap
};

// Of a table_info: work of which nothing stays for longer than `ms`.
#define TABLE_WORK_FOR(ms) .kind = TABLE_WORK, .stay_ms = (ms)

struct table_registry {
	unsigned count;
	unsigned dropped; // for which there was no room: shown, and an alarm
	struct table_info table[TABLES_MAX];
};

// The account of a table is that of a file of its name (mem_account_of).
void table_register(struct table_registry *r, const struct table_info *t); // over the cap: counted

// Adds the tables of another thread: those of one name become one. `dropped` is the most of both.
void tables_sum(struct table_registry *sum, const struct table_registry *one);

// How long ago something began that began at `since_ms`; 0: nothing did.
static inline uint64_t table_age(uint64_t since_ms, uint64_t now_ms)
{
	return since_ms && now_ms > since_ms ? now_ms - since_ms : 0;
}
