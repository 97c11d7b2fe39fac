// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A worker as shipped on a net_pcap port that repeats a file for ever and forgets what is sent
// (infinite_rx=1, no tx): the packet path alone on one core, without generator or wire.
//
// One EAL per program; one case at a time. Each case's frames lie in packet buffers of the worker's
// pool, as many as the file has.

#include "../../dataplane/batch.h"
#include "../../dataplane/stage_cycles.h"
#include "../../dataplane/stages.h"
#include "path_control.h"
#include "path_load.h"

struct path_case {
	const char *goal, *name;
	struct path_traffic traffic;
	bool rules;               // the block list is on
	double dns_cycles, ratio; // docs/performance.md: what must be reached; 0: nothing said
};

struct path_rig {
	struct worker w;
	struct worker_tables tables;
	struct worker_service service;
	struct stats_worker stats;
	struct lane_dp_page dp;
	struct lane_cp_page cp;
	struct recent_way *recent;
	uint8_t *miss_data, *answer_data;
	struct path_control control;
	struct path_l0 l0;
	uint32_t names; // in l0
};

// EAL with room for `frames` packet buffers. False after saying why.
bool path_rig_start(struct path_rig *r, uint32_t frames);
void path_rig_stop(struct path_rig *r);

// The port and tables for one case, and back.
bool path_rig_open(struct path_rig *r, const struct path_case *c);
void path_rig_close(struct path_rig *r);
