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
#include "heap_site.h"
#include "shm_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// name, contents
#define MEM_ACCOUNT_LIST(X)                                                                   \
	X(l0, "private side of the answer cache")                                             \
	X(images, "lists, rule images, names, policy and what builds them")                   \
	X(worker_rings, "the rings between the processes")                                    \
	X(resolver, "questions in flight, waiters, refresh, judging, flushing")               \
	X(upstream, "views, upstream servers and their sockets, libunbound")                  \
	X(redis, "L1: calls, connections, buffers")                                           \
	X(query_log, "log records, rows, the query store, the top lists")                     \
	X(export, "ClickHouse, live logs and webhooks")                                       \
	X(http, "control API")                                                                \
	X(frontend, "clients over TCP and HTTPS, and over UDP without a data plane")          \
	X(config, "configurations")                                                           \
	X(stats, "statistics and their history")                                              \
	X(process, "loops, threads, start-up")                                                \
	X(dataplane, "the data plane's own")                                                  \
	X(libraries, "libevent, jansson, vectorscan, curl, SQLite, OpenSSL, nghttp2, xxhash") \
	X(other, "files that belong to no account")

enum mem_account {
#define X(name, text) MEM_ACCOUNT_##name,
	MEM_ACCOUNT_LIST(X)
#undef X
		MEM_ACCOUNT_COUNT
};

extern const char *const mem_account_names[MEM_ACCOUNT_COUNT];
extern const char *const mem_account_texts[MEM_ACCOUNT_COUNT];

// The account of a file by name or path, or of a library.
enum mem_account mem_account_of(const char *file);

struct mem_sum {
	uint64_t bytes, blocks;    // out now
	uint64_t made, made_bytes; // ever: allocations a second are their difference
	uint64_t untouched;        // the part of `bytes` that mem_untouched says; else 0
};

void mem_sum_add(struct mem_sum *sum, const struct heap_site *s);

// Sums by account; returns the sum of all.
struct mem_sum mem_accounts(struct mem_sum by[MEM_ACCOUNT_COUNT]);
// Fills `untouched` of those, and returns the sum: bytes of large blocks that nobody has written so
// far, so no page holds them. Some 10 ns for each of their pages of 4 KiB.
uint64_t mem_untouched(struct mem_sum by[MEM_ACCOUNT_COUNT]);

struct mem_process {        // bytes
	uint64_t allocated; // handed out by the allocator, large blocks too
	uint64_t held;      // bytes that it has from the kernel for that
	uint64_t rss;       // leaves out hugetlbfs pages, which the kernel does not count there
	uint64_t rss_heap, rss_code, rss_regions, rss_stacks, rss_other;
	uint64_t huge; // on hugetlbfs
	uint64_t swapped;
	unsigned maps, threads, files; // mappings, threads, open descriptors
};

// Reads /proc/self: some 0.3 ms; blocks. -errno.
ATTR_MUST_CHECK int mem_process_read(struct mem_process *out);

// The parts of mem_process_read: only the mappings, of any process (pid; 0: ours) that this one may
// read; -errno. For this process also the figures of libc's allocator.
ATTR_MUST_CHECK int mem_process_of(unsigned pid, struct mem_process *out);
void mem_allocator_read(struct mem_process *p); // allocated, held

enum { MEM_REGIONS_MAX = 64, MEM_REGION_NAME = 64 };

struct mem_region {                 // a mapped file that is not code
	char name[MEM_REGION_NAME]; // the end of its path: two parts
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

// The mappings and descriptors of this process by kind, and its mappings of deleted files: what a
// leak of images, regions or descriptors shows first, and what no account of the heap has.
//
// Read in steps, so that the reader's loop never waits for all of it: a step reads one page of
// /proc/self/maps or one page of /proc/self/fd. With 12,000 sockets and 1,000 mappings a look took
// 90 steps of 0.6 ms at most, 20 to 30 ms of CPU in all. Bytes are of address space, not of touched
// pages, and reservations without access are left out.

// name, contents
#define MEM_MAP_LIST(X)                                                       \
	X(anonymous, "heap, and what libraries map for themselves")           \
	X(code, "private mappings of files: programs, libraries, their data") \
	X(regions, "shared mappings of files")                                \
	X(huge, "mappings on hugetlbfs")                                      \
	X(stacks, "stacks of threads")                                        \
	X(other, "the kernel's")

enum mem_map_kind {
#define X(name, text) MEM_MAP_##name,
	MEM_MAP_LIST(X)
#undef X
		MEM_MAPS
};

#define MEM_FD_LIST(X) X(socket) X(file) X(eventfd) X(memfd) X(epoll) X(timerfd) X(pipe) X(other)

enum mem_fd_kind {
#define X(name) MEM_FD_##name,
	MEM_FD_LIST(X)
#undef X
		MEM_FDS
};

extern const char *const mem_map_names[MEM_MAPS];
extern const char *const mem_map_texts[MEM_MAPS];
extern const char *const mem_fd_names[MEM_FDS];

// A region is stale MEM_STALE generations after its own: its readers have passed two swaps.
enum { MEM_STALE = 2 };

struct mem_deleted {    // shared mappings of deleted files; parts of one file are one
	uint64_t files; // distinct ones
	uint64_t bytes;
	// The part that is MEM_STALE generations or more behind: as many as both this look and the
	// one before it saw.
	uint64_t stale, stale_bytes;
	uint64_t behind; // generations from the oldest to the newest that is mapped
};

struct mem_kinds {
	uint64_t looks; // so many there were, this one with them; its keeper counts
	uint64_t held;  // descriptors of entries of tables when it began; its keeper counts
	uint64_t maps[MEM_MAPS], bytes[MEM_MAPS];
	uint64_t descriptors[MEM_FDS];
	struct mem_deleted deleted[REGION_KINDS]; // REGION_NONE: of no region of weir
	uint64_t regions[REGION_KINDS]; // bytes; of the process that looks, not in its statistics
};

enum { MEM_LOOK_TEXT = 8192, MEM_LOOK_READ = 4096, MEM_LOOK_DELETED = 256, MEM_LOOK_HUGE = 4 };

struct mem_look { // a look in progress; all zeros while there is no look
	int fd;   // file that is being read; valid while `stage` is not MEM_LOOK_IDLE
	enum { MEM_LOOK_IDLE, MEM_LOOK_MAPS, MEM_LOOK_FDS } stage;
	size_t len;         // bytes in `text`
	uint64_t guard_end; // end of the last guard page
	struct mem_kinds now;
	uint64_t newest[REGION_KINDS]; // generations that are mapped
	struct {
		uint64_t stale, bytes;
	} last[REGION_KINDS]; // that the look before saw
	unsigned deleted;     // entries of `file`
	struct mem_look_file {
		uint64_t kind, generation, bytes, inode;
	} file[MEM_LOOK_DELETED];
	unsigned huge_count; // devices of the hugetlbfs mounts, read once
	uint64_t huge[MEM_LOOK_HUGE];
	bool knows_huge;
	alignas(8) char text[MEM_LOOK_TEXT]; // ends with half a line
};

// Begins a look unless one is in progress. One thread. -errno.
ATTR_MUST_CHECK int mem_look_begin(struct mem_look *l);
// One step. 1: the look is over, `*out` has it; 0: there is more, or none is in progress; -errno:
// it failed and is over.
ATTR_MUST_CHECK int mem_look_step(struct mem_look *l, struct mem_kinds *out);
void mem_look_end(struct mem_look *l); // gives up one that is in progress
