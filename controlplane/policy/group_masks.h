// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which lists of the rule image apply to a group now: a pure function of the configuration, of the
// lists that the image has, and of the time.
//
// In the mask of a group are
//   - what is no blocking: local data; safe search of the engines that the group uses safely;
//   - allow and deny entries for everyone, and the group's own;
//   - the lists of `blocking.lists` that it uses, and its services;
//   - for every schedule that applies now, its lists, services and domains;
// each unless the rules are for clients of other groups ($client, $ctag: group_client.h). In a
// paused group, and in one where nothing is blocked, are only local data, safe search and allow
// rules. A schedule that pauses takes away what blocks at all times, but not what schedules block;
// a pause by the operator takes all of it away. Where a schedule blocks all, `block_all` says so,
// beside the mask.

#include "base/state_file.h"

#include <time.h>
#include <weir/config.h>
#include <weir/rule_image.h>

// Titles of the sources of rules that a configuration's groups make, and back: the meaning of a
// list of the image by its title. The same names give the same titles, and so the same list
// numbers. No list of `blocking.lists` has such a title, no group a colon in its name
// (config_blocking.c, config_groups.c). Any thread; no state.
enum list_of {
	LIST_OF_ENTRIES,  // allow and deny entries, and rebinding protection, for everyone
	LIST_OF_LIST,     // `index` of blocking.lists
	LIST_OF_SERVICE,  // enum service
	LIST_OF_SAFE,     // enum safe_engine
	LIST_OF_GROUP,    // entries of `group`
	LIST_OF_SCHEDULE, // domains of schedule `index` of `group`
	LIST_OF_OTHER,    // local data, or what the configuration has no more
};

struct list_owner {
	uint8_t role;  // enum list_of
	uint8_t group; // 0: everyone
	uint16_t index;
};

#define GROUP_TITLE_ALLOW "allow entries" // for everyone
#define GROUP_TITLE_DENY  "deny entries"
void group_title_service(char out[RULE_TITLE_MAX], unsigned service);
void group_title_safe(char out[RULE_TITLE_MAX], unsigned engine);
void group_title_entries(char out[RULE_TITLE_MAX], const struct config_group *group, bool allow);
// `group` NULL: a schedule of everyone.
void group_title_schedule(char out[RULE_TITLE_MAX], const struct config_group *group,
	const struct config_schedule *schedule);

// The lists of an image under a configuration, which must outlive it. Some 3 KiB.
struct group_lists {
	const struct config *config;
	unsigned count;
	struct list_owner owner[RULE_LISTS_MAX];
	uint64_t groups[RULE_LISTS_MAX];   // a bit for each that the rules may be for
	const struct rule_list_info *info; // what the image says of it
};

// `info`: `count` lists of the image (rule_reader.lists).
void group_lists_init(struct group_lists *l, const struct config *config,
	const struct rule_list_info *info, unsigned count);

struct group_mask {
	uint64_t lists[4];
	uint64_t unpaused[4]; // what `lists` would be without a pause of the group
	bool block_all;
	bool paused;     // the operator or a schedule paused it
	uint32_t active; // schedules that apply, by their places in config_group_schedules
};

bool group_mask_same(const struct group_mask *a, const struct group_mask *b);

// `group`: 0 is everyone else, else 1 + its place in the configuration. `paused`: by the operator.
void group_mask(const struct group_lists *l, unsigned group, time_t now, bool paused,
	struct group_mask *out);

// Pauses of groups by the operator. Plain state of the service loop; both clocks are parameters, so
// that tests can set them.
//
// A reload keeps a pause by the group's name, a restart by a file. A pause ends by whichever clock
// comes first, as that of everyone's blocking does (rules.h): a wall clock that is set back makes
// it no longer, and a box that learns the time after its start ends what should have ended before.

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

enum { GROUP_LOOK_MS = 30000 }; // the wall clock may be set, and the time zone change

// The state at a moment, for display.
struct group_now {
	struct group_mask mask;
	uint64_t pause_left_s; // 0: the operator has not paused it
	time_t next_change;    // when a schedule of the group changes next; 0 if it has none
};

// The next change of a group's schedules; 0 if it has none. `group` NULL: everyone else.
time_t group_next_change(const struct config *c, const struct config_group *group, time_t now);
// How long until anything changes by itself, or until it is time to look whether the clock did: 1
// to GROUP_LOOK_MS.
unsigned group_wait_ms(const struct group_pauses *p, const struct config *c,
	const struct timespec *wall, uint64_t now_ms);
