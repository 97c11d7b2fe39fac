// SPDX-License-Identifier: BSD-3-Clause
// Settings that the control plane publishes: which of them a data plane takes, and what follows
// them.

#include "dataplane/state/tables.h"
#include "tests/unit/unit.h"

static struct directory directory;
static struct tables_set set;
static char why[SHM_WHY_MAX];

static int setup(void **)
{
	memset(&directory, 0, sizeof(directory));
	memset(&set, 0, sizeof(set));
	log_init("test_tables_config", (enum log_level)0);
	log_set_format(LOG_FORMAT_TEXT);
	return 0;
}

static int take(const struct dp_config *c, uint64_t generation)
{
	directory.config[generation % DIRECTORY_CONFIG_SLOTS] = *c;
	directory.config_generation = generation;
	return tables_take_config(&set, &directory, generation, why);
}

TEST_WITH(test_taken, setup, NULL)
{
	const struct dp_config json = {
		.udp_limit = 1232, .log_level = LOG_LEVEL_ERROR, .log_format = LOG_FORMAT_JSON};
	const struct dp_config silent = {.udp_limit = 600};
	assert_int_equal(take(&json, 1), 0);
	assert_int_equal(set.config_word, 1);
	assert_int_equal(set.t.config.udp_limit, 1232);
	assert_true(log_is_json());
	assert_int_equal(take(&silent, 2), 0); // says nothing of the log, which stays
	assert_int_equal(set.t.config.udp_limit, 600);
	assert_true(log_is_json());
}

TEST_WITH(test_refused, setup, NULL)
{
	const struct dp_config good = {.udp_limit = 1232, .log_level = LOG_LEVEL_ERROR};
	const struct dp_config bad[] = {
		{.udp_limit = 511},
		{.udp_limit = 4097},
		{.udp_limit = 1232, .block.mode = DNS_BLOCK_MODES},
		{.udp_limit = 1232, .stale_mode = STALE_IMMEDIATE + 1},
		{.udp_limit = 1232, .cookies.count = DNS_COOKIE_SECRETS_MAX + 1},
		{.udp_limit = 1232, .cookies.require = DNS_COOKIE_REQUIRE_OVER_LIMIT + 1},
		{.udp_limit = 1232, .log_level = 1, .log_format = LOG_FORMAT_JSON},
		{.udp_limit = 1232,
			.log_level = LOG_LEVEL_DEBUG + 1,
			.log_format = LOG_FORMAT_JSON},
		{.udp_limit = 1232,
			.log_level = LOG_LEVEL_ERROR,
			.log_format = LOG_FORMAT_JSON + 1},
	};
	assert_int_equal(take(&good, 1), 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(take(&bad[i], 2 + i), -EPROTO);
		assert_int_equal(set.config_word, 1);
		assert_memory_equal(&set.t.config, &good, sizeof(good));
		assert_false(log_is_json());
	}
}
