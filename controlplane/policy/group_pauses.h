// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Pauses of groups by the operator. Plain state of the service loop; both clocks are parameters, so
// that tests can set them.
//
// A reload keeps a pause by the group's name, a restart by a file. A pause ends by whichever clock
// comes first, as that of everyone's blocking does (rules.h): a wall clock that is set back makes
// it no longer, and a box that learns the time after its start ends what should have ended before.

#include "base/state_file.h"

#include <time.h>
#include <weir/config.h>

enum {
	GROUP_PAUSE_MINUTES_MAX = 24 * 60,
	GROUP_PAUSES_MAX = CONFIG_GROUPS_MAX + 1,
};

struct group_pause {
	char name[CONFIG_GROUP_NAME_MAX + 1];
	uint64_t until_ms;     // clock_mono_ms
	uint64_t until_unix_s; // wall clock, at that time
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

// Begins a pause that replaces an earlier one; `name` may be CONFIG_EVERYONE: clients in no group.
// -ENOENT: no such group; -ERANGE: not 1 to GROUP_PAUSE_MINUTES_MAX minutes.
ATTR_MUST_CHECK int group_pause_begin(struct group_pauses *p, const struct config *c,
	const char *name, unsigned minutes, const struct group_moment *now);
// -ENOENT: no such group; -EALREADY: it is not paused.
ATTR_MUST_CHECK int group_pause_end(struct group_pauses *p, const struct config *c,
	const char *name, const struct group_moment *now);
uint64_t group_pause_left_ms(const struct group_pauses *p, const char *name, uint64_t now_ms);
// Forgets what has ended, and groups that are gone.
void group_pauses_sweep(
	struct group_pauses *p, const struct config *c, const struct group_moment *now);

// Writes the pauses to a file, in some 4 KiB at most, and reads them back. Both block as
// state_file.h says, and have its errors; after an error of a load nothing is paused.
ATTR_MUST_CHECK int group_pauses_save(
	const struct group_pauses *p, const char *path, char why[STATE_FILE_WHY_MAX]);
ATTR_MUST_CHECK int group_pauses_load(struct group_pauses *p, const struct config *c,
	const char *path, const struct group_moment *now);
