// SPDX-License-Identifier: BSD-3-Clause
// What keys give: their defaults, presets, and values of every section at once.

#include "config_text.h"

#include <weir/os/sandbox.h>
#include <weir/shm_abi.h>

TEST(test_default_process)
{
	struct config *c = config_text_load(MINIMAL);
	assert_string_equal(c->runtime.directory, "/run/weir");
	assert_string_equal(c->runtime.state_directory, "/var/lib/weir");
	assert_string_equal(c->runtime.hugepages, "auto");
	assert_string_equal(c->runtime.group, "");
	assert_int_equal(c->runtime.seccomp, SANDBOX_KILL);
	assert_int_equal(c->runtime.log_level, LOG_LEVEL_INFO);
	assert_int_equal(c->runtime.log_format, LOG_FORMAT_TEXT);
	assert_int_equal(c->dataplane.main_lcore, 0);
	assert_int_equal(c->dataplane.worker_count, 1);
	assert_int_equal(c->dataplane.worker_lcores[0], 1);
	assert_int_equal(c->dataplane.port_count, 1);
	assert_string_equal(c->dataplane.ports[0].exception, "");
	assert_int_equal(c->dataplane.poll, POLL_ADAPTIVE);
	assert_int_equal(c->dataplane.rx_csum, RX_CSUM_AUTO);
	assert_false(c->dataplane.eal_hugepages);
}

TEST(test_default_cache)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->cache.min_ttl_s, 0);
	assert_int_equal(c->cache.max_ttl_s, 86400);
	assert_int_equal(c->cache.negative_ttl_s, 3600);
	assert_int_equal(c->cache.client_ttl_cap_s, 0);
	assert_false(c->cache.stale_immediate);
	assert_int_equal(c->cache.stale_window_s, 3600);
	assert_int_equal(c->cache.stale_ttl_s, 30);
	assert_int_equal(c->cache.failure_ttl_s, 1);
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
}

TEST(test_default_lists_and_log)
{
	struct config *c = config_text_load(MINIMAL);
	assert_true(c->blocking.enabled);
	assert_false(c->blocking.closed);
	assert_false(c->blocking.zones_any);
	assert_int_equal(c->blocking.mode, DNS_BLOCK_NXDOMAIN);
	assert_int_equal(c->blocking.list_count, 0);
	assert_int_equal(c->blocking.update.interval_s, 86400);
	assert_int_equal(c->blocking.update.start, UPDATE_START_FAST);
	assert_int_equal(c->blocking.update.max_mb, 64);
	assert_false(c->blocking.update.allow_private);
	assert_int_equal(c->blocking.update.bootstrap_count, 0);
	assert_true(c->query_log.store.enabled);
	assert_string_equal(c->query_log.store.directory, "");
	assert_int_equal(c->query_log.store.hours, 168);
	assert_int_equal(c->query_log.store.max_mb, 1024);
	assert_int_equal(c->query_log.store.max_rate, 5000);
	assert_true(c->client_names.usual_files);
	assert_int_equal(c->client_names.lease_file_count, 0);
	assert_int_equal(c->client_names.ptr_server_count, 0);
}

TEST(test_default_upstreams)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->upstreams.count, 1);
	assert_string_equal(c->upstreams.server[0].name, "9.9.9.9:53");
	assert_int_equal(c->upstreams.first_timeout_ms, 400);
	assert_int_equal(c->upstreams.max_sends, 6);
	assert_int_equal(c->upstreams.backoff_s, 30);
	assert_int_equal(c->upstreams.via | c->upstreams.source_count, UPSTREAM_VIA_AUTO);
	assert_int_equal(c->limits.inflight, 4096);
	assert_int_equal(c->limits.waiters, 1024);
	assert_int_equal(c->limits.zone_inflight, 256);
	assert_int_equal(c->limits.client_waiters, 64);
	assert_int_equal(c->limits.udp_reply_size, 1232);
	assert_int_equal(c->limits.answer_deadline_ms, 4500);
	assert_int_equal(c->limits.kernel_frames, 40000);
	assert_int_equal(c->controlplane.resolvers, 1);
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
}

// A preset changes what stands for keys that are not given, and no others.
TEST(test_refresh_modes)
{
	struct config *c =
		config_text_load(MINIMAL "refresh: {mode: aggressive, warm_ttl_percent: 40}\n");
	assert_int_equal(c->refresh.warm_threshold, 1);
	assert_int_equal(c->refresh.hot_ttl_percent, 50);
	assert_int_equal(c->refresh.warm_ttl_percent, 40);
	assert_true(c->refresh.past_auth);
	c = config_text_load(MINIMAL "refresh: {mode: conservative}\n");
	assert_int_equal(c->refresh.warm_threshold, 3);
	assert_int_equal(c->refresh.hot_ttl_percent, 20);
	assert_int_equal(c->refresh.warm_ttl_percent, 15);
	assert_false(c->refresh.past_auth);
}

TEST(test_ttl_preset)
{
	struct config *c =
		config_text_load(MINIMAL "cache: {max_ttl: 7200, ttl_preset: reference}\n");
	assert_int_equal(c->cache.min_ttl_s, 300);
	assert_int_equal(c->cache.max_ttl_s, 7200);
	assert_int_equal(c->cache.negative_ttl_s, 300);
	assert_int_equal(c->cache.client_ttl_cap_s, 300);
	assert_int_equal(c->cache.stale_bound, STALE_BOUND_STORED);
	assert_int_equal(c->cache.stale_window_s, 3600);
	c = config_text_load(MINIMAL "cache: {ttl_preset: weir}\n");
	assert_int_equal(c->cache.min_ttl_s, 0);
	assert_int_equal(c->cache.stale_bound, STALE_BOUND_WINDOW);
}

static const char every_value[] =
	"runtime: {directory: /run/w2, state_directory: /tmp/s, hugepages: off,\n"
	"  log_level: debug, log_format: json, group: weir, seccomp: log, log_memory_s: 300}\n"
	"dataplane:\n"
	"  main_lcore: 3\n"
	"  worker_lcores: [2, 5]\n"
	"  memory_mb: 512\n"
	"  eal_hugepages: true\n"
	"  ports:\n"
	"  - {device: \"net_tap0,iface=wt0,persist\", exception: weir0}\n"
	"  - device: 0000:03:00.0\n"
	"    macs: [00-00-5e-00-01-05, \"02:00:00:00:00:01\"]\n"
	"    vlans: [0, 4094]\n"
	"  - xdp: 'eth0,busy_budget=0'\n"
	"  service_addresses: [198.18.0.53, 'fd53::53/64']\n"
	"  poll: busy\n"
	"  rx_csum: compute\n"
	"  rss: symmetric\n"
	"  flow_rules: auto\n"
	"  rx_descriptors: 256\n"
	"  tx_descriptors: 512\n"
	"  mbufs: 4160\n"
	"cache: {l0_mb: 8, min_ttl: 300, max_ttl: 3600, negative_ttl: 301,\n"
	"  client_ttl_cap: 60, stale: immediate, stale_window: 7, stale_ttl: 9,\n"
	"  failure_ttl: 300}\n"
	"blocking:\n"
	"  enabled: false\n"
	"  closed: true\n"
	"  policy_zones: any\n"
	"  mode: 'null'\n"
	"  ttl: 10\n"
	"  lists:\n"
	"  - {name: ads, path: lists/ads.txt}\n"
	"  - {path: /etc/allow.txt, allow: true}\n"
	"  allow: [Good.Example, \"xn--bcher-kva.example.\"]\n"
	"  deny: [bad.example]\n"
	"  types: [HTTPS, svcb]\n"
	"  https_strip: [ech, ipv6hint]\n"
	"  rebinding: {enabled: true, allow: [home.example, Lan.example]}\n"
	"upstreams:\n"
	"  servers:\n"
	"  - {address: \"127.0.0.1:5301\", name: near}\n"
	"  - address: \"[fd53::1]:54\"\n"
	"  first_timeout_ms: 100\n"
	"  max_sends: 2\n"
	"  backoff: 1\n"
	"  via: kernel\n"
	"  source: [198.18.0.53, 'fd53::53']\n"
	"limits: {inflight: 100, waiters: 200, udp_reply_size: 512, kernel_frames: 1234}\n"
	"controlplane: {resolvers: 4, frontends: 3}\n"
	"fallback: {udp: off}\n"
	"identity: {version: a text, name: box, nsid: box.1}\n"
	"redis: {mode: sentinel, namespace: fleet-2_B.abcdefghijklmnopqrstuv, addresses: "
	"[192.0.2.7, '[fd53::7]:1'],\n"
	"  master_name: m, db: 3, username: u, password: p, sentinel_password: s,\n"
	"  connections: 1, timeout_ms: 50, lookup_timeout_ms: 7, buffer_kb: 256,\n"
	"  max_keys: 0, sweep_min_hits: 2, sweep_hit_window: 60}\n";

TEST(test_process_values)
{
	struct config *c = config_text_load(every_value);
	assert_string_equal(c->runtime.hugepages, "off");
	assert_int_equal(c->runtime.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->runtime.log_format, LOG_FORMAT_JSON);
	assert_int_equal(c->runtime.seccomp, SANDBOX_LOG);
	assert_int_equal(c->dataplane.worker_count, 2);
	assert_int_equal(c->dataplane.worker_lcores[1], 5);
	assert_true(c->dataplane.eal_hugepages);
	assert_int_equal(c->dataplane.rss, RSS_SYMMETRIC);
	assert_int_equal(c->dataplane.flow_rules, FLOW_RULES_AUTO);
	assert_int_equal(c->dataplane.addresses[1].prefix_len, 64);
	assert_int_equal(c->dataplane.poll, POLL_BUSY);
	assert_int_equal(c->dataplane.rx_csum, RX_CSUM_COMPUTE);
	assert_int_equal(c->dataplane.mbufs, 4160);
}

TEST(test_port_values)
{
	struct config *c = config_text_load(every_value);
	assert_int_equal(c->dataplane.port_count, 3);
	assert_string_equal(c->dataplane.ports[0].exception, "weir0");
	assert_int_equal(c->dataplane.ports[0].mac_count, 0);
	assert_int_equal(c->dataplane.ports[1].mac_count, 2);
	assert_memory_equal(&c->dataplane.ports[1].macs[0], "\x00\x00\x5e\x00\x01\x05", 6);
	assert_string_equal(c->dataplane.ports[1].device, "0000:03:00.0");
	assert_null(c->dataplane.ports[1].xdp);
	assert_false(c->dataplane.ports[0].has_vlans);
	assert_true(c->dataplane.ports[1].has_vlans);
	assert_int_equal(c->dataplane.ports[1].vlans[0], 1);
	assert_int_equal(c->dataplane.ports[1].vlans[63], UINT64_C(1) << 62);
	assert_string_equal(c->dataplane.ports[2].device, "net_af_xdp2,iface=eth0,busy_budget=0");
	assert_string_equal(c->dataplane.ports[2].xdp, "eth0");
	assert_string_equal(c->dataplane.ports[2].exception, "");
}

TEST(test_cache_values)
{
	struct config *c = config_text_load(every_value);
	assert_true(c->cache.stale_immediate);
	assert_int_equal(c->cache.stale_ttl_s, 9);
	assert_int_equal(c->cache.failure_ttl_s, 300);
}

TEST(test_blocking_values)
{
	struct config *c = config_text_load(every_value);
	assert_false(c->blocking.enabled);
	assert_true(c->blocking.closed);
	assert_true(c->blocking.zones_any);
	assert_int_equal(c->blocking.mode, DNS_BLOCK_NULL);
	assert_string_equal(c->blocking.lists[0].path, "/tmp/lists/ads.txt");
	assert_false(c->blocking.lists[0].allow);
	assert_string_equal(c->blocking.lists[1].name, "allow.txt");
	assert_true(c->blocking.lists[1].allow);
	assert_int_equal(c->blocking.allow_count, 2);
	assert_int_equal(c->blocking.allow[0].labels, 2);
	assert_int_equal(c->blocking.allow[0].wire[1], 'g');
	assert_int_equal(c->blocking.deny_count, 1);
	assert_int_equal(c->blocking.types.count, 2);
	assert_int_equal(c->blocking.types.type[0], DNS_TYPE_SVCB); // in order
	assert_int_equal(c->blocking.types.type[1], DNS_TYPE_HTTPS);
	assert_int_equal(c->blocking.https_strip, 1 << 5 | 1 << 6); // RFC 9460 14.3.2
	assert_true(c->blocking.rebinding.enabled);
	assert_int_equal(c->blocking.rebinding.allow_count, 2);
	assert_int_equal(c->blocking.rebinding.allow[1].wire[1], 'l');
}

TEST(test_upstream_values)
{
	struct config *c = config_text_load(every_value);
	assert_string_equal(c->upstreams.server[0].name, "near");
	assert_int_equal(c->upstreams.server[0].address.port, 5301);
	assert_int_equal(c->upstreams.server[1].address.port, 54);
	assert_int_equal(c->upstreams.via, UPSTREAM_VIA_KERNEL);
	assert_int_equal(c->upstreams.source_count, 2);
	assert_memory_equal(c->upstreams.source[1].bytes, "\xfd\x53", 2);
	assert_int_equal(c->limits.udp_reply_size, 512);
	assert_int_equal(c->limits.kernel_frames, 1234);
	assert_int_equal(c->controlplane.resolvers, 4);
	assert_int_equal(c->controlplane.frontends, 3);
	assert_int_equal(c->fallback.udp, FALLBACK_OFF);
	assert_string_equal(c->identity.version, "a text");
	assert_string_equal(c->identity.name, "box");
	assert_int_equal(c->runtime.log_memory_s, 300);
}

TEST(test_redis_values)
{
	struct config *c = config_text_load(every_value);
	assert_int_equal(c->redis.mode, REDIS_MODE_SENTINEL);
	assert_int_equal(c->redis.address_count, 2);
	assert_int_equal(c->redis.addresses[0].port, 26379);
	assert_int_equal(c->redis.addresses[1].port, 1);
	assert_string_equal(c->redis.master_name, "m");
	assert_int_equal(strlen(c->redis.space), CONFIG_NAMESPACE_MAX);
	assert_string_equal(c->redis.username, "u");
	assert_string_equal(c->redis.password, "p");
	assert_string_equal(c->redis.sentinel_password, "s");
	assert_int_equal(c->redis.db, 3);
	assert_int_equal(c->redis.buffer_kb, 256);
	assert_int_equal(c->redis.sweep_hit_window_s, 60);
}

// In hundreds for the workers, whole ones, as a little is not none.
TEST(test_kernel_frames)
{
	static const struct {
		const char *text;
		unsigned hundreds;
	} given[] = {{"", 400}, {"limits: {kernel_frames: 0}\n", 0},
		{"limits: {kernel_frames: 1}\n", 1}, {"limits: {kernel_frames: 1200}\n", 12},
		{"limits: {kernel_frames: 1201}\n", 13},
		{"limits: {kernel_frames: 6500000}\n", 65000}};
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		struct dp_config workers;
		config_for_workers(
			config_text_load(text_from(MINIMAL "%s", given[i].text)), &workers);
		assert_int_equal(workers.kernel_hundreds, given[i].hundreds);
	}
}

// The first and the last printable character; their neighbours: test_config.
TEST(test_printable_names)
{
	struct config *c = config_text_load(MINIMAL "    name: \" ~\"\n");
	assert_string_equal(c->upstreams.server[0].name, " ~");
}
