// SPDX-License-Identifier: BSD-3-Clause
//
// Rollback, hold and pause, through restarts.

#include "rules_rig.h"
#include "wall_ahead.h"

struct hold_call {
	enum { CALL_ROLLBACK, CALL_RELEASE, CALL_CONFIGURE, CALL_PAUSE, CALL_RESUME } what;
	unsigned minutes;
	int ret;
};

static void call_hold(void *arg)
{
	struct hold_call *c = arg;
	switch (c->what) {
	case CALL_ROLLBACK:
		c->ret = rules_rollback(env.rules, on_done, NULL);
		break;
	case CALL_RELEASE:
		c->ret = rules_reload(env.rules, false, on_done, NULL);
		break;
	case CALL_CONFIGURE:
		c->ret = rules_configure(env.rules, &env.config, on_done, NULL);
		break;
	case CALL_PAUSE:
		c->ret = rules_pause(env.rules, c->minutes, false);
		break;
	case CALL_RESUME:
		c->ret = rules_resume(env.rules);
		break;
	}
	// A call that on_done does not answer is answered here.
	if (c->what >= CALL_PAUSE || c->ret) {
		rules_status(env.rules, &env.last);
		atomic_fetch_add(&env.replies, 1);
	}
}

static int hold(int what, unsigned minutes)
{
	static struct hold_call c;
	c.what = what;
	c.minutes = minutes;
	on_service(call_hold, &c, 1);
	return c.ret;
}

static bool blocked(const char *name)
{
	return ask(name).verdict.d.action == RULE_BLOCK;
}

// "first.example" was blocked, "second.example" is.
static void open_with_two(void)
{
	write_list(0, "first.example\n");
	run_rules();
	reload(1, false);
	write_list(0, "second.example\n");
	reload(1, false);
}

TEST_WITH(test_rollback_holds_until_a_reload_by_hand, make_env, remove_env)
{
	write_list(0, "first.example\n");
	run_rules();
	reload(1, false);
	assert_false(env.last.has_previous);
	assert_int_equal(env.last.previous_unix_s, 0);
	assert_int_equal(hold(CALL_ROLLBACK, 0), -ENOENT);
	write_list(0, "second.example\n");
	reload(1, false);
	assert_true(env.last.has_previous);
	assert_true(env.last.previous_unix_s + 60 > (uint64_t)time(NULL));
	assert_true(blocked("second.example"));

	uint64_t published = generation();
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_true(env.last.held);
	assert_true(generation() > published);
	assert_true(blocked("first.example"));
	assert_false(blocked("second.example"));
	assert_int_equal(env.last.list_count, 3);
	assert_string_equal(env.last.lists[2].name, "blocked things");

	// A configuration that is read again builds nothing, nor does a restart.
	write_list(0, "third.example\n");
	assert_int_equal(hold(CALL_CONFIGURE, 0), 0);
	assert_int_equal(env.last.outcome, RULES_HELD);
	close_rules();
	run_rules();
	assert_true(blocked("first.example"));
	assert_int_equal(hold(CALL_CONFIGURE, 0), 0);
	assert_true(env.last.held);
	assert_true(blocked("first.example"));

	// The way forward is the same way.
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_true(blocked("second.example"));
	assert_true(env.last.held);
	RELOAD(1, false, RULES_PUBLISHED);
	assert_false(env.last.held);
	assert_true(blocked("third.example"));
}

TEST_WITH(test_a_forced_build_keeps_the_way_back, make_env, remove_env)
{
	open_with_two();
	RELOAD(1, true, RULES_PUBLISHED);
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_true(blocked("first.example"));
	assert_int_equal(hold(CALL_RELEASE, 0), 0);
	assert_true(blocked("second.example"));
}

// What lies there without being current (it could be stored and not published) is no way back.
TEST_WITH(test_only_what_was_current_is_a_way_back, make_env, remove_env)
{
	open_with_two();
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	text_to_file(text_from("%s/rules.img", env.state), "no image");
	write_list(0, "third.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_true(blocked("first.example"));
}

// A build that cannot be stored takes no image's place: the image in force is no way back from it.
TEST_WITH(test_a_failed_build_keeps_the_way_back, make_env, remove_env)
{
	open_with_two();
	const char *in_the_way = text_from("%s/rules.img.tmp", env.state);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	write_list(0, "third.example\n");
	RELOAD(1, false, RULES_FAILED);
	assert_true(blocked("second.example"));
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_true(blocked("first.example"));
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_true(blocked("second.example"));
	// Once it can be stored, the one before it is the way back.
	assert_int_equal(rmdir(in_the_way), 0);
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("third.example"));
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_true(blocked("second.example"));
}

// Nor does it take the way back from a forced build of what is in force, or a restart after that.
TEST_WITH(test_a_failed_build_and_a_forced_one, make_env, remove_env)
{
	open_with_two();
	const char *in_the_way = text_from("%s/rules.img.tmp", env.state);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	write_list(0, "third.example\n");
	RELOAD(1, false, RULES_FAILED);
	assert_int_equal(rmdir(in_the_way), 0);
	write_list(0, "second.example\n");
	RELOAD(1, false, RULES_UNCHANGED);
	RELOAD(1, true, RULES_PUBLISHED);
	close_rules();
	run_rules();
	assert_int_equal(hold(CALL_CONFIGURE, 0), 0);
	assert_true(blocked("second.example"));
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_true(blocked("first.example"));
}

// Nor does one that a process stored and did not live to publish: the next one publishes it.
TEST_WITH(test_an_end_before_the_image_is_published, make_env, remove_env)
{
	open_with_two();
	char *image = strdup(text_from("%s/rules.img", env.state));
	char *leaving = strdup(text_from("%s/rules.img.1.tmp", env.state));
	char *third = strdup(text_from("%s/third", env.state));
	write_list(0, "third.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0); // "second" is in force
	close_rules();
	// As a build of "third" leaves them, with "first" for a rollback.
	assert_int_equal(rename(text_from("%s/rules.img.1", env.state), third), 0);
	assert_int_equal(rename(image, leaving), 0);
	assert_int_equal(rename(third, image), 0);
	run_rules();
	assert_int_equal(hold(CALL_CONFIGURE, 0), 0);
	assert_true(blocked("third.example"));
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_true(blocked("second.example"));
	free(image);
	free(leaving);
	free(third);
}

TEST_WITH(test_a_damaged_previous_image_changes_nothing, make_env, remove_env)
{
	open_with_two();
	assert_int_equal(truncate(text_from("%s/rules.img.1", env.state), 700), 0);
	uint64_t published = generation();
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_int_equal(env.last.outcome, RULES_FAILED);
	assert_non_null(strstr(env.last.error, "rules.img.1"));
	assert_false(env.last.held);
	assert_int_equal(generation(), published);
	assert_true(blocked("second.example"));
	assert_int_equal(hold(CALL_ROLLBACK, 0), -ENOENT);
}

// What is built in place of an image that was held and is gone is not held, also not later.
TEST_WITH(test_a_held_image_that_is_gone, make_env, remove_env)
{
	open_with_two();
	assert_int_equal(hold(CALL_ROLLBACK, 0), 0);
	assert_true(env.last.held);
	close_rules();
	assert_int_equal(unlink(text_from("%s/rules.img", env.state)), 0);
	for (unsigned i = 0; i < 2; i++) {
		run_rules();
		assert_int_equal(hold(CALL_CONFIGURE, 0), 0);
		assert_false(env.last.held);
		assert_true(blocked("second.example"));
		close_rules();
	}
}

static _Atomic int pause_changes;

static void on_pause(void *)
{
	pause_changes++;
}

TEST_WITH(test_a_pause_outlives_a_restart, make_env, remove_env)
{
	write_list(0, "first.example\n");
	open_rules();
	rules_on_pause(env.rules, on_pause, NULL);
	run();
	assert_int_equal(hold(CALL_PAUSE, 0), -EINVAL);
	assert_int_equal(hold(CALL_PAUSE, 1441), -EINVAL);
	assert_int_equal(hold(CALL_RESUME, 0), -EALREADY);
	pause_changes = 0;
	assert_int_equal(hold(CALL_PAUSE, 1440), 0);
	assert_int_equal(pause_changes, 1);
	close_rules();
	open_rules();
	assert_in_range(rules_pause_left_s(env.rules), 1440 * 60 - 60, 1440 * 60);
	assert_false(rules_pause_lifts_block_all(env.rules));
	rules_on_pause(env.rules, on_pause, NULL);
	run();
	assert_int_equal(hold(CALL_PAUSE, 5), 0);
	assert_true(env.last.pause_until_unix_s > 0);
	assert_int_equal(hold(CALL_RESUME, 0), 0);
	assert_int_equal(pause_changes, 3);
	assert_int_equal(env.last.pause_until_unix_s, 0);
	close_rules();
	open_rules();
	assert_int_equal(rules_pause_left_s(env.rules), 0);
	run();
}

TEST_WITH(test_a_pause_of_block_all_outlives_a_restart, make_env, remove_env)
{
	write_list(0, "first.example\n");
	run_rules();
	assert_int_equal(rules_pause(env.rules, 5, true), 0);
	assert_true(rules_pause_lifts_block_all(env.rules));
	close_rules();
	open_rules();
	assert_true(rules_pause_lifts_block_all(env.rules));
	rules_status(env.rules, &env.last);
	assert_true(env.last.pause_lifts_block_all);
	run();
	assert_int_equal(hold(CALL_RESUME, 0), 0);
	assert_false(rules_pause_lifts_block_all(env.rules));
}

// Setting the wall clock back makes no pause longer; once it is past its end, the pause is over.
TEST_WITH(test_a_pause_and_the_wall_clock, make_env, remove_env)
{
	write_list(0, "first.example\n");
	open_rules();
	assert_int_equal(rules_pause(env.rules, 5, false), 0);
	assert_in_range(rules_pause_left_s(env.rules), 295, 300);
	wall_ahead_s = -3600;
	assert_in_range(rules_pause_left_s(env.rules), 295, 300);
	wall_ahead_s = 100;
	assert_in_range(rules_pause_left_s(env.rules), 195, 200);
	wall_ahead_s = 3600;
	assert_int_equal(rules_pause_left_s(env.rules), 0);
	wall_ahead_s = 0;
	run();
}
