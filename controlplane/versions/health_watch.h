// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Decides whether health fell after a change of the configuration. The caller looks once a second
// and passes what it sees; this file asks no part of the process.
//
// A watch begins with a version and ends with a verdict. A version that follows during a watch
// inherits it: it is compared with the looks before the first version of the watch. The verdict
// applies to all versions of the watch, because only the last one was watched to the end. The way
// back leads to the last version whose health held. Service loop; no allocation.
//
// SERVFAIL counts by clients, whatever number of questions one of them sends: one client that asks
// for names whose own servers fail must not undo what an operator changed. A client fell if its
// share of SERVFAIL has risen and its rate of good answers has fallen, each by a quarter. A smaller
// fall may be chance at a low rate, and a flood of failing names takes no good answer away. Each
// client that got good answers before, and any answers since, has a vote; at least a third of them
// and HEALTH_CLIENTS_MIN must have fallen. If fewer than HEALTH_CLIENTS_MIN clients have such a
// vote, all clients with answers must have fallen. A client is a crowd of client_tally.h, in which
// other clients may hide its fall. A client with several addresses, or forged ones, has as many
// votes.

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

// What a look sees.
struct health_sight {
	uint64_t now_ms;
	uint64_t reasons; // one bit for each watched reason that is present
	bool is_out;      // a reason is that clients get no answers, or no upstream answers
	uint64_t names;   // number of names in the rules
	bool has_lists;   // the configuration has lists, and no rules are being built
	struct client_tally clients;
	const char *fresh; // text of a watched reason that health.known lacks; NULL: no such reason
};

struct health {
	bool is_running;
	bool has_fallen; // the version is to be taken back
	bool goes_back;  // the way back has begun
	unsigned tries;  // failed tries of the way back
	unsigned good;   // the last version whose health held; 0: no version
	struct config_version version;
	uint64_t until_ms;
	unsigned bad_looks;
	char bad[CONFIG_VERSION_WHY_MAX];
	uint64_t known;         // reasons of the last look before the watch
	uint64_t names;         // names in the rules at that look
	bool was_out;           // is_out at that look: questions that waited then may fail now
	bool has_begin;         // at_begin is set for this watch
	uint64_t count_from_ms; // when all questions that waited at the change have ended
	struct health_counts at_begin;             // counts at the first look from count_from_ms on
	struct health_counts last[HEALTH_SAMPLES]; // counts of the last looks before the watch
	unsigned looks;
};

enum health_verdict { HEALTH_WATCHED, HEALTH_HELD, HEALTH_FELL };

// Records a look as usual, while no watch and no change runs.
void health_usual(struct health *w, const struct health_sight *s);
// Begins to watch `v`, which is in force, for at least `watch_ms`. A running watch goes on with
// `v`. Answers count once `deadline_ms` have passed, when each question asked before has its
// answer. They do not count at all if too few usual looks are known, or the last one saw an outage.
void health_begin(struct health *w, const struct config_version *v, uint64_t now_ms,
	unsigned watch_ms, unsigned deadline_ms);
// Evaluates a look while the watch runs. HEALTH_FELL: `bad` says why.
enum health_verdict health_judge(struct health *w, const struct health_sight *s);
// Ends the watch; `number` becomes the good version. 0: the good version stays.
void health_end(struct health *w, unsigned number);
// Notes that the way back failed. True: try it again.
bool health_try_again(struct health *w);
// The version that the way back from `number` leads to, by the results in the folder; 0: no
// version. Blocks.
unsigned health_good_find(const char *folder, unsigned number);
