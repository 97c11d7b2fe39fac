// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Runs of a process: when each began, how large it was when last seen, and how it ended. Growth
// that a restart hides each few days shows here. Keeps the last MEMORY_LIVES. The next run finds
// how a run ended that left no note: another boot, the kernel's count of out-of-memory kills, or
// neither.

#include "memory_sample.h"

#include <stdbool.h>
#include <weir/attr.h>

enum { MEMORY_LIVES = 64, MEMORY_BOOT_MAX = 40, MEMORY_VERSION_MAX = 48 };

enum memory_end {
	MEMORY_RUNS, // it does
	MEMORY_STOPPED,
	MEMORY_KILLED,     // or crashed: it left no note
	MEMORY_OUT_KILLED, // killed while the kernel's out-of-memory killer was active
	MEMORY_REBOOTED,   // the machine went down under it
	MEMORY_UNSEEN,     // another life was there when anybody looked
	MEMORY_FAILED,     // it could not start
	MEMORY_ENDS
};

struct memory_life {
	uint64_t number; // from 1 on; 0 without one
	uint64_t id;     // incarnation of the other process' run, which may outlast this one
	uint64_t started_s, seen_s, uptime_ms;
	uint64_t rss, heap, queries; // when it was seen last
	uint64_t oom_kills;          // the machine's since its boot
	uint32_t end;                // enum memory_end
	char boot[MEMORY_BOOT_MAX], version[MEMORY_VERSION_MAX];
};

struct memory_lives {
	uint64_t next; // number of the next one less 1
	struct memory_life life[MEMORY_LIVES];
};

// The processes whose runs are kept.
enum memory_process { MEMORY_CONTROLPLANE, MEMORY_DATAPLANE, MEMORY_PROCESSES };

struct memory_place { // the environment of a run
	uint64_t wall_s, oom_kills;
	char boot[MEMORY_BOOT_MAX];
};

// Reads /proc. A field that cannot be read is empty or 0.
void memory_place_read(struct memory_place *out);
// A new life, after the last one's end has been found out.
struct memory_life *memory_life_begin(struct memory_lives *l, const struct memory_place *p);
void memory_life_seen(
	struct memory_life *l, const struct memory_sample *s, const struct memory_place *p);
// Another process's life, as looked at from here.
struct memory_other {
	bool is_there;
	uint64_t id, rss, queries, uptime_ms;
	// How the life that is over ended, as far as it is known by itself: of `ended_id`.
	enum { OTHER_UNKNOWN, OTHER_STOPPED, OTHER_FELL, OTHER_FAILED } ended;
	uint64_t ended_id;
	// How the run before `id` ended, if it has: two ends between two samples.
	unsigned former;
	uint64_t former_id;
};
// Does its newest life go on? Else memory_lives_follow has something to write down.
bool memory_lives_goes_on(const struct memory_lives *l, const struct memory_other *o);
// Reopens a run that was marked as ended and still exists. False: no such run.
bool memory_lives_resume(struct memory_lives *l, const struct memory_other *o);
// The end of the newest one if it is over, a new one if there is one. True: there is.
bool memory_lives_follow(
	struct memory_lives *l, const struct memory_other *o, const struct memory_place *p);
void memory_lives_saw(
	struct memory_lives *l, const struct memory_other *o, const struct memory_place *p);
// Life `back` from the newest (0) on; NULL: there is none.
const struct memory_life *memory_life_get(const struct memory_lives *l, unsigned back);
const char *memory_end_text(uint32_t end);
