// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For the test of the control API: counts of one row of weight 7.

#include "controlplane/querylog/sinks/top.h"
#include "tests/unit/cp/http/http_client.h"
#include "tests/unit/unit.h"

static struct top *top_counts; // reachable until the process ends

static inline struct top *top_double(void)
{
	const struct querylog_row row = {.qname = {"a.example.", 10},
		.client = {"192.0.2.1", 9},
		.weight = 7,
		.total_us = TOP_SLOW_US + 1};
	const struct querylog_batch b = {.count = 1, .row = &row, .weight = 7};
	if (top_counts)
		return top_counts;
	assert_int_equal(top_open(&top_counts, NULL, clock_mono_ms()), 0);
	const struct querylog_sink sink = top_sink(top_counts);
	assert_true(sink.take(sink.arg, &b));
	return top_counts;
}

static inline void top_double_check(void)
{
	assert_reply("GET /top", 200, "\"names\":{\"queries\":7,\"items\":[{\"text\":\"a.exam");
	assert_reply("GET /top?limit=1", 200, "\"blocked\":{\"queries\":0,\"items\":[]}");
	assert_reply("GET /top?limit=101", 400, "limit: must be 1 to 100");
}
