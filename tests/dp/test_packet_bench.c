// SPDX-License-Identifier: BSD-3-Clause

// bench_dataplane: the frames that return while it reflects, and that the slices in which it
// answers answer as the product does.

#include "harness.h"
#include "tests/bench/dataplane/bench.h"

static const struct wire_query asked = {.name = "www.example.test", .version = 4};

static void begin(struct harness *h, struct bench *b, enum bench_mode mode)
{
	h->any_replies = true; // queries, reflected
	HARNESS_PUT(h, .name = asked.name, .qtype = 1, .count = 1);
	assert_int_equal(bench_init(b, &h->w, mode, UINT64_MAX / 4), 0);
	bench_tick(b);
}

static size_t turn(struct harness *h, struct bench *b, const struct wire_query *q, uint8_t *query,
	uint8_t *reply)
{
	size_t len = wire_make(q, query);
	harness_inject(h, query, len);
	assert_int_equal(bench_turn(b, 0), 1);
	return harness_take(h, reply);
}

static void check_swapped(const uint8_t *q, const uint8_t *r, size_t len, int version)
{
	size_t ip = 14, src = version == 4 ? ip + 12 : ip + 8, n = version == 4 ? 4 : 16;
	size_t udp = version == 4 ? ip + 20 : ip + 40;
	assert_memory_equal(r, q + 6, 6);
	assert_memory_equal(r + 6, q, 6);
	assert_memory_equal(r + 12, q + 12, src - 12);
	assert_memory_equal(r + src, q + src + n, n);
	assert_memory_equal(r + src + n, q + src, n);
	assert_memory_equal(r + udp, q + udp + 2, 2);
	assert_memory_equal(r + udp + 2, q + udp, 2);
	assert_memory_equal(r + udp + 4, q + udp + 4, len - udp - 4);
}

PACKET_TEST_OF(test_reflect, harness_begin(&(struct harness_options){0}))
{
	struct bench b;
	uint8_t query[WIRE_MAX], reply[WIRE_MAX];
	begin(h, &b, BENCH_REFLECT);
	for (int version = 4; version <= 6; version += 2) {
		struct wire_query q = asked;
		q.version = (uint8_t)version;
		size_t len = turn(h, &b, &q, query, reply);
		assert_int_equal(len, wire_make(&q, query));
		check_swapped(query, reply, len, version);
	}
	assert_int_equal(harness_verdict(h, VERDICT_reflected), 2);
	assert_int_equal(harness_verdict(h, VERDICT_hit), 0);
	assert_int_equal(b.cycles.frames, 2);
	assert_int_equal(b.cycles.turns, 2);
	assert_true(b.cycles.busy >= b.cycles.cycles[STAGE_rx] && b.cycles.busy > 0);
	// The end of a slice changes nothing.
	b.slice_end_tsc = 1;
	bench_tick(&b);
	turn(h, &b, &asked, query, reply);
	assert_int_equal(harness_verdict(h, VERDICT_reflected), 3);
	free(b.slice);
}

PACKET_TEST_OF(test_alternate, harness_begin(&(struct harness_options){0}))
{
	struct bench b;
	uint8_t query[WIRE_MAX], reply[WIRE_MAX];
	begin(h, &b, BENCH_ALTERNATE);
	for (unsigned i = 0; i < 6; i++) {
		size_t len = turn(h, &b, &asked, query, reply);
		bool answers = i % 2;
		assert_int_equal(len > wire_make(&asked, query), answers);
		assert_int_equal(harness_verdict(h, VERDICT_reflected), i / 2 + 1);
		assert_int_equal(harness_verdict(h, VERDICT_hit), (i + 1) / 2);
		b.slice_end_tsc = 1;
		bench_tick(&b);
		assert_int_equal(b.slices, i + 1);
		assert_int_equal(b.slice[i].reflected, !answers);
		assert_int_equal(b.slice[i].frames, 1);
		assert_int_equal(b.cycles.frames, 0);
	}
	free(b.slice);
}

PACKET_TEST_OF(test_interrupted_turns_do_not_count, harness_begin(&(struct harness_options){0}))
{
	struct bench b;
	uint8_t query[WIRE_MAX], reply[WIRE_MAX];
	begin(h, &b, BENCH_ALTERNATE);
	b.slice_tsc = BENCH_INTERRUPTED; // any turn takes longer than a cycle
	assert_true(turn(h, &b, &asked, query, reply) > 0);
	assert_int_equal(b.interrupted, 1);
	assert_int_equal(b.cycles.frames, 0);
	assert_int_equal(b.cycles.busy, 0);
	free(b.slice);
}
