// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// struct refresh, of refresh.c (what is planned and under way) and refresh_report.c (its state).

#include "refresh.h"

enum { REFRESH_REQUESTS = CONFIG_REFRESH_INFLIGHT_MAX };
#define REFRESH_NIL UINT32_MAX

struct refresh {
	struct l0_writer *l0;
	struct refresh_ops ops;
	struct refresh_policy policy;
	bool stale_immediate;
	struct refresh_plan plan;
	struct failures *backoff;
	struct refresh_request *request; // REFRESH_REQUESTS
	uint32_t free, touched, inflight, inflight_limit, inflight_most;
	struct age_list ages;
	uint64_t refused;                  // due ones for which there was no request free
	uint64_t anomalies;                // records that l0_find refused
	uint64_t used_before;              // l0's renewed_used
	uint64_t round_began_ms, round_ms; // round_ms: how long the last one took
	uint32_t between_ms;               // from the start of one round to the next
	struct l0_sweep sweep;
	uint64_t now_ms; // during a step
	struct refresh_stats stats;
};
