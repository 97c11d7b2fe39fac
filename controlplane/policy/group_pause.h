// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Pauses of groups by the operator, and when to check the groups' settings again. Plain state of
// the service loop; both clocks are parameters, so that tests can set them.
//
// A pause ends by clock_mono_ms, a schedule by the time of the day. It is kept through reloads by
// the group's name, and not through a restart: then the configuration is in force again.

#include "group_masks.h"

#include <time.h>
#include <weir/config.h>

enum {
	GROUP_PAUSE_MINUTES_MAX = 24 * 60,
	GROUP_PAUSES_MAX = CONFIG_GROUPS_MAX + 1,
	// The wall clock may be set, and the time zone change.
	GROUP_LOOK_MS = 30000,
};

struct group_pause {
	char name[CONFIG_GROUP_NAME_MAX + 1];
	uint64_t until_ms;
};

struct group_pauses {
	unsigned count;
	struct group_pause one[GROUP_PAUSES_MAX];
};

// A moment by both clocks. time(2) will not do: it is up to a tick behind, so that a timer for the
// second at which a schedule begins would still see the one before.
struct group_moment {
	struct timespec wall;
	uint64_t mono_ms;
};
void group_moment_now(struct group_moment *out);

// The state at a moment, for display.
struct group_now {
	struct group_mask mask;
	uint64_t pause_left_s; // 0: the operator has not paused it
	time_t next_change;    // when a schedule of the group changes next; 0 if it has none
};

// Begins a pause that replaces an earlier one; `name` may be CONFIG_EVERYONE: clients in no group.
// -ENOENT: no such group; -ERANGE: not 1 to GROUP_PAUSE_MINUTES_MAX minutes.
ATTR_MUST_CHECK int group_pause_begin(struct group_pauses *p, const struct config *c,
	const char *name, unsigned minutes, uint64_t now_ms);
// -ENOENT: no such group; -EALREADY: it is not paused.
ATTR_MUST_CHECK int group_pause_end(
	struct group_pauses *p, const struct config *c, const char *name, uint64_t now_ms);
uint64_t group_pause_left_ms(const struct group_pauses *p, const char *name, uint64_t now_ms);
// Forgets what has ended, and groups that are gone.
void group_pauses_sweep(struct group_pauses *p, const struct config *c, uint64_t now_ms);

// The next change of a group's schedules; 0 if it has none. `group` NULL: everyone else.
time_t group_next_change(const struct config *c, const struct config_group *group, time_t now);
// How long until anything changes by itself, or until it is time to look whether the clock did: 1
// to GROUP_LOOK_MS.
unsigned group_wait_ms(const struct group_pauses *p, const struct config *c,
	const struct timespec *wall, uint64_t now_ms);
