// SPDX-License-Identifier: BSD-3-Clause
// Where section query_log says that rows go: the outputs, and what is refused.

#include "config_text.h"

#include <weir/config_tools.h>

TEST(test_off_by_default)
{
	struct config *c = config_text_load(MINIMAL);
	assert_false(c->query_log.requests.enabled);
	assert_string_equal(c->query_log.dnstap.socket, "");
	assert_int_equal(c->query_log.webhook_count, 0);
}

TEST(test_taken)
{
	struct config *c = config_text_load(
		MINIMAL "query_log:\n  requests: {enabled: true, format: json, days: 3}\n"
			"  dnstap: {socket: /run/dnstap.sock}\n  webhooks:\n"
			"  - {url: 'https://example.net/a?b=c', form: discord, on_block: true}\n"
			"  - {url: 'http://192.0.2.1:8080', summary: true, per_minute: 7}\n"
			"  - {url: 'https://192.0.2.1', ca_file: /etc/weir/ca.pem}\n"
			"  clickhouse: {ca_file: /etc/weir/other.pem}");
	assert_int_equal(c->query_log.requests.format, REQUESTS_JSON);
	assert_int_equal(c->query_log.requests.days, 3);
	assert_int_equal(c->query_log.requests.max_mb, 1024);
	assert_string_equal(c->query_log.dnstap.socket, "/run/dnstap.sock");
	assert_int_equal(c->query_log.webhook_count, 3);
	const struct config_webhook *w = c->query_log.webhooks;
	assert_string_equal(w[0].to.url, "https://example.net/a?b=c");
	assert_int_equal(w[0].to.form, WEBHOOK_DISCORD);
	assert_true(w[0].on_block && !w[0].on_error && !w[0].summary);
	assert_int_equal(w[0].to.per_minute, 60);
	assert_int_equal(w[1].to.form, WEBHOOK_GENERIC);
	assert_true(w[1].summary && !w[1].on_block);
	assert_int_equal(w[1].to.per_minute, 7);
	assert_null(w[1].to.ca_file);
	assert_string_equal(w[2].to.ca_file, "/etc/weir/ca.pem");
	assert_string_equal(c->query_log.clickhouse.ca_file, "/etc/weir/other.pem");
}

TEST(test_dnstap_over_tcp)
{
	struct config *c =
		config_text_load(MINIMAL "query_log: {dnstap: {socket: 'tcp:[2001:db8::1]:6000'}}");
	assert_string_equal(c->query_log.dnstap.socket, "tcp:[2001:db8::1]:6000");
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"requests: {directory: logs}", "query_log.requests.directory"},
		{"requests: {format: xml}", "query_log.requests.format"},
		{"requests: {days: 0}", "query_log.requests.days"},
		{"dnstap: {socket: dnstap.sock}", "query_log.dnstap.socket"},
		{"dnstap: {socket: 'tcp:192.0.2.1'}", "query_log.dnstap.socket"},
		{"dnstap: {socket: 'tcp:192.0.2.1:0'}", "query_log.dnstap.socket"},
		{"dnstap: {socket: 'tcp:tap.example:6000'}", "query_log.dnstap.socket"},
		{"dnstap: {socket: 'tcp:224.0.0.1:6000'}", "query_log.dnstap.socket"},
		{"webhooks: [{on_block: true}]", "query_log.webhooks[0].url"},
		{"webhooks: [{url: 'ftp://a'}]", "query_log.webhooks[0].url"},
		{"webhooks: [{url: 'http://a', form: slack}]", "query_log.webhooks[0].form"},
		{"webhooks: [{url: 'http://a', on_error: maybe}]",
			"query_log.webhooks[0].on_error"},
		{"webhooks: [{url: 'http://a'}, {url: 'http://a', per_minute: 0}]",
			"query_log.webhooks[1].per_minute"},
		{"webhooks: [{url: 'https://a', ca_file: ca.pem}]",
			"query_log.webhooks[0].ca_file"},
		{"webhooks: [{url: 'http://a', ca_file: /ca.pem}]",
			"query_log.webhooks[0].ca_file"},
		{"clickhouse: {ca_file: ca.pem}", "query_log.clickhouse.ca_file"},
	};
	EACH_REFUSED(config_text_refused, MINIMAL "query_log:\n  %s\n", bad);
}

TEST(test_changes_need_a_restart)
{
	char keys[256];
	struct config *a = config_text_load(MINIMAL "query_log:\n  webhooks: [{url: 'http://a'}]"),
		      *b = config_text_load(MINIMAL
			      "query_log:\n  webhooks: [{url: 'http://a', on_block: true}]\n"
			      "  dnstap: {socket: /run/x}");
	assert_int_equal(config_needs_restart(a, a, keys, sizeof(keys)), 0);
	assert_int_equal(config_needs_restart(a, b, keys, sizeof(keys)), 2);
	assert_non_null(strstr(keys, "query_log.webhooks"));
	assert_non_null(strstr(keys, "query_log.dnstap.socket"));
	b = config_text_load(MINIMAL "query_log:\n  webhooks: [{url: 'https://a', ca_file: /c}]");
	a = config_text_load(MINIMAL "query_log:\n  webhooks: [{url: 'https://a'}]");
	assert_int_equal(config_needs_restart(a, b, keys, sizeof(keys)), 1);
}

// A change of the server is live; the first server, and its removal, need a restart.
TEST(test_clickhouse_changes)
{
	static const char *const section[] = {MINIMAL "query_log:\n  sample: 1\n",
		MINIMAL "query_log:\n  clickhouse: {url: 'http://192.0.2.1'}\n",
		MINIMAL "query_log:\n  clickhouse: {url: 'https://192.0.2.2', user: u, database: d,"
			" table: t, hours: 5, max_mb: 7, flush_ms: 100, rollups: false,"
			" rollup_days: 3, partition: hour}\n",
		MINIMAL "query_log:\n  clickhouse: {url: 'http://192.0.2.1', spool_mb: 5,"
			" spool_directory: /s}\n",
		MINIMAL "query_log:\n  clickhouse: {urls: ['http://192.0.2.2',"
			" 'http://192.0.2.1']}\n"};
	static const struct {
		unsigned from, to, keys;
	} changes[] = {{0, 1, 1}, {1, 0, 1}, {1, 2, 0}, {1, 3, 2}, {0, 0, 0}, {1, 4, 0}, {0, 4, 1},
		{4, 0, 1}};
	char keys[256];
	for (unsigned i = 0; i < ARRAY_LEN(changes); i++) {
		struct config *a = config_text_load(section[changes[i].from]),
			      *b = config_text_load(section[changes[i].to]);
		assert_int_equal(config_needs_restart(a, b, keys, sizeof(keys)), changes[i].keys);
		if (changes[i].keys == 1)
			assert_string_equal(keys, "query_log.clickhouse.url");
	}
}

// One URL is a list of one.
TEST(test_clickhouse_urls)
{
	struct config *c =
		config_text_load(MINIMAL "query_log:\n  clickhouse: {url: 'http://192.0.2.1'}\n");
	assert_int_equal(c->query_log.clickhouse.url_count, 1);
	assert_string_equal(c->query_log.clickhouse.urls[0], "http://192.0.2.1");
	c = config_text_load(MINIMAL "query_log:\n  clickhouse: {urls: ['http://192.0.2.1',"
				     " 'https://ch.example:8443/x']}\n");
	assert_int_equal(c->query_log.clickhouse.url_count, 2);
	assert_string_equal(c->query_log.clickhouse.urls[0], "http://192.0.2.1");
	assert_string_equal(c->query_log.clickhouse.urls[1], "https://ch.example:8443/x");
}
