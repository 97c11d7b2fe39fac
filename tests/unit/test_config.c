// SPDX-License-Identifier: BSD-3-Clause

#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config.h>
#include <weir/log.h>

static char folder[] = "/tmp/weir-test-config-XXXXXX";
static char file[64];

// What every document needs; the tests add to it or spoil it.
#define PORTS     "dataplane:\n  ports:\n  - device: net_null0\n"
#define ADDRESSES "  service_addresses: [198.18.0.53/24]\n"
#define SERVERS   "upstreams:\n  servers:\n  - address: 9.9.9.9\n"
#define MINIMAL   PORTS ADDRESSES SERVERS

static void file_write(const void *text, size_t len)
{
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static struct config *load(const char *text)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX] = "";
	file_write(text, strlen(text));
	if (config_load(file, &c, why) != 0)
		fail_msg("%s", why);
	return c;
}

// Refused, and the message begins with what follows the file's name in `expected`.
static void assert_refused(const char *text, size_t len, const char *expected)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX] = "", want[CONFIG_WHY_MAX];
	file_write(text, len);
	int ret = config_load(file, &c, why);
	snprintf(want, sizeof want, "%s:%s", file, expected);
	if (ret != -EINVAL || strncmp(why, want, strlen(want)) != 0)
		fail_msg("%d, got \"%s\"\nwanted \"%s\" for:\n%s", ret, why, want, text);
	assert_null(c);
}

static void test_refused(void **)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
#include "test_config_bad.h"
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(bad[i].text, strlen(bad[i].text), bad[i].why);
	assert_true(ARRAY_LEN(bad) >= 60);
}

static void test_refused_octets(void **)
{
	static const char bad_utf8[] = MINIMAL "limits:\n  waiters: \xff\xfe\n";
	assert_refused(bad_utf8, sizeof bad_utf8 - 1, "9:12: ");
	static const char nul[] = MINIMAL "runtime:\n  group: \"a\\0b\"\n";
	assert_refused(nul, sizeof nul - 1, "9:10: runtime.group: contains a NUL");
	static const char escape[] = MINIMAL "\"\\e[31m\": 1\n";
	assert_refused(escape, sizeof escape - 1, "8:1: \\x1b[31m: unknown key");
}

static void test_defaults(void **)
{
	struct config *c = load(MINIMAL);
	assert_string_equal(c->path, file);
	assert_string_equal(c->runtime.directory, "/run/weir");
	assert_string_equal(c->runtime.state_directory, "/var/lib/weir");
	assert_string_equal(c->runtime.hugepages, "auto");
	assert_string_equal(c->runtime.group, "");
	assert_int_equal(c->runtime.log_level, LOG_LEVEL_INFO);
	assert_int_equal(c->dataplane.main_lcore, 0);
	assert_int_equal(c->dataplane.worker_count, 1);
	assert_int_equal(c->dataplane.worker_lcores[0], 1);
	assert_int_equal(c->dataplane.port_count, 1);
	assert_string_equal(c->dataplane.ports[0].exception, "");
	assert_int_equal(c->dataplane.poll, POLL_ADAPTIVE);
	assert_int_equal(c->dataplane.rx_csum, RX_CSUM_AUTO);
	assert_false(c->dataplane.eal_hugepages);
	assert_int_equal(c->cache.min_ttl_s, 0);
	assert_int_equal(c->cache.max_ttl_s, 86400);
	assert_int_equal(c->cache.negative_ttl_s, 3600);
	assert_int_equal(c->cache.client_ttl_cap_s, 0);
	assert_false(c->cache.stale_immediate);
	assert_int_equal(c->cache.stale_window_s, 3600);
	assert_int_equal(c->cache.stale_ttl_s, 30);
	assert_true(c->refresh.enabled);
	assert_int_equal(c->refresh.mode, REFRESH_BALANCED);
	assert_true(c->refresh.past_auth);
	assert_int_equal(c->refresh.warm_threshold, 2);
	assert_int_equal(c->refresh.hot_ttl_percent, 30);
	assert_int_equal(c->refresh.hit_window_s, 60);
	assert_int_equal(c->refresh.max_inflight, 100);
	assert_int_equal(c->refresh.sweep_interval_s, 15);
	assert_int_equal(c->refresh.sweep_window_s, 60);
	assert_int_equal(c->refresh.max_batch, 2000);
	assert_int_equal(c->refresh.servfail_backoff_s, 60);
	assert_true(c->blocking.enabled);
	assert_int_equal(c->blocking.mode, DNS_BLOCK_NXDOMAIN);
	assert_int_equal(c->blocking.list_count, 0);
	assert_true(c->query_log.store.enabled);
	assert_string_equal(c->query_log.store.directory, "");
	assert_int_equal(c->query_log.store.hours, 168);
	assert_int_equal(c->query_log.store.max_mb, 1024);
	assert_int_equal(c->query_log.store.max_rate, 5000);
	assert_int_equal(c->blocking.update.interval_s, 86400);
	assert_int_equal(c->blocking.update.start, UPDATE_START_FAST);
	assert_int_equal(c->blocking.update.max_mb, 64);
	assert_false(c->blocking.update.allow_private);
	assert_int_equal(c->blocking.update.bootstrap_count, 0);
	assert_int_equal(c->upstreams.count, 1);
	assert_string_equal(c->upstreams.server[0].name, "9.9.9.9:53");
	assert_int_equal(c->upstreams.first_timeout_ms, 400);
	assert_int_equal(c->upstreams.max_sends, 6);
	assert_int_equal(c->upstreams.backoff_s, 30);
	assert_int_equal(c->limits.inflight, 4096);
	assert_int_equal(c->limits.waiters, 1024);
	assert_int_equal(c->limits.zone_inflight, 256);
	assert_int_equal(c->limits.client_waiters, 64);
	assert_int_equal(c->limits.udp_reply_size, 1232);
	assert_int_equal(c->fallback.udp, FALLBACK_AUTO);
	assert_true(c->cookies.enabled);
	assert_int_equal(c->cookies.require, DNS_COOKIE_REQUIRE_OVER_LIMIT);
	assert_int_equal(c->cookies.count, 0);
	assert_int_equal(c->redis.mode, REDIS_MODE_OFF);
	assert_int_equal(c->redis.address_count, 0);
	assert_string_equal(c->redis.password, "");
	assert_int_equal(c->redis.connections, 2);
	assert_int_equal(c->redis.timeout_ms, 100);
	assert_int_equal(c->redis.lookup_timeout_ms, 5);
	assert_int_equal(c->redis.max_keys, 1000000);
	config_free(c);
}

// A preset changes what stands for keys that are not given, and no others.
static void test_refresh_modes(void **)
{
	struct config *c = load(MINIMAL "refresh: {mode: aggressive, warm_ttl_percent: 40}\n");
	assert_int_equal(c->refresh.warm_threshold, 1);
	assert_int_equal(c->refresh.hot_ttl_percent, 50);
	assert_int_equal(c->refresh.warm_ttl_percent, 40);
	assert_true(c->refresh.past_auth);
	config_free(c);
	c = load(MINIMAL "refresh: {mode: conservative}\n");
	assert_int_equal(c->refresh.warm_threshold, 3);
	assert_int_equal(c->refresh.hot_ttl_percent, 20);
	assert_int_equal(c->refresh.warm_ttl_percent, 15);
	assert_false(c->refresh.past_auth);
	config_free(c);
}

static void test_ttl_preset(void **)
{
	struct config *c = load(MINIMAL "cache: {max_ttl: 7200, ttl_preset: reference}\n");
	assert_int_equal(c->cache.min_ttl_s, 300);
	assert_int_equal(c->cache.max_ttl_s, 7200);
	assert_int_equal(c->cache.negative_ttl_s, 300);
	assert_int_equal(c->cache.client_ttl_cap_s, 300);
	assert_int_equal(c->cache.stale_bound, STALE_BOUND_STORED);
	assert_int_equal(c->cache.stale_window_s, 3600);
	config_free(c);
	c = load(MINIMAL "cache: {ttl_preset: weir}\n");
	assert_int_equal(c->cache.min_ttl_s, 0);
	assert_int_equal(c->cache.stale_bound, STALE_BOUND_WINDOW);
	config_free(c);
}

static void test_every_value(void **)
{
	struct config *c =
		load("runtime: {directory: /run/w2, state_directory: /tmp/s, hugepages: off,\n"
		     "  log_level: debug, group: weir}\n"
		     "dataplane:\n"
		     "  main_lcore: 3\n"
		     "  worker_lcores: [2, 5]\n"
		     "  memory_mb: 512\n"
		     "  eal_hugepages: true\n"
		     "  ports:\n"
		     "  - {device: \"net_tap0,iface=wt0,persist\", exception: weir0}\n"
		     "  - device: 0000:03:00.0\n"
		     "    macs: [00-00-5e-00-01-05, \"02:00:00:00:00:01\"]\n"
		     "  - xdp: 'eth0,busy_budget=0'\n"
		     "  service_addresses: [198.18.0.53, 'fd53::53/64']\n"
		     "  poll: busy\n"
		     "  rx_csum: compute\n"
		     "  rss: symmetric\n"
		     "  flow_rules: auto\n"
		     "  rx_descriptors: 256\n"
		     "  tx_descriptors: 512\n"
		     "  mbufs: 4095\n"
		     "cache: {l0_mb: 8, min_ttl: 300, max_ttl: 3600, negative_ttl: 301,\n"
		     "  client_ttl_cap: 60, stale: immediate, stale_window: 7, stale_ttl: 9}\n"
		     "blocking:\n"
		     "  enabled: false\n"
		     "  mode: 'null'\n"
		     "  ttl: 10\n"
		     "  lists:\n"
		     "  - {name: ads, path: lists/ads.txt}\n"
		     "  - {path: /etc/allow.txt, allow: true}\n"
		     "  allow: [Good.Example, \"xn--bcher-kva.example.\"]\n"
		     "  deny: [bad.example]\n"
		     "  rebinding: {enabled: true, allow: [home.example, Lan.example]}\n"
		     "upstreams:\n"
		     "  servers:\n"
		     "  - {address: \"127.0.0.1:5301\", name: near}\n"
		     "  - address: \"[fd53::1]:54\"\n"
		     "  first_timeout_ms: 100\n"
		     "  max_sends: 2\n"
		     "  backoff: 1\n"
		     "limits: {inflight: 100, waiters: 200, udp_reply_size: 512}\n"
		     "fallback: {udp: off}\n"
		     "identity: {version: one of ours, name: box, nsid: box.1}\n"
		     "redis: {mode: sentinel, addresses: [192.0.2.7, '[fd53::7]:1'],\n"
		     "  master_name: m, db: 3, username: u, password: p, sentinel_password: s,\n"
		     "  connections: 1, timeout_ms: 50, lookup_timeout_ms: 7, buffer_kb: 256,\n"
		     "  max_keys: 0, sweep_min_hits: 2, sweep_hit_window: 60}\n");
	assert_string_equal(c->runtime.hugepages, "off");
	assert_int_equal(c->runtime.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->dataplane.worker_count, 2);
	assert_int_equal(c->dataplane.worker_lcores[1], 5);
	assert_true(c->dataplane.eal_hugepages);
	assert_int_equal(c->dataplane.port_count, 3);
	assert_string_equal(c->dataplane.ports[0].exception, "weir0");
	assert_int_equal(c->dataplane.ports[0].mac_count, 0);
	assert_int_equal(c->dataplane.ports[1].mac_count, 2);
	assert_memory_equal(&c->dataplane.ports[1].macs[0], "\x00\x00\x5e\x00\x01\x05", 6);
	assert_int_equal(c->dataplane.rss, RSS_SYMMETRIC);
	assert_int_equal(c->dataplane.flow_rules, FLOW_RULES_AUTO);
	assert_string_equal(c->dataplane.ports[1].device, "0000:03:00.0");
	assert_null(c->dataplane.ports[1].xdp);
	assert_string_equal(c->dataplane.ports[2].device, "net_af_xdp2,iface=eth0,busy_budget=0");
	assert_string_equal(c->dataplane.ports[2].xdp, "eth0");
	assert_string_equal(c->dataplane.ports[2].exception, "");
	assert_int_equal(c->dataplane.addresses[1].prefix_len, 64);
	assert_int_equal(c->dataplane.poll, POLL_BUSY);
	assert_int_equal(c->dataplane.rx_csum, RX_CSUM_COMPUTE);
	assert_int_equal(c->dataplane.mbufs, 4095);
	assert_true(c->cache.stale_immediate);
	assert_int_equal(c->cache.stale_ttl_s, 9);
	assert_false(c->blocking.enabled);
	assert_int_equal(c->blocking.mode, DNS_BLOCK_NULL);
	char path[sizeof folder + 32];
	snprintf(path, sizeof path, "%s/lists/ads.txt", folder);
	assert_string_equal(c->blocking.lists[0].path, path);
	assert_false(c->blocking.lists[0].allow);
	assert_string_equal(c->blocking.lists[1].name, "allow.txt");
	assert_true(c->blocking.lists[1].allow);
	assert_int_equal(c->blocking.allow_count, 2);
	assert_int_equal(c->blocking.allow[0].labels, 2);
	assert_int_equal(c->blocking.allow[0].wire[1], 'g');
	assert_int_equal(c->blocking.deny_count, 1);
	assert_true(c->blocking.rebinding.enabled);
	assert_int_equal(c->blocking.rebinding.allow_count, 2);
	assert_int_equal(c->blocking.rebinding.allow[1].wire[1], 'l');
	assert_string_equal(c->upstreams.server[0].name, "near");
	assert_int_equal(c->upstreams.server[0].address.port, 5301);
	assert_int_equal(c->upstreams.server[1].address.port, 54);
	assert_int_equal(c->limits.udp_reply_size, 512);
	assert_int_equal(c->fallback.udp, FALLBACK_OFF);
	assert_string_equal(c->identity.version, "one of ours");
	assert_string_equal(c->identity.name, "box");
	assert_int_equal(c->redis.mode, REDIS_MODE_SENTINEL);
	assert_int_equal(c->redis.address_count, 2);
	assert_int_equal(c->redis.addresses[0].port, 26379);
	assert_int_equal(c->redis.addresses[1].port, 1);
	assert_string_equal(c->redis.master_name, "m");
	assert_string_equal(c->redis.username, "u");
	assert_string_equal(c->redis.password, "p");
	assert_string_equal(c->redis.sentinel_password, "s");
	assert_int_equal(c->redis.db, 3);
	assert_int_equal(c->redis.buffer_kb, 256);
	assert_int_equal(c->redis.sweep_hit_window_s, 60);
	config_free(c);
}

static void test_groups(void **)
{
	struct config *c = load(
		MINIMAL "blocking:\n  lists: [{path: /a, name: ads}, {path: /b, name: adult}]\n"
			"groups:\n"
			"- {name: kids, clients: [192.0.2.0/24, 192.0.2.7, 'fd53:1::/64'], lists: "
			"[adult]}\n"
			"- name: lab\n  clients: [0.0.0.0/0, 192.0.2.0/25]\n  disable_cache: true\n"
			"  blocking: false\n  upstreams: [{address: '192.0.2.53:5353'}, {address: "
			"fd53::1, name: six}]\n");
	assert_int_equal(c->group_count, 2);
	const struct config_group *kids = &c->groups[0], *lab = &c->groups[1];
	assert_string_equal(kids->name, "kids");
	assert_int_equal(kids->client_count, 3);
	assert_int_equal(kids->clients[1].prefix_len, 32);
	assert_int_equal(kids->clients[2].version, 6);
	assert_int_equal(kids->clients[2].prefix_len, 64);
	assert_true(kids->has_lists && kids->blocking && !kids->disable_cache);
	assert_int_equal(kids->list_count, 1);
	assert_int_equal(kids->lists[0], 1);
	assert_int_equal(kids->upstream_count, 0);
	assert_int_equal(lab->clients[0].prefix_len, 0);
	assert_true(!lab->has_lists && !lab->blocking && lab->disable_cache);
	assert_int_equal(lab->upstream_count, 2);
	assert_int_equal(lab->upstreams[0].address.port, 5353);
	assert_string_equal(lab->upstreams[1].name, "six");
	// The groups of a file can change while it runs.
	struct config *other = load(MINIMAL);
	char names[64];
	assert_int_equal(config_needs_restart(c, other, names, sizeof names), 0);
	assert_int_equal(other->group_count, 0);
	config_free(other);
	config_free(c);
}

// As many prefixes as may be, and one more.
static void test_groups_full(void **)
{
	enum { EACH = 24 };
	static char text[sizeof(MINIMAL) + 64 + (CONFIG_PREFIXES_MAX + 1) * EACH];
	for (unsigned more = 0; more < 2; more++) {
		char *p = stpcpy(text, MINIMAL "groups:\n- {name: a, clients: [10.0.0.0/8");
		for (unsigned i = 1; i < CONFIG_PREFIXES_MAX; i++)
			p += sprintf(p, ", 10.%u.%u.0/24", i / 256, i % 256);
		p = stpcpy(p, "]}\n");
		if (more)
			stpcpy(p, "- {name: b, clients: [11.0.0.0/8]}\n");
		if (more)
			assert_refused(text, strlen(text),
				"8:1: groups: 4097 prefixes of clients in all groups, at most 4096 "
				"are");
		else
			config_free(load(text));
	}
}

static void test_password_file(void **)
{
	char path[sizeof folder + 32], text[1024];
	snprintf(path, sizeof path, "%s/password", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("s3cret with blanks \nnot this\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	snprintf(text, sizeof text, MINIMAL "redis: {password_file: %s}\n", path);
	struct config *c = load(text);
	assert_string_equal(c->redis.password, "s3cret with blanks ");
	assert_string_equal(c->redis.password_file, path);
	config_free(c);
	assert_int_equal(unlink(path), 0);
}

static void test_empty_sections(void **)
{
	struct config *c = load(MINIMAL "cache:\nblocking:\n  lists:\n  allow:\n  # - x.example\n"
					"limits: {}\n");
	assert_int_equal(c->blocking.list_count, 0);
	assert_int_equal(c->blocking.allow_count, 0);
	assert_int_equal(c->cache.max_ttl_s, 86400);
	config_free(c);
}

static void test_shipped(void **)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX] = "";
	if (config_load(WEIR_SOURCE_ROOT "/tools/weir.yaml", &c, why) != 0)
		fail_msg("%s", why);
	assert_string_equal(c->dataplane.ports[0].device, "net_tap0,iface=wt0,persist");
	assert_int_equal(c->dataplane.address_count, 2);
	assert_int_equal(c->upstreams.count, 2);
	assert_int_equal(c->blocking.list_count, 0);

	// What it spells out are the defaults, so that the file also documents them.
	struct config *plain = load(MINIMAL);
	char names[256];
	assert_int_equal(config_needs_restart(c, plain, names, sizeof names), 2);
	assert_string_equal(names, "dataplane.ports, dataplane.service_addresses");
	assert_memory_equal(&c->limits, &plain->limits, sizeof c->limits);
	assert_memory_equal(&c->cache, &plain->cache, sizeof c->cache);
	config_free(plain);
	config_free(c);
}

static void test_files(void **)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX] = "";
	assert_int_equal(config_load("/nonexistent/weir.yaml", &c, why), -ENOENT);
	assert_string_equal(why, "/nonexistent/weir.yaml: No such file or directory");
	assert_int_equal(config_load(folder, &c, why), -EISDIR);

	file_write("", 0);
	assert_int_equal(truncate(file, (4 << 20) + 1), 0);
	assert_int_equal(config_load(file, &c, why), -EFBIG);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(config_load(file, &c, why), -EISDIR);
	assert_int_equal(unlink(file), 0);
	assert_null(c);
}

// A path as the operator types it: messages keep it, list paths become absolute all the same.
static void test_relative(void **)
{
	static const char text[] = MINIMAL "blocking:\n  lists:\n  - path: a.txt\n";
	file_write(text, sizeof text - 1);
	char here[PATH_MAX], path[sizeof folder + 16], why[CONFIG_WHY_MAX] = "";
	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(chdir(folder), 0);
	struct config *c = NULL;
	assert_int_equal(config_load("weir.yaml", &c, why), 0);
	assert_string_equal(c->path, file);
	snprintf(path, sizeof path, "%s/a.txt", folder);
	assert_string_equal(c->blocking.lists[0].path, path);
	config_free(c);
	assert_int_equal(chdir(here), 0);
}

static void test_needs_restart(void **)
{
	struct config *a = load(MINIMAL);
	struct config *b = load(MINIMAL "cache: {max_ttl: 100, stale: immediate}\n"
					"blocking: {mode: refused, deny: [x.example]}\n"
					"limits: {waiters: 7}\n");
	char names[256];
	assert_int_equal(config_needs_restart(a, b, names, sizeof names), 0);
	assert_string_equal(names, "");
	config_free(b);

	b = load(PORTS "    exception: weir0\n" ADDRESSES "  worker_lcores: [1, 2]\n" SERVERS
		       "runtime: {directory: /run/other}\ncache: {l0_mb: 9}\n");
	assert_int_equal(config_needs_restart(a, b, names, sizeof names), 4);
	assert_string_equal(
		names, "runtime.directory, cache.l0_mb, dataplane.worker_lcores, dataplane.ports");
	assert_int_equal(config_needs_restart(a, b, names, 20), 4);
	assert_string_equal(names, "runtime.directory");
	config_free(b);
	config_free(a);
}

// Documents cut off anywhere are loaded or refused, never more.
static void test_cut_short(void **)
{
	static const char text[] =
		MINIMAL "blocking: {lists: [{name: a, path: \"b\"}], deny: [x]}\n";
	for (size_t len = 0; len < sizeof text; len++) {
		struct config *c = NULL;
		char why[CONFIG_WHY_MAX] = "";
		file_write(text, len);
		int ret = config_load(file, &c, why);
		assert_true(ret == 0 ? c != NULL : ret == -EINVAL && why[0]);
		config_free(c);
	}
}

static int setup(void **)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof file, "%s/weir.yaml", folder);
	return 0;
}

static int teardown(void **)
{
	unlink(file);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_octets),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_ttl_preset),
		cmocka_unit_test(test_refresh_modes),
		cmocka_unit_test(test_every_value),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_groups_full),
		cmocka_unit_test(test_password_file),
		cmocka_unit_test(test_empty_sections),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_needs_restart),
		cmocka_unit_test(test_cut_short),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
