// SPDX-License-Identifier: BSD-3-Clause
#include "answer_policy_fixture.h"
#include "controlplane/answer_policy/answer_match.h"
#include "controlplane/answer_policy/answer_rank.h"
#include "tests/unit/core/dns/dns_rand.h"

// Lists 0, 1, ... of a test are 1, 2, ...: list 0 allows for everyone, and is in no finding.
static struct rule_set set(uint64_t lists)
{
	return (struct rule_set){{lists << 1, 0, 0, lists << 8}};
}

static void add(struct answer_match *f, uint64_t block, uint64_t unless)
{
	const struct rule_set b = set(block), u = set(unless);
	answer_match_add(f, &b, &u);
}

static bool blocks(const struct answer_match *f, uint64_t group)
{
	const struct rule_set g = set(group);
	struct rule_set by;
	const bool is = answer_match_lists(f, g.lists, &by);
	for (unsigned w = 0; w < 4; w++) // the group's own
		assert_int_equal(by.lists[w] & ~g.lists[w], 0);
	assert_int_equal(is, !answer_set_empty(&by));
	return is;
}

TEST(test_nothing)
{
	struct answer_match f = {0};
	struct rule_set mask;
	add(&f, 0, 1);
	add(&f, 0, 0);
	assert_int_equal(f.count, 0);
	assert_false(blocks(&f, ~UINT64_C(0)));
	assert_true(answer_match_mask(&f, &mask));
	assert_int_equal(mask.lists[0] | mask.lists[1] | mask.lists[2] | mask.lists[3], 0);
}

// A list of each 64, for a group that has it alone, and for one that has its neighbours.
TEST(test_each_word_counts)
{
	for (unsigned list = 0; list < 256; list += 21) {
		struct answer_match f = {0};
		struct rule_set block = {{0}}, none = {{0}}, others, by;
		block.lists[list / 64] = UINT64_C(1) << list % 64;
		for (unsigned w = 0; w < 4; w++)
			others.lists[w] = ~block.lists[w];
		answer_match_add(&f, &block, &none);
		assert_true(answer_match_lists(&f, block.lists, &by));
		assert_memory_equal(&by, &block, sizeof(by));
		assert_false(answer_match_lists(&f, others.lists, &(struct rule_set){{0}}));
		// And as what takes it away again.
		struct answer_match g = {0};
		answer_match_add(&g, &others, &block);
		assert_true(answer_match_lists(&g, others.lists, &(struct rule_set){{0}}));
		others.lists[list / 64] |= block.lists[list / 64];
		assert_false(answer_match_lists(&g, others.lists, &(struct rule_set){{0}}));
	}
}

// Lists 0 to 3 block, 4 and 5 allow.
TEST(test_one_clause_has_a_mask)
{
	struct answer_match f = {0}, back;
	struct rule_set mask;
	const struct rule_set allowing = set(0x30);
	add(&f, 1, 0x10);
	add(&f, 2, 0x10); // joined
	assert_true(answer_match_mask(&f, &mask));
	assert_int_equal(mask.lists[0], 0x26);
	answer_match_of_mask(&mask, allowing.lists, &back);
	for (uint64_t g = 0; g < 64; g++) {
		assert_int_equal(blocks(&f, g), (g & 3) && !(g & 0x10));
		assert_int_equal(blocks(&back, g), blocks(&f, g));
	}
}

// A mask keeps whether another type may be answered otherwise, and is no other one by that.
TEST(test_of_one_type)
{
	for (unsigned typed = 0; typed < 2; typed++) {
		struct answer_match f = {.typed = typed}, back;
		struct rule_set mask;
		const struct rule_set allowing = {{0x20 | 1 << RULE_LIST_ALLOW}}, group = {{0x23}};
		assert_true(answer_match_mask(&f, &mask));
		assert_int_equal(mask.lists[0], 0); // nothing is found
		add(&f, 1, 0);
		assert_true(answer_match_mask(&f, &mask));
		assert_int_equal(mask.lists[0] & RULE_MASK_TYPED, typed);
		assert_true(rule_mask_blocks(&mask, allowing.lists, group.lists));
		const struct rule_set by = rule_mask_lists(&mask, allowing.lists, group.lists);
		assert_int_equal(by.lists[0], 2);
		assert_true(rule_mask_has(&mask, 1) && !rule_mask_has(&mask, RULE_LIST_ALLOW));
		answer_match_of_mask(&mask, allowing.lists, &back);
		assert_int_equal(back.typed, typed);
		assert_int_equal(back.count, 1);
		assert_true(answer_match_has(&back, 1, group.lists));
		assert_false(answer_match_has(&back, 2, group.lists));
	}
}

TEST(test_unconditional_makes_others_idle)
{
	struct answer_match f = {0};
	struct rule_set mask;
	add(&f, 1, 0x10);
	add(&f, 3, 0); // 1 in any case
	assert_true(answer_match_mask(&f, &mask));
	assert_int_equal(mask.lists[0], 6);
	add(&f, 2, 0x20); // in it
	assert_true(answer_match_mask(&f, &mask));
	add(&f, 4, 0x20); // not in it
	assert_false(answer_match_mask(&f, &mask));
	assert_true(blocks(&f, 4));
	assert_false(blocks(&f, 0x24));
	assert_true(blocks(&f, 0x25));
}

// Any clauses: as they say as long as there is room, never less than they say.
TEST(test_model)
{
	struct dns_rand r = {.state = 11};
	for (unsigned round = 0; round < 5000; round++) {
		struct answer_match f = {0};
		uint64_t block[12], unless[12], seen[12];
		unsigned n = 1 + dns_rand_below(&r, 12), kinds = 0;
		for (unsigned i = 0; i < n; i++) {
			block[i] = dns_rand_next(&r) & dns_rand_next(&r) & 0xf;
			unless[i] = dns_rand_below(&r, 3) ? dns_rand_next(&r) & 0x70 : 0;
			unsigned k = 0;
			while (k < kinds && seen[k] != unless[i])
				k++;
			if (k == kinds)
				seen[kinds++] = unless[i];
			add(&f, block[i], unless[i]);
		}
		assert_true(f.count <= ANSWER_POLICY_CLAUSES_MAX);
		struct rule_set mask;
		struct answer_match back;
		const struct rule_set allowing = set(0x70);
		bool exact = answer_match_mask(&f, &mask);
		answer_match_of_mask(&mask, allowing.lists, &back);
		for (uint64_t g = 0; g < 0x80; g++) {
			bool want = false;
			for (unsigned i = 0; i < n; i++)
				want |= (block[i] & g) && !(unless[i] & g);
			if (kinds <= ANSWER_POLICY_CLAUSES_MAX)
				assert_int_equal(blocks(&f, g), want);
			else
				assert_true(!want || blocks(&f, g));
			if (exact)
				assert_int_equal(blocks(&back, g), blocks(&f, g));
		}
	}
}

TEST(test_overflow_blocks)
{
	struct answer_match f = {0};
	for (unsigned i = 0; i < 2 * ANSWER_POLICY_CLAUSES_MAX; i++)
		add(&f, UINT64_C(1) << i, UINT64_C(1) << (20 + i));
	assert_in_range(f.count, ANSWER_POLICY_CLAUSES_MAX - 1, ANSWER_POLICY_CLAUSES_MAX);
	for (unsigned i = 0; i < 2 * ANSWER_POLICY_CLAUSES_MAX; i++)
		assert_true(blocks(&f, UINT64_C(1) << i));
	assert_false(blocks(&f, 1 | 1 << 20)); // the first ones keep their conditions
}

// An allow rule that is for one client goes with the block rules of its source for that client; one
// for all clients with each.
TEST(test_guards_of_clients)
{
	static const char *const clients[] = {"", "desk", "phone"};
	static const enum rule_class classes[] = {RULE_CLASS_BLOCK, RULE_CLASS_ALLOW};
	static struct answer_rank rank;
	struct answer_policy_fixture f;
	struct dns_name name = fixture_name("tracker.example");
	unsigned guarded = 0;
	fixture_begin(&f);
	for (unsigned source = 0; source < 2; source++) {
		fixture_source(&f, source ? "ads" : "malware");
		for (unsigned i = 0; i < ARRAY_LEN(clients) * ARRAY_LEN(classes); i++) {
			struct list_rule rule = rule_of_name(classes[i % 2], &name);
			strcpy(rule.kind.client, clients[i / 2]);
			assert_int_equal(rule_builder_rule(f.builder, &rule), 0);
		}
	}
	fixture_check(&f);
	answer_rank_init(&rank, &f.image);
	for (unsigned b = 0; b < RULE_LISTS_MAX; b++) {
		const struct rule_list_info *block = rule_list_info(&f.image, b);
		for (unsigned a = 0; block && a < RULE_LISTS_MAX; a++) {
			const struct rule_list_info *allow = rule_list_info(&f.image, a);
			if (!allow || allow->kind.rule_class != RULE_CLASS_ALLOW
				|| block->kind.rule_class != RULE_CLASS_BLOCK)
				continue;
			const bool is =
				allow->source == block->source
				&& (!allow->kind.client[0]
					|| strcmp(allow->kind.client, block->kind.client) == 0);
			assert_int_equal(rank.guard[b].lists[a / 64] >> a % 64 & 1, is);
			guarded += is;
		}
	}
	assert_int_equal(guarded, 2 * (1 + 2 + 2)); // for all: one; for a client: two
	fixture_close(&f);
}
