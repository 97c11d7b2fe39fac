// SPDX-License-Identifier: BSD-3-Clause
//
// No memory for the lists of a configuration: the next reload fetches them all the same. No memory
// for a build: the newest configuration is in force in the end.

#include "rules_rig.h"
#include "tests/unit/cp/http/fake_http.h"
#include "tests/unit/cp/memory/memory_fails.h"

static void call_starved(void *config)
{
	memory_fails_at(1, true);
	int rc = rules_configure(env.rules, config, on_done, NULL);
	if (memory_fails_end() == 0 || rc != -ENOMEM)
		abort();
	atomic_fetch_add(&env.replies, 1);
}

static void call_reload_starved(void *)
{
	memory_fails_at(1, true);
	int rc = rules_reload(env.rules, false, on_done, NULL);
	if (memory_fails_end() == 0 || rc != -ENOMEM)
		abort();
	atomic_fetch_add(&env.replies, 1);
}

TEST_WITH(test_a_reload_makes_up_for_it, make_env, remove_env)
{
	static struct fake_http http;
	static char url[128];
	struct config fetches = env.config;
	fake_http_start(&http);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/list", http.port);
	env.list[1].url = url;
	env.list[1].path = NULL;
	fetches.blocking.list_count = 2;
	fetches.blocking.update = (struct config_update){
		.timeout_s = 60, .max_mb = 1, .max_redirects = 3, .allow_private = true};
	fake_http_body(&http, "ads2.example\n", "\"v1\"");
	write_list(0, "ads.example\n");
	run_rules();
	reload(1, false);
	on_service(call_starved, &fetches, 1);
	on_service(call_reload_starved, NULL, 1);
	assert_int_equal(http.requests, 0);
	reload_same(1, false);
	assert_true(http.requests > 0);
	assert_int_equal(ask("ads2.example").verdict.d.action, RULE_BLOCK);
	close_rules();
	fake_http_stop(&http);
}

static void on_done_starved(void *arg, const struct rules_status *s)
{
	on_done(arg, s);
	memory_fails_at(1, true); // on the service loop, until the last configuration comes
}

static void call_two(void *second)
{
	if (rules_configure(env.rules, &env.config, on_done_starved, NULL)
		|| rules_configure(env.rules, second, on_done, NULL))
		abort();
}

static void call_third(void *third)
{
	if (memory_fails_end() == 0 || rules_configure(env.rules, third, on_done, NULL))
		abort();
}

// The second one found no memory behind the first, and waits when the third comes.
TEST_WITH(test_the_newest_is_built_last, make_env, remove_env)
{
	struct config second = env.config, third = env.config;
	second.blocking.lists = &env.list[1];
	third.blocking.list_count = 2;
	write_list(0, "ads.example\n");
	write_list(1, "ads2.example\n");
	run_rules();
	reload(1, false);
	on_service(call_two, &second, 1);
	on_service(call_third, &third, 2);
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_BLOCK);
	assert_int_equal(ask("ads2.example").verdict.d.action, RULE_BLOCK);
}
