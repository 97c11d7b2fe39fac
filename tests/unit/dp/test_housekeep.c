// SPDX-License-Identifier: BSD-3-Clause

// Housekeeping over a real packet pool, with a control plane that this test plays. No ports.

#include "dataplane/housekeep.h"
#include "dataplane/port/mbuf_pool.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <rte_eal.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/log_recent.h>
#include <weir/shm_msg.h>

enum { MBUFS = 1023, SUSPEND_MS = 3600000 };

static char dir[64];
static char why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct worker_rings worker_rings;
static struct worker worker;
static struct worker *const workers[1] = {&worker};
static struct ports no_ports;
static struct housekeep h;
static struct rte_mbuf *posted[64];
static uint64_t now_ms;
static bool is_held_up; // the worker gets no CPU

static int start_eal(void **)
{
	static char program[] = "test_housekeep", lcore[] = "-l", zero[] = "0",
		    no_huge[] = "--no-huge", no_shconf[] = "--no-shconf", no_pci[] = "--no-pci",
		    memory[] = "-m64", quiet[] = "--log-level=error",
		    no_telemetry[] = "--no-telemetry", prefix[] = "--file-prefix=weir-test-hk";
	char *argv[] = {program, lcore, zero, no_huge, no_shconf, no_pci, memory, quiet,
		no_telemetry, prefix, NULL};
	log_init("test_housekeep", (enum log_level)0);
	return rte_eal_init(ARRAY_LEN(argv) - 1, argv) < 0
		       ? -1
		       : mbuf_pool_create(&worker.pool, 0, 0, MBUFS, 1232, why);
}

static int stop_eal(void **)
{
	rte_mempool_free(worker.pool);
	return rte_eal_cleanup();
}

static int setup(void **)
{
	const struct rings_spec_all spec = {.workers = 1, .incarnation = 7, .group = ""};
	const struct dp_config defaults = {.udp_limit = 1232};
	strcpy(dir, "/tmp/weir-test-hk-XXXXXX");
	if (!mkdtemp(dir) || shm_paths_init(&paths, dir, "off", why)
		|| worker_rings_create(&worker_rings, &paths, &spec, why))
		return -1;
	worker = (struct worker){.pool = worker.pool};
	worker_rings_bind(&worker_rings, &worker);
	// What RX rings would hold.
	if (rte_pktmbuf_alloc_bulk(worker.pool, posted, ARRAY_LEN(posted)) != 0)
		return -1;
	mbuf_pool_settle(worker.pool);
	h = (struct housekeep){.workers = workers,
		.worker_count = 1,
		.ports = &no_ports,
		.stats = worker_rings_stats(&worker_rings),
		.worker_rings = &worker_rings};
	now_ms = 1000;
	is_held_up = false;
	if (link_init(&h.link, dir, &worker_rings.rings[0].bell[RINGS_BELL_THEIRS], 1, 7)
		|| activate_init(&h.activate, &paths, workers, 1, 7, &defaults, h.stats))
		return -1;
	housekeep_init(&h, now_ms);
	return 0;
}

static int teardown(void **)
{
	rte_pktmbuf_free_bulk(posted, ARRAY_LEN(posted));
	link_close(&h.link);
	activate_close(&h.activate);
	worker_rings_close(&worker_rings);
	shm_paths_close(&paths);
	return folder_remove(paths.mem, dir);
}

static void pass_ms(unsigned ms)
{
	for (unsigned i = 0; i < ms; i += HOUSEKEEP_TURN_MS) {
		now_ms += HOUSEKEEP_TURN_MS;
		housekeep_turn(&h, now_ms);
		if (!is_held_up)
			worker_tell_pool(&worker);
		atomic_store(&worker.tables_in_use, atomic_load(&worker.next_tables));
		atomic_store(&worker.epoch_in_use, atomic_load(&worker.next_epoch));
	}
}

static void one_lost_buffer_is_noticed_within_seconds(void **)
{
	pass_ms(3000);
	assert_int_equal(worker.stats->mbuf_breaches, 0);
	assert_int_equal(worker.stats->mbuf_free, MBUFS - ARRAY_LEN(posted));
	struct rte_mbuf *lost = rte_pktmbuf_alloc(worker.pool);
	pass_ms(2000);
	assert_true(worker.stats->mbuf_breaches >= 1);
	rte_pktmbuf_free(lost);
	pass_ms(1100); // the end of the window that it was lost in
	uint64_t breaches = worker.stats->mbuf_breaches;
	pass_ms(3000);
	assert_int_equal(worker.stats->mbuf_breaches, breaches);
}

// The newest message of the log.
static const char *told(void)
{
	static struct log_recent kind;
	return log_recent_copy(&kind, 1, NULL) == 1 ? kind.text : "";
}

// A buffer that a dropped frame should have given back, one that was never sent, and one that did
// not even get a verdict.
static void a_breach_names_the_stage(void **)
{
	struct rte_mbuf *lost[3];
	const char *const stage[] = {"stage: drop_runt", "stage: tx", "stage: rx to verdict"};
	pass_ms(2000);
	for (unsigned i = 0; i < ARRAY_LEN(lost); i++) {
		lost[i] = rte_pktmbuf_alloc(worker.pool);
		assert_non_null(lost[i]);
		stats_add(&worker.stats->counter[COUNTER_rx_frames], 1);
		if (i < 2)
			stats_add(&worker.stats->verdict[i ? VERDICT_hit : VERDICT_drop_runt], 1);
		pass_ms(2500);
		assert_non_null(strstr(told(), stage[i]));
		rte_pktmbuf_free(lost[i]);
		// The books are put right as well, or the next one would look like this one.
		if (i == 1)
			stats_add(&worker.stats->counter[COUNTER_tx_frames], 1);
		pass_ms(2500);
	}
}

static uint64_t table_used(enum stats_worker_table t)
{
	return worker.stats->table[t].used;
}

static void every_table_says_how_full_it_is(void **)
{
	enum { POSTED = ARRAY_LEN(posted), MORE = 10 };
	static struct recent_way way[DEDUP_SETS][DEDUP_WAYS];
	struct rte_mbuf *more[MORE];
	for (unsigned i = 0; i < STATS_WORKER_TABLES; i++)
		assert_true(worker.stats->table[i].cap > 0); // before the first report too
	dedup_init(&worker.dedup, memset(way, 0, sizeof(way)));
	for (unsigned i = 0; i < 100; i++)
		(void)dedup_ask(&worker.dedup, i * 41, now_ms);
	assert_int_equal(limiter_new(1, &h.limiter), 0);
	// A peak between two reports is seen by the looks between them.
	assert_int_equal(rte_pktmbuf_alloc_bulk(worker.pool, more, MORE), 0);
	memset(ring_reserve(&worker.miss, 1, 100), 0, 100);
	ring_publish(&worker.miss);
	pass_ms(200);
	rte_pktmbuf_free_bulk(more, MORE);
	pass_ms(1000);
	const struct stats_table *t = worker.stats->table;
	assert_int_equal(table_used(STATS_dp_buffers), POSTED);
	assert_int_equal(t[STATS_dp_buffers].high, POSTED + MORE);
	assert_int_equal(t[STATS_dp_buffers].cap, MBUFS);
	assert_int_equal(table_used(STATS_dp_miss_ring), 2);
	assert_int_equal(t[STATS_dp_miss_ring].high, 2);
	for (unsigned i = 0; i < STATS_WORKER_TABLES; i++)
		assert_true(t[i].cap > 0 && t[i].high >= t[i].used);
	for (unsigned i = 0; i < STATS_PROCESS_TABLES; i++)
		assert_true(h.stats->table[i].cap > 0 || i == STATS_dp_rx_rings
			    || i == STATS_dp_tx_rings); // no ports here
	assert_true(h.stats->table[STATS_dp_eal_heap].used > MBUFS * 2048u);
	assert_int_equal(h.stats->table[STATS_dp_sets].used, 1);
	// All parts have been walked after TABLE_REPORT_PARTS seconds, and the keys are old then.
	for (unsigned s = 0; s < TABLE_REPORT_PARTS; s++) {
		memset(way, 0, sizeof(way));
		for (unsigned i = 0; i < 100; i++)
			(void)dedup_ask(&worker.dedup, i * 41, now_ms);
		pass_ms(1000);
	}
	assert_int_equal(table_used(STATS_dp_asked), 100);
	pass_ms(1000 * (TABLE_REPORT_PARTS + 3));
	assert_int_equal(table_used(STATS_dp_asked), 0);
	limiter_free(h.limiter);
	h.limiter = NULL;
}

// A control plane that looks at once must not see a port without MAC, MTU and queues.
static void ports_are_told_before_anything_else(void **)
{
	static struct ports one = {.count = 1,
		.client_count = 1,
		.port = {{.id = RTE_MAX_ETHPORTS,
			.mtu = 1500,
			.queues = 2,
			.mac = {{2, 0, 0, 0, 0, 9}}}}};
	h.ports = &one;
	housekeep_init(&h, now_ms);
	h.ports = &no_ports;
	assert_int_equal(h.stats->port[0].mtu, 1500);
	assert_int_equal(h.stats->port[0].queues, 2);
	assert_int_equal(h.stats->port[0].mac, UINT64_C(0x020000000009));
}

static void memory_that_no_account_knows_alarms(void **)
{
	const struct stats_memory *m = &h.stats->memory;
	pass_ms(HOUSEKEEP_MEMORY_MS + 10);
	assert_int_equal(m->alarming, 0);
#ifndef __SANITIZE_ADDRESS__ // there the allocator tells nothing
	enum { MANY = 64, EACH = 64 << 10 };
	static void *block[MANY]; // a test's own allocations belong to no account
	for (unsigned i = 0; i < MANY; i++)
		block[i] = malloc(EACH);
	pass_ms(HOUSEKEEP_MEMORY_MS);
	assert_int_equal(m->alarming, 1);
	assert_int_equal(m->alarms, 1);
	assert_true(m->unexplained >= (uint64_t)MANY * EACH);
	assert_non_null(strstr(told(), "are unaccounted"));
	for (unsigned i = 0; i < MANY; i++)
		free(block[i]);
	pass_ms(HOUSEKEEP_MEMORY_MS);
	assert_int_equal(m->alarming, 0);
	assert_true(m->unexplained_max >= (uint64_t)MANY * EACH);
#endif
}

static void a_buffer_in_flight_is_no_leak(void **)
{
	struct rte_mbuf *flying[WORKER_BATCH];
	assert_int_equal(rte_pktmbuf_alloc_bulk(worker.pool, flying, WORKER_BATCH), 0);
	for (unsigned i = 0; i < 30; i++) {
		stats_add(&worker.stats->counter[COUNTER_rx_frames], 32);
		pass_ms(100);
	}
	assert_int_equal(worker.stats->mbuf_breaches, 0);
	rte_pktmbuf_free_bulk(flying, WORKER_BATCH);
}

// The machine takes the core from a worker that has just received; what is lost meanwhile shows
// once it runs again.
static void a_worker_that_is_held_up_is_no_leak(void **)
{
	struct rte_mbuf *burst[WORKER_BATCH];
	pass_ms(2000);
	assert_int_equal(rte_pktmbuf_alloc_bulk(worker.pool, burst, WORKER_BATCH), 0);
	stats_add(&worker.stats->counter[COUNTER_rx_frames], WORKER_BATCH);
	stats_add(&worker.stats->verdict[VERDICT_drop_runt], 1);
	is_held_up = true;
	pass_ms(4000);
	assert_int_equal(worker.stats->mbuf_breaches, 0);
	assert_int_equal(h.stats->verdict_gap, 0);
	stats_add(&worker.stats->verdict[VERDICT_drop_runt], WORKER_BATCH - 1);
	rte_pktmbuf_free_bulk(burst, WORKER_BATCH - 1);
	is_held_up = false;
	pass_ms(2500);
	assert_true(worker.stats->mbuf_breaches >= 1);
	assert_int_equal(h.stats->verdict_gap, WORKER_BATCH);
	assert_non_null(strstr(told(), "leak"));
	rte_pktmbuf_free(burst[WORKER_BATCH - 1]);
}

static void *run(void *arg)
{
	(void)worker_main(arg);
	return NULL;
}

// The real loop counts, or nothing of this would ever be judged.
static void the_loop_counts_its_pool(void **)
{
	enum { COUNTS = 3, DEADLINE_MS = 60000 };
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, run, &worker), 0);
	uint64_t until_ms = clock_mono_ms() + DEADLINE_MS;
	while (atomic_load(&worker.pool_told) >> 32 < COUNTS && clock_mono_ms() < until_ms)
		poll(NULL, 0, 1);
	atomic_store(&worker.stop, 1);
	worker_wake(&worker);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(worker.pool_told >> 32 >= COUNTS);
	assert_int_equal((uint32_t)worker.pool_told, ARRAY_LEN(posted));
}

static void a_gap_is_told_only_when_nothing_moves(void **)
{
	for (unsigned i = 0; i < 30; i++) {
		stats_add(&worker.stats->counter[COUNTER_rx_frames], 1);
		stats_add(&worker.stats->verdict[VERDICT_hit], 1);
		pass_ms(100);
	}
	assert_int_equal(h.stats->verdict_gap, 0);
	pass_ms(2500);
	// No port said that it had received them.
	assert_int_equal(h.stats->verdict_gap, 30);
}

static void the_heartbeat_and_the_link_decide_who_is_alive(void **)
{
	const struct region_spec spec = {.name = "directory",
		.kind = REGION_DIRECTORY,
		.generation = 1,
		.incarnation = 0xc0,
		.data_size = sizeof(struct directory),
		.mode = 0600};
	struct region r;
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	struct directory *d = region_data(&r);
	region_publish(&r);
	atomic_store(&d->heartbeat_ms, now_ms);
	// A heartbeat alone, without a link: a leftover.
	pass_ms(200);
	assert_int_equal(worker.control_alive, 0);

	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	memcpy(addr.sun_path, h.link.path, sizeof(addr.sun_path));
	int server = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(server, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(server, 1), 0);
	pass_ms(2 * LINK_RETRY_MS);
	int fd = accept(server, NULL, NULL);
	assert_true(fd >= 0);
	const struct link_welcome w = {.magic = SHM_MAGIC, .abi_version = SHM_ABI_VERSION};
	assert_int_equal(send(fd, &w, sizeof(w), 0), sizeof(w));
	atomic_store(&d->heartbeat_ms, now_ms);
	pass_ms(100);
	assert_int_equal(worker.control_alive, 1);
	assert_int_equal(h.stats->control_seen, 1);
	pass_ms(CONTROL_HUNG_MS - 100);
	assert_int_equal(worker.control_alive, 1);
	pass_ms(20);
	assert_int_equal(worker.control_alive, 0);
	assert_int_equal(h.stats->control_seen, 1);
	atomic_store(&d->heartbeat_ms, now_ms);
	pass_ms(10);
	assert_int_equal(worker.control_alive, 1);
	// The machine wakes up, this process first: nobody hangs yet.
	uint64_t before_ms = worker_clock_ms(&worker);
	clock_suspend_ms(SUSPEND_MS);
	now_ms += SUSPEND_MS;
	pass_ms(HOUSEKEEP_TURN_MS);
	assert_in_range(worker_clock_ms(&worker), before_ms + SUSPEND_MS - 10, clock_mono_ms() + 2);
	pass_ms(CONTROL_HUNG_MS - HOUSEKEEP_TURN_MS);
	assert_int_equal(worker.control_alive, 1);
	pass_ms(20);
	assert_int_equal(worker.control_alive, 0);
	atomic_store(&d->heartbeat_ms, now_ms);
	pass_ms(10);
	assert_int_equal(worker.control_alive, 1);
	close(fd);
	pass_ms(10);
	assert_int_equal(worker.control_alive, 0);
	assert_int_equal(h.stats->control_seen, 0);
	close(server);
	region_unmap(&r);
}

static void a_packet_has_room_for_the_longest_reply(void **)
{
	const unsigned headers = 14 + 4 + 40 + 8;
	const unsigned sizes[] = {512, 1232, 4096};
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		assert_true(mbuf_pool_room(sizes[i]) >= RTE_PKTMBUF_HEADROOM + headers + sizes[i]);
	assert_true(mbuf_pool_room(512) >= RTE_PKTMBUF_HEADROOM + 2048);
	assert_int_equal(mbuf_pool_room(65535), mbuf_pool_room(4096));
}

#define HOUSEKEEP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOUSEKEEP_TEST(one_lost_buffer_is_noticed_within_seconds),
		HOUSEKEEP_TEST(a_breach_names_the_stage),
		HOUSEKEEP_TEST(every_table_says_how_full_it_is),
		HOUSEKEEP_TEST(ports_are_told_before_anything_else),
		HOUSEKEEP_TEST(memory_that_no_account_knows_alarms),
		HOUSEKEEP_TEST(a_buffer_in_flight_is_no_leak),
		HOUSEKEEP_TEST(a_worker_that_is_held_up_is_no_leak),
		HOUSEKEEP_TEST(the_loop_counts_its_pool),
		HOUSEKEEP_TEST(a_gap_is_told_only_when_nothing_moves),
		HOUSEKEEP_TEST(the_heartbeat_and_the_link_decide_who_is_alive),
		cmocka_unit_test(a_packet_has_room_for_the_longest_reply),
	};
	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
