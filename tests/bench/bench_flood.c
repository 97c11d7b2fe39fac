// SPDX-License-Identifier: BSD-3-Clause

// How long a cached answer takes while a flood goes by: bursts of 32 frames through worker_turn on
// net_ring ports, each timed by itself. A frame leaves at the end of its burst, so a burst's time
// is what the last of its answers waited. Fails when a cached name was not answered or a frame has
// not the verdict that its case says; never because it is slow.

#include "tests/dp/harness.h"
#include "tests/dp/servers_image.h"
#include "tests/unit/core/shm/ring_used.h"

#include <rte_cycles.h>

enum { BURSTS = 20000, BURST = WORKER_BATCH, HOT = 256, MESSAGE_LEN = 128 };

struct flood_case {
	const char *name;
	unsigned hits; // of a burst; the rest is the flood
	bool garbage,
		behind,     // the control plane is, and three quarters of the ring are taken
		forged,     // replies of an upstream server
		unknown,    // but not of one that is asked
		asked;      // to ports from which a query left
	enum verdict flood; // the verdict of its frames
};

static const struct flood_case cases[] = {
	{.name = "quiet", .hits = BURST, .flood = VERDICT_hit},
	{.name = "torture", .hits = 8, .flood = VERDICT_miss},
	{.name = "torture, ring nearly full",
		.hits = 8,
		.behind = true,
		.flood = VERDICT_servfail_fairness},
	{.name = "replies of unknown servers",
		.hits = 8,
		.forged = true,
		.unknown = true,
		.flood = VERDICT_drop_not_ours},
	{.name = "forged replies", .hits = 8, .forged = true, .flood = VERDICT_drop_not_ours},
	{.name = "forged replies, all ports asked",
		.hits = 8,
		.forged = true,
		.asked = true,
		.flood = VERDICT_upstream_reply},
	{.name = "garbage", .garbage = true, .flood = VERDICT_drop_udp_csum},
};

static uint64_t ticks[BURSTS];
static uint8_t hot_frame[HOT][WIRE_MAX];
static size_t hot_len[HOT];
static struct hops_image image;

static void make_hot(struct harness *h)
{
	for (unsigned i = 0; i < HOT; i++) {
		char name[32];
		snprintf(name, sizeof(name), "hot%u.example", i);
		harness_put(h, &(struct harness_record){.name = name, .count = 1});
		const struct wire_query q = {.name = name, .edns = true, .id = (uint16_t)(i + 1)};
		hot_len[i] = wire_make(&q, hot_frame[i]);
	}
}

static void inject_forged(struct harness *h, const struct flood_case *c)
{
	static uint16_t port = LOCAL;
	uint8_t frame[WIRE_MAX];
	port = port < 30000 ? port + 1 : LOCAL;
	if (c->asked)
		asked_ports_note(&h->asked_ports, port, worker_clock_ms(&h->w));
	const struct wire_query q = {.name = "www.victim.test",
		.src = c->unknown ? "192.0.2.2" : SERVER4,
		.dst = SOURCE4,
		.src_port = SERVER_PORT,
		.dst_port = port,
		.flags = 0x8180};
	harness_inject(h, frame, wire_make(&q, frame));
}

static void inject_flood(struct harness *h, const struct flood_case *c)
{
	static unsigned serial;
	uint8_t frame[WIRE_MAX];
	char name[64], src[32];
	serial++;
	snprintf(name, sizeof(name), "r%u.victim.test", serial);
	snprintf(src, sizeof(src), "198.19.%u.%u", serial >> 8 & 255, serial & 255);
	const struct wire_query q = {.name = name,
		.src = src,
		.edns = true,
		.csum = c->garbage ? WIRE_CSUM_BAD : WIRE_CSUM_RIGHT};
	harness_inject(h, frame, wire_make(&q, frame));
}

static void drain_misses(struct harness *h)
{
	static uint8_t buf[sizeof(struct msg_miss) + MSG_DNS_MAX];
	uint16_t type;
	while (ring_read(&h->miss, buf, sizeof(buf), &type) != 0)
		continue;
	ring_release(&h->miss);
}

static void one_burst(struct harness *h, const struct flood_case *c, unsigned n)
{
	for (unsigned i = 0; i < BURST; i++) {
		unsigned hot = (n * BURST + i) % HOT;
		if (i < c->hits)
			harness_inject(h, hot_frame[hot], hot_len[hot]);
		else if (c->forged)
			inject_forged(h, c);
		else
			inject_flood(h, c);
	}
	uint64_t began = rte_rdtsc();
	assert_int_equal(worker_turn(&h->w, 0), BURST);
	ticks[n] = rte_rdtsc() - began;
	harness_drain(h);
	if (!c->behind)
		drain_misses(h);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void report(const char *name, unsigned burst)
{
	const double us = (double)rte_get_tsc_hz() / 1e6;
	qsort(ticks, BURSTS, sizeof(ticks[0]), by_size);
	printf("%-31s a burst of %d: %.2f us in the median, %.2f us at p99, %.1f us at p99.9; "
	       "%.0f ns a frame\n",
		name, burst, (double)ticks[BURSTS / 2] / us, (double)ticks[BURSTS / 100 * 99] / us,
		(double)ticks[BURSTS / 1000 * 999] / us,
		(double)ticks[BURSTS / 2] / us * 1000 / burst);
}

static void run(const struct flood_case *c)
{
	struct harness *h = harness_begin(NULL);
	make_hot(h);
	servers_image(&image);
	servers_use(&h->tables.hops, &image);
	while (c->behind && !ring_is_fuller(&h->w.miss[0], h->w.miss[0].units / 4 * 3))
		assert_non_null(ring_reserve(&h->w.miss[0], MSG_MISS, MESSAGE_LEN));
	// Before it is known who is a crowd.
	for (unsigned n = 0; c->behind && n < 100; n++)
		one_burst(h, c, n);
	uint64_t hits = harness_verdict(h, VERDICT_hit), flood = harness_verdict(h, c->flood);
	for (unsigned n = 0; n < BURSTS; n++)
		one_burst(h, c, n);
	assert_int_equal(harness_verdict(h, VERDICT_hit) - hits, (uint64_t)c->hits * BURSTS);
	if (c->hits < BURST)
		assert_int_equal(
			harness_verdict(h, c->flood) - flood, (uint64_t)(BURST - c->hits) * BURSTS);
	report(c->name, BURST);
	harness_end(h);
}

static void test_floods(void **)
{
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		run(&cases[i]);
}

// What a cached answer waits behind those of the control plane that turn a flood away, of which
// there are always more.
static void test_answers(void **)
{
	struct harness *h = harness_begin(NULL);
	const struct wire_query q = {.name = "r0.victim.test", .edns = true};
	uint8_t dns[12 + 300];
	const struct msg_miss miss = harness_ask_missed(h, &q);
	struct msg_answer head = harness_answer_to(&miss, 0x8182, dns);
	head.verdict = ANSWER_SERVFAIL;
	for (unsigned n = 0; n < BURSTS; n++) {
		while (ring_producer_used(&h->answer) < 1024)
			harness_answer(h, &head, dns, head.dns_len);
		uint64_t began = rte_rdtsc();
		assert_int_equal(stage_answer(&h->w), ANSWERS_PER_TURN);
		ticks[n] = rte_rdtsc() - began;
		harness_drain(h);
	}
	report("SERVFAIL, sent in one turn", ANSWERS_PER_TURN);
	harness_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floods), cmocka_unit_test(test_answers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
