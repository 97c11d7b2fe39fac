// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `weirctl bisect` measures in each step, and the toggle that it suspects. Pure: computes from
// replies of the control plane.
//
// Each account of both processes is measured alone, less the growth of its own tables, so a leak in
// a small account shows beside a cache that fills. One thread; a step has some 12 KiB.

#include "lib/json_doc.h"

#include <stdbool.h>

enum { BISECT_SERIES_MAX = 96, BISECT_SITES = 16, BISECT_NAME = 40, BISECT_SITE = 128 };

struct bisect_series {
	char name[BISECT_NAME]; // "heap", or an account
	double slope, half;     // bytes an hour beyond tables; half of the 95% interval
	bool known;
};

struct bisect_site { // an allocation site of the control plane
	char name[BISECT_SITE], account[BISECT_NAME];
	double slope; // bytes an hour from the first to the last measurement
};

struct bisect_step {
	char name[BISECT_NAME], value[8]; // the toggle; "": no toggle
	struct bisect_series series[BISECT_SERIES_MAX];
	struct bisect_site site[BISECT_SITES]; // fastest first
	unsigned count, sites;
	double queries_per_s;
	char filling[BISECT_NAME]; // the table that fills fastest; "": no table fills
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
	unsigned step;         // step of the suspected toggle, with BISECT_SUSPECT
	const char *series;    // account that the toggle stops; else the one that grows most, or ""
	const char *site;      // site of that account that grows most without a toggle, or ""
	double usual, without; // bytes an hour of that account, without and with the toggle
};

// Less growth than this in bytes an hour counts as no growth.
#define BISECT_LEAST 1048576.0

// Reads the series and the query rate of a reply of /memory/slope.
void bisect_slopes_take(struct bisect_step *s, const struct json_node *slope);
// Reads two replies of /mem, `seconds` apart: subtracts the growth of tables from their accounts,
// and keeps the sites that grew most.
void bisect_memory_take(struct bisect_step *s, const struct json_node *before,
	const struct json_node *after, double seconds);
const struct bisect_series *bisect_series_find(const struct bisect_step *s, const char *name);
// The account that grows fastest beyond tables; NULL: no account grows.
const struct bisect_series *bisect_grower(const struct bisect_step *s);
double bisect_per_million(const struct bisect_step *s, double per_hour); // 0: no queries

// Step 0 and the last step have no toggle, each step between has one.
struct bisect_finding bisect_judge(const struct bisect_step *step, unsigned count);
