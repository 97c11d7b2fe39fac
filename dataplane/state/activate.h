// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Activates new generations of the control plane in the workers, and unmaps the old ones after
// them.
//
// A poll, each 10 ms by the main lcore, moves at most one step and never waits: attach the
// directory (again after each link-up: it may be another file), look for newer generations, build a
// new set of tables, hand it to the workers, and once every worker uses it unmap the old one and
// report that in the worker rings (activated_*). While one activation is in progress no other
// starts. A region that fails its checks is refused with one log line per generation, tried again
// each second, and the old one stays in use.
//
// A worker whose heartbeat stands still for ACTIVATE_STUCK_MS while another one beats is stuck: the
// others go on without it. It keeps what it may still be using, mapped, until it goes on: at most
// ACTIVATE_KEPT_MAX sets beside the current one, for all stuck workers together. Beyond these, and
// for a new directory, activation waits.
//
// Without a directory workers have tables without L0 and rules. With the directory of a dead or
// stopped control plane they serve from its state; activated_* is only for one that runs. A control
// plane that does not know these worker rings yet must not reuse records that the workers read:
// the word in `reader`, stored before they read, prevents that (tests/model/model_epoch.c,
// read-before-announce). Main lcore only; no DPDK calls, so tests drive it with real regions and no
// EAL.

#include "tables.h"

enum { ACTIVATE_RETRY_MS = 100, ACTIVATE_REFUSED_MS = 1000 };
enum { ACTIVATE_STUCK_MS = 1000, ACTIVATE_KEPT_MAX = 2 };

struct activate_refusal {
	uint64_t word; // the word that failed; 0 if none did
	uint64_t until_ms;
};

struct activate_pulse {    // a worker's heartbeat
	uint64_t beat_ms;  // the last heartbeat; 0 before the first
	uint64_t moved_ms; // the poll that saw it first
	bool stuck;
};

struct activate {
	struct tables_source src;
	struct stats_region *stats;

	struct region directory, old_directory;     // old: until all workers left its epoch
	bool moving;                                // directory hand-over under way
	struct tables_set *current, *next;          // next: hand-over under way
	struct tables_set *kept[ACTIVATE_KEPT_MAX]; // older ones, of stuck workers
	unsigned kept_count;
	struct activate_pulse pulse[SHM_WORKERS_MAX];
	uint64_t polled_ms;
	bool linked; // a control plane listens
	bool attach; // after link-up: attach the directory, then every part, again
	uint64_t next_attach_ms;
	uint64_t rings_again_ms; // tables_take_rings; 0: all are there
	// Called before workers get other hops; NULL: it is not called.
	void (*on_hops)(void *arg, const struct hops_reader *hops);
	void *on_hops_arg;
	const void *hops_base; // where the region was that it was called with
	struct activate_refusal refused_l0, refused_rules, refused_policy, refused_hops,
		refused_config;
};

// Gives the workers their first tables (before they are launched). `workers`, one for each of
// `rings`, and `rings` stay the caller's. Rings for more resolvers are made as a cache needs them.
struct worker_rings;
ATTR_MUST_CHECK int activate_init(struct activate *a, const struct shm_paths *paths,
	struct worker *const *workers, struct worker_rings *rings, const struct dp_config *defaults,
	struct stats_region *stats);
// After the workers have returned.
void activate_close(struct activate *a);

void activate_link(struct activate *a, bool up); // the link came up or went down
// As worker_rings_check, for the marks that we made.
void activate_check(const struct activate *a);
void activate_poll(struct activate *a, uint64_t now_ms);
// No hand-over is under way: workers have what a poll finds. With a directory it takes polls until
// they have its tables.
bool activate_is_settled(const struct activate *a);

// The directory in use; NULL before there is one.
const struct directory *activate_directory(const struct activate *a);
// Milliseconds since the control plane's heartbeat; UINT64_MAX without a directory.
uint64_t activate_heartbeat_age_ms(const struct activate *a, uint64_t now_ms);
