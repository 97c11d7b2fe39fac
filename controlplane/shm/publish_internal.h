// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Of the publisher's two files: publish.c (directory, settings, heartbeats, evictions) and
// publish_images.c.

#include "again.h"
#include "publish.h"

#include <pthread.h>

enum {
	PUBLISH_OLD_MAX = 2,       // images kept for workers that have not activated the newest
	PUBLISH_L0_MEAN_UNITS = 5, // of a record; sizes the index
};

// One generation of the rule image, mapped here.
struct rule_image_region {
	struct region region;
	uint64_t generation;
};

// The groups of one policy image.
struct policy_kept {
	uint64_t generation;
	struct policy_group group[POLICY_GROUPS_MAX]; // beyond the image's own like group 0
};

// For how long a worker that turns has not activated the newest generation.
struct publish_lag {
	uint64_t since_ms, ms; // since 0: all have
};

// Of a resolver or a frontend. All of them look at `at_ms` and write `hangs`; all else is its
// loop's.
struct publisher_beat {
	_Atomic uint64_t at_ms; // 0: none yet
	_Atomic bool hangs;
	uint64_t check_from_ms; // before that the others' may be old
};

// What evictions know of a worker.
struct publisher_worker {
	_Atomic uint64_t *evicted; // in its answers; NULL: it cannot be evicted
	uint64_t answers;          // the number of that file, which the worker must have mapped
	uint64_t beat_ms;          // its last heartbeat
	unsigned still;            // of our beats without another one
	unsigned unreturned;       // of its beats while it is evicted
};

struct publisher {
	struct shm_paths paths;
	int lock_fd;
	struct region directory;
	struct directory *dir;
	struct region reader; // the data plane's; zeros until there is one
	bool reader_told;     // that it cannot be used
	bool huge_apart;      // the data plane does not see our hugetlbfs, as we logged
	uint64_t incarnation;
	struct epoch_writer epoch[SHM_RESOLVERS_MAX]; // each its resolver's
	_Atomic uint64_t dead; // the life of the data plane that is known to be dead
	_Atomic uint64_t out[SHM_WORKERS_MAX]; // evicted workers; 0: not (epoch_writer.out)
	unsigned resolvers;
	unsigned frontends;
	struct publisher_beat beat[SHM_RESOLVERS_MAX + EPOCH_OWN_MAX]; // resolvers, then frontends
	struct region l0;
	struct region l0_old; // of the last life and another size, until l0 is published
	uint64_t l0_generation;
	bool l0_fresh;
	bool l0_stays; // where it is, though the data plane does not see it: there is no other room
	_Atomic uint8_t *marks; // of this process' readers
	struct reader_place {
		alignas(CACHE_LINE) _Atomic uint64_t seen;
	} place[EPOCH_OWN_MAX]; // of these
	uint64_t next_look_ms;  // at the files
	uint64_t suspended_ms;  // clock_suspended_ms, at the last heartbeat
	uint64_t check_from_ms; // before that a worker's heartbeat may be old because of a suspend

	_Atomic bool blocking_on, closed;
	_Atomic uint64_t pause_until_ms, block_all_pause_until_ms, watch_until_ms;

	pthread_mutex_t lock; // protects the fields below
	struct dp_watch watch;
	struct policy_kept kept[POLICY_KEPT]; // generation 0: none
	unsigned kept_newest;
	const struct rings_dp_page *rings[SHM_WORKERS_MAX];
	unsigned worker_rings;
	uint64_t policy_generation; // of the last publish_policy
	struct region policy;       // of policy_mapped; only looked at for cuts
	uint64_t policy_mapped;
	uint64_t hops_generation;        // of the last publish_hops
	uint64_t rules_next;             // generation of the next publish_rules_prepare
	struct rule_image_region *rules; // current, or NULL
	struct rule_image_region *old[PUBLISH_OLD_MAX]; // retired, oldest first
	unsigned old_count;
	uint64_t refused_busy;
	unsigned workers_hung;
	struct publisher_worker of_worker[SHM_WORKERS_MAX];
	uint64_t evict_ms, evictions; // the last look; how many there were
	struct publish_lag rules_lag, policy_lag, hops_lag, l0_lag;
	bool policy_fails; // the newest groups are not published
	uint64_t policy_failures;
	struct again l0_again;               // when to check its file
	struct dns_cookie_terms cookies;     // as published last
	struct dns_cookie_terms own_cookies; // secrets that were not configured
	bool cookies_are_own;
	uint64_t cookies_rotate_ms;
};

static inline uint64_t generation_word(uint64_t generation, enum shm_where where)
{
	return generation << 1 | (uint64_t)where;
}

// Files "<stem>.<number>" whose generation is not the one to keep go.
void publish_unlink_old(struct publisher *p, const char *stem, uint64_t keep);

// Reuses the region of the last life, or makes one of the configured size.
ATTR_MUST_CHECK int publish_l0_open(
	struct publisher *p, const struct config *config, char why[SHM_WHY_MAX]);
void publish_l0_look(struct publisher *p); // with the lock held; may end the process

// Can the data plane read what is on our hugetlbfs? Any thread.
bool publish_sees_huge(const struct publisher *p);

unsigned publish_workers_out(const struct publisher *p); // with the lock held

// An empty image in place of the last life's: its ports may be those of other resolvers.
void publish_hops_reset(struct publisher *p);

// The current rule image of the last life, if it is whole; else none is current.
void publish_rules_recover(struct publisher *p);
void publish_rules_retire(struct publisher *p); // with the lock held
void publish_policy_status(const struct publisher *p, struct publish_status *out); // under the lock
void publish_rules_lag_watch(struct publisher *p, uint64_t now_ms);                // under the lock
void publish_rules_close(struct publisher *p);
