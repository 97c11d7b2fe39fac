// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which allocation of an account grew most: a bounded history of the bytes that each site of the
// heap (heap_site.h) had, half a minute, five and fifteen minutes apart. An alarm says by it in
// which function the bytes are. Service loop. 120 KiB; a look costs some microseconds.
//
// Of the data plane, the sites that its statistics name (stats_tables.h): all that have bytes.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/heap_site.h>
#include <weir/stats_tables.h>

enum { SITES_SCALES = 3, SITES_LOOKS = 5, SITES_FAR_MAX = 128 };

struct judge_far { // sites of the data plane, each at its place; more than there is room for:
		   // missing
	unsigned count;
	bool is_known; // the last sample had sites
	struct judge_far_site {
		uint64_t bytes; // 0: it was not in the last sample
		bool is_dpdk;
		char name[STATS_SITE_NAME]; // printable
	} site[SITES_FAR_MAX];
};

struct judge_sites {
	struct judge_far *far;            // NULL: of this process
	const void *site[HEAP_SITES_MAX]; // ordered by when they were first seen
	unsigned count;
	struct judge_look {
		uint64_t at_ms; // uptime
		uint64_t bytes[HEAP_SITES_MAX];
	} look[SITES_SCALES][SITES_LOOKS];
	uint64_t looked[SITES_SCALES]; // how many
};

// Takes what the statistics say. Cost: the place of each site by its name.
void judge_far_take(struct judge_far *f, const struct stats_site *site, unsigned count);

// Forgets everything: the process has restarted.
void judge_sites_begin(struct judge_sites *s);
// Looks when it is time to.
void judge_sites_see(struct judge_sites *s, uint64_t uptime_ms);
// The site of `account` that gained most in the last third of `over_s` seconds, if that is a third
// or more of what `gained` is for as long, as "function (file:line)"; "": there is none. In place
// of a library the one of its callers that gained most. An account of the data plane that is none
// of its heap is of DPDK's memory. Cost: a walk through all sites.
void judge_sites_by(struct judge_sites *s, uint64_t uptime_ms, const char *account, double gained,
	uint64_t over_s, char *out, size_t cap);
