// SPDX-License-Identifier: BSD-3-Clause

// What a waiter's reply is made of: addresses that take turns, and how long after its question a
// client is answered at all. Time stands still while anything works.
#include "resolver_rig.h"

enum { ADDRESSES = 5, LATE_MS = 1900, FIRST_ADDRESS = 0xc0000201 };

static int setup_rotating(void **state)
{
	rig_setup(state);
	rig_box_stop();
	rig.config.cache.rotate = true;
	fake[0].addresses = fake[1].addresses = ADDRESSES;
	rig_box_start();
	return 0;
}

static int setup_many(void **state)
{
	rig_setup(state);
	fake[0].addresses = fake[1].addresses = ADDRESSES;
	return 0;
}

// The last byte of each address of `got`, in their order. Every record has a pointer as its owner.
static void addresses_got(uint8_t last[ADDRESSES])
{
	const uint8_t *p = got.dns + DNS_HEADER_LEN;
	assert_int_equal(get_u16(got.dns + 6), ADDRESSES);
	while (*p)
		p += *p + 1;
	p += 5;
	for (unsigned i = 0; i < ADDRESSES; i++, p += 16) {
		assert_int_equal(get_u16(p), 0xc00c);
		assert_int_equal(get_u16(p + 2), DNS_TYPE_A);
		assert_int_equal(get_u16(p + 10), 4);
		last[i] = p[15];
	}
}

static unsigned first_got(const char *name, uint16_t id, enum answer_kind kind)
{
	uint8_t last[ADDRESSES];
	resolves(name, id, kind);
	addresses_got(last);
	const unsigned first = (unsigned)(last[0] - FIRST_ADDRESS) & 0xff;
	assert_true(first < ADDRESSES);
	for (unsigned i = 0; i < ADDRESSES; i++)
		assert_int_equal(last[i], (FIRST_ADDRESS + (first + i) % ADDRESSES) & 0xff);
	return first;
}

// Each address comes first, for misses too; the others follow in their order.
TEST_WITH(test_addresses_take_turns, setup_rotating, rig_teardown)
{
	unsigned seen = 1u << first_got("many.example", 1, ANSWER_UPSTREAM);
	for (uint16_t i = 2; i <= 3 * ADDRESSES; i++)
		seen |= 1u << first_got("many.example", i, ANSWER_CACHED);
	assert_int_equal(seen, (1u << ADDRESSES) - 1);
	// A longer question does not move the place where records begin.
	seen = 0;
	for (uint16_t i = 1; i <= 3 * ADDRESSES; i++)
		seen |= 1u << first_got(text_from("%u.much.longer.name.of.many.example", i),
				(uint16_t)(100 + i), ANSWER_UPSTREAM);
	assert_int_equal(seen, (1u << ADDRESSES) - 1);
}

TEST_WITH(test_addresses_stay_as_they_are, setup_many, rig_teardown)
{
	assert_int_equal(first_got("many.example", 1, ANSWER_UPSTREAM), 0);
	for (uint16_t i = 2; i < 5; i++)
		assert_int_equal(first_got("many.example", i, ANSWER_CACHED), 0);
}

static void ask_aged(const char *name, uint16_t id, uint64_t age_ms)
{
	rig_ask((struct fake_miss){.name = name, .id = id, .has_opt = true, .age_ms = age_ms});
}

// A question that has waited for a worker: answered until its client has given up.
TEST_WITH(test_a_late_question, rig_setup, rig_teardown)
{
	resolves("www.example", 1, ANSWER_UPSTREAM);
	uint64_t late = status().late;
	ask_aged("www.example", 2, LATE_MS - 10);
	expect_answer(2, 0, ANSWER_CACHED);
	assert_int_equal(status().late, late);
	ask_aged("www.example", 3, LATE_MS);
	WAIT_FOR(status().late != late);
	assert_int_equal(status().late, late + 1);
	ask_aged("www.example", 4, 0);
	expect_answer(4, 0, ANSWER_CACHED); // and nothing for the one before
}

// More than the 1,232 bytes that a client takes; the id of a reply is no flag of it.
TEST_WITH(test_truncated_replies_are_counted, rig_setup, rig_teardown)
{
	enum { MANY = 80, LIKE_TC = DNS_FLAG_TC };
	struct fake_miss m = {.name = "many.example", .type = DNS_TYPE_A};
	fake[0].addresses = fake[1].addresses = 1;
	resolves("few.example", LIKE_TC, ANSWER_UPSTREAM);
	assert_int_equal(status().answers_truncated, 0);
	fake[0].addresses = fake[1].addresses = MANY;
	for (m.id = 1; m.id <= 2; m.id++) {
		FAKE_DATAPLANE_SEND(&dp, &m);
		expect_answer(m.id, 0, m.id == 1 ? ANSWER_UPSTREAM : ANSWER_CACHED);
		assert_true(get_u16(got.dns + 2) & DNS_FLAG_TC);
		assert_int_equal(status().answers_truncated, m.id);
	}
}

TEST_GROUP(rig_sends_once, NULL)
