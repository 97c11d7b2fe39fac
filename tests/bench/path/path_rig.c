// SPDX-License-Identifier: BSD-3-Clause
#include "path_rig.h"

#include "dataplane/port/mbuf_pool.h"
#include "tests/dp/wire.h"

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weir/clock.h>

enum {
	RINGS_UNITS = 32768,
	ROOM = 640 + RTE_PKTMBUF_HEADROOM,
	SPARE = 4096, // buffers beside those that hold the file
	BUF_BYTES = 1200,
	LISTED = 1000000,
	LOOK_MS = 10, // as the main lcore does
};

static struct rte_mempool *pool;
static void *rules[2]; // [1]: for groups
static void *policies[PATH_POLICIES];
static struct policy_reader policy_readers[PATH_POLICIES];
static struct limiter *limiter;
static struct rule_reader rules_reader[2];

static const char *const port_name[PATH_PORTS] = {"net_pcap_path", "net_pcap_plain"};

// The CPU that we run on, and with `two` another one behind a comma. False: there is no other.
static bool choose_cpus(bool two, char text[16])
{
	int here = sched_getcpu();
	cpu_set_t all;
	if (here < 0 || sched_getaffinity(0, sizeof(all), &all) != 0)
		return false;
	int n = snprintf(text, 16, "%d", here);
	CPU_CLR((size_t)here, &all);
	for (unsigned i = 0; two && i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &all))
			return snprintf(text + n, 16 - (size_t)n, ",%u", i) > 0;
	}
	return !two;
}

static bool start_eal(uint32_t frames, bool two)
{
	char lcore[16], memory[16];
	unsigned mib = (unsigned)(((uint64_t)frames + SPARE) * BUF_BYTES >> 20) + 64;
	if (!choose_cpus(two, lcore)) {
		fputs("needs two CPUs\n", stderr);
		return false;
	}
	snprintf(memory, sizeof(memory), "%u", mib);
	char *argv[] = {(char[]){"bench_path"}, (char[]){"--no-huge"}, (char[]){"--no-shconf"},
		(char[]){"--no-pci"}, (char[]){"--no-telemetry"}, (char[]){"--log-level=4"},
		(char[]){"-m"}, memory, (char[]){"-l"}, lcore, NULL};
	if (rte_eal_init((int)ARRAY_LEN(argv) - 1, argv) < 0) {
		fprintf(stderr, "EAL: %s\n", rte_strerror(rte_errno));
		return false;
	}
	// As mbuf_pool_create does, but with buffers just large enough, so that a million fit.
	pool = rte_pktmbuf_pool_create_by_ops(
		"path", frames + SPARE, MBUF_POOL_CACHE, 0, ROOM, 0, "ring_sp_sc");
	if (!pool)
		fprintf(stderr, "packet pool: %s\n", rte_strerror(rte_errno));
	return pool != NULL;
}

static void *zeroed(size_t size)
{
	size = (size + SHM_PAGE - 1) / SHM_PAGE * SHM_PAGE;
	void *p = aligned_alloc(SHM_PAGE, size);
	if (p)
		memset(p, 0, size);
	return p;
}

static bool make_worker(struct path_rig *r)
{
	r->dedup = zeroed(sizeof(*r->dedup) * DEDUP_SETS * DEDUP_WAYS);
	r->miss_data = zeroed((size_t)RINGS_UNITS * RING_UNIT);
	r->answer_data = zeroed((size_t)RINGS_UNITS * RING_UNIT);
	r->log_data = zeroed((size_t)RINGS_LOG_UNITS * RING_UNIT);
	if (!r->dedup || !r->miss_data || !r->answer_data || !r->log_data)
		return false;
	dedup_init(&r->w.dedup, r->dedup);
	ring_producer_init(
		&r->w.miss[0], &r->dp.miss_tail, &r->cp.miss_head, r->miss_data, RINGS_UNITS);
	ring_consumer_init(&r->w.answer[0], &r->cp.answer_tail, &r->dp.answer_head, r->answer_data,
		RINGS_UNITS);
	ring_consumer_init(
		&r->control.miss, &r->dp.miss_tail, &r->cp.miss_head, r->miss_data, RINGS_UNITS);
	ring_producer_init(&r->control.answer, &r->cp.answer_tail, &r->dp.answer_head,
		r->answer_data, RINGS_UNITS);
	log_writer_init(&r->w.log, &r->dp.log_tail, &r->cp.log_head, r->log_data, RINGS_LOG_UNITS,
		&r->dp.log_owed);
	r->service.v4_count = r->service.v6_count = 1;
	(void)inet_pton(AF_INET, WIRE_SERVICE4, &r->service.v4[0]);
	(void)inet_pton(AF_INET6, WIRE_SERVICE6, r->service.v6[0]);
	r->tables.config = (struct dp_config){
		.stale_ttl_s = 30,
		.udp_limit = 1232,
		.blocking_on = 1,
		.group_lists = {(UINT64_C(1) << (RULE_LIST_FIRST + PATH_LISTS_COMMON)) - 1},
	};
	path_cookie_terms(&r->tables.config.cookies);
	r->w.service = &r->service;
	r->w.pool = pool;
	r->w.bell = -1;
	r->w.resolvers = 1;
	r->w.stats = &r->stats;
	r->w.rings = &r->dp;
	r->w.epoch = path_rig_epoch(r);
	r->w.control_alive = 1;
	if (limiter_new(1, &limiter) < 0)
		return false;
	r->w.limit = limiter_table(limiter, 0);
	r->w.tables = &r->tables;
	atomic_store(&r->w.next_tables, &r->tables);
	return true;
}

void path_rig_log(struct path_rig *r, uint32_t sample)
{
	uint64_t written = atomic_load(&r->dp.log_tail.units);
	atomic_store(&r->cp.log_head.units, written);
	log_writer_set(&r->w.log, sample, 0);
	r->w.log_clock = log_clock_at(clock_mono_us(), rte_rdtsc(), rte_get_tsc_hz());
}

bool path_rig_start(struct path_rig *r, uint32_t frames, bool two_lcores)
{
	return start_eal(frames, two_lcores) && make_worker(r);
}

void path_rig_stop(struct path_rig *r)
{
	path_l0_free(&r->l0);
	free(rules[0]);
	free(rules[1]);
	for (unsigned i = 0; i < PATH_POLICIES; i++)
		free(policies[i]);
	limiter_free(limiter);
	free(r->dedup);
	free(r->miss_data);
	free(r->answer_data);
	free(r->log_data);
	rte_mempool_free(pool);
	rte_eal_cleanup();
}

static bool start_port(struct path_rig *r, unsigned index)
{
	struct rte_eth_conf conf = {0};
	uint16_t id;
	if (rte_eth_dev_get_port_by_name(port_name[index], &id) != 0
		|| rte_eth_dev_configure(id, 1, 1, &conf) != 0
		|| rte_eth_rx_queue_setup(id, 0, 512, 0, NULL, pool) != 0
		|| rte_eth_tx_queue_setup(id, 0, 512, 0, NULL) != 0 || rte_eth_dev_start(id) != 0)
		return false;
	r->w.port[index] = (struct worker_port){
		.port_id = id,
		.exception_id = id,
		.dns_most = 500,
	};
	memcpy(&r->w.port[index].mac, wire_service_mac, 6);
	r->w.port_count = index + 1;
	return true;
}

static eth_rx_burst_t rx_whole;

static uint16_t rx_one(void *queue, struct rte_mbuf **m, uint16_t n)
{
	return rx_whole(queue, m, n < 1 ? n : 1);
}

// Each frame in a burst of its own, as when a client waits for each answer. The driver gives as
// many frames as the caller of rte_eth_rx_burst wants; the worker decides that.
static void open_alone(const struct path_rig *r)
{
	struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[r->w.port[PATH_PORT].port_id];
	rx_whole = ops->rx_pkt_burst;
	ops->rx_pkt_burst = rx_one;
}

static bool open_port(struct path_rig *r, const struct path_traffic *t, unsigned index)
{
	char path[] = "/tmp/weir-bench-XXXXXX", args[128];
	int fd = mkstemp(path);
	if (fd < 0) {
		perror(path);
		return false;
	}
	close(fd);
	snprintf(args, sizeof(args), "rx_pcap=%s,infinite_rx=1", path);
	bool ok = path_pcap_write(path, t) && rte_vdev_init(port_name[index], args) == 0
		  && start_port(r, index);
	if (!ok)
		fprintf(stderr, "net_pcap: %s\n", rte_strerror(rte_errno));
	unlink(path);
	return ok;
}

static bool open_l0(struct path_rig *r, const struct path_traffic *t)
{
	uint32_t negatives = t->negative_percent ? PATH_NEGATIVES : 0;
	if (t->names == r->names && negatives == r->negatives)
		return true;
	path_l0_free(&r->l0);
	r->names = t->names;
	r->negatives = negatives;
	r->tables.has_l0 = path_l0_fill(&r->l0, t->names, negatives, &r->tables.l0);
	r->tables.marks[0] = r->l0.marks;
	if (!r->tables.has_l0)
		fprintf(stderr, "L0: no room for %u names\n", t->names);
	return r->tables.has_l0;
}

enum path_policy path_rig_policy_of(const struct path_case *c)
{
	return c->traffic.groups   ? PATH_POLICY_GROUPS
	       : c->traffic.limits ? PATH_POLICY_LIMITS
				   : PATH_POLICY_SHIPPED;
}

void path_rig_policy(struct path_rig *r, enum path_policy kind)
{
	r->tables.policy = policy_readers[kind];
	r->tables.has_groups = policy_has_groups(&r->tables.policy);
	r->tables.has_access = r->tables.policy.has_access;
}

void path_rig_hops(struct path_rig *r, bool with)
{
	static struct hops_image image = {.hop_count = 1,
		.source_v4 = {198, 18, 0, 54},
		.has_v4 = 1,
		.resolvers = 1,
		.range_count = 1,
		.range = {{1024, 32767}},
		.hop = {{.destination = {2}, .source = {2}, .mtu = 1500}}};
	char why[128];
	if (!image.server_count) {
		image.server_count = 1000;
		for (unsigned i = 0; i < image.server_count; i++)
			image.server[i] = (struct hops_server){
				.ip = {192, 0, (uint8_t)(i / 250), (uint8_t)(i % 250)},
				.port = 53,
				.ip_version = 4};
		hops_image_seal(&image);
		if (hops_reader_init(&r->tables.hops, &image, sizeof(image), why) < 0)
			abort();
	}
	r->tables.hops.has_servers = with;
}

bool path_rig_tables(struct path_rig *r, const struct path_case *c)
{
	bool own = c->traffic.groups;
	if (c->rules && !rules[own]
		&& !path_rules_build(&rules[own], LISTED, own, &rules_reader[own])) {
		fprintf(stderr, "the rule image cannot be built\n");
		return false;
	}
	r->tables.rules = rules_reader[own];
	r->tables.has_rules = c->rules;
	r->tables.config.block = c->nxdomain ? path_block_shipped : path_block;
	for (unsigned i = 0; i < PATH_POLICIES; i++) {
		if (policies[i]
			|| path_policy_build((enum path_policy)i, &policies[i], &policy_readers[i]))
			continue;
		fprintf(stderr, "the policy image cannot be built\n");
		return false;
	}
	path_rig_policy(r, path_rig_policy_of(c));
	return open_l0(r, &c->traffic);
}

bool path_rig_open(struct path_rig *r, const struct path_case *c)
{
	struct path_traffic plain = path_case_plain(c);
	bool ok = path_rig_tables(r, c) && open_port(r, &c->traffic, PATH_PORT)
		  && (!path_case_has_plain(c) || open_port(r, &plain, PATH_PORT_PLAIN));
	if (ok && c->alone_us > 0)
		open_alone(r);
	r->buffers = path_rig_buffers();
	return ok;
}

void path_rig_close(struct path_rig *r)
{
	for (unsigned i = 0; i < r->w.port_count; i++) {
		rte_eth_dev_stop(r->w.port[i].port_id);
		rte_eth_dev_close(r->w.port[i].port_id);
		rte_vdev_uninit(port_name[i]);
	}
	r->w.port_count = 0;
}

unsigned path_rig_buffers(void)
{
	return rte_mempool_in_use_count(pool);
}

void path_rig_leave(void)
{
	struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
	if (cache)
		rte_mempool_cache_flush(cache, pool);
}

void path_rig_settle(struct path_rig *r)
{
	do
		path_control_turn(&r->control);
	while (stage_answer(&r->w) > 0);
	uint64_t now_ms = clock_mono_coarse_ms(clock_suspended_ms(0));
	if (now_ms < r->look_ms)
		return;
	r->look_ms = now_ms + LOOK_MS;
	// Always that one, as another would fill all buckets.
	limiter_look(limiter, &policy_readers[PATH_POLICY_LIMITS].limit, now_ms);
}

const struct rule_image_head *path_rig_rules(const struct path_case *c)
{
	return rules[c->traffic.groups];
}
