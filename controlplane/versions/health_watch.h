// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The judgement of the health after a change of the configuration. The caller looks once a second
// and says what it sees; nothing here asks a part of the process.
//
// A watch begins with a version and ends with a verdict. A version that follows during a watch
// inherits it: what was usual is still what was seen before the first of them, and the verdict is
// of all of them, because none before the last was watched to its end. The way back leads to the
// last version whose health held. The service loop's. No memory of its own.
//
// SERVFAIL counts by clients, whatever number of questions one of them sends: names whose own
// servers fail, sent by one, must not undo what an operator changed. A client fell if its share of
// SERVFAIL has risen and its rate of good answers has fallen, by a quarter: fewer may be chance at
// a low rate, and a flood of names that fail beside its own takes no good answer away. Clients that
// got good answers before and any since have a vote each; a third of them must have fallen, and
// HEALTH_CLIENTS_MIN at least. Where fewer than HEALTH_CLIENTS_MIN have such a vote, all that ask
// must have fallen. A client is a crowd of client_tally.h: others in it hide its fall. Who has
// several addresses, or forges them, has as many votes.

#include "base/client_tally.h"

#include <weir/config/versions.h>

enum {
	HEALTH_BAD_LOOKS = 3,
	HEALTH_ANSWERS_MIN = 10,
	HEALTH_CLIENTS_MIN = 3,
	HEALTH_SAMPLES = 10,
	HEALTH_TRIES_MAX = 5
};

struct health_counts {
	struct client_tally clients;
	uint64_t at_ms;
};

// What one look sees.
struct health_sight {
	uint64_t now_ms;
	uint64_t reasons; // a bit for each watched reason that is there
	bool is_out;      // one of them is that clients get no answers, or no upstream answers
	uint64_t names;   // of the rules
	bool has_lists;   // the configuration has some, and none is being built
	struct client_tally clients;
	const char *fresh; // text of a watched reason that health_known lacks; NULL: none
};

struct health {
	bool is_running;
	bool has_fallen; // it is to be taken back
	bool goes_back;  // the way back has begun
	unsigned tries;  // of the way back, that failed
	unsigned good;   // the last version whose health held; 0: none
	struct config_version version;
	uint64_t until_ms;
	unsigned bad_looks;
	char bad[CONFIG_VERSION_WHY_MAX];
	uint64_t known;                            // reasons that were there before
	uint64_t names;                            // of the rules before
	bool was_out;                              // before: what waited then may fail now
	bool has_begin;                            // at_begin is of this watch
	uint64_t count_from_ms;                    // what waited at the change has ended
	struct health_counts at_begin;             // at that time
	struct health_counts last[HEALTH_SAMPLES]; // of the looks before
	unsigned looks;
};

enum health_verdict { HEALTH_WATCHED, HEALTH_HELD, HEALTH_FELL };

// What is usual: a look while no watch and no change runs.
void health_usual(struct health *w, const struct health_sight *s);
// `v` is in force, and is watched for `watch_ms` at least. A watch that runs goes on with it.
// Answers count from `deadline_ms` on, when each question asked before has its answer. They do not
// count where it is not known what was usual, or was an outage.
void health_begin(struct health *w, const struct config_version *v, uint64_t now_ms,
	unsigned watch_ms, unsigned deadline_ms);
// A look while the watch runs. HEALTH_FELL: `bad` says why.
enum health_verdict health_judge(struct health *w, const struct health_sight *s);
// The watch has ended; `number` is good from now on. 0: what was good still is.
void health_end(struct health *w, unsigned number);
// The way back failed. True: it is to be tried again.
bool health_try_again(struct health *w);
// The version that a verdict of `number` leads back to, by the results in the folder; 0: none.
// Blocks.
unsigned health_good_find(const char *folder, unsigned number);
