// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A worker with default settings on a net_pcap port that repeats a file for ever and forgets what
// is sent (infinite_rx=1, no tx): the packet path alone on one core, without generator or wire.
//
// One EAL per program; one case at a time. Each case's frames lie in packet buffers of the worker's
// pool, as many as the file has.

#include "dataplane/stage/batch.h"
#include "dataplane/stage/stages.h"
#include "path_case.h"
#include "path_control.h"
#include "tests/bench/dataplane/bench_turns.h"

enum { PATH_PORT, PATH_PORT_PLAIN, PATH_PORTS }; // of the worker; the second if path_case_has_plain

struct path_rig {
	struct worker w;
	struct worker_tables tables;
	struct worker_service service;
	struct stats_worker stats;
	struct rings_dp_page dp;
	struct rings_cp_page cp;
	struct recent_way *dedup;
	uint8_t *miss_data, *answer_data, *log_data;
	struct path_control control;
	struct path_l0 l0;
	uint32_t names, negatives; // in l0
	uint64_t look_ms;          // when the limiter is due
	unsigned buffers;          // in use before the case's first turn
};

// EAL with room for `frames` packet buffers, on the CPU that we run on and, with `two_lcores`, on
// one other. False after saying why.
bool path_rig_start(struct path_rig *r, uint32_t frames, bool two_lcores);
void path_rig_stop(struct path_rig *r);

// What a case is answered from.
bool path_rig_tables(struct path_rig *r, const struct path_case *c);
// What is known of the clients; those of the tables are of the case's kind.
void path_rig_policy(struct path_rig *r, enum path_policy kind);
enum path_policy path_rig_policy_of(const struct path_case *c);
// One record of the query log for so many queries; 0: none. What is on its ring is taken as read,
// so a slice of some thousand queries never finds it full. That a consumer on another core has had
// the lines is not in the figures.
void path_rig_log(struct path_rig *r, uint32_t sample);
// A hops image of 1,000 servers, or none.
void path_rig_hops(struct path_rig *r, bool with);
// The same and its ports, and back.
bool path_rig_open(struct path_rig *r, const struct path_case *c);
void path_rig_close(struct path_rig *r);
unsigned path_rig_buffers(void); // packet buffers in use
// A thread that ran turns and ends: what its cache holds goes back to the pool, where the next
// case's ports look for it.
void path_rig_leave(void);

// The control plane's and the main lcore's part: looks after the limits, and answers what is still
// on the miss ring: of a million names L0 lacks some, as their buckets are
// full (docs/reference/l0-table.md). Not to be measured.
void path_rig_settle(struct path_rig *r);

// The words of an eviction, which never comes, where a worker has them.
ATTR_INLINE struct epoch_reader path_rig_epoch(struct path_rig *r)
{
	return (struct epoch_reader){.evicted = &r->cp.evicted, .returned = &r->dp.returned};
}

// What a worker's loop does at its top: takes new tables, and holds no reference to the old ones.
ATTR_INLINE void path_rig_top(struct path_rig *r)
{
	const struct worker_tables *t =
		atomic_load_explicit(&r->w.next_tables, memory_order_acquire);
	if (unlikely_(t != r->w.tables)) {
		r->w.tables = t;
		atomic_store_explicit(&r->w.tables_in_use, t, memory_order_release);
	}
	if (unlikely_(epoch_is_evicted(&r->w.epoch)))
		epoch_return(&r->w.epoch);
	if (r->w.epoch.epoch)
		epoch_quiescent(&r->w.epoch);
}

// The image that a case uses, which is as large as path_rules_build made it.
const struct rule_image_head *path_rig_rules(const struct path_case *c);
