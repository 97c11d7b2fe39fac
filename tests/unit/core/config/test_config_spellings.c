// SPDX-License-Identifier: BSD-3-Clause
// What people write where the schema has a list, a duration or a size, and the sentences that help
// where a text is no YAML or holds another kind of value.

#include "config_text.h"

#include <weir/config/lists.h>

// One value is a list of one, and a server is its address.
TEST(test_one_is_a_list)
{
	const struct config *c = config_text_load(
		PORTS "  service_addresses: 198.18.0.53/24\n  worker_lcores: 3\n"
		      "upstreams: {servers: 9.9.9.9}\n"
		      "blocking: {deny: ads.example}\n"
		      "access: {allow: 10.0.0.0/8, unlimited: private}\n"
		      "groups: [{name: kids, clients: 192.0.2.1, upstreams: [1.1.1.1, {address: "
		      "8.8.8.8}]}]\n"
		      "local: {zones: [lan, {name: home, unknown: forward}]}\n"
		      "query_log: {webhooks: 'https://hook.example/x'}\n"
		      "events: {webhooks: ['https://hook.example/x']}\n");
	assert_int_equal(c->dataplane.address_count, 1);
	assert_int_equal(c->dataplane.worker_count, 1);
	assert_int_equal(c->dataplane.worker_lcores[0], 3);
	assert_int_equal(c->upstreams.count, 1);
	assert_string_equal(c->upstreams.server[0].name, "9.9.9.9:53");
	assert_int_equal(c->blocking.deny_count, 1);
	assert_int_equal(c->access.allow_count, 1);
	assert_int_equal(c->groups[0].client_count, 1);
	assert_int_equal(c->groups[0].upstream_count, 2);
	assert_string_equal(c->groups[0].upstreams[0].name, "1.1.1.1:53");
	assert_int_equal(c->local.zone_count, 2);
	assert_string_equal(c->query_log.webhooks[0].to.url, "https://hook.example/x");
	assert_string_equal(c->events.webhooks[0].to.url, "https://hook.example/x");
}

// Errors in such a list name its one item, at its place.
TEST(test_one_that_is_bad)
{
	config_text_refused_at(MINIMAL "blocking:\n  deny: a..b\n", "9:3: blocking.deny[0]: ");
	config_text_refused_at(PORTS ADDRESSES "upstreams:\n  servers: [9.9.9.9, nine]\n",
		"6:22: upstreams.servers[1].address: ");
	config_text_refused_at(PORTS ADDRESSES "upstreams:\n  servers: [9.9.9.9, '']\n",
		"6:22: upstreams.servers[1]: expected keys below it");
	// An empty key is no list.
	const struct config *c =
		config_text_load(MINIMAL "blocking:\n  deny:\naccess: {allow: }\n");
	assert_int_equal(c->blocking.deny_count, 0);
	assert_int_not_equal(c->access.allow_count, 0);
}

TEST(test_units)
{
	const struct config *c = config_text_load(MINIMAL
		"cache: {min_ttl: 90s, max_ttl: 1w, negative_ttl: 15m, client_ttl_cap: 1h,\n"
		"  stale_window: 1d, l0_mb: 64M}\n"
		"redis: {buffer_kb: 4MiB, timeout_ms: 1s}\n"
		"blocking: {update: {max_mb: 1G, interval: 12h}}\n"
		"query_log: {store: {hours: 2d, max_mb: 2gb}, requests: {days: 2w}}\n"
		"groups: [{name: kids, clients: [192.0.2.1], block: {ttl: 5m}}]\n"
		"local: {records: [{name: a.lan, type: A, value: 192.0.2.1, ttl: 2h}]}\n");
	assert_int_equal(c->cache.min_ttl_s, 90);
	assert_int_equal(c->cache.max_ttl_s, 604800);
	assert_int_equal(c->cache.negative_ttl_s, 900);
	assert_int_equal(c->cache.client_ttl_cap_s, 3600);
	assert_int_equal(c->cache.stale_window_s, 86400);
	assert_int_equal(c->cache.l0_mb, 64);
	assert_int_equal(c->redis.buffer_kb, 4096);
	assert_int_equal(c->redis.timeout_ms, 1000);
	assert_int_equal(c->blocking.update.max_mb, 1024);
	assert_int_equal(c->blocking.update.interval_s, 43200);
	assert_int_equal(c->query_log.store.hours, 48);
	assert_int_equal(c->query_log.store.max_mb, 2048);
	assert_int_equal(c->query_log.requests.days, 14);
	assert_int_equal(c->groups[0].block.ttl_s, 300);
	assert_int_equal(c->local.records[0].ttl_s, 7200);
}

TEST(test_bad_units)
{
	static const struct refusal bad[] = {
		{"{min_ttl: 2d}", "9:3: cache.min_ttl: must be 0 to 86400"},
		{"{min_ttl: 5x}", "9:3: cache.min_ttl: \"5x\" is not a whole number"},
		{"{min_ttl: 1.5h}", "9:3: cache.min_ttl: \"1.5h\" is not a whole number; write "
				    "one such as 5s, 5m, 5h, 5d, 5w"},
		{"{min_ttl: 1 h}", "9:3: cache.min_ttl: \"1 h\" is not a whole number"},
		{"{min_ttl: h}", "9:3: cache.min_ttl: \"h\" is not a whole number"},
		{"{min_ttl: 01h}", "9:3: cache.min_ttl: \"01h\" is not a whole number"},
		{"{min_ttl: 99999999999999999999h}", "9:3: cache.min_ttl: must be 0 to 86400"},
		{"{min_ttl: 1M}", "9:3: cache.min_ttl: \"1M\" is not a whole number"},
		{"{l0_mb: 64K}", "9:3: cache.l0_mb: \"64K\" is not a whole number; write one "
				 "such as 5M, 5G, 5T"},
		{"{l0_mb: 64Mx}", "9:3: cache.l0_mb: \"64Mx\" is not a whole number"},
	};
	EACH_REFUSED(config_text_refused_at, MINIMAL "cache:\n %s\n", bad);
	config_text_refused_at(MINIMAL "limits: {waiters: 5m}\n",
		"8:10: limits.waiters: \"5m\" is not a whole number");
}

TEST(test_sentences)
{
	static const struct refusal bad[] = {
		{"dataplane:\n\tports: []\n",
			"2:1: dataplane: found character that cannot start any token; indent with "
			"spaces: YAML takes no tab there"},
		{MINIMAL "blocking: {deny: *.ads.example}\n",
			"8:19: blocking.deny: did not find expected alphabetic or numeric "
			"character; write a value that begins with * between quotes: "
			"\"*.example\""},
		{MINIMAL "local: {records: [{name: *nas, type: A}]}\n",
			"8:26: local.records[0].name: anchors, aliases and tags are not supported; "
			"write a value that begins with * between quotes: \"*.example\""},
		{MINIMAL "blocking: {deny: @ads}\n",
			"8:18: blocking.deny: found character that cannot start any token; write "
			"a value that begins with @ between quotes"},
		{MINIMAL "cache: 7\n", "8:1: cache: expected keys below it; write lines such as "
				       "\"ttl_preset: ...\" there"},
		{MINIMAL "cache: {min_ttl: [1, 2]}\n",
			"8:9: cache.min_ttl: expected one value; this is a list"},
		{MINIMAL "cache: {min_ttl: {a: 1}}\n",
			"8:9: cache.min_ttl: expected one value; there are keys below it"},
		{MINIMAL "blocking: {deny: {a: b}}\n",
			"8:12: blocking.deny: expected a list; write [a, b], or lines that begin "
			"with \"- \""},
		{MINIMAL "blocking: {lists: x}\n", "8:12: blocking.lists: expected a list; write "
						   "lines such as \"- name: ...\""},
		{MINIMAL "refresh: {enabled: yes}\n",
			"8:11: refresh.enabled: must be true or false; did you mean \"true\"?"},
		{MINIMAL "refresh: {enabled: Off}\n",
			"8:11: refresh.enabled: must be true or false; did you mean \"false\"?"},
		{MINIMAL "refresh: {enabled: perhaps}\n",
			"8:11: refresh.enabled: must be true or false"},
	};
	EACH_REFUSED(config_text_refused_at, "%s", bad);
}
