// SPDX-License-Identifier: BSD-3-Clause
//
// Pauses of a build: how long, when none, and that the image does not depend on them.

#include "controlplane/base/pace.h"
#include "controlplane/rule_image/rule_compile.h"
#include "tests/unit/cp/rules/rules_rig.h"

enum { NAMES = 100000 }; // more than a step of work on any machine

static const uint64_t most_us = UINT64_C(1000) * PACE_REST_MAX_MS;

// As if so much had been worked since the step began.
static void work(struct pace *p, uint64_t us)
{
	p->mark_us -= us;
}

TEST(test_rests)
{
	struct pace p = {0};
	pace_begin(&p);
	pace(&p); // no step is over
	assert_int_equal(p.rested_us, 0);
	work(&p, PACE_STEP_US);
	pace(&p);
	assert_in_range(p.rested_us, PACE_STEP_US * PACE_REST_FACTOR, most_us);
	pace(NULL);
}

TEST(test_all_rests_are_bounded)
{
	struct pace p = {0};
	pace_begin(&p);
	p.rested_us = most_us - 1000;
	work(&p, 1000 * most_us);
	pace(&p);
	assert_true(p.rested_us >= most_us);
	uint64_t rested_us = p.rested_us;
	work(&p, 1000 * most_us);
	pace(&p);
	assert_int_equal(p.rested_us, rested_us);
}

static void *rest_long(void *arg)
{
	struct pace *p = arg;
	pace_begin(p);
	work(p, most_us);
	pace(p);
	return NULL;
}

// How long it rested that is hurried so much later; 0: it had not begun to.
static uint64_t hurried_us(unsigned later_ms)
{
	struct pace p = {0};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, rest_long, &p), 0);
	const uint64_t from_ms = clock_mono_ms();
	WAIT_FOR(clock_mono_ms() >= from_ms + later_ms);
	atomic_store(&p.hurry, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return p.rested_us;
}

TEST(test_hurry_ends_a_rest)
{
	uint64_t us = 0;
	for (unsigned ms = 10; us == 0 && ms < PACE_REST_MAX_MS; ms *= 2)
		us = hurried_us(ms);
	assert_in_range(us, 1, most_us - 1);
}

static void write_names(unsigned first)
{
	FILE *f = fopen(env.list_path[0], "w");
	assert_non_null(f);
	for (unsigned i = first; i < first + NAMES; i++)
		fprintf(f, "n%u.example\n", i);
	assert_int_equal(fclose(f), 0);
}

static struct rule_arena compile(struct pace *p)
{
	const struct rule_source source = {.title = "names", .path = env.list_path[0]};
	const struct rule_compile_options options = {.created_unix_s = 1, .pace = p};
	struct rule_source_result result;
	struct rule_arena a;
	size_t peak;
	char why[RULE_COMPILE_WHY_MAX];
	assert_int_equal(rule_compile(&source, 1, &options, &result, &a, &peak, why), 0);
	return a;
}

TEST_WITH(test_the_image_is_the_same, make_env, remove_env)
{
	struct pace p = {0};
	write_names(1);
	struct rule_arena at_once = compile(NULL);
	pace_begin(&p);
	struct rule_arena paced = compile(&p);
	assert_in_range(p.rested_us, 1, 2 * most_us);
	assert_int_equal(at_once.size, paced.size);
	assert_memory_equal(at_once.base, paced.base, paced.size);
	rule_arena_free(&at_once);
	rule_arena_free(&paced);
}

static void call_configure(void *)
{
	if (rules_configure(env.rules, &env.config, on_done, NULL))
		abort();
}

static void configure(void)
{
	on_service(call_configure, NULL, 1);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
}

// Neither the first load nor a change by hand waits.
TEST_WITH(test_only_a_reload_rests, make_env, remove_env)
{
	write_names(1);
	open_rules();
	run();
	reload(1, false); // waits for the first build as well
	assert_int_equal(env.last.names, NAMES + 1);
	assert_int_equal(env.last.rested_ms, 0);
	write_names(2);
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_in_range(env.last.rested_ms, 1, env.last.build_ms);
	write_names(3);
	configure();
	assert_int_equal(env.last.rested_ms, 0);
	env.config.blocking.list_count = 2; // one of which there is nothing yet
	write_list(1, "# nor any name\n");
	write_names(4);
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_int_equal(env.last.rested_ms, 0);
	write_names(5);
	reload(1, false); // it is no new list any more
	assert_in_range(env.last.rested_ms, 1, env.last.build_ms);
	reload(2, true); // the second waits for the first
	assert_int_equal(env.last.rested_ms, 0);
	// Ends in the middle of a rest.
	write_names(6);
	struct reload_call c = {.times = 1};
	assert_int_equal(loop_call(env.service, call_reload, &c), 0);
	const uint64_t from_ms = clock_mono_ms();
	WAIT_FOR(clock_mono_ms() >= from_ms + 30);
	close_rules();
}
