// SPDX-License-Identifier: BSD-3-Clause

// Packet buffers that are missing: how soon that is noticed, and who had them last.

#include "dataplane/state/mbuf_owner.h"
#include "housekeep_fixture.h"

#include <weir/stats_read.h>

TEST_WITH(one_lost_buffer_is_noticed_within_seconds, setup, teardown)
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

// A buffer that nobody gives back.
static struct rte_mbuf *lose(unsigned owner)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(worker.pool);
	assert_non_null(m);
	mbuf_own(m, mbuf_mark(owner, now_ms));
	return m;
}

static uint32_t missing_of(unsigned owner)
{
	return worker.stats->mbuf_missing[owner];
}

static uint32_t missing(void)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		sum += missing_of(i);
	return sum;
}

static const unsigned owners[] = {MBUF_OWNER_rx, MBUF_OWNER_answer, MBUF_OWNER_kernel_rx,
	MBUF_OWNER_kernel_queue, MBUF_OWNER_kernel_tx, MBUF_OWNER_tx, MBUF_OWNER_tx_full,
	MBUF_OWNER_VERDICTS + VERDICT_drop_runt, MBUF_OWNER_VERDICTS + VERDICT_miss};

static void check_log(unsigned owner)
{
	assert_non_null(strstr(newest(),
		text_from("last owners: %s %u;", stats_owner_name(owner), missing_of(owner))));
}

TEST_WITH(a_lost_buffer_names_its_last_owner, setup, teardown)
{
	pass_ms(2000);
	for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
		struct rte_mbuf *m = lose(owners[i]);
		pass_ms(5000);
		assert_int_equal(missing_of(owners[i]), 1);
		assert_int_equal(missing(), 1);
		check_log(owners[i]);
		rte_pktmbuf_free(m);
		pass_ms(HOUSEKEEP_WALK_MS);
		assert_int_equal(missing(), 0);
	}
}

// Half a buffer a second, while frames flow and another verdict drops ten thousand a second.
TEST_WITH(a_slow_leak_under_load_names_its_owner, setup, teardown)
{
	enum { SECONDS = 60, EACH_S = 2, STEPS = 10, FRAMES = 1000 };
	struct rte_mbuf *lost[SECONDS / EACH_S];
	for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
		unsigned n = 0, noticed_s = 0;
		for (unsigned t = 0; t < SECONDS * STEPS; t++) {
			if (t % (EACH_S * STEPS) == 0)
				lost[n++] = lose(owners[i]);
			stats_add(&worker.stats->counter[COUNTER_rx_frames], FRAMES);
			stats_add(&worker.stats->verdict[VERDICT_drop_denied], FRAMES);
			pass_ms(1000 / STEPS);
			if (!noticed_s && missing())
				noticed_s = t / STEPS + 1;
		}
		assert_in_range(noticed_s, 1, 15);
		assert_true(missing_of(owners[i]) >= SECONDS / EACH_S / 2);
		assert_int_equal(missing(), missing_of(owners[i]));
		assert_non_null(strstr(newest(), stats_owner_name(owners[i])));
		rte_pktmbuf_free_bulk(lost, n);
		pass_ms(HOUSEKEEP_WALK_MS);
		assert_int_equal(missing(), 0);
	}
}

// What ports keep of sent frames, and frames that wait for the kernel, are not missing.
TEST_WITH(buffers_that_ports_and_queue_hold_are_not_missing, setup, teardown)
{
	enum { HELD = 5 };
	struct rte_mbuf *m[2 * HELD];
	h.worker[0].audit.tx_hold = HELD;
	pass_ms(2000);
	for (unsigned i = 0; i < 2 * HELD; i++)
		m[i] = lose(i < HELD ? MBUF_OWNER_tx : MBUF_OWNER_kernel_queue);
	worker.exception.tail = HELD;
	for (unsigned t = 0; t < 100; t++) {
		stats_add(&worker.stats->counter[COUNTER_rx_frames], 1);
		pass_ms(100);
	}
	assert_int_equal(missing(), 0);
	assert_int_equal(worker.stats->mbuf_breaches, 0);
	worker.exception.tail = 0;
	for (unsigned t = 0; t < 200; t++) {
		stats_add(&worker.stats->counter[COUNTER_rx_frames], 1);
		pass_ms(100);
	}
	assert_int_equal(missing_of(MBUF_OWNER_kernel_queue), HELD);
	assert_int_equal(missing(), HELD);
	rte_pktmbuf_free_bulk(m, 2 * HELD);
}

// Nor are missing ones in a transmit ring.
TEST_WITH(a_missing_buffer_is_in_no_ring, setup, teardown)
{
	static struct ports one = {.count = 1,
		.client_count = 1,
		.port = {{.id = RTE_MAX_ETHPORTS,
			.rx_descriptors = 512,
			.tx_descriptors = 512,
			.queues = 1}}};
	const struct stats_table *tx = &h.stats->table[STATS_dp_tx_rings];
	h.ports = &one;
	pass_ms(2000);
	assert_int_equal(tx->used, 0);
	struct rte_mbuf *m = lose(MBUF_OWNER_rx);
	pass_ms(1100);
	assert_int_equal(tx->used, 1);
	pass_ms(5000);
	assert_int_equal(missing(), 1);
	assert_int_equal(tx->used, 0);
	assert_int_equal(h.stats->table[STATS_dp_rx_rings].used, ARRAY_LEN(posted));
	rte_pktmbuf_free(m);
}

// A buffer without a mark: its port has it.
TEST_WITH(a_port_that_loses_buffers_is_named, setup, teardown)
{
	pass_ms(2000);
	struct rte_mbuf *m = rte_pktmbuf_alloc(worker.pool);
	pass_ms(5000);
	assert_int_equal(missing_of(MBUF_OWNER_port), 1);
	check_log(MBUF_OWNER_port);
	rte_pktmbuf_free(m);
}

// Where marks mean nothing, the frames that went in and came out are compared.
TEST_WITH(ports_that_keep_marks_are_judged_by_frames, setup, teardown)
{
	pass_ms(2000);
	h.walks = false;
	struct rte_mbuf *m = lose(MBUF_OWNER_tx);
	stats_add(&worker.stats->counter[COUNTER_rx_frames], 1);
	stats_add(&worker.stats->verdict[VERDICT_drop_runt], 1);
	pass_ms(3000);
	assert_int_equal(missing_of(MBUF_OWNER_VERDICTS + VERDICT_drop_runt), 1);
	assert_int_equal(missing(), 1);
	check_log(MBUF_OWNER_VERDICTS + VERDICT_drop_runt);
	rte_pktmbuf_free(m);
}

TEST_WITH(a_buffer_in_flight_is_no_leak, setup, teardown)
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
TEST_WITH(a_worker_that_is_held_up_is_no_leak, setup, teardown)
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
	pass_ms(5000);
	assert_true(worker.stats->mbuf_breaches >= 1);
	assert_int_equal(h.stats->verdict_gap, WORKER_BATCH);
	assert_non_null(strstr(newest(), "packet buffers are missing: 1 "));
	rte_pktmbuf_free(burst[WORKER_BATCH - 1]);
}

static void *run(void *arg)
{
	(void)worker_main(arg);
	return NULL;
}

// The real loop counts; without that no check of this kind would work.
TEST_WITH(the_loop_counts_its_pool, setup, teardown)
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

TEST_GROUP(start_eal, stop_eal)
