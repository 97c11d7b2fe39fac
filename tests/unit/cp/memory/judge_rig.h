// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A judge of memory, and samples for it, one a second.

#include "controlplane/base/table_registry.h"
#include "controlplane/memory/memory_judge.h"
#include "tests/unit/unit.h"

enum { WARM = 120 }; // seconds before anything grows

static struct memory_judge *judge;
static struct memory_sample s;
static uint64_t second;
static const struct judge_status *status;

static inline int setup(void **)
{
	second = 0;
	status = NULL;
	return memory_judge_open(&judge);
}

FIXTURE(teardown, memory_judge_close(judge))

static inline void sample_begin(void)
{
	second++;
	s = (struct memory_sample){
		.uptime_ms = second * 1000, .wall_s = 1000000 + second, .questions = second * 500};
}

static inline void sample_end(void)
{
	memory_judge_take(judge, &s);
	status = memory_judge_status(judge);
}

static inline const struct judge_alarm *alarm_of(enum judge_kind kind, const char *name)
{
	for (unsigned i = 0; i < status->count; i++)
		if (status->alarm[i].kind == kind && strcmp(status->alarm[i].name, name) == 0)
			return &status->alarm[i];
	return NULL;
}

#define assert_alone(kind, name)                       \
	do {                                           \
		assert_int_equal(status->count, 1);    \
		assert_non_null(alarm_of(kind, name)); \
	} while (0)
