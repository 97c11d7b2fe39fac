// SPDX-License-Identifier: BSD-3-Clause

// G11: two workers against one, in one process.
//
// Each worker has default settings, on a net_pcap port, a core and a packet pool of its own; they
// share the tables. In short alternating slices each answers alone while the other does nothing,
// then both do. A slice's rate is frames to CPU time of the thread that answered them, so time that
// another program had on a core does not count. The ratio is that of the rates of both to the mean
// of the two alone before them; a median of many. Fails when a query is not answered from L0, never
// because it is slow.

#include "bench_row.h"
#include "bench_tools.h"
#include "dataplane/state/worker.h"
#include "tests/bench/path/path_load.h"
#include "tests/dp/wire.h"

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include <sched.h>
#include <string.h>
#include <weir/clock.h>

enum {
	WORKERS = 2,
	ROUNDS = 100,
	SLICES = 3 * ROUNDS,
	SLICE_US = 10000,
	HOT_NAMES = 1000,
	HOT_FRAMES = 1 << 13,
	COLD_FRAMES = 1 << 18, // of each worker: more lines of L0 than any cache holds
	SPARE = 2048,
	SKIPPED = 77
};
enum { ROOM = 640 + RTE_PKTMBUF_HEADROOM, BUF_BYTES = ROOM + 320, RING_UNITS = 1024 };

struct runner {
	struct worker w;
	struct stats_worker stats;
	struct rings_dp_page dp;
	struct rings_cp_page cp;
	alignas(CACHE_LINE) _Atomic unsigned order; // counts up: the number of a slice to run
	_Atomic unsigned done;
	double rate[SLICES]; // frames a CPU second, of each slice
};

static struct worker_tables tables;
static struct worker_service service;
static struct runner *runner[WORKERS];
static _Atomic bool over;
static uint32_t names, frames;

static void *zeroed(size_t size)
{
	size = (size + SHM_PAGE - 1) / SHM_PAGE * SHM_PAGE;
	void *p = aligned_alloc(SHM_PAGE, size);
	if (!p)
		abort();
	return memset(p, 0, size);
}

static void slice(struct runner *r, unsigned number)
{
	uint64_t count = 0, end_us = clock_mono_us() + SLICE_US;
	double began_s = bench_clock_s(CLOCK_THREAD_CPUTIME_ID);
	while (clock_mono_us() < end_us) {
		for (unsigned i = 0; i < 16; i++)
			count += worker_turn(&r->w, 0);
	}
	r->rate[number] = (double)count / (bench_clock_s(CLOCK_THREAD_CPUTIME_ID) - began_s);
}

// A worker's core: a slice for each order.
static int serve(void *arg)
{
	struct runner *r = arg;
	unsigned last = 0;
	while (!atomic_load_explicit(&over, memory_order_acquire)) {
		unsigned order = atomic_load_explicit(&r->order, memory_order_acquire);
		if (order == last) {
			rte_pause();
			continue;
		}
		last = order;
		slice(r, order - 1);
		atomic_store_explicit(&r->done, order, memory_order_release);
	}
	return 0;
}

static bool open_port(struct runner *r, unsigned index, struct rte_mempool *pool)
{
	// Other names in another order than its fellow's.
	const struct path_traffic traffic = {
		.first = index * frames, .frames = frames, .names = names};
	struct rte_eth_conf conf = {0};
	char path[] = "/tmp/weir-bench-XXXXXX", name[32], args[64];
	uint16_t id;
	int fd = mkstemp(path);
	if (fd < 0)
		return false;
	close(fd);
	snprintf(name, sizeof(name), "net_pcap_worker%u", index);
	snprintf(args, sizeof(args), "rx_pcap=%s,infinite_rx=1", path);
	bool ok = path_pcap_write(path, &traffic) && rte_vdev_init(name, args) == 0
		  && rte_eth_dev_get_port_by_name(name, &id) == 0
		  && rte_eth_dev_configure(id, 1, 1, &conf) == 0
		  && rte_eth_rx_queue_setup(id, 0, 512, 0, NULL, pool) == 0
		  && rte_eth_tx_queue_setup(id, 0, 512, 0, NULL) == 0 && rte_eth_dev_start(id) == 0;
	unlink(path);
	if (ok)
		r->w.port[0] =
			(struct worker_port){.port_id = id, .exception_id = id, .dns_most = 500};
	memcpy(&r->w.port[0].mac, wire_service_mac, 6);
	r->w.port_count = 1;
	return ok;
}

static bool open_runner(unsigned index, size_t units)
{
	struct runner *r = runner[index] = zeroed(sizeof(*r));
	char name[32];
	snprintf(name, sizeof(name), "worker%u", index);
	r->w = (struct worker){.index = index,
		.service = &service,
		.bell = -1,
		.resolvers = 1,
		.stats = &r->stats,
		.rings = &r->dp,
		.control_alive = 1,
		.tables = &tables};
	r->w.pool =
		rte_pktmbuf_pool_create_by_ops(name, frames + SPARE, 256, 0, ROOM, 0, "ring_sp_sc");
	dedup_init(&r->w.dedup, zeroed(sizeof(struct recent_way) * DEDUP_SETS * DEDUP_WAYS));
	ring_producer_init(&r->w.miss[0], &r->dp.miss_tail, &r->cp.miss_head,
		zeroed((size_t)RING_UNITS * RING_UNIT), RING_UNITS);
	ring_consumer_init(&r->w.answer[0], &r->cp.answer_tail, &r->dp.answer_head,
		zeroed((size_t)RING_UNITS * RING_UNIT), RING_UNITS);
	tables.marks[index] = zeroed(units);
	return r->w.pool && open_port(r, index, r->w.pool);
}

// Workers from `first` to before `end`.
static void run_slice(unsigned number, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++)
		atomic_store_explicit(&runner[i]->order, number + 1, memory_order_release);
	for (unsigned i = first; i < end; i++) {
		while (atomic_load_explicit(&runner[i]->done, memory_order_acquire) != number + 1)
			usleep(SLICE_US / 20);
	}
}

static void report(const char *name)
{
	double ratio[ROUNDS], alone[ROUNDS];
	for (unsigned i = 0; i < ROUNDS; i++) {
		const double *first = &runner[0]->rate[3 * i], *second = &runner[1]->rate[3 * i];
		alone[i] = (first[0] + second[1]) / 2;
		ratio[i] = (first[2] + second[2]) / alone[i];
	}
	qsort(alone, ROUNDS, sizeof(*alone), bench_by_value);
	qsort(ratio, ROUNDS, sizeof(*ratio), bench_by_value);
	const struct bench_row rows[] = {
		{"G11", name, "ratio", "times one worker", ratio[ROUNDS / 2], 1.9},
		{"G11", name, "p10", "times one worker", ratio[ROUNDS / 10], 0},
		{"G11", name, "p90", "times one worker", ratio[ROUNDS * 9 / 10], 0},
		{"G11", name, "alone", "Mq/s", alone[ROUNDS / 2] / 1e6, 0},
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		bench_row_print(&rows[i]);
}

// Each frame has one verdict, and all but what L0's full buckets gave away is a hit.
static bool answered(const char *name)
{
	int64_t strays = 0;
	bool good = true;
	for (unsigned i = 0; i < WORKERS; i++) {
		const struct stats_worker *s = &runner[i]->stats;
		uint64_t verdicts = 0, all = s->counter[COUNTER_rx_frames];
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			verdicts += s->verdict[v];
		strays += llabs((int64_t)(all - verdicts));
		good &= all > 0 && s->verdict[VERDICT_hit] >= all / 100 * 98;
	}
	bench_say("G11", name, "unaccounted", (double)strays, "packets", 0);
	if (!good || strays)
		fputs("queries were not answered from L0, or have no verdict\n", stderr);
	return good && strays == 0;
}

static bool start_eal(void)
{
	cpu_set_t all;
	unsigned cpu[WORKERS], count = 0;
	char lcores[64], memory[16];
	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return false;
	for (unsigned i = 0; i < CPU_SETSIZE && count < WORKERS; i++) {
		if (CPU_ISSET(i, &all))
			cpu[count++] = i;
	}
	if (count < WORKERS)
		return false;
	// The main lcore only gives orders and sleeps.
	snprintf(lcores, sizeof(lcores), "0@%u,1@%u,2@%u", cpu[0], cpu[0], cpu[1]);
	snprintf(memory, sizeof(memory), "%u",
		(unsigned)((uint64_t)WORKERS * (frames + SPARE) * BUF_BYTES >> 20) + 64);
	char *argv[] = {(char[]){"bench_workers"}, (char[]){"--no-huge"}, (char[]){"--no-shconf"},
		(char[]){"--no-pci"}, (char[]){"--no-telemetry"}, (char[]){"--log-level=4"},
		(char[]){"-m"}, memory, (char[]){"--lcores"}, lcores, NULL};
	return rte_eal_init((int)ARRAY_LEN(argv) - 1, argv) >= 0;
}

int main(int argc, char **argv)
{
	struct path_l0 l0;
	char name[64];
	names = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	frames = names > HOT_NAMES ? COLD_FRAMES : HOT_FRAMES;
	if (!start_eal()) {
		fputs("needs two CPUs, and memory for all frames\n", stderr);
		return SKIPPED;
	}
	service.v4_count = 1;
	(void)inet_pton(AF_INET, WIRE_SERVICE4, &service.v4[0]);
	tables.config = (struct dp_config){.stale_ttl_s = 30, .udp_limit = 1232, .blocking_on = 1};
	tables.has_l0 = path_l0_fill(&l0, names, 0, &tables.l0);
	for (unsigned i = 0; i < WORKERS; i++) {
		if (!tables.has_l0 || !open_runner(i, tables.l0.unit_count)
			|| rte_eal_remote_launch(serve, runner[i], i + 1) != 0) {
			fputs("cannot start the workers\n", stderr);
			return EXIT_FAILURE;
		}
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		run_slice(3 * i, 0, 1);
		run_slice(3 * i + 1, 1, 2);
		run_slice(3 * i + 2, 0, WORKERS);
	}
	atomic_store_explicit(&over, true, memory_order_release);
	rte_eal_mp_wait_lcore();
	snprintf(name, sizeof(name), "2 workers, hits, %u names", names);
	report(name);
	return answered(name) ? EXIT_SUCCESS : EXIT_FAILURE;
}
