// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule manager's state, which rules.c changes and rules_status.c describes. All on the service
// loop's thread.

#include "rule_image/rule_numbers.h"
#include "rules.h"
#include "rules_fetch.h"
#include "rules_job.h"
#include "shm/again.h"

#include <limits.h>

struct event;

struct rules_waiters {
	unsigned count;
	struct {
		rules_done done;
		void *arg;
	} one[RULES_WAITERS_MAX];
};

// What outlives a restart: <state_directory>/rules.state.
struct rules_kept {
	bool held;
	bool pause_lifts_block_all;
	uint64_t pause_until_unix_s; // 0: not paused
	uint64_t pause_end_ms;       // that time by clock_mono_ms; not in the file
};

// When clients may be answered (blocking.update.start).
struct rules_start {
	bool waiting; // the resolver loop does not run yet
	bool had_image;
	uint8_t how; // enum update_start
	struct event *timer;
	struct event *check; // the next slice of a check of cached answers; may be NULL
	bool checks;
	rules_started done;
	void *arg;
};

struct rules {
	struct publisher *publisher;
	struct rules_answer_policy policy;
	struct loop *resolver_loop, *service_loop;
	struct event *again; // what could not be done at once is tried again
	struct event *lag_timer;
	struct again lag_again; // when the image is published again
	bool is_refused;        // a new image, while two older ones waited for workers
	const struct config *config;
	char image_path[PATH_MAX], previous_path[PATH_MAX], state_path[PATH_MAX];

	struct rules_job *job; // NULL: nothing runs
	bool job_waits;        // READY, for room in the resolver loop's mailbox
	struct rules_waiters waiting;
	struct rules_sources *next; // a reload that comes after it; may be NULL
	bool next_force, next_urgent;
	struct rules_waiters next_waiting;
	struct rules_fetch *fetch;
	bool fetch_is_behind; // there was no memory for the lists that `config` fetches
	struct rules_waiters fetch_waiting; // for lists to be fetched, then for the build

	struct rules_start start;

	struct rules_kept kept;
	struct event *pause_timer;
	void (*pause_changed)(void *arg);
	void *pause_changed_arg;

	struct rule_arena arena; // current image, a mapping of the region for `why`
	struct rule_reader reader;
	struct answer_policy *answer_policy;
	struct rule_rest rest;
	uint64_t input_hash;    // a hash of its sources
	uint64_t text_hash;     // the hash of `config`
	uint64_t configuration; // number of that text, from 1
	struct rules_seen seen;
	struct rules_status status;
	struct rules_list_status list[RULE_SOURCES_MAX];
	void (*published)(void *arg);
	void *published_arg;
	struct events *events; // may be NULL
};

// Holds the image of a rollback through restarts, or releases it.
void rules_hold(struct rules *r, bool held);

const struct rule_source_info *rules_source_info(const struct rules *r, const char *title);
void rules_note_outcome(struct rules *r, struct rules_job *j); // for a job that is done
