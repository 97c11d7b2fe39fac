// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by the two files of the sweep: l1_sweep.c (rounds: when, the lock, counts, one step after
// the other) and l1_sample.c (one sample of an index). A step sends its commands by sweep_send.
// Each reply calls a function that ends in sweep_replied; the last one starts the next step.

#include "l1_sweep.h"

#include <string.h>
#include <weir/clock.h>

enum sweep_step { SWEEP_IDLE, SWEEP_LOCK, SWEEP_COUNT, SWEEP_SAMPLE, SWEEP_CHECK, SWEEP_DELETE };

struct shard {
	struct l1_sweep *owner;
	uint64_t keys;
};

struct candidate {
	struct l1_sweep *owner;
	struct l1_key key;
	bool read, gone, doomed;
	uint64_t hits, created_s;
};

struct l1_sweep {
	struct l1 *l1;
	struct redis *redis;
	l1_drop_fn drop;
	void *arg;
	struct event *timer;
	uint64_t max_keys, window_s;
	uint64_t min_hits;
	char token[17]; // the owner of the lock
	char lock[L1_INDEX_MAX];
	enum sweep_step step;
	bool failed, evicting;
	unsigned outstanding; // replies that this step still waits for
	uint64_t started_ms, puts_then;
	unsigned shard;
	struct shard shards[L1_SHARDS];
	unsigned count;
	struct candidate candidate[L1_SAMPLE];
	struct l1_sweep_status status;
};

static inline struct redis_word word(const char *text)
{
	return (struct redis_word){text, strlen(text)};
}

static inline uint64_t sweep_wall_s(void)
{
	return clock_ms_of(CLOCK_REALTIME) / 1000;
}

// l1_sweep.c
void sweep_send(struct l1_sweep *s, const struct redis_command *c, redis_done_fn done, void *arg);
void sweep_replied(struct l1_sweep *s, bool good);
void sweep_done(void *sweep, enum redis_end end, const struct redis_reply *reply);
bool sweep_is_wrong_type(enum redis_end end, const struct redis_reply *reply);
uint64_t sweep_keys(const struct l1_sweep *s);

// l1_sample.c
void sweep_sample(struct l1_sweep *s); // reads members of an index
void sweep_check(struct l1_sweep *s);  // looks at their keys
void sweep_delete(struct l1_sweep *s); // deletes the coldest keys of the sample
