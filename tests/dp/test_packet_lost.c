// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers that are lost on their way name who had them last, whatever else is dropped.
#include "dataplane/port/mbuf_pool.h"
#include "exception_frames.h"

#include <rte_mbuf.h>

#include <weir/stats_read.h>

enum { LOST = 3, DROPS = 500 };

static unsigned to_lose;            // of the next that are to be freed
static struct rte_mbuf *lost[LOST]; // these
static unsigned lost_count;

// In place of DPDK's, for the worker's code.
void rte_pktmbuf_free_bulk(struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (to_lose && lost_count < LOST) {
			to_lose--;
			lost[lost_count++] = m[i];
		} else {
			rte_pktmbuf_free(m[i]);
		}
	}
}

static void give_back(void)
{
	while (lost_count)
		rte_pktmbuf_free(lost[--lost_count]);
}

// Frames of another kind than the lost ones, many more.
static void drop_many(struct harness *h)
{
	uint8_t f[WIRE_MAX] = {0};
	for (unsigned i = 0; i < DROPS; i++) {
		harness_send(h, f, 13);
	}
	assert_true(harness_verdict(h, VERDICT_drop_runt) >= DROPS);
}

static const struct wire_query query = {.name = "a.example"};

static void lose_a_miss(struct harness *h)
{
	to_lose = 1;
	harness_ask_dropped(h, &query, VERDICT_miss);
	(void)harness_misses(h);
}

// The port of the clients is full, and a reply that it did not take is not freed.
static void lose_a_reply(struct harness *h)
{
	const struct wire_query q = {.name = "b.example"};
	uint8_t f[WIRE_MAX];
	size_t len = wire_make(&q, f);
	HARNESS_PUT(h, .name = "b.example", .count = 1);
	while (harness_counter(h, COUNTER_tx_full) == 0) {
		to_lose = 1;
		harness_send(h, f, len);
	}
	assert_int_equal(lost_count, 1);
	harness_drain(h);
}

static void lose_what_was_received(struct harness *h)
{
	static struct batch b;
	uint8_t f[WIRE_MAX];
	harness_inject(h, f, wire_make(&query, f));
	b.w = &h->w;
	b.port = &h->w.port[0];
	stage_rx(&b);
	assert_int_equal(b.count, 1);
	lost[lost_count++] = b.store[0].m;
	stats_add(&h->stats.verdict[VERDICT_hit], 1); // the harness compares
}

static void lose_in_the_queue(struct harness *h)
{
	uint8_t f[WIRE_MAX];
	harness_inject(h, f, make_arp(f));
	assert_int_equal(worker_turn(&h->w, 0), 1);
	struct exception *e = &h->w.exception;
	assert_int_equal(e->tail - e->head, 1);
	lost[lost_count++] = e->waiting[e->head++ % EXCEPTION_SLOTS];
	stats_add(&h->stats.verdict[VERDICT_to_kernel], 1);
}

static const struct {
	void (*lose)(struct harness *);
	unsigned owner;
} ways[] = {
	{lose_a_miss, MBUF_OWNER_VERDICTS + VERDICT_miss},
	{lose_a_reply, MBUF_OWNER_tx_full},
	{lose_what_was_received, MBUF_OWNER_rx},
	{lose_in_the_queue, MBUF_OWNER_kernel_queue},
};

static void walk(const struct harness *h, uint32_t missing[MBUF_OWNERS])
{
	mbuf_walk_begin(h->w.pool);
	mbuf_walk_look(h->w.pool);
	mbuf_walk_end(h->w.pool, missing);
}

TEST(test_owner)
{
	uint32_t missing[MBUF_OWNERS];
	char text[STATS_OWNERS_TEXT], expected[STATS_OWNERS_TEXT];
	harness_start();
	assert_int_equal(mbuf_walk_init(), 0);
	for (unsigned i = 0; i < ARRAY_LEN(ways); i++) {
		struct harness *h = harness_begin(&(struct harness_options){.has_exception = true});
		drop_many(h);
		walk(h, missing);
		stats_owners_text(missing, text);
		assert_string_equal(text, "");
		ways[i].lose(h);
		drop_many(h);
		walk(h, missing);
		stats_owners_text(missing, text);
		snprintf(expected, sizeof(expected), "%s 1", stats_owner_name(ways[i].owner));
		assert_string_equal(text, expected);
		give_back();
		walk(h, missing);
		stats_owners_text(missing, text);
		assert_string_equal(text, "");
		harness_end(h);
	}
}

// What goes on meanwhile is no loss: a buffer that is used again, and one in a receive ring.
PACKET_TEST(test_in_use)
{
	uint32_t missing[MBUF_OWNERS];
	char text[STATS_OWNERS_TEXT];
	assert_int_equal(mbuf_walk_init(), 0);
	drop_many(h);
	struct rte_mbuf *posted = rte_pktmbuf_alloc(h->w.pool);
	assert_non_null(posted);
	h->w.now_ms = 5000;
	lose_what_was_received(h);
	mbuf_walk_begin(h->w.pool);
	mbuf_walk_look(h->w.pool);
	give_back();
	h->w.now_ms = 6500;
	lose_what_was_received(h);
	mbuf_walk_look(h->w.pool);
	mbuf_walk_end(h->w.pool, missing);
	stats_owners_text(missing, text);
	assert_string_equal(text, "");
	give_back();
	rte_pktmbuf_free(posted);
	harness_turns(h);
}

TEST(test_text)
{
	uint32_t missing[MBUF_OWNERS] = {[MBUF_OWNER_tx] = 2,
		[MBUF_OWNER_rx] = 2,
		[MBUF_OWNER_VERDICTS + VERDICT_drop_runt] = 70};
	char text[STATS_OWNERS_TEXT];
	stats_owners_text(missing, text);
	assert_string_equal(text, "drop_runt 70, rx 2, tx 2");
	missing[MBUF_OWNER_answer] = 1;
	stats_owners_text(missing, text);
	assert_string_equal(text, "drop_runt 70, rx 2, tx 2, ...");
	assert_string_equal(stats_owner_name(MBUF_OWNERS), "?");
}
