// SPDX-License-Identifier: BSD-3-Clause
// Rate limits, with workers and a clock of our own: what gets through in sum, beside floods too.

#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/unit.h"

#include <weir/limit.h>

enum { LOOK_MS = 10, WORKERS = 4 };

struct rig {
	struct limiter *l;
	uint64_t now_ms;
	struct policy_limit limit;
};

UNIT_END_OF(limiter_free, struct limiter)

static struct rig rig_begin(uint32_t rate, uint32_t network_rate, uint32_t burst_s)
{
	struct rig r = {.now_ms = 5000,
		.limit = {.rate = rate, .network_rate = network_rate, .burst_s = burst_s}};
	assert_int_equal(limiter_new(WORKERS, &r.l), 0);
	unit_at_end(limiter_free_at_end, r.l);
	limiter_look(r.l, &r.limit, r.now_ms);
	return r;
}

static void rig_look(struct rig *r)
{
	r->now_ms += LOOK_MS;
	limiter_look(r->l, &r->limit, r->now_ms);
}

static bool take(struct rig *r, unsigned worker, uint32_t client)
{
	const uint8_t ip[4] = {(uint8_t)(client >> 24), (uint8_t)(client >> 16),
		(uint8_t)(client >> 8), (uint8_t)client};
	return limit_take(limiter_table(r->l, worker), 4, ip);
}

static unsigned ask(struct rig *r, unsigned worker, uint32_t client, unsigned count)
{
	unsigned through = 0;
	for (unsigned i = 0; i < count; i++)
		through += take(r, worker, client);
	return through;
}

TEST(test_burst_then_rate)
{
	struct rig r = rig_begin(100, 0, 2);
	assert_int_equal(ask(&r, 0, 1, 1000), 200);
	unsigned through = 0;
	for (unsigned ms = 0; ms < 10000; ms += LOOK_MS) {
		rig_look(&r);
		through += ask(&r, 0, 1, 50);
	}
	assert_int_equal(through, 1000);
	// After a silence the burst is whole again, and no more than that.
	for (unsigned ms = 0; ms < 5000; ms += LOOK_MS)
		rig_look(&r);
	assert_int_equal(ask(&r, 0, 1, 1000), 200);
}

// Whichever workers a client comes through, in sum it gets its rate: at first a burst from each,
// which is then owed.
TEST(test_sum_of_workers)
{
	struct rig r = rig_begin(100, 0, 1);
	unsigned through = 0;
	for (unsigned ms = 0; ms < 20000; ms += LOOK_MS) {
		for (unsigned w = 0; w < WORKERS; w++)
			through += ask(&r, w, 7, 5);
		rig_look(&r);
	}
	assert_in_range(through, 20 * 100, 20 * 100 + 100);
	through = 0;
	for (unsigned ms = 0; ms < 5000; ms += LOOK_MS)
		rig_look(&r);
	for (unsigned w = 0; w < WORKERS; w++)
		through += ask(&r, w, 7, 1000);
	assert_int_equal(through, WORKERS * 100); // between two looks
	through = 0;
	for (unsigned ms = 0; ms < (WORKERS - 1) * 1000 - 10; ms += LOOK_MS) {
		rig_look(&r);
		through += ask(&r, 1, 7, 5);
	}
	assert_int_equal(through, 0); // all bursts but one are owed
}

// Who comes through all workers at once each time a bucket is full again gets no more than its rate
// from that.
TEST(test_pulses)
{
	struct rig r = rig_begin(100, 0, 1);
	unsigned through = 0, most = WORKERS * 100;
	for (unsigned ms = 0; ms < 40000; ms += LOOK_MS) {
		for (unsigned w = 0; w < WORKERS && ms % 2000 == 0; w++)
			through += ask(&r, w, 7, 1000);
		rig_look(&r);
	}
	assert_in_range(through, 30 * 100, 40 * 100 + most);
}

// A flood from a network with many addresses is bounded by the network's rate; others are not
// touched.
TEST(test_network)
{
	struct rig r = rig_begin(100, 300, 1);
	unsigned flood = 0, other = 0;
	for (unsigned ms = 0; ms < 10000; ms += LOOK_MS) {
		for (unsigned i = 0; i < 100; i++)
			flood += take(&r, i % WORKERS, 0xc6120000 + (ms + i) % 256);
		other += take(&r, 0, 0xc6120100 + ms / LOOK_MS % 256);
		rig_look(&r);
	}
	assert_in_range(flood, 300 * 10, 300 * 11 + 300 * WORKERS);
	assert_int_equal(other, 1000);
}

// 100,000 forged addresses a second, all over: a client within the limit gets nearly all of it.
TEST(test_among_forgers)
{
	struct rig r = rig_begin(20, 0, 2);
	struct dns_rand rnd = {.state = 3};
	unsigned asked = 0, through = 0;
	for (unsigned ms = 0; ms < 5000; ms += LOOK_MS) {
		for (unsigned i = 0; i < 1000; i++)
			(void)take(&r, i % WORKERS, (uint32_t)dns_rand_next(&rnd));
		for (unsigned client = 0; ms % 100 == 0 && client < 200; client++, asked++)
			through += take(&r, client % WORKERS, 0x0a000000 + client * 77);
		rig_look(&r);
	}
	assert_int_equal(asked, 10000);
	assert_true(through >= asked * 99 / 100);
}

// A crowd that is over its limit takes few others with it, as the header says: 1,000 beside each of
// whom is (1000/32768)^2 + 1000/131072, 0.9 %. Where they fall is drawn, so 2 % is far off.
TEST(test_beside_a_crowd)
{
	enum { CROWD = 1000, OTHERS = 20000 };
	struct rig r = rig_begin(20, 0, 1);
	unsigned through = 0;
	for (uint32_t i = 0; i < CROWD; i++)
		(void)ask(&r, 0, 0x0a000000 + i * 1031, 100);
	for (uint32_t i = 0; i < OTHERS; i++)
		through += take(&r, 0, 0xc6120000 + i);
	assert_true(through < OTHERS);
	assert_true(through >= OTHERS - OTHERS / 50);
}

TEST(test_ipv6_is_by_prefix)
{
	struct rig r = rig_begin(10, 25, 1);
	struct limit_table *t = limiter_table(r.l, 0);
	uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8};
	unsigned through = 0;
	for (unsigned i = 0; i < 100; i++) {
		ip[15] = (uint8_t)i; // one /64
		through += limit_take(t, 6, ip);
	}
	assert_int_equal(through, 10);
	for (unsigned i = 1; i < 100; i++) {
		ip[7] = (uint8_t)i; // of one /56
		through += limit_take(t, 6, ip);
	}
	assert_int_equal(through, 25);
	ip[6] = 1; // another one
	assert_true(limit_take(t, 6, ip));
}

TEST(test_change_and_off)
{
	struct rig r = rig_begin(10, 0, 1);
	assert_int_equal(ask(&r, 0, 1, 100), 10);
	r.limit.rate = 50;
	rig_look(&r);
	assert_int_equal(ask(&r, 0, 1, 100), 50);
	rig_look(&r);
	assert_int_equal(limiter_empty(r.l), 2); // both cells of one bucket
	r.limit.rate = 0;
	rig_look(&r);
	assert_int_equal(ask(&r, 0, 1, 100000), 100000);
	rig_look(&r);
	assert_int_equal(limiter_empty(r.l), 0);
}

// Counts go round at 32 bits, and a main lcore that was away owes nobody an hour.
TEST(test_wraps_and_pauses)
{
	struct rig r = rig_begin(100, 0, 2);
	struct limit_table *t = limiter_table(r.l, 2);
	for (unsigned i = 0; i < LIMIT_CELLS; i++)
		t->cell[i].count = UINT32_MAX - 20;
	r.limit.rate = 101; // all are checked again
	rig_look(&r);
	assert_int_equal(ask(&r, 2, 9, 1000), 202);
	r.now_ms += 3600 * 1000;
	rig_look(&r);
	assert_int_equal(ask(&r, 2, 9, 1000), 101);
}

// What is paid with bytes is owed, counts for the network too, and comes back with time.
TEST(test_replies_take_more)
{
	const uint8_t ip[4] = {0, 0, 0, 1};
	struct rig r = rig_begin(100, 0, 2);
	struct limit_table *t = limiter_table(r.l, 0);
	assert_int_equal(limit_reply_more(0, 512), 0);
	assert_int_equal(limit_reply_more(512, 512), 0);
	assert_int_equal(limit_reply_more(513, 512), 1);
	assert_int_equal(limit_reply_more(1232, 512), 2);
	assert_int_equal(limit_reply_more(65535, 1), 65534);
	limit_take_more(t, 4, ip, false, 150);
	assert_int_equal(ask(&r, 0, 1, 1000), 50);
	assert_int_equal(ask(&r, 0, 1 << 8, 1000), 200);
	rig_look(&r);
	limit_take_more(t, 4, ip, false, 49); // one of them is there
	for (unsigned ms = 0; ms < 480; ms += LOOK_MS) {
		rig_look(&r);
		assert_int_equal(ask(&r, 0, 1, 1), 0);
	}
	rig_look(&r);
	assert_int_equal(ask(&r, 0, 1, 9), 1);

	r = rig_begin(0, 100, 2);
	limit_take_more(limiter_table(r.l, 0), 4, ip, false, 150);
	assert_int_equal(ask(&r, 0, 2, 1000), 50); // another address of that network
}

// A table each, and of each cell the count at the last look.
TEST(test_bytes_of_a_worker)
{
	struct limiter *one, *two;
	assert_int_equal(limiter_new(1, &one), 0);
	assert_int_equal(limiter_new(2, &two), 0);
	assert_int_equal(limiter_bytes(two) - limiter_bytes(one),
		sizeof(struct limit_table) + LIMIT_CELLS * sizeof(uint32_t));
	limiter_free(one);
	limiter_free(two);
}

TEST(test_slip)
{
	struct rig r = rig_begin(1, 0, 1);
	struct limit_table *t = limiter_table(r.l, 0);
	unsigned slips = 0;
	for (unsigned i = 0; i < 12; i++) {
		assert_false(limit_slips(t, 0));
		slips += limit_slips(t, 3);
	}
	assert_int_equal(slips, 4);
	assert_true(limit_slips(t, 1));
}

// However many workers a flood reaches, one look is bounded, and each cell's turn comes.
TEST(test_look_is_bounded)
{
	enum { MANY = 32, TURNS = MANY / 4 };
	const struct policy_limit limit = {.rate = 10, .network_rate = 10, .burst_s = 1};
	struct limiter *l;
	assert_int_equal(limiter_new(MANY, &l), 0);
	limiter_look(l, &limit, 1000);
	struct limit_table *t = limiter_table(l, MANY - 1);
	for (uint32_t i = 0; i < LIMIT_CELLS; i++) { // twice 10, as both cells are one
		const uint32_t at = i * (uint32_t)sizeof(struct limit_cell);
		limit_bucket_add(t, (struct limit_bucket){at, at}, 10);
	}
	for (unsigned turn = 1; turn <= TURNS; turn++) {
		limiter_look(l, &limit, 1000 + 10 * turn);
		assert_int_equal(limiter_empty(l), LIMIT_CELLS / TURNS * turn);
	}
	for (unsigned turn = 1; turn <= TURNS; turn++)
		limiter_look(l, &limit, 10000 + turn); // time that passed since its last turn
	for (unsigned turn = 1; turn <= TURNS; turn++)
		limiter_look(l, &limit, 11000 + turn);
	assert_int_equal(limiter_empty(l), 0);
	limiter_free(l);
}

// Two cells of one line, one in each half; where the CPU finds them is where the C code does.
TEST(test_places)
{
	enum { CELL = sizeof(struct limit_cell) };
	struct rig r = rig_begin(1, 1, 1);
	const struct limit_table *t = limiter_table(r.l, 0);
	struct dns_rand rnd = {.state = 8};
	for (unsigned i = 0; i < 100000; i++) {
		const uint64_t word = limit_word_of(i % 2 ? 4 : 6, dns_rand_next(&rnd));
		const struct limit_places at = limit_places(t, word),
					  twin = limit_places_scalar(t, word);
		const struct limit_bucket *b[] = {&at.address, &at.network};
		assert_memory_equal(&at, &twin, sizeof(at));
		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(b[k]->first % CELL + b[k]->second % CELL, 0);
			assert_int_equal(b[k]->first / CACHE_LINE, b[k]->second / CACHE_LINE);
			assert_true(b[k]->first % CACHE_LINE < CACHE_LINE / 2);
			assert_true(b[k]->second % CACHE_LINE >= CACHE_LINE / 2);
		}
		assert_true(at.address.first < LIMIT_NETWORKS_FROM * CELL);
		assert_in_range(
			at.network.first, LIMIT_NETWORKS_FROM * CELL, LIMIT_CELLS * CELL - 1);
	}
}

// The word of a client by its address alone and from its packet.
TEST(test_word)
{
	uint8_t packet[40];
	uint64_t eight, far = 0;
	for (unsigned i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 11 + 1);
	memcpy(&eight, packet + LIMIT_BYTES, sizeof(eight));
	assert_int_equal(limit_word(4, packet + 12), limit_word_of(4, eight));
	assert_int_equal(limit_word(6, packet + 8), limit_word_of(6, eight));
	// Of IPv4 nothing but the address.
	memcpy((uint8_t *)&far + 4, packet + 12, 4);
	assert_int_equal(limit_word_of(4, far), limit_word_of(4, eight));
	assert_int_not_equal(limit_word_of(6, far), limit_word_of(6, eight));
}

static unsigned ask_proven(struct rig *r, const uint8_t ip[4], unsigned count)
{
	unsigned through = 0;
	for (unsigned i = 0; i < count; i++)
		through += limit_take_proven(limiter_table(r->l, 0), 4, ip);
	return through;
}

// Over its limits, a client that has proven its address has a bucket as large as a network's, which
// neither its address nor its network has part in.
TEST(test_proven_have_their_own)
{
	const uint8_t ip[4] = {0, 0, 0, 1}, other[4] = {0, 0, 0, 2};
	struct rig r = rig_begin(10, 50, 2);
	struct limit_table *t = limiter_table(r.l, 0);
	assert_int_equal(ask_proven(&r, ip, 1000), 100);
	limit_take_more(t, 4, ip, true, 20);
	assert_int_equal(ask(&r, 0, 1, 1000), 20);
	assert_int_equal(ask_proven(&r, other, 60), 60);
	assert_int_equal(ask(&r, 0, 2, 1000), 20);
	limit_take_more(t, 4, other, true, 39);
	assert_int_equal(ask_proven(&r, other, 1000), 1);
	// 20 are owed, then 50 a second come back.
	for (unsigned ms = 0; ms < 400; ms += LOOK_MS)
		rig_look(&r);
	assert_int_equal(ask_proven(&r, ip, 1000), 0);
	for (unsigned ms = 0; ms < 200; ms += LOOK_MS)
		rig_look(&r);
	assert_int_equal(ask_proven(&r, ip, 1000), 10);

	r = rig_begin(10, 0, 2);
	assert_int_equal(ask_proven(&r, ip, 100000), 100000);
}
