// SPDX-License-Identifier: BSD-3-Clause
// Random and mutated frames through the whole path: nothing crashes (run under sanitizers too),
// each frame ends in one verdict, every reply that goes out is well-formed, no buffer is lost.
#include "harness.h"

enum { FRAMES = 10000 };

static uint32_t seed;

static uint32_t next(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

static size_t make_any(uint8_t *f)
{
	static const char *const names[] = {
		"warm.example", "Ads.example", "cold.example", "", "a.b.c.d.e.f.g.old.example"};
	struct wire_query q = {
		.name = names[next(5)],
		.version = next(2) ? 6 : 4,
		.has_vlan = next(2),
		.edns = next(2),
		.csum = next(8) ? WIRE_CSUM_RIGHT : WIRE_CSUM_ZERO,
		.ip_option_len = next(4) ? 0 : 4 * next(11),
		.qtype = next(4) ? 0 : (uint16_t)next(65536),
		.padding = next(20),
		.extra_bytes = next(10) ? 0 : next(40),
	};
	if (q.version == 6)
		q.ip_option_len = 0;
	return wire_make(&q, f);
}

static size_t mutate(uint8_t *f, size_t len)
{
	for (uint32_t i = next(6); i > 0; i--)
		f[next((uint32_t)len)] ^= (uint8_t)(1 << next(8));
	for (uint32_t i = next(4); i > 0; i--)
		f[next((uint32_t)len)] = (uint8_t)next(256);
	if (next(4) == 0) // an interesting number in an interesting place
		wire_put16(f + 12 + next((uint32_t)len - 14), next(2) ? 0xffff : next(64));
	if (next(4) == 0)
		len = 1 + next((uint32_t)len);
	return len;
}

static size_t make_noise(uint8_t *f)
{
	size_t len = 1 + next(1500);
	for (size_t i = 0; i < len; i++)
		f[i] = (uint8_t)next(256);
	if (next(2) && len > 14)
		wire_put16(f + 12, next(2) ? 0x0800 : next(2) ? 0x86dd : 0x0806);
	return len;
}

// What a run showed from outside: its verdicts, and a digest of all that it sent.
struct outcome {
	uint64_t verdict[VERDICT_COUNT];
	uint64_t replies, digest;
};

static void digest(struct outcome *out, const uint8_t *f, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out->digest = (out->digest ^ f[i]) * UINT64_C(1099511628211);
}

// Anything but DNS is a local answer, checked by its own test.
static void check_out(struct harness *h, struct outcome *out)
{
	uint8_t f[WIRE_MAX];
	struct wire_reply r;
	struct msg_miss msg;
	size_t len;
	while ((len = harness_take(h, f)) != 0) {
		size_t l3 = wire_u16(f + 12) == 0x8100 ? 18 : 14;
		uint16_t type = wire_u16(f + l3 - 2);
		if ((type == 0x0800 && f[l3 + 9] == 17) || (type == 0x86dd && f[l3 + 6] == 17))
			wire_check(f, len, &r);
		out->replies++;
		digest(out, f, len);
	}
	while ((len = harness_take_kernel(h, f)) != 0)
		digest(out, f, len);
	while (harness_miss_is_there(h, &msg))
		digest(out, harness_question, msg.question_len);
}

// Sets the worker's clock back to the start: TTLs count down, and a slow machine would send others.
static void clock_hold(struct harness *h)
{
	atomic_store(&h->w.suspended_ms, h->start_ms - clock_mono_coarse_ms(0));
}

static void prepare(struct harness *h)
{
	static const char *const listed[] = {"ads.example"};
	HARNESS_PUT(h, .name = "warm.example", .count = 3);
	HARNESS_PUT(h, .name = "a.b.c.d.e.f.g.old.example", .count = 2, .created_ms = -70000,
		.soft_ms = 60000);
	harness_block(h, listed, 1);
	h->tables.config.stale_mode = STALE_IMMEDIATE;
}

// Each frame has one outcome; each reply a code; no batch was left out.
static void check_kinds(const struct harness *h)
{
	uint64_t frames = 0, hits = 0, codes = 0;
	for (unsigned o = 0; o < OUTCOME_COUNT; o++)
		for (unsigned i = 0; i < TOOK_BUCKETS; i++) {
			frames += h->stats.outcome[o].bucket[i];
			hits += o == OUTCOME_hit ? h->stats.outcome[o].bucket[i] : 0;
		}
	assert_int_equal(frames, FRAMES);
	assert_int_equal(
		hits, harness_verdict(h, VERDICT_hit) + harness_verdict(h, VERDICT_hit_stale));
	for (unsigned i = 0; i < STATS_RCODES; i++)
		codes += h->stats.rcode[i];
	uint64_t others = harness_verdict(h, VERDICT_arp_reply)
			  + harness_verdict(h, VERDICT_ndp_reply)
			  + harness_verdict(h, VERDICT_echo_reply);
	assert_int_equal(codes + others, harness_counter(h, COUNTER_tx_frames));
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		assert_true(h->stats.stage[i].bucket[0] > 0); // no EAL, no TSC: all times are 0
}

static void run_once(const struct harness_options *o, uint32_t first_seed, bool mutated,
	uint8_t beyond, struct outcome *out)
{
	struct harness *h = harness_begin(o);
	prepare(h);
	h->beyond = beyond;
	seed = first_seed;
	for (unsigned i = 0; i < FRAMES; i++) {
		uint8_t f[WIRE_MAX];
		size_t len = mutated ? mutate(f, make_any(f)) : make_noise(f);
		if (len > 2 && next(16) == 0)
			harness_inject_chained(h, f, len, 1 + next((uint32_t)len - 1));
		else
			harness_inject(h, f, len);
		if (i % 24 == 23) {
			clock_hold(h);
			harness_turns(h);
			check_out(h, out);
		}
	}
	clock_hold(h);
	harness_turns(h);
	check_out(h, out);
	assert_int_equal(harness_counter(h, COUNTER_rx_frames), FRAMES);
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		out->verdict[i] = harness_verdict(h, i);
	check_kinds(h);
	harness_end(h);
}

// The same frames twice, with other bytes behind them in their buffers: if anything that a worker
// does depends on those, it has read beyond a frame. (The buffers lie in one big pool, so no
// sanitizer would tell.)
static void run(const struct harness_options *o, uint32_t first_seed, bool mutated)
{
	struct outcome zeros = {0}, ones = {0};
	run_once(o, first_seed, mutated, 0x00, &zeros);
	run_once(o, first_seed, mutated, 0xff, &ones);
	assert_memory_equal(zeros.verdict, ones.verdict, sizeof(zeros.verdict));
	assert_int_equal(zeros.replies, ones.replies);
	assert_int_equal(zeros.digest, ones.digest);
	if (mutated)
		assert_true(zeros.verdict[VERDICT_hit] > 50 && zeros.replies > 200);
}

TEST(test_mutated)
{
	run(NULL, 1, true);
	run(&(struct harness_options){.csums_verified = true}, 2, true);
}

TEST(test_mutated_with_exception)
{
	run(&(struct harness_options){.has_exception = true, .csums_verified = true}, 3, true);
}

TEST(test_noise)
{
	run(NULL, 4, false);
	run(&(struct harness_options){.has_exception = true}, 5, false);
}
