// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Memory by subsystem, compared with the figures of the allocator and the kernel.
//
// Each file of the product belongs to one account (the longest word that its name begins with
// decides, in mem_account.c; a file that allocates and has none fails tools/lint), and so does each
// library with allocation hooks. The rest of what the allocator has handed out belongs to libraries
// without hooks and to libc itself. The resident set is divided by mapping: the allocator's pages,
// code, regions, stacks, and all others. Any thread at any time; sums are of relaxed counters, so
// they may miss allocations in progress.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

// name, contents
#define MEM_ACCOUNT_LIST(X)                                                           \
	X(l0, "private side of the answer cache")                                     \
	X(images, "lists, rule images, names, policy and what builds them")           \
	X(worker_rings, "the rings between the processes")                            \
	X(resolver, "questions in flight, waiters, refresh, judging, flushing")       \
	X(upstream, "views, upstream servers and their sockets")                      \
	X(redis, "L1: calls, connections, buffers")                                   \
	X(query_log, "log records, rows, the query store, the top lists")             \
	X(export, "ClickHouse, live logs and webhooks")                               \
	X(http, "control API")                                                        \
	X(frontend, "clients over TCP, and over UDP without a data plane")            \
	X(config, "configurations")                                                   \
	X(stats, "statistics and their history")                                      \
	X(process, "loops, threads, start-up")                                        \
	X(dataplane, "the data plane's own")                                          \
	X(libraries, "libevent, jansson, vectorscan, curl, libcyaml, SQLite, xxhash") \
	X(other, "files that belong to no account")

enum mem_account {
#define X(name, text) MEM_ACCOUNT_##name,
	MEM_ACCOUNT_LIST(X)
#undef X
		MEM_ACCOUNT_COUNT
};

extern const char *const mem_account_names[MEM_ACCOUNT_COUNT];
extern const char *const mem_account_texts[MEM_ACCOUNT_COUNT];

// Of a file by name or path, or of a library.
enum mem_account mem_account_of(const char *file);

struct mem_sum {
	uint64_t bytes, blocks;    // out now
	uint64_t made, made_bytes; // ever: allocations a second are their difference
};

// By account and in all.
struct mem_sum mem_accounts(struct mem_sum by[MEM_ACCOUNT_COUNT]);

struct mem_process {        // bytes
	uint64_t allocated; // handed out by the allocator, large blocks too
	uint64_t held;      // bytes that it has from the kernel for that
	uint64_t rss;       // without hugetlbfs pages, which the kernel does not count there
	uint64_t rss_heap, rss_code, rss_regions, rss_stacks, rss_other;
	uint64_t huge; // on hugetlbfs
	uint64_t swapped;
	unsigned maps, threads, files; // mappings, threads, open descriptors
};

// Reads /proc/self: some 0.3 ms; blocks. -errno.
ATTR_MUST_CHECK int mem_process_read(struct mem_process *out);

// Its parts: the mappings alone, of any process (pid; 0: ours) that this one may read; -errno. For
// this process also the figures of libc's allocator.
ATTR_MUST_CHECK int mem_process_of(unsigned pid, struct mem_process *out);
void mem_allocator_read(struct mem_process *p); // allocated, held

enum { MEM_REGIONS_MAX = 64, MEM_REGION_NAME = 64 };

struct mem_region {                 // a mapped file that is not code
	char name[MEM_REGION_NAME]; // the last two parts of its path
	uint64_t bytes, resident;
	uint32_t huge; // 1: pages of hugetlbfs
};

// The regions of a process (pid; 0: ours), parts of one file as one, largest first; returns how
// many, more than MEM_REGIONS_MAX summed in the last. -errno.
ATTR_MUST_CHECK int mem_regions_read(unsigned pid, struct mem_region out[MEM_REGIONS_MAX]);

// The allocator's bytes that are in no account, and whether they are over the threshold: a
// twentieth of the resident set and 8 MiB.
uint64_t mem_unexplained(const struct mem_process *p, const struct mem_sum *all);
bool mem_is_alarming(const struct mem_process *p, uint64_t unexplained);
