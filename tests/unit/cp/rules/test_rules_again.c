// SPDX-License-Identifier: BSD-3-Clause
//
// A data plane that does not activate the rule image has it published again.

#include "rules_rig.h"
#include "tests/unit/clock_shift.h"

static struct rings_dp_page page; // of its only worker
static _Atomic bool has_rings;

// As the resolver's loop does each 100 ms.
static void beat(void *)
{
	const struct rings_dp_page *pages[] = {&page};
	uint64_t now_ms = clock_mono_ms();
	if (atomic_load(&has_rings))
		publisher_rings(env.publisher, 0, 0xd0, pages, 1);
	else
		publisher_no_rings(env.publisher, 0);
	atomic_store(&page.heartbeat_ms, now_ms);
	publisher_heartbeat(env.publisher, now_ms);
}

static uint64_t after_beat(void)
{
	assert_int_equal(loop_call(env.resolver, beat, NULL), 0);
	return generation();
}

static void until_it_grows(uint64_t from)
{
	WAIT_FOR(after_beat() > from);
}

static void does_not_grow(uint64_t from, unsigned ms)
{
	STAYS_SO(after_beat() <= from, ms);
}

static _Atomic unsigned images_set;

static void on_published(void *)
{
	images_set++;
}

static bool blocked(const char *name)
{
	return ask(name).verdict.d.action == RULE_BLOCK;
}

// The data plane has nothing yet, and does not take what there is.
static uint64_t begin(void)
{
	write_list(0, "ads.example\n");
	open_rules();
	rules_on_published(env.rules, on_published, NULL);
	run();
	reload(1, false);
	images_set = 0;
	atomic_store(&page.activated_rules, 0);
	atomic_store(&has_rings, true);
	return generation();
}

static void end(void)
{
	atomic_store(&has_rings, false);
	close_rules();
}

TEST_WITH(test_the_image_is_published_again, make_env, remove_env)
{
	uint64_t refused = begin();
	until_it_grows(refused);
	assert_true(blocked("ads.example"));
	assert_int_equal(images_set, 1);
	// It is no reload: what the last one came to stays.
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(env.last.builds, 1);
	refused = generation();
	atomic_store(&page.activated_rules, refused);
	does_not_grow(refused, 3000);
	end();
}

TEST_WITH(test_without_a_stored_image_it_is_built, make_env, remove_env)
{
	uint64_t refused = begin();
	assert_int_equal(truncate(text_from("%s/rules.img", env.state), 500), 0);
	until_it_grows(refused);
	assert_true(blocked("ads.example"));
	assert_int_equal(images_set, 1);
	rules_status(env.rules, &env.last);
	assert_int_equal(env.last.builds, 2);
	end();
}

static void call_rollback(void *)
{
	if (rules_rollback(env.rules, on_done, NULL))
		abort();
}

// One that was stored and could not be published is no failure once it is in force.
TEST_WITH(test_a_stored_image_settles_the_last_reload, make_env, remove_env)
{
	uint64_t refused = begin();
	until_it_grows(refused);
	until_it_grows(generation());
	write_list(0, "second.example\n");
	RELOAD(1, false, RULES_FAILED);
	assert_false(blocked("second.example"));
	images_set = 0;
	refused = generation();
	atomic_store(&page.activated_rules, refused - 1);
	// The older image may have been on its way once more.
	WAIT_FOR(blocked("second.example"), (void)after_beat());
	rules_status(env.rules, &env.last);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_string_equal(env.last.error, "");
	assert_in_range(images_set, 1, 2);
	// The one that was in force is the way back.
	atomic_store(&page.activated_rules, generation());
	(void)after_beat();
	on_service(call_rollback, NULL, 1);
	assert_true(blocked("ads.example") && !blocked("second.example"));
	end();
}

// The data plane activates what there is.
static void activate(void)
{
	atomic_store(&page.activated_rules, generation());
	(void)after_beat();
}

// Nor is it forgotten where the data plane activates the one in force.
TEST_WITH(test_a_refused_image_is_built_again, make_env, remove_env)
{
	uint64_t refused = begin();
	until_it_grows(refused);
	until_it_grows(generation());
	write_list(0, "second.example\n");
	RELOAD(1, false, RULES_FAILED);
	WAIT_FOR(blocked("second.example"), activate());
	atomic_store(&page.activated_rules, generation());
	does_not_grow(generation(), 2000);
	rules_status(env.rules, &env.last);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	end();
}

// A build that failed is tried again by itself: the next fetch of its lists may find them
// unchanged.
TEST_WITH(test_a_failed_build_is_built_again, make_env, remove_env)
{
	const char *in_the_way = text_from("%s/rules.img.tmp", env.state);
	write_list(0, "ads.example\n");
	run_rules();
	reload(1, false);
	assert_int_equal(mkdir(in_the_way, 0700), 0);
	write_list(0, "second.example\n");
	RELOAD(1, false, RULES_FAILED);
	clock_ahead_by_ms(61000);
	WAIT_FOR((rules_status(env.rules, &env.last), env.last.failed) == 2);
	clock_ahead_by_ms(61000);
	STAYS_SO(!blocked("second.example"), 1200); // after twice the time now
	assert_int_equal(rmdir(in_the_way), 0);
	clock_ahead_by_ms(60000);
	WAIT_FOR(blocked("second.example"));
}

TEST_WITH(test_a_held_image_is_that_one_again, make_env, remove_env)
{
	(void)begin();
	atomic_store(&has_rings, false);
	write_list(0, "second.example\n");
	reload(1, false);
	on_service(call_rollback, NULL, 1);
	assert_true(blocked("ads.example") && env.last.held);
	atomic_store(&has_rings, true);
	until_it_grows(generation());
	assert_true(blocked("ads.example"));
	assert_false(blocked("second.example"));
	end();
}

// Two images that the data plane did not take are kept for it; a third would be one too many.
TEST_WITH(test_not_for_ever, make_env, remove_env)
{
	uint64_t refused = begin();
	until_it_grows(refused);
	until_it_grows(generation());
	does_not_grow(generation(), 10000);
	rules_status(env.rules, &env.last);
	assert_int_not_equal(env.last.outcome, RULES_FAILED);
	end();
}
