// SPDX-License-Identifier: BSD-3-Clause

// Housekeeping over a real packet pool, with a control plane that this test plays. No ports.

#include "housekeep.h"
#include "mbuf_pool.h"
#include "unit.h"

#include <rte_eal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/shm_msg.h>

enum { MBUFS = 1023 };

static char dir[64];
static char why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct lanes lanes;
static struct worker worker;
static struct worker *const workers[1] = {&worker};
static struct ports no_ports;
static struct housekeep h;
static struct rte_mbuf *posted[64];
static uint64_t now_ms;

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
	const struct lanes_spec spec = {.workers = 1, .incarnation = 7, .group = ""};
	const struct dp_config defaults = {.udp_limit = 1232};
	strcpy(dir, "/tmp/weir-test-hk-XXXXXX");
	if (!mkdtemp(dir) || shm_paths_init(&paths, dir, "off", why)
		|| lanes_create(&lanes, &paths, &spec, why))
		return -1;
	worker = (struct worker){.pool = worker.pool};
	lanes_bind(&lanes, &worker);
	// What RX rings would hold.
	if (rte_pktmbuf_alloc_bulk(worker.pool, posted, ARRAY_LEN(posted)) != 0)
		return -1;
	mbuf_pool_settle(worker.pool);
	h = (struct housekeep){.workers = workers,
		.worker_count = 1,
		.ports = &no_ports,
		.stats = lanes_stats(&lanes),
		.lanes = &lanes};
	now_ms = 1000;
	if (link_init(&h.link, dir, &lanes.lane[0].bell[LANE_BELL_THEIRS], 1, 7)
		|| adopt_init(&h.adopt, &paths, workers, 1, 7, &defaults, h.stats))
		return -1;
	housekeep_init(&h, now_ms);
	return 0;
}

static int teardown(void **)
{
	char command[2 * SHM_PATH_MAX];
	rte_pktmbuf_free_bulk(posted, ARRAY_LEN(posted));
	link_close(&h.link);
	adopt_close(&h.adopt);
	lanes_close(&lanes);
	snprintf(command, sizeof command, "rm -rf %s %s", paths.mem, dir);
	return system(command);
}

static void pass_ms(unsigned ms)
{
	for (unsigned i = 0; i < ms; i += HOUSEKEEP_TURN_MS) {
		now_ms += HOUSEKEEP_TURN_MS;
		housekeep_turn(&h, now_ms);
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
	memcpy(addr.sun_path, h.link.path, sizeof addr.sun_path);
	int server = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(server, (const struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(server, 1), 0);
	pass_ms(2 * LINK_RETRY_MS);
	int fd = accept(server, NULL, NULL);
	assert_true(fd >= 0);
	const struct link_welcome w = {.magic = SHM_MAGIC, .abi_version = SHM_ABI_VERSION};
	assert_int_equal(send(fd, &w, sizeof w, 0), sizeof w);
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
		HOUSEKEEP_TEST(a_buffer_in_flight_is_no_leak),
		HOUSEKEEP_TEST(a_gap_is_told_only_when_nothing_moves),
		HOUSEKEEP_TEST(the_heartbeat_and_the_link_decide_who_is_alive),
		cmocka_unit_test(a_packet_has_room_for_the_longest_reply),
	};
	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
