// SPDX-License-Identifier: BSD-3-Clause
// What a change of the configuration changes at once, and with the restart of which process.

#include "config_text.h"

#include <weir/config/versions.h>

static struct config_bundle bundle_of(const char *text)
{
	return (struct config_bundle){.main = {
					      .path = (char *)(uintptr_t) "/tmp/weir.yaml",
					      .bytes = (char *)(uintptr_t)text,
					      .len = strlen(text),
				      }};
}

// What `after` changes in `before`, with which the processes started.
static struct config_change change_of(const char *before, const char *after)
{
	struct config_change out;
	struct config *a = config_text_load(before), *b = config_text_load(after);
	const struct config_bundle from = bundle_of(before), to = bundle_of(after);
	config_change_find(a, a, b, &from, &to, &out);
	return out;
}

static void change_is(const char *before, const char *after, const char *live)
{
	const struct config_change c = change_of(before, after);
	assert_string_equal(c.live, live);
	assert_string_equal(c.controlplane, "");
	assert_string_equal(c.dataplane, "");
}

TEST(test_live)
{
	change_is(MINIMAL, MINIMAL "# a remark\ncache: {min_ttl: 0}\n", "");
	change_is(MINIMAL "cache: {min_ttl: 1}\n", MINIMAL "cache:\n  min_ttl: \"1\"\n", "");
	change_is(MINIMAL, MINIMAL "cache: {min_ttl: 1}\n", "cache.min_ttl");
	change_is(MINIMAL, MINIMAL "blocking: {deny: [], lists: []}\n", "");
	change_is(MINIMAL "blocking: {deny: [a.test, b.test]}\n",
		MINIMAL "blocking: {deny: [a.test, c.test]}\n", "blocking.deny");
	change_is(MINIMAL "blocking: {deny: [a.test]}\n", MINIMAL, "blocking.deny");
	change_is(MINIMAL, MINIMAL "blocking: {types: [HTTPS]}\n", "blocking.types");
	change_is(MINIMAL, MINIMAL "blocking: {https_strip: [ech]}\n", "blocking.https_strip");
	change_is(MINIMAL "blocking: {lists: [{name: a, path: /a}]}\n",
		MINIMAL "blocking: {lists: [{name: a, path: /b}], rebinding: {allow: [a.test]}}\n",
		"blocking.lists, blocking.rebinding.allow");
	change_is(MINIMAL, MINIMAL "groups: [{name: kids, clients: [192.0.2.1]}]\n", "groups");
	// A preset changes the keys whose defaults it has.
	const struct config_change c =
		change_of(MINIMAL, MINIMAL "cache: {ttl_preset: reference}\n");
	assert_non_null(strstr(c.live, "cache.ttl_preset, "));
	assert_non_null(strstr(c.live, "cache.min_ttl"));
}

TEST(test_restart)
{
	struct config_change c =
		change_of(MINIMAL, PORTS "  - device: net_null1\n" ADDRESSES
					 "  mbufs: 16383\n  worker_lcores: [1, 2]\n" SERVERS
					 "runtime: {group: weir, log_level: debug}\nmetrics: "
					 "{listen: 127.0.0.1}\n");
	assert_string_equal(c.live, "runtime.log_level");
	assert_string_equal(c.controlplane, "runtime.group, metrics.listen");
	assert_string_equal(c.dataplane,
		"runtime.group, dataplane.mbufs, dataplane.worker_lcores, dataplane.ports");
	c = change_of(MINIMAL, PORTS "  service_addresses: [203.0.113.54]\n" SERVERS);
	assert_string_equal(c.controlplane, "dataplane.service_addresses");
	assert_string_equal(c.dataplane, "dataplane.service_addresses");
#define EXCEPTION "dataplane:\n  ports: [{device: net_null0, exception: weir0}]\n" ADDRESSES
	c = change_of(EXCEPTION SERVERS, EXCEPTION "  virtual_addresses: [203.0.113.54]\n" SERVERS);
	assert_string_equal(c.controlplane, "dataplane.virtual_addresses");
	assert_string_equal(c.dataplane, "dataplane.virtual_addresses");
	// Beside AF_XDP the control plane serves UDP, too.
	c = change_of(MINIMAL, "dataplane:\n  ports:\n  - xdp: eth0\n" ADDRESSES SERVERS);
	assert_string_equal(c.controlplane, "dataplane.ports");
	assert_string_equal(c.dataplane, "dataplane.ports");
}

// A server of ClickHouse is changed at once, the first one comes and the last one goes with a
// restart.
TEST(test_sink)
{
#define SINK(words) MINIMAL "query_log: {clickhouse: {" words "}}\n"
	change_is(SINK("url: 'http://192.0.2.9:8123'"), SINK("url: 'http://192.0.2.8:8123'"),
		"query_log.clickhouse.url");
	const struct config_change c =
		change_of(MINIMAL, SINK("url: 'http://192.0.2.9:8123', table: t"));
	assert_string_equal(c.live, "");
	assert_string_equal(c.controlplane, "query_log.clickhouse.url");
}

// A key that has waited for a restart since an earlier change is named again. A key that is in
// force already is not.
TEST(test_pending)
{
	struct config_change out;
	struct config *started = config_text_load(MINIMAL);
	struct config *now = config_text_load(MINIMAL "cache: {l0_mb: 9, min_ttl: 1}\n");
	config_change_find(started, now, now, NULL, NULL, &out);
	assert_string_equal(out.live, "");
	assert_string_equal(out.controlplane, "cache.l0_mb");
	config_change_find(started, now, started, NULL, NULL, &out);
	assert_string_equal(out.live, "cache.min_ttl");
	assert_string_equal(out.controlplane, "");
}

// The log, events and audit have the box's name of the start, be it that of `sync`.
TEST(test_name_of_the_box)
{
	struct config_change c = change_of(MINIMAL, MINIMAL "sync: {name: box2}\n");
	assert_string_equal(c.live, "sync.name");
	assert_string_equal(c.controlplane, "query_log.box");
	change_is(MINIMAL "query_log: {box: a}\n",
		MINIMAL "query_log: {box: a}\nsync: {name: box2}\n", "sync.name");
	c = change_of(MINIMAL "query_log: {box: a}\n", MINIMAL "sync: {name: box2}\n");
	assert_string_equal(c.controlplane, "query_log.box");
}
