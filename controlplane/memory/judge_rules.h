// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Selects the rule for each value of a sample by its kind and name.

#include "marks.h"
#include "memory_judge.h"

#include <weir/mem_account.h>

struct judge_rule {
	enum judge_kind kind;
	const char *unit;
	double gain[MARKS_SCALES]; // of rises without the largest: more is a leak. 0: not checked
	unsigned rises[MARKS_SCALES]; // of the marks, at least
	unsigned falls;               // at most
	double per_load;              // of the unit, for each miss a second more
	bool is_held;                 // while rules are built
};

struct judge_verdict {                 // on a value of a sample
	const struct judge_rule *rule; // NULL: it is not checked
	enum memory_process process;
	const char *name; // as alarms say it
	double value;     // less what explains it
	double explained; // bytes of tables
	double least;     // gain that is more than wavering, at every scale
	double stay_s;    // of a table of questions: the longest that an entry stays; 0: of no such
};

struct judge_sums {                        // what the control plane's tables hold
	double account[MEM_ACCOUNT_COUNT]; // bytes
};

void judge_sums_take(const struct memory_sample *s, struct judge_sums *out);
void judge_look(const struct memory_sample *s, const struct judge_sums *sums, unsigned i,
	struct judge_verdict *out);
