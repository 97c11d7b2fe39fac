// SPDX-License-Identifier: BSD-3-Clause

// Housekeeping over a real packet pool, with a control plane that this test plays. No ports.
#include "housekeep_fixture.h"
#include "welcome_send.h"

#include <sys/un.h>
#include <weir/page.h>
#include <weir/shm_msg.h>

enum { SUSPEND_MS = 3600000 };

static uint64_t table_used(enum stats_worker_table t)
{
	return worker.stats->table[t].used;
}

TEST_WITH(every_table_says_how_full_it_is, setup, teardown)
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
	memset(ring_reserve(&worker.miss[0], 1, 100), 0, 100);
	ring_publish(&worker.miss[0]);
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
TEST_WITH(ports_are_told_before_anything_else, setup, teardown)
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

TEST_WITH(memory_that_no_account_knows_alarms, setup, teardown)
{
	const struct stats_memory *m = &h.stats->memory;
	pass_ms(HOUSEKEEP_MEMORY_MS + 10);
	assert_int_equal(m->alarming, 0);
#if !SANITIZED_ADDRESS // there the allocator tells nothing
	enum { MANY = 64, EACH = 64 << 10 };
	static void *block[MANY]; // a test's own allocations belong to no account
	for (unsigned i = 0; i < MANY; i++)
		block[i] = malloc(EACH);
	pass_ms(HOUSEKEEP_MEMORY_MS);
	assert_int_equal(m->alarming, 1);
	assert_int_equal(m->alarms, 1);
	assert_true(m->unexplained >= (uint64_t)MANY * EACH);
	assert_non_null(strstr(newest(), "are unaccounted"));
	for (unsigned i = 0; i < MANY; i++)
		free(block[i]);
	pass_ms(HOUSEKEEP_MEMORY_MS);
	assert_int_equal(m->alarming, 0);
	assert_true(m->unexplained_max >= (uint64_t)MANY * EACH);
#endif
}

// An image that stays mapped after two more of its kind were activated.
TEST_WITH(a_mapping_that_stays_is_stale, setup, teardown)
{
	const struct stats_kinds *k = &h.stats->kinds;
	void *map[3];
	const uint64_t before = k->looks;
	for (unsigned i = 0; i < ARRAY_LEN(map); i++) {
		const char *path =
			text_from("/dev/shm/rule_image.%u%u", 90 + i, (unsigned)getpid());
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, page_size()), 0);
		map[i] = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(map[i], MAP_FAILED);
		close(fd);
		unlink(path);
	}
	pass_ms(2 * HOUSEKEEP_KINDS_MS + 1000);
	assert_true(k->looks > before + 1);
	assert_true(k->maps[MEM_MAP_code] > 0 && k->descriptors[MEM_FD_file] > 0);
	assert_int_equal(k->deleted[REGION_RULE_IMAGE].files, 3);
	assert_int_equal(k->deleted[REGION_RULE_IMAGE].stale, 2);
	assert_int_equal(k->deleted[REGION_RULE_IMAGE].stale_bytes, 2 * page_size());
	for (unsigned i = 0; i < ARRAY_LEN(map); i++)
		munmap(map[i], page_size());
	pass_ms(HOUSEKEEP_KINDS_MS + 1000);
	assert_int_equal(k->deleted[REGION_RULE_IMAGE].files, 0);
}

TEST_WITH(a_gap_is_told_only_when_nothing_moves, setup, teardown)
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

TEST_WITH(the_heartbeat_and_the_link_decide_who_is_alive, setup, teardown)
{
	const struct region_spec spec = {.name = "directory",
		.kind = REGION_DIRECTORY,
		.generation = 1,
		.incarnation = 0xc0,
		.data_size = sizeof(struct directory)};
	struct region r;
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	struct directory *d = region_data(&r);
	d->reader_file = region_header_of(&worker_rings.reader)->incarnation;
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
	const struct link_welcome w = {
		.magic = SHM_MAGIC, .abi_version = SHM_ABI_VERSION, .workers = 1, .resolvers = 1};
	assert_true(welcome_send(fd, &w));
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

TEST(a_packet_has_room_for_the_longest_reply)
{
	const unsigned headers = 14 + 4 + 40 + 8;
	const unsigned sizes[] = {512, 1232, 4096};
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		assert_true(mbuf_pool_room(sizes[i]) >= RTE_PKTMBUF_HEADROOM + headers + sizes[i]);
	assert_true(mbuf_pool_room(512) >= RTE_PKTMBUF_HEADROOM + 2048);
	assert_int_equal(mbuf_pool_room(65535), mbuf_pool_room(4096));
}

TEST_GROUP(start_eal, stop_eal)
