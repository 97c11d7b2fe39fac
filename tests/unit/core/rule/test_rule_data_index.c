// SPDX-License-Identifier: BSD-3-Clause

// From a fingerprint to an answer, through an index that nobody checked: each number at its bound
// and one behind it, in a reader made by hand.
#include "tests/unit/unit.h"

#include <weir/rule_data.h>

enum {
	LIST = 7,
	SLOTS = 4,
	ENTRIES = 3 * RULE_DATA_SCAN_MAX,
	ANSWERS = RULE_DATA_TYPES_MAX + 2,
};
#define FINGERPRINT (UINT64_C(2) << 62) // of the third slot

static uint32_t slot[SLOTS + 1];
static struct rule_data_entry entry[ENTRIES];
static struct rule_data_answer answer[ANSWERS];
static uint8_t bytes[16];
static struct rule_reader r;

// Every answer is good; the type tells them apart.
static int setup(void **)
{
	memset(slot, 0, sizeof(slot));
	memset(entry, 0, sizeof(entry));
	for (unsigned i = 0; i < ANSWERS; i++)
		answer[i] = (struct rule_data_answer){.type = (uint16_t)(100 + i),
			.records = 1,
			.len = sizeof(bytes),
			.ttl_step = sizeof(bytes)};
	r = (struct rule_reader){.index = slot,
		.index_slots = SLOTS,
		.data = entry,
		.data_count = ENTRIES,
		.answers = answer,
		.answer_count = ANSWERS,
		.bytes = bytes,
		.byte_count = sizeof(bytes)};
	return 0;
}

static bool find(uint16_t type)
{
	struct dns_answer_view view;
	bool found = rule_data_find(&r, FINGERPRINT, LIST, type, &view);
	assert_true(view.bytes == bytes);
	return found;
}

// The name's entry stands there, with the first answer; its slot spans from..to.
static bool find_at(uint32_t at, uint32_t from, uint32_t to)
{
	slot[2] = from;
	slot[3] = to;
	entry[at] = (struct rule_data_entry){.fingerprint = FINGERPRINT, .list = LIST, .types = 1};
	bool found = find(100);
	entry[at] = (struct rule_data_entry){0};
	return found;
}

TEST_WITH(test_slot, setup, NULL)
{
	assert_true(find_at(10, 10, 11));
	assert_false(find_at(11, 10, 11));
	assert_false(find_at(9, 10, 11));
	assert_false(find_at(10, 10, 10));
	assert_false(find_at(10, 11, 10));
	// A high slot of few entries ends where it says.
	assert_true(find_at(ENTRIES - 20, ENTRIES - 21, ENTRIES - 19));
	assert_false(find_at(ENTRIES - 19, ENTRIES - 21, ENTRIES - 19));
}

TEST_WITH(test_end_of_the_entries, setup, NULL)
{
	r.data_count = 50;
	assert_true(find_at(49, 40, 51));
	assert_false(find_at(50, 40, 51));
	assert_false(find_at(50, 50, UINT32_MAX));
	assert_false(find_at(50, UINT32_MAX, UINT32_MAX));
	r.index_slots = 0;
	assert_false(find_at(40, 40, 50));
}

TEST_WITH(test_most_entries_of_a_slot, setup, NULL)
{
	static const uint32_t from[] = {0, 1, RULE_DATA_SCAN_MAX, 2 * RULE_DATA_SCAN_MAX - 1};
	for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
		uint32_t last = from[i] + RULE_DATA_SCAN_MAX - 1;
		assert_true(find_at(last, from[i], last + 1));
		assert_true(find_at(last, from[i], last + 2));
		assert_false(find_at(last + 1, from[i], last + 2));
	}
}

TEST_WITH(test_other_names_and_lists, setup, NULL)
{
	slot[3] = 3;
	entry[0] =
		(struct rule_data_entry){.fingerprint = FINGERPRINT + 1, .list = LIST, .types = 1};
	entry[1] =
		(struct rule_data_entry){.fingerprint = FINGERPRINT, .list = LIST + 1, .types = 1};
	assert_false(find(100));
	entry[2] = (struct rule_data_entry){
		.fingerprint = FINGERPRINT, .list = LIST, .first = 1, .types = 1};
	assert_false(find(100));
	assert_true(find(101));
}

static bool find_type(uint32_t first, uint16_t types, uint16_t type)
{
	slot[3] = 1;
	entry[0] = (struct rule_data_entry){
		.fingerprint = FINGERPRINT, .list = LIST, .first = first, .types = types};
	return find(type);
}

TEST_WITH(test_types, setup, NULL)
{
	assert_true(find_type(1, 2, 102));
	assert_false(find_type(1, 2, 103));
	assert_false(find_type(1, 2, 100));
	assert_false(find_type(1, 0, 101));
	assert_true(find_type(1, 2, DNS_TYPE_ANY));
	// As many as a name may have.
	assert_true(find_type(0, RULE_DATA_TYPES_MAX, 100 + RULE_DATA_TYPES_MAX - 1));
	assert_false(find_type(0, RULE_DATA_TYPES_MAX + 1, 100));
	// Up to the last answer.
	assert_true(find_type(ANSWERS - 2, 2, 100 + ANSWERS - 1));
	assert_false(find_type(ANSWERS - 2, 3, 100 + ANSWERS - 2));
	assert_false(find_type(ANSWERS, 0, 100));
	assert_false(find_type(ANSWERS, 1, 100));
	assert_false(find_type(ANSWERS + 1, 1, 100));
	assert_false(find_type(UINT32_MAX, 1, 100));
}

TEST_WITH(test_alias, setup, NULL)
{
	answer[1].type = DNS_TYPE_CNAME;
	assert_true(find_type(0, 3, 999));
	assert_false(find_type(2, 3, 999));
	answer[1].records = 0; // damaged: it is the one that is taken
	assert_false(find_type(0, 3, 999));
	assert_true(find_type(0, 3, 102));
}
