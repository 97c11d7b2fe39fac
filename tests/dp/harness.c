// SPDX-License-Identifier: BSD-3-Clause
#include "harness.h"

#include "controlplane/rule_image/rule_build.h"
#include "tests/oracle/frame_oracle.h"
#include "tests/oracle/reply_oracle.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <sched.h>

enum { RING_SIZE = 1024, POOL_SIZE = 2047, RINGS_UNITS = 32768 };

// Made once: EAL cannot be started twice in a process.
static struct {
	struct rte_mempool *pool;
	struct rte_ring *client_in, *client_out, *kernel_in, *kernel_out;
	uint16_t client_id, kernel_id;
} wires;

static uint16_t make_port(const char *name, struct rte_ring *in, struct rte_ring *out)
{
	int id = rte_eth_from_rings(name, &in, 1, &out, 1, 0);
	assert_true(id >= 0);
	uint16_t port = (uint16_t)id;
	struct rte_eth_conf conf = {0};
	assert_int_equal(rte_eth_dev_configure(port, 1, 1, &conf), 0);
	assert_int_equal(rte_eth_rx_queue_setup(port, 0, 128, 0, NULL, wires.pool), 0);
	assert_int_equal(rte_eth_tx_queue_setup(port, 0, 128, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(port), 0);
	return port;
}

static struct rte_ring *make_ring(const char *name)
{
	struct rte_ring *r = rte_ring_create(name, RING_SIZE, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(r);
	return r;
}

static void stop(void)
{
	rte_eal_cleanup();
}

void harness_start(void)
{
	cpu_set_t set;
	char lcore[16];
	int cpu = 0;
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	snprintf(lcore, sizeof(lcore), "%d", cpu);
	char arg[][32] = {"dp", "--no-huge", "--no-shconf", "--no-pci", "-m", "128",
		"--no-telemetry", "--log-level=4", "-l", ""};
	snprintf(arg[9], sizeof(arg[9]), "%s", lcore);
	char *argv[10];
	for (int i = 0; i < 10; i++)
		argv[i] = arg[i];
	assert_true(rte_eal_init(10, argv) >= 0);
	assert_int_equal(atexit(stop), 0);
	wires.pool =
		rte_pktmbuf_pool_create("worker", POOL_SIZE, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	assert_non_null(wires.pool);
	wires.client_in = make_ring("client_in");
	wires.client_out = make_ring("client_out");
	wires.kernel_in = make_ring("kernel_in");
	wires.kernel_out = make_ring("kernel_out");
	wires.client_id = make_port("client", wires.client_in, wires.client_out);
	wires.kernel_id = make_port("kernel", wires.kernel_in, wires.kernel_out);
}

static void *zeroed(size_t size)
{
	void *p = aligned_alloc(SHM_PAGE, (size + SHM_PAGE - 1) / SHM_PAGE * SHM_PAGE);
	assert_non_null(p);
	memset(p, 0, size);
	return p;
}

static void make_l0(struct harness *h)
{
	uint64_t geometry[SHM_GEOMETRY_WORDS] = {0};
	size_t data_size;
	assert_int_equal(l0_plan(4 << 20, 2, 1, geometry, &data_size), 0);
	size_t size = SHM_PAGE + data_size;
	h->l0_base = zeroed(size);
	struct region_header *head = (struct region_header *)h->l0_base;
	head->kind = REGION_L0;
	head->total_size = size;
	memcpy(head->geometry, geometry, sizeof(geometry));
	assert_int_equal(l0_region_init(h->l0_base, size), 0);
	h->epoch_now = 1;
	h->epoch = (struct epoch_writer){.epoch = &h->epoch_now};
	assert_int_equal(
		l0_writer_open(&h->l0, h->l0_base, size, 0, true, &h->epoch, h->start_ms), 0);
	assert_int_equal(l0_reader_init(&h->tables.l0, h->l0_base, size), 0);
	h->tables.has_l0 = true;
	h->marks = zeroed(geometry[1]);
}

static void make_rings(struct harness *h, unsigned miss_units)
{
	h->miss_data = zeroed((size_t)miss_units * RING_UNIT);
	h->answer_data = zeroed((size_t)RINGS_UNITS * RING_UNIT);
	ring_producer_init(
		&h->w.miss[0], &h->dp.miss_tail, &h->cp.miss_head, h->miss_data, miss_units);
	ring_consumer_init(&h->miss, &h->dp.miss_tail, &h->cp.miss_head, h->miss_data, miss_units);
	ring_producer_init(
		&h->answer, &h->cp.answer_tail, &h->dp.answer_head, h->answer_data, RINGS_UNITS);
	ring_consumer_init(&h->w.answer[0], &h->cp.answer_tail, &h->dp.answer_head, h->answer_data,
		RINGS_UNITS);
}

static void make_worker(struct harness *h, const struct harness_options *o)
{
	h->dedup = zeroed(sizeof(*h->dedup) * DEDUP_SETS * DEDUP_WAYS);
	dedup_init(&h->w.dedup, h->dedup);
	h->service.v4_count = h->service.v6_count = 1;
	assert_int_equal(inet_pton(AF_INET, WIRE_SERVICE4, &h->service.v4[0]), 1);
	assert_int_equal(inet_pton(AF_INET, WIRE_BROADCAST4, &h->service.v4_broadcast[0]), 1);
	assert_int_equal(inet_pton(AF_INET6, WIRE_SERVICE6, h->service.v6[0]), 1);
	h->tables.config = (struct dp_config){
		.stale_ttl_s = 30,
		.udp_limit = 1232,
		.block = {.mode = DNS_BLOCK_NXDOMAIN, .ttl_s = 60},
		.blocking_on = 1,
		.group_lists = {7},
	};
	h->tables.marks[3] = o->no_marks ? NULL : h->marks;
	h->w.index = 3;
	h->w.port_count = 1;
	h->w.port[0] = (struct worker_port){
		.port_id = wires.client_id,
		.exception_id = wires.kernel_id,
		.has_exception = o->has_exception,
		.has_partial = o->has_partial,
		.dns_most = 1900,
	};
	memcpy(&h->w.port[0].mac, wire_service_mac, 6);
	h->w.service = &h->service;
	h->w.pool = wires.pool;
	h->w.dp_incarnation = 0x1122334455667788;
	h->kernel_flows.secret = (struct keyhash_secret){HARNESS_SECRET};
	h->w.kernel_flows.table = &h->kernel_flows;
	h->w.asked_ports = &h->asked_ports;
	h->w.bell = -1;
	h->w.resolvers = 1;
	h->w.stats = &h->stats;
	h->w.rings = &h->dp;
	h->w.control_alive = 1;
	h->w.tables = &h->tables;
}

struct harness *harness_begin(const struct harness_options *o)
{
	static const struct harness_options plain;
	if (!wires.pool)
		harness_start();
	if (!o)
		o = &plain;
	struct harness *h = zeroed(sizeof(*h));
	atomic_store(&h->w.suspended_ms, clock_suspended_ms(0));
	h->start_ms = worker_clock_ms(&h->w);
	h->verified = o->csums_verified;
	h->pool_baseline = rte_mempool_avail_count(wires.pool);
	assert_int_equal(h->pool_baseline, POOL_SIZE);
	if (!o->no_l0)
		make_l0(h);
	make_rings(h, o->miss_units ? o->miss_units : RINGS_UNITS);
	make_worker(h, o);
	return h;
}

void harness_end(struct harness *h)
{
	uint64_t verdicts = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		verdicts += harness_verdict(h, i);
	assert_int_equal(verdicts, harness_counter(h, COUNTER_rx_frames));
	assert_int_equal(rte_ring_count(wires.client_out), 0);
	assert_int_equal(rte_ring_count(wires.kernel_out), 0);
	assert_int_equal(rte_mempool_avail_count(wires.pool), h->pool_baseline);
	if (h->l0)
		l0_writer_close(h->l0);
	free(h->policy);
	limiter_free(h->limiter);
	if (h->rules) {
		rule_arena_free(h->rules);
		free(h->rules);
	}
	free(h->l0_base);
	free((void *)(uintptr_t)h->marks);
	free(h->miss_data);
	free(h->answer_data);
	free(h->dedup);
	free(h);
}

static struct rte_mbuf *make_mbuf(const struct harness *h, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(wires.pool);
	assert_non_null(m);
	// What lies before a frame says the type of another one.
	for (char *before = m->buf_addr; before < rte_pktmbuf_mtod(m, char *); before += 2)
		memcpy(before, "\x86\xdd", 2);
	char *room = rte_pktmbuf_append(m, (uint16_t)len);
	assert_non_null(room);
	memcpy(room, frame, len);
	memset(room + len, h->beyond, rte_pktmbuf_tailroom(m));
	if (h->verified)
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return m;
}

void harness_inject(struct harness *h, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *m = make_mbuf(h, frame, len);
	if (h->strip_vlan) {
		assert_int_equal(rte_vlan_strip(m), 0);
		m->ol_flags |= RTE_MBUF_F_RX_VLAN;
	}
	assert_int_equal(rte_ring_enqueue(wires.client_in, m), 0);
}

void harness_inject_chained(struct harness *h, const uint8_t *frame, size_t len, size_t first)
{
	struct rte_mbuf *m = make_mbuf(h, frame, first);
	assert_int_equal(rte_pktmbuf_chain(m, make_mbuf(h, frame + first, len - first)), 0);
	assert_int_equal(rte_ring_enqueue(wires.client_in, m), 0);
}

void harness_inject_kernel(struct harness *h, const uint8_t *frame, size_t len)
{
	assert_int_equal(rte_ring_enqueue(wires.kernel_in, make_mbuf(h, frame, len)), 0);
}

static size_t take(struct rte_ring *from, uint8_t *frame)
{
	void *p;
	if (rte_ring_dequeue(from, &p) < 0)
		return 0;
	struct rte_mbuf *m = p;
	size_t len = m->pkt_len;
	assert_true(len <= WIRE_MAX);
	const void *bytes = rte_pktmbuf_read(m, 0, (uint32_t)len, frame);
	if (bytes != frame)
		memcpy(frame, bytes, len);
	rte_pktmbuf_free(m);
	return len;
}

// Each frame to a client has right lengths and checksums, and a frame from the DNS port is
// a reply as one may be. Which query it is for, the test knows.
static void check_out(const struct harness *h, const uint8_t *frame, size_t len)
{
	enum { DNS_PORT = 53 };
	struct frame_udp udp;
	if (h->any_replies || !frame_oracle_check(frame, len, &udp)
		|| wire_u16(udp.ports) != DNS_PORT)
		return;
	const struct reply_oracle o = {.limit = h->tables.config.udp_limit, .any_rdata = true};
	reply_oracle_check(&o, udp.dns, udp.dns_len);
}

size_t harness_take(struct harness *h, uint8_t *frame)
{
	size_t len = take(wires.client_out, frame);
	if (len != 0)
		check_out(h, frame, len);
	return len;
}

size_t harness_take_kernel(struct harness *, uint8_t *frame)
{
	return take(wires.kernel_out, frame);
}

unsigned harness_waiting(const struct harness *)
{
	return rte_ring_count(wires.client_out);
}

void harness_drain(struct harness *h)
{
	uint8_t frame[WIRE_MAX];
	while (harness_take(h, frame))
		continue;
}

void harness_turns(struct harness *h)
{
	while (worker_turn(&h->w, 0) + stage_kernel(&h->w, false))
		continue;
}

void harness_send(struct harness *h, const uint8_t *frame, size_t len)
{
	harness_inject(h, frame, len);
	harness_turns(h);
}

uint64_t harness_verdict(const struct harness *h, enum verdict v)
{
	return h->stats.verdict[v];
}

uint64_t harness_counter(const struct harness *h, enum counter c)
{
	return h->stats.counter[c];
}

struct wire_reply harness_ask(struct harness *h, const struct wire_query *q, enum verdict v)
{
	static uint8_t frame[WIRE_MAX]; // the reply points into it
	struct wire_reply r;
	uint64_t before = harness_verdict(h, v);
	harness_send(h, frame, wire_make(q, frame));
	assert_int_equal(harness_verdict(h, v), before + 1);
	size_t len = harness_take(h, frame);
	wire_check_answers(frame, len, q, &r);
	assert_int_equal(harness_waiting(h), 0);
	return r;
}

void harness_ask_dropped(struct harness *h, const struct wire_query *q, enum verdict v)
{
	uint8_t frame[WIRE_MAX];
	uint64_t before = harness_verdict(h, v);
	harness_send(h, frame, wire_make(q, frame));
	assert_int_equal(harness_verdict(h, v), before + 1);
	assert_int_equal(harness_waiting(h), 0);
}

void expect_soa(const struct wire_reply *r, uint32_t ttl_s)
{
	assert_int_equal(r->count, 1);
	assert_int_equal(r->record[0].section, 1);
	assert_int_equal(r->record[0].type, 6);
	assert_int_equal(r->record[0].ttl_s, ttl_s);
}

void expect_address(const struct wire_reply *r, const char *bytes, uint32_t ttl_s)
{
	assert_int_equal(r->rcode, 0);
	assert_int_equal(r->count, 1);
	assert_int_equal(r->record[0].section, 0);
	assert_int_equal(r->record[0].rdata_len, 4);
	assert_memory_equal(r->record[0].rdata, bytes, 4);
	assert_int_equal(r->record[0].ttl_s, ttl_s);
}

unsigned harness_hits(struct harness *h, const uint8_t *frame, size_t len, unsigned count)
{
	const uint64_t before = harness_verdict(h, VERDICT_hit);
	for (unsigned i = 0; i < count; i++) {
		harness_send(h, frame, len);
		harness_drain(h);
	}
	return (unsigned)(harness_verdict(h, VERDICT_hit) - before);
}
