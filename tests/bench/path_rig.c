// SPDX-License-Identifier: BSD-3-Clause
#include "path_rig.h"

#include "../../dataplane/mbuf_pool.h"
#include "../dp/wire.h"

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LANE_UNITS = 32768,
	ROOM = 640 + RTE_PKTMBUF_HEADROOM,
	SPARE = 4096, // buffers beside those that hold the file
	BUF_OCTETS = 1200,
	LISTED = 1000000,
};

static struct rte_mempool *pool;
static uint16_t port_id;
static void *rules[2]; // [1]: for groups
static void *groups;
static struct rule_reader rules_reader[2];

#define PORT_NAME "net_pcap_path"

static bool start_eal(uint32_t frames)
{
	char lcore[16], memory[16];
	unsigned mib = (unsigned)(((uint64_t)frames + SPARE) * BUF_OCTETS >> 20) + 64;
	snprintf(lcore, sizeof lcore, "%d", sched_getcpu());
	snprintf(memory, sizeof memory, "%u", mib);
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
	r->recent = zeroed(sizeof *r->recent * RECENT_SETS * RECENT_WAYS);
	r->miss_data = zeroed((size_t)LANE_UNITS * RING_UNIT);
	r->answer_data = zeroed((size_t)LANE_UNITS * RING_UNIT);
	if (!r->recent || !r->miss_data || !r->answer_data)
		return false;
	recent_init(&r->w.recent, r->recent);
	ring_producer_init(
		&r->w.miss, &r->dp.miss_tail, &r->cp.miss_head, r->miss_data, LANE_UNITS);
	ring_consumer_init(
		&r->w.answer, &r->cp.answer_tail, &r->dp.answer_head, r->answer_data, LANE_UNITS);
	ring_consumer_init(
		&r->control.miss, &r->dp.miss_tail, &r->cp.miss_head, r->miss_data, LANE_UNITS);
	ring_producer_init(&r->control.answer, &r->cp.answer_tail, &r->dp.answer_head,
		r->answer_data, LANE_UNITS);
	r->service.v4_count = r->service.v6_count = 1;
	(void)inet_pton(AF_INET, WIRE_SERVICE4, &r->service.v4[0]);
	(void)inet_pton(AF_INET6, WIRE_SERVICE6, r->service.v6[0]);
	r->tables.config = (struct dp_config){
		.stale_ttl_s = 30,
		.udp_limit = 1232,
		.block = {.mode = DNS_BLOCK_NULL, .ttl_s = 60},
		.blocking_on = 1,
		.group_lists = {(UINT64_C(1) << (RULE_LIST_FIRST + PATH_LISTS_COMMON)) - 1},
	};
	r->w.port_count = 1;
	r->w.service = &r->service;
	r->w.pool = pool;
	r->w.doorbell = -1;
	r->w.stats = &r->stats;
	r->w.lane = &r->dp;
	r->w.control_alive = 1;
	r->w.tables = &r->tables;
	return true;
}

bool path_rig_start(struct path_rig *r, uint32_t frames)
{
	return start_eal(frames) && make_worker(r);
}

void path_rig_stop(struct path_rig *r)
{
	path_l0_free(&r->l0);
	free(rules[0]);
	free(rules[1]);
	free(groups);
	free(r->recent);
	free(r->miss_data);
	free(r->answer_data);
	rte_mempool_free(pool);
	rte_eal_cleanup();
}

static bool start_port(struct path_rig *r)
{
	struct rte_eth_conf conf = {0};
	if (rte_eth_dev_get_port_by_name(PORT_NAME, &port_id) != 0
		|| rte_eth_dev_configure(port_id, 1, 1, &conf) != 0
		|| rte_eth_rx_queue_setup(port_id, 0, 512, 0, NULL, pool) != 0
		|| rte_eth_tx_queue_setup(port_id, 0, 512, 0, NULL) != 0
		|| rte_eth_dev_start(port_id) != 0)
		return false;
	r->w.port[0] = (struct worker_port){
		.port_id = port_id,
		.exception_id = port_id,
		.rx_csum_trusted = true,
		.dns_most = 500,
	};
	memcpy(&r->w.port[0].mac, wire_service_mac, 6);
	return true;
}

static bool open_port(struct path_rig *r, const struct path_case *c)
{
	char path[] = "/tmp/weir-bench-XXXXXX", args[128];
	int fd = mkstemp(path);
	if (fd < 0) {
		perror(path);
		return false;
	}
	close(fd);
	snprintf(args, sizeof args, "rx_pcap=%s,infinite_rx=1", path);
	bool ok = path_pcap_write(path, &c->traffic) && rte_vdev_init(PORT_NAME, args) == 0
		  && start_port(r);
	if (!ok)
		fprintf(stderr, "net_pcap: %s\n", rte_strerror(rte_errno));
	unlink(path);
	return ok;
}

static bool open_l0(struct path_rig *r, uint32_t names)
{
	if (names == r->names)
		return true;
	path_l0_free(&r->l0);
	r->names = names;
	r->tables.has_l0 = path_l0_fill(&r->l0, names, &r->tables.l0);
	r->tables.marks[0] = r->l0.marks;
	if (!r->tables.has_l0)
		fprintf(stderr, "L0: no room for %u names\n", names);
	return r->tables.has_l0;
}

bool path_rig_open(struct path_rig *r, const struct path_case *c)
{
	bool own = c->traffic.groups;
	if (c->rules && !rules[own]
		&& !path_rules_build(&rules[own], LISTED, own, &rules_reader[own])) {
		fprintf(stderr, "the rule image cannot be built\n");
		return false;
	}
	r->tables.rules = rules_reader[own];
	r->tables.has_rules = c->rules;
	if (c->traffic.groups && !groups && !path_groups_build(&groups, &r->tables.policy)) {
		fprintf(stderr, "the policy image cannot be built\n");
		return false;
	}
	r->tables.has_groups = c->traffic.groups;
	return open_l0(r, c->traffic.names) && open_port(r, c);
}

void path_rig_close(struct path_rig *r)
{
	(void)r;
	rte_eth_dev_stop(port_id);
	rte_eth_dev_close(port_id);
	rte_vdev_uninit(PORT_NAME);
}
