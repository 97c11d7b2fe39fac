// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Shared by the files of the rule manager. All on the service loop's thread.

#include "lists/list_rest.h"
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
	uint64_t pause_end_ms;       // the same by clock_mono_ms; not in the file
};

// rules_start.c
struct rules_start {
	bool waiting; // the resolver loop does not run yet
	bool had_image;
	uint8_t how; // enum update_start
	struct event *timer;
	struct event *check; // the next slice of a check of cached answers; NULL: none yet
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
	struct rules_sources *next; // reload to do after it; NULL: none
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
	struct list_rest rest;
	uint64_t input_hash;    // of the sources that it stands for
	uint64_t text_hash;     // of `config`
	uint64_t configuration; // number of that text, from 1
	struct rules_seen seen;
	struct rules_status status;
	struct rules_list_status list[RULE_SOURCES_MAX];
	void (*published)(void *arg);
	void *published_arg;
	struct events *events; // NULL: none
};

// rules.c
struct rules_job *rules_job_new(struct rules *r, struct rules_sources *sources); // NULL: no memory
void rules_run_job(struct rules *r, struct rules_job *j);                        // none runs
void rules_add_waiter(struct rules_waiters *w, rules_done done, void *arg);

void rules_tell(struct rules *r, struct rules_waiters *w);
// All lists of callers together hold no more than one has room for.
bool rules_waiters_full(const struct rules *r);
// Builds from the present configuration, after the job that may be running; notifies the callers at
// once if no job runs and nothing changed. Takes `callers` if it returns 0. `urgent`: an operator
// waits for the change, so neither this job nor the one before it is throttled. Nor are both when a
// caller waits for both.
ATTR_MUST_CHECK int rules_build(
	struct rules *r, bool force, bool urgent, struct rules_waiters *callers);
void rules_hurry(struct rules *r); // the job that runs, if one does, no longer pauses

// rules_reload.c
void rules_fetched(void *rules); // a round of fetching is over

// Again and again while the data plane lags behind.
ATTR_MUST_CHECK int rules_again_open(struct rules *r, struct event_base *base);
void rules_again_close(struct rules *r);

// rules_hold.c
void rules_hold(struct rules *r, bool held);
void rules_note_held(struct rules *r); // as what came of a reload
ATTR_MUST_CHECK int rules_kept_open(struct rules *r, struct event_base *base);
void rules_kept_close(struct rules *r);

// rules_status.c
const struct rule_source_info *rules_source_info(const struct rules *r, const char *title);
void rules_note_outcome(struct rules *r, struct rules_job *j); // of a job that is done
void rules_note_unchanged(struct rules *r);                    // of a look

// rules_events.c
// Lists that the job could not read.
void rules_event_unread(const struct rules *r, const struct rules_job *j);

// rules_start.c
void rules_start_look(struct rules *r); // whenever a job or a round of fetching has ended
// A job has begun the check of cached answers by its image: a data plane that lives serves them
// before the start, too.
void rules_start_check(struct rules *r);
void rules_start_close(struct rules *r);
