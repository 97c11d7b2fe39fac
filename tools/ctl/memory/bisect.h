// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `weirctl bisect` measures in each step, and the toggle that it suspects. Pure: it reads
// replies of the control plane and talks to nobody.
//
// Each account of both processes is measured by itself, less what its own tables grew by, so a leak
// in a small account shows beside a cache that fills. One thread; a step is some 12 KiB.

#include "lib/json_doc.h"

#include <stdbool.h>

enum { BISECT_SERIES_MAX = 96, BISECT_SITES = 16, BISECT_NAME = 40, BISECT_SITE = 128 };

struct bisect_series {
	char name[BISECT_NAME]; // "heap", or an account
	double slope, half;     // bytes an hour, beyond tables, and half the 95% interval
	bool known;
};

struct bisect_site { // of the control plane's heap
	char name[BISECT_SITE], account[BISECT_NAME];
	double slope; // bytes an hour, from the first to the last look
};

struct bisect_step {
	char name[BISECT_NAME], value[8]; // "": all as usual
	struct bisect_series series[BISECT_SERIES_MAX];
	struct bisect_site site[BISECT_SITES]; // the fastest first
	unsigned count, sites;
	double queries_per_s;
	char filling[BISECT_NAME]; // the table that fills fastest; "": none
};

enum bisect_verdict {
	BISECT_UNKNOWN,
	BISECT_NO_GROWTH,
	BISECT_NO_TOGGLE,
	BISECT_SUSPECT,
	BISECT_VERDICT_COUNT
};

struct bisect_finding {
	enum bisect_verdict verdict;
	unsigned step;         // the suspect's, with BISECT_SUSPECT
	const char *series;    // the account that it stops; else the one that grows most, or ""
	const char *site;      // the allocation site in it that grows most as usual, or ""
	double usual, without; // bytes an hour of that account
};

// Growth of less than this an hour is no growth.
#define BISECT_LEAST 1048576.0

// The series of a reply of /memory/slope, and the query rate.
void bisect_slopes_take(struct bisect_step *s, const struct json_node *slope);
// Two replies of /mem, `seconds` apart: subtracts from each account what its tables grew by, and
// takes the sites that grew most.
void bisect_memory_take(struct bisect_step *s, const struct json_node *before,
	const struct json_node *after, double seconds);
const struct bisect_series *bisect_series_find(const struct bisect_step *s, const char *name);
// The account that grows fastest, beyond tables; NULL: none grows.
const struct bisect_series *bisect_grower(const struct bisect_step *s);
double bisect_per_million(const struct bisect_step *s, double per_hour); // 0: no queries

// Step 0 and the last one are as usual, those between have one toggle each turned.
struct bisect_finding bisect_judge(const struct bisect_step *step, unsigned count);
