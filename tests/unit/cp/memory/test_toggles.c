// SPDX-License-Identifier: BSD-3-Clause
// Toggles: what they take, and what they lay over a configuration.

#include "controlplane/memory/toggles.h"
#include "tests/unit/unit.h"

static struct toggles toggles;
static struct config config;

static int setup(void **)
{
	toggles_reset(&toggles);
	config = (struct config){.refresh = {.enabled = true}};
	config.redis.mode = REDIS_MODE_STANDALONE;
	config.query_log.enabled = true;
	config.blocking.update.interval_s = 3600;
	return 0;
}

static void lay(unsigned which, const char *value)
{
	assert_int_equal(toggle_set(&toggles, which, value), 0);
	toggles_apply(&toggles, &config);
}

TEST_WITH(as_usual_nothing_changes, setup, NULL)
{
	for (unsigned i = 0; i < TOGGLE_COUNT; i++)
		assert_int_equal(toggles.value[i], toggle_usual(i));
	toggles_apply(&toggles, &config);
	assert_true(config.refresh.enabled && config.query_log.enabled && !config.resolver_off);
	assert_int_equal(config.redis.mode, REDIS_MODE_STANDALONE);
	assert_int_equal(config.blocking.update.interval_s, 3600);
	assert_int_equal(config.upstreams.socket_uses, 0);
}

TEST_WITH(each_turns_its_own_part_off, setup, NULL)
{
	static const char *const names[] = {"refresh", "l1", "query_log", "list_reload"};
	for (unsigned i = 0; i < 4; i++)
		lay(toggle_find(names[i]), "off");
	assert_false(config.refresh.enabled || config.query_log.enabled);
	assert_int_equal(config.redis.mode, REDIS_MODE_OFF);
	assert_int_equal(config.blocking.update.interval_s, 0);
	assert_false(config.resolver_off);
}

TEST_WITH(the_resolver_takes_refresh_with_it, setup, NULL)
{
	lay(TOGGLE_RESOLVER, "off");
	assert_true(config.resolver_off);
	assert_false(config.refresh.enabled);
}

TEST_WITH(sockets_are_recycled, setup, NULL)
{
	lay(TOGGLE_UPSTREAM_RECYCLE, "7");
	assert_int_equal(config.upstreams.socket_uses, 7);
	lay(TOGGLE_UPSTREAM_RECYCLE, "10000");
	assert_int_equal(config.upstreams.socket_uses, 10000);
	lay(TOGGLE_UPSTREAM_RECYCLE, "0"); // never
	assert_true(config.upstreams.socket_uses > 1000000);
	lay(TOGGLE_UPSTREAM_RECYCLE, "64"); // as usual
	assert_int_equal(config.upstreams.socket_uses, 0);
	lay(TOGGLE_UPSTREAM_KEEPALIVE, "off");
	assert_int_equal(config.upstreams.socket_uses, 1);
}

TEST_WITH(no_connection_is_kept, setup, NULL)
{
	assert_false(config.http_single);
	assert_int_equal(toggle_set(&toggles, toggle_find("http.keepalive"), "off"), 0);
	toggles_apply(&toggles, &config);
	assert_true(config.http_single);
	assert_int_equal(config.upstreams.socket_uses, 0);
}

// What was read stays as it was, so a toggle that is as usual again brings it back.
TEST_WITH(laid_over_a_copy, setup, NULL)
{
	assert_int_equal(toggle_set(&toggles, TOGGLE_REFRESH, "off"), 0);
	assert_int_equal(toggle_set(&toggles, TOGGLE_L1, "off"), 0);
	struct config *laid = toggles_lay(&toggles, &config);
	assert_non_null(laid);
	assert_false(laid->refresh.enabled);
	assert_int_equal(laid->redis.mode, REDIS_MODE_OFF);
	assert_true(config.refresh.enabled);
	assert_int_equal(config.redis.mode, REDIS_MODE_STANDALONE);
	free(laid);
	toggles_reset(&toggles);
	laid = toggles_lay(&toggles, &config);
	assert_non_null(laid);
	assert_true(laid->refresh.enabled);
	assert_int_equal(laid->redis.mode, REDIS_MODE_STANDALONE);
	free(laid);
}

TEST_WITH(wrong_values_change_nothing, setup, NULL)
{
	static const char *const wrong[] = {
		"", "00", "10001", "-1", "1x", "off", "99999999999", " 2"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(toggle_set(&toggles, TOGGLE_UPSTREAM_RECYCLE, wrong[i]), -EINVAL);
	assert_int_equal(toggle_set(&toggles, TOGGLE_L1, "2"), -EINVAL);
	assert_int_equal(toggle_set(&toggles, TOGGLE_L1, "ON"), -EINVAL);
	as_usual_nothing_changes(NULL);
	assert_int_equal(toggle_find("none"), TOGGLE_COUNT);
}

TEST_WITH(default_is_as_usual, setup, NULL)
{
	for (unsigned i = 0; i < TOGGLE_COUNT; i++) {
		assert_int_equal(toggle_find(toggle_name(i)), i);
		assert_int_equal(toggle_set(&toggles, i, toggle_usual(i) > 1 ? "2" : "off"), 0);
		assert_int_not_equal(toggles.value[i], toggle_usual(i));
		assert_int_equal(toggle_set(&toggles, i, "default"), 0);
		assert_int_equal(toggles.value[i], toggle_usual(i));
	}
}
