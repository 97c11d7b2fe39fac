// SPDX-License-Identifier: BSD-3-Clause

// Pauses of groups, and a timer that is woken when something changes: in fake time.

#include "controlplane/policy/group_masks.h"
#include "tests/unit/unit.h"

#include <unistd.h>

static char kids[] = "kids", off[] = "off", evening[] = "evening";
static struct config_schedule schedule = {
	.name = evening, .days = 0x7f, .from_min = 18 * 60, .to_min = 6 * 60, .block_all = true};
static struct config_group groups[2];
static struct config config;
static struct group_pauses pauses;

enum { MIDNIGHT = 1774742400 }; // 2026-03-29 00:00 UTC

// So long after midnight, by both clocks.
static const struct group_moment *at(uint64_t ms)
{
	static struct group_moment m;
	m = (struct group_moment){
		.wall = {.tv_sec = MIDNIGHT + (time_t)(ms / 1000)}, .mono_ms = ms};
	return &m;
}

static int setup(void **)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	memset(&pauses, 0, sizeof(pauses));
	groups[0] = (struct config_group){.name = kids, .blocking = true, .has_schedules = true};
	groups[0].filter.schedules = (struct config_schedules){1, &schedule};
	groups[1] = (struct config_group){.name = off, .has_schedules = true};
	groups[1].filter.schedules = groups[0].filter.schedules;
	config = (struct config){.group_count = 2, .groups = groups};
	return 0;
}

TEST_WITH(test_pauses, setup, NULL)
{
	assert_int_equal(group_pause_begin(&pauses, &config, "nobody", 5, at(0)), -ENOENT);
	assert_int_equal(group_pause_begin(&pauses, &config, kids, 0, at(0)), -ERANGE);
	assert_int_equal(group_pause_begin(&pauses, &config, kids, 1441, at(0)), -ERANGE);
	assert_int_equal(group_pause_end(&pauses, &config, "nobody", at(0)), -ENOENT);
	assert_int_equal(group_pause_end(&pauses, &config, kids, at(0)), -EALREADY);
	assert_int_equal(group_pause_begin(&pauses, &config, kids, 2, at(1000)), 0);
	assert_int_equal(group_pause_begin(&pauses, &config, CONFIG_EVERYONE, 1, at(1000)), 0);
	assert_int_equal(group_pause_left_ms(&pauses, kids, 1000), 120000);
	assert_int_equal(group_pause_left_ms(&pauses, kids, 120999), 1);
	assert_int_equal(group_pause_left_ms(&pauses, kids, 121000), 0);
	assert_int_equal(group_pause_left_ms(&pauses, off, 1000), 0);
	assert_int_equal(
		group_pause_begin(&pauses, &config, kids, 1, at(2000)), 0); // shorter again
	assert_int_equal(group_pause_left_ms(&pauses, kids, 2000), 60000);
	assert_int_equal(pauses.count, 2);
	assert_int_equal(group_pause_end(&pauses, &config, kids, at(3000)), 0);
	assert_int_equal(group_pause_left_ms(&pauses, kids, 3000), 0);
	assert_int_equal(group_pause_left_ms(&pauses, CONFIG_EVERYONE, 3000), 58000);
	assert_int_equal(group_pause_end(&pauses, &config, CONFIG_EVERYONE, at(61000)), -EALREADY);
	assert_int_equal(pauses.count, 0);
}

// A group that a reload takes away is forgotten; another one keeps its pause by its name.
TEST_WITH(test_reload, setup, NULL)
{
	assert_int_equal(group_pause_begin(&pauses, &config, kids, 10, at(0)), 0);
	assert_int_equal(group_pause_begin(&pauses, &config, off, 10, at(0)), 0);
	struct config other = {.group_count = 1, .groups = &groups[1]};
	group_pauses_sweep(&pauses, &other, at(1));
	assert_int_equal(pauses.count, 1);
	assert_int_equal(group_pause_left_ms(&pauses, off, 1), 599999);
}

// Pauses are kept through a restart, and through that of the machine: another clock_mono_ms. A
// pause whose time is over, and a group that is gone, are forgotten; no clock makes one longer.
TEST_WITH(test_restart, setup, NULL)
{
	enum { BOOT_MS = 5000, MINUTE_MS = 60000 };
	static char blanks[] = "kids room";
	struct config_group three[] = {groups[0], groups[1], {.name = blanks}};
	struct config config3 = {.group_count = 3, .groups = three};
	struct group_moment now = {.wall = {.tv_sec = MIDNIGHT + 120}, .mono_ms = BOOT_MS};
	char path[] = "/tmp/weir-pauses-XXXXXX", why[STATE_FILE_WHY_MAX];
	close(mkstemp(path));
	assert_int_equal(group_pause_begin(&pauses, &config3, kids, 1, at(0)), 0);
	assert_int_equal(group_pause_begin(&pauses, &config3, off, 10, at(0)), 0);
	assert_int_equal(group_pause_begin(&pauses, &config3, blanks, 10, at(0)), 0);
	assert_int_equal(group_pause_begin(&pauses, &config3, CONFIG_EVERYONE, 5, at(0)), 0);
	assert_int_equal(group_pauses_save(&pauses, path, why), 0);
	assert_int_equal(group_pauses_load(&pauses, &config3, path, &now), 0);
	assert_int_equal(pauses.count, 3);
	assert_int_equal(group_pause_left_ms(&pauses, kids, BOOT_MS), 0);
	assert_int_equal(group_pause_left_ms(&pauses, off, BOOT_MS), 8 * MINUTE_MS);
	assert_int_equal(group_pause_left_ms(&pauses, blanks, BOOT_MS), 8 * MINUTE_MS);
	assert_int_equal(group_pause_left_ms(&pauses, CONFIG_EVERYONE, BOOT_MS), 3 * MINUTE_MS);
	assert_int_equal(group_pauses_load(&pauses, &config, path, &now), 0);
	assert_int_equal(group_pause_left_ms(&pauses, blanks, BOOT_MS), 0);
	now.wall.tv_sec =
		MIDNIGHT - 7 * 86400; // a box without a clock, which learns the time later
	assert_int_equal(group_pauses_load(&pauses, &config, path, &now), 0);
	assert_int_equal(group_pause_left_ms(&pauses, off, BOOT_MS), 1440 * MINUTE_MS);
	now.wall.tv_sec = MIDNIGHT;
	assert_int_equal(group_pauses_load(&pauses, &config, path, &now), 0);
	now.wall.tv_sec = MIDNIGHT + 6 * 60;
	group_pauses_sweep(&pauses, &config, &now);
	assert_int_equal(pauses.count, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(group_pauses_load(&pauses, &config, path, &now), -ENOENT);
	assert_int_equal(pauses.count, 0);
}

// The most groups with the longest names fit in the file.
TEST_WITH(test_file_holds_all, setup, NULL)
{
	char path[] = "/tmp/weir-pauses-XXXXXX", why[STATE_FILE_WHY_MAX];
	close(mkstemp(path));
	pauses.count = GROUP_PAUSES_MAX;
	for (unsigned i = 0; i < GROUP_PAUSES_MAX; i++) {
		memset(pauses.one[i].name, 'x', CONFIG_GROUP_NAME_MAX);
		pauses.one[i].until_unix_s = MIDNIGHT;
	}
	assert_int_equal(group_pauses_save(&pauses, path, why), 0);
	assert_int_equal(unlink(path), 0);
}

static struct group_mask mask_at(const struct timespec *wall, uint64_t now_ms)
{
	static struct group_lists lists;
	struct group_mask mask;
	group_lists_init(&lists, &config, NULL, 0);
	group_mask(&lists, 1, wall->tv_sec, group_pause_left_ms(&pauses, kids, now_ms) > 0, &mask);
	return mask;
}

static void pass(struct group_moment *c, uint64_t ms)
{
	uint64_t wall_ms =
		(uint64_t)c->wall.tv_sec * 1000 + (uint64_t)c->wall.tv_nsec / 1000000 + ms;
	c->mono_ms += ms;
	c->wall.tv_sec = (time_t)(wall_ms / 1000);
	c->wall.tv_nsec = (long)(wall_ms % 1000) * 1000000;
}

// A day and a half of waking: the state between two wakings never changes.
TEST_WITH(test_timer, setup, NULL)
{
	struct group_moment c = {{MIDNIGHT + 12 * 3600, 250000000}, 777};
	unsigned wakings = 0, changes = 0;
	assert_int_equal(group_pause_begin(&pauses, &config, kids, 7 * 60, &c), 0);
	while (c.wall.tv_sec < MIDNIGHT + 48 * 3600) {
		struct group_mask now = mask_at(&c.wall, c.mono_ms);
		unsigned wait = group_wait_ms(&pauses, &config, &c.wall, c.mono_ms);
		assert_true(wait >= 1 && wait <= GROUP_LOOK_MS);
		struct group_moment before = c;
		pass(&before, wait - 1);
		struct group_mask last = mask_at(&before.wall, before.mono_ms);
		assert_int_equal(last.block_all, now.block_all);
		assert_int_equal(last.paused, now.paused);
		pass(&c, wait);
		struct group_mask next = mask_at(&c.wall, c.mono_ms);
		changes += next.block_all != now.block_all || next.paused != now.paused;
		wakings++;
	}
	// The pause ends at 19:00, in the window; it ends at 6:00 and begins at 18:00.
	assert_int_equal(changes, 3);
	assert_true(wakings <= 36 * 120 + 8); // some two a minute
}

// The clock is set: within GROUP_LOOK_MS it is noticed, and a pause is as long as before.
TEST_WITH(test_clock_jump, setup, NULL)
{
	struct group_moment c = {{MIDNIGHT + 12 * 3600, 0}, 1000};
	assert_int_equal(group_wait_ms(&pauses, &config, &c.wall, c.mono_ms), GROUP_LOOK_MS);
	assert_false(mask_at(&c.wall, c.mono_ms).block_all);
	pass(&c, 1000);
	c.wall.tv_sec += 7 * 3600;
	assert_true(mask_at(&c.wall, c.mono_ms).block_all);
	assert_int_equal(group_wait_ms(&pauses, &config, &c.wall, c.mono_ms), GROUP_LOOK_MS);
	assert_int_equal(group_pause_begin(&pauses, &config, kids, 1, &c), 0);
	c.wall.tv_sec -= 86400;
	assert_int_equal(group_pause_left_ms(&pauses, kids, c.mono_ms), 60000);
	// Just before a change, and at it.
	c.wall = (struct timespec){MIDNIGHT + 18 * 3600 - 2, 999000000};
	assert_int_equal(group_wait_ms(&pauses, &config, &c.wall, c.mono_ms), 1001);
	c.wall = (struct timespec){MIDNIGHT + 18 * 3600, 0};
	assert_int_equal(group_wait_ms(&pauses, &config, &c.wall, c.mono_ms), GROUP_LOOK_MS);
	assert_int_equal(
		group_next_change(&config, &groups[0], c.wall.tv_sec), MIDNIGHT + 30 * 3600);
	assert_int_equal(
		group_next_change(&config, &groups[1], c.wall.tv_sec), 0); // blocks nothing
	assert_int_equal(group_next_change(&config, NULL, c.wall.tv_sec), 0);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

// A clock that is a tick behind would be seen, at a second's begin, to be in the one before.
TEST_WITH(test_moment_is_exact, setup, NULL)
{
	for (unsigned i = 0; i < 100; i++) {
		struct timespec before, after;
		struct group_moment m;
		clock_gettime(CLOCK_REALTIME, &before);
		group_moment_now(&m);
		clock_gettime(CLOCK_REALTIME, &after);
		assert_false(is_before(&m.wall, &before));
		assert_false(is_before(&after, &m.wall));
	}
}
