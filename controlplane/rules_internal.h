// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of the rule manager share. All on the service loop's thread.

#include "rules.h"
#include "rules_job.h"

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
	uint64_t pause_until_unix_s; // 0: not paused
};

struct rules {
	struct publisher *publisher;
	struct rules_judging judging;
	struct loop *resolver_loop;
	struct event *poll;
	char image_path[PATH_MAX], previous_path[PATH_MAX], state_path[PATH_MAX];

	struct rules_job *job; // NULL: nothing runs
	struct rules_waiters waiting;
	struct rules_sources *next; // reload to do after it; NULL: none
	bool next_force;
	struct rules_waiters next_waiting;

	struct rules_kept kept;
	struct event *pause_timer;
	void (*pause_changed)(void *arg);
	void *pause_changed_arg;

	struct rule_arena arena; // current image, our own copy: `why` reads it
	struct rule_reader reader;
	struct judge *judge;
	struct rules_status status;
	struct rules_list_status list[RULE_SOURCES_MAX];
	void (*published)(void *arg);
	void *published_arg;
};

// rules_pause.c
ATTR_MUST_CHECK int rules_kept_open(struct rules *r, struct event_base *base);
void rules_kept_close(struct rules *r);
// -errno: it holds all the same, but a restart will not know of it (logged).
int rules_kept_save(struct rules *r);
