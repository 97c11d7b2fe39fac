// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What memory looked like at one instant: named values, as many as fit; what does not is counted.

#include "trend.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/stats_read.h>

enum { MEMORY_SERIES_MAX = 192, MEMORY_NAME_MAX = 32, MEMORY_BY_MAX = 64 };
static const uint64_t MEMORY_ABSENT = UINT64_MAX;
#define METER_DATAPLANE "dataplane." // names of the data plane's series begin with it

enum memory_kind {
	MEMORY_BYTES, // bytes of a process or a subsystem
	MEMORY_FILL,  // entries of a table, of `cap`
	MEMORY_COUNT, // descriptors, mappings, packet buffers
};

struct table_info;
struct stats_site;

struct memory_table {  // one table, as the registry says (base/table_registry.h)
	uint32_t kind; // enum table_kind
	bool is_reserved, has_ages;
	uint64_t bytes; // the process's own, without regions that both map
	uint64_t oldest_ms, stay_ms, descriptors;
};

struct memory_item {
	char name[MEMORY_NAME_MAX]; // longer ones are cut
	uint32_t kind;              // enum memory_kind
	uint64_t value, cap;
	struct memory_table table; // for MEMORY_FILL
	char by[MEMORY_BY_MAX];    // the region or owner with the largest part; "": unknown
};

struct memory_sample {
	uint64_t uptime_ms; // this process's
	uint64_t wall_s;    // Unix time, for people alone
	uint64_t queries;   // answered or refused since the start
	uint64_t questions; // that reached the resolver, from workers and frontends
	unsigned count;
	unsigned refused;
	uint64_t descriptors; // that entries of tables held when the kernel's were counted
	bool builds;          // rules are being read, fetched or built: that memory is given back
	unsigned sites;       // sites of the data plane's statistics, valid during the call
	const struct stats_site *site;
	struct memory_item item[MEMORY_SERIES_MAX];
};

void memory_sample_put(struct memory_sample *s, uint32_t kind, const char *name, uint64_t value);
void memory_sample_table(struct memory_sample *s, const struct table_info *t); // a MEMORY_FILL
// Of a kind and name; MEMORY_ABSENT: there is none.
uint64_t memory_sample_get(const struct memory_sample *s, uint32_t kind, const char *name);

// Names the region or owner of an item, cut to its length; no such item is fine.
void memory_sample_by(struct memory_sample *s, uint32_t kind, const char *name, const char *by);

struct mem_kinds;

// Mappings and descriptors by kind: names begin with `prefix`. Of private anonymous mappings those
// over `allocator`, the address space that the allocator has.
void memory_sample_kinds(
	struct memory_sample *s, const char *prefix, const struct mem_kinds *k, uint64_t allocator);

static inline void memory_sample_bytes(struct memory_sample *s, const char *name, uint64_t bytes)
{
	memory_sample_put(s, MEMORY_BYTES, name, bytes);
}

static inline void memory_sample_count(struct memory_sample *s, const char *name, uint64_t count)
{
	memory_sample_put(s, MEMORY_COUNT, name, count);
}

// The data plane's accounts, from its statistics, in a sample of the slope meter: its heap by
// subsystem, the unaccounted rest, and DPDK's memory by user. Names as in `weirctl mem accounts`,
// behind METER_DATAPLANE; an empty account has no series. DPDK's free memory is in no account. The
// figures of the heap change each two seconds, those of DPDK's memory each second. They are not
// trusted: any number is just a value.
void memory_sample_dataplane(struct memory_sample *m, const struct stats_copy *s);

// Samples of memory in a ring of fixed length: MEMORY_SERIES_MAX series, each sample a row of
// values. Allocated once; bytes = memory_ring_bytes. Full: the oldest sample is written over. A
// series that no sample of the ring has any more gives its place to a new one; without such a place
// a new series is refused, counted. One thread.

struct memory_series {
	char name[MEMORY_NAME_MAX]; // "": no series
	uint32_t kind;
	uint64_t cap;         // the last sample's
	uint64_t since, last; // numbers of the samples that had it first and last
};

struct memory_row {
	uint64_t uptime_ms, wall_s, queries;
	uint64_t life; // number of the process's life: lines are only drawn within one
	uint64_t value[MEMORY_SERIES_MAX];
};

struct memory_ring {
	unsigned length;
	uint64_t next; // number of the next sample
	uint64_t refused;
	struct memory_series series[MEMORY_SERIES_MAX];
	struct memory_row *row;
};

ATTR_MUST_CHECK int memory_ring_open(struct memory_ring *r, unsigned length); // -ENOMEM
void memory_ring_close(struct memory_ring *r);
size_t memory_ring_bytes(const struct memory_ring *r);
void memory_ring_push(struct memory_ring *r, const struct memory_sample *s, uint64_t life);
// Restarts the lines of the series whose names begin with `names` at the next sample, because their
// process restarted.
void memory_ring_begin(struct memory_ring *r, const char *names);
// Sample `back` from the newest (0) on; NULL: there is none.
const struct memory_row *memory_ring_row(const struct memory_ring *r, unsigned back);
// Samples of the newest life that are at most `span_ms` older than the newest one.
unsigned memory_ring_span(const struct memory_ring *r, uint64_t span_ms);
// The line of series `i` through the newest `count` samples, in units a second.
void memory_ring_trend(const struct memory_ring *r, unsigned i, unsigned count, struct trend *out);
// Queries a second over those; 0 unless there are two.
double memory_ring_query_rate(const struct memory_ring *r, unsigned count);
