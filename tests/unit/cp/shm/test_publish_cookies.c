// SPDX-License-Identifier: BSD-3-Clause
// The secrets of cookies as workers and the front get them, day by day.
#include "controlplane/shm/publish.h"
#include "tests/unit/unit.h"

#include <weir/dns_cookie.h>

enum { DAY_MS = 24 * 3600 * 1000, LEAST_MS = DAY_MS / 10 * 6, NOW_S = 1000 };

static struct shm_paths paths;
static struct config config;
static struct publisher *p;
static const uint64_t lists[4] = {1, 2, 3, 4};
static const struct dns_cookie_client client = {(const uint8_t *)"abcd", 4, NOW_S};

static int setup(void **)
{
	char run[64], why[SHM_WHY_MAX];
	assert_int_equal(folder_make(run, "cookies"), 0);
	if (shm_paths_init(&paths, run, "off", why) < 0)
		fail_msg("shm_paths_init: %s", why);
	memset(&config, 0, sizeof(config));
	config.cache.l0_mb = 2;
	config.limits.udp_reply_size = 1232;
	config.cookies.enabled = true;
	if (publisher_open(&p, &paths, &config, why) < 0)
		fail_msg("publisher_open: %s", why);
	return 0;
}

static int teardown(void **)
{
	publisher_close(p);
	shm_paths_close(&paths);
	return folder_remove(paths.run, paths.mem);
}

static void publish(void)
{
	publish_config(p, &config, lists, true, 77, 0);
}

static uint64_t generation(void)
{
	return atomic_load(&publisher_directory(p)->config_generation);
}

// What workers activate, which is what the front has.
static struct dns_cookie_terms terms(void)
{
	const struct directory *d = publisher_directory(p);
	struct dns_cookie_terms mine;
	publisher_cookies(p, &mine);
	const struct dp_config *c = &d->config[generation() % DIRECTORY_CONFIG_SLOTS];
	assert_memory_equal(&c->cookies, &mine, sizeof(mine));
	return mine;
}

static enum dns_cookie_kind kind_of(const struct dns_cookie_terms *made_by, bool *fresh)
{
	uint8_t cookie[DNS_COOKIE_LEN] = "abcdefgh";
	const struct dns_cookie_terms now = terms();
	dns_cookie_make(made_by, &client, cookie);
	return dns_cookie_check(&now, &client, cookie, sizeof(cookie), fresh);
}

TEST_WITH(test_own_secrets_change_each_day, setup, teardown)
{
	bool fresh;
	publish();
	const uint64_t begin_ms = clock_mono_ms(), first_generation = generation();
	const struct dns_cookie_terms first = terms();
	assert_int_equal(first.count, 1);
	publisher_heartbeat(p, begin_ms + LEAST_MS - 1000);
	assert_int_equal(generation(), first_generation);
	assert_int_equal(kind_of(&first, &fresh), DNS_COOKIE_GOOD);
	assert_true(fresh);

	publisher_heartbeat(p, begin_ms + DAY_MS);
	assert_int_equal(generation(), first_generation + 1);
	const struct dns_cookie_terms second = terms();
	assert_int_equal(second.count, 2);
	assert_memory_equal(second.secret[1], first.secret[0], DNS_COOKIE_SECRET_LEN);
	assert_int_equal(kind_of(&first, &fresh), DNS_COOKIE_GOOD);
	assert_false(fresh); // its owner gets a new one
	assert_int_equal(kind_of(&second, &fresh), DNS_COOKIE_GOOD);
	assert_true(fresh);
	publisher_heartbeat(p, begin_ms + DAY_MS + 1000); // not again
	assert_int_equal(generation(), first_generation + 1);

	publisher_heartbeat(p, begin_ms + 3 * (uint64_t)DAY_MS);
	assert_int_equal(terms().count, 2);
	assert_int_equal(kind_of(&second, &fresh), DNS_COOKIE_GOOD);
	assert_int_equal(kind_of(&first, &fresh), DNS_COOKIE_BAD);
}

// Minutes from one change of our own secret to the next.
static unsigned lasts_min(uint64_t *now_ms)
{
	const uint64_t before = generation();
	unsigned minutes = 0;
	while (generation() == before) {
		*now_ms += 60000;
		minutes++;
		publisher_heartbeat(p, *now_ms);
	}
	return minutes;
}

// Within a day, but nobody can tell when (RFC 7873 7.1: up to 40% earlier, at random).
TEST_WITH(test_own_secrets_change_at_no_foreseeable_time, setup, teardown)
{
	enum { ROUNDS = 12, DAY_MIN = DAY_MS / 60000, LEAST_MIN = LEAST_MS / 60000 };
	unsigned first = 0, same = 0;
	publish();
	uint64_t now_ms = clock_mono_ms();
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned minutes = lasts_min(&now_ms);
		assert_in_range(minutes, LEAST_MIN, DAY_MIN);
		first = i == 0 ? minutes : first;
		same += minutes == first;
	}
	assert_true(same < ROUNDS);
}

TEST_WITH(test_the_other_settings_stay, setup, teardown)
{
	publish();
	const struct directory *d = publisher_directory(p);
	struct dp_config before = d->config[generation() % DIRECTORY_CONFIG_SLOTS];
	publisher_heartbeat(p, clock_mono_ms() + DAY_MS);
	struct dp_config after = d->config[generation() % DIRECTORY_CONFIG_SLOTS];
	assert_int_equal(after.udp_limit, 1232);
	assert_int_equal(after.pause_until_ms, 77);
	memset(&before.cookies, 0, sizeof(before.cookies));
	memset(&after.cookies, 0, sizeof(after.cookies));
	assert_memory_equal(&before, &after, sizeof(before));
}

TEST_WITH(test_a_reload_changes_no_secret, setup, teardown)
{
	publish();
	const struct dns_cookie_terms first = terms();
	publish();
	const struct dns_cookie_terms again = terms();
	assert_memory_equal(&first, &again, sizeof(first));
}

TEST_WITH(test_configured_secrets_stay, setup, teardown)
{
	config.cookies.count = 1;
	memset(config.cookies.secret[0], 0x5a, DNS_COOKIE_SECRET_LEN);
	publish();
	uint64_t before = generation();
	publisher_heartbeat(p, clock_mono_ms() + 2 * (uint64_t)DAY_MS);
	assert_int_equal(generation(), before);
	const struct dns_cookie_terms now = terms();
	assert_int_equal(now.count, 1);
	assert_memory_equal(now.secret[0], config.cookies.secret[0], DNS_COOKIE_SECRET_LEN);
	config.cookies.enabled = false;
	publish();
	publisher_heartbeat(p, clock_mono_ms() + 4 * (uint64_t)DAY_MS);
	assert_int_equal(generation(), before + 1);
	assert_int_equal(terms().is_on, 0);
}
