// SPDX-License-Identifier: BSD-3-Clause

// What the packet path does in vectors against its twins: the bloom test of two hashes against that
// in words, with filters that lack no bit or one; the plain decision in line against the general
// one, over images of plain lists with some that are not. Built for SSE4.1 on x86-64, as the data
// plane is; the same in words: test_rule_model, fuzz_rule_image.

#include "rule_fast_twin.h"
#include "tests/unit/cp/rule_image/listgen.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

#if defined(__x86_64__) && !defined(__SSE4_1__)
#error "tests nothing without"
#endif

enum { BLOCKS = 8, PAIRS = 200000, IMAGES = 200, NAMES = 300, ASKED = 200, SOURCES = 6 };

static void put_bits(struct rule_bloom_block *blocks, uint64_t hash, struct listgen *g)
{
	struct rule_bloom_block *block = &blocks[rule_slot_of(hash, BLOCKS)];
	uint64_t what = listgen_next(g);
	for (unsigned w = 0; w < 2; w++)
		block->word[w] |= rule_bloom_bits(hash, w);
	if (what % 2)
		return;
	unsigned bit = (unsigned)(what >> 8) % 6;
	block->word[bit / 3] &= ~(UINT64_C(1) << (hash >> 6 * bit & 63));
}

TEST(test_bloom_of_two)
{
	struct rule_bloom_block blocks[BLOCKS];
	const struct rule_reader r = {.bloom = blocks, .bloom_blocks = BLOCKS};
	struct listgen g = {.state = 31};
	unsigned came[4] = {0};
	for (unsigned i = 0; i < PAIRS; i++) {
		uint64_t hash[2];
		for (unsigned k = 0; k < 2; k++)
			hash[k] = listgen_next(&g) << 32 ^ listgen_next(&g);
		for (unsigned k = 0; k < BLOCKS; k++)
			for (unsigned w = 0; w < 2; w++)
				blocks[k].word[w] = listgen_next(&g) & listgen_next(&g);
		put_bits(blocks, hash[0], &g);
		put_bits(blocks, hash[1], &g);
		unsigned holds = rule_bloom_holds_two(&r, hash);
		assert_int_equal(holds, rule_bloom_holds_words(&r, hash));
		came[holds]++;
	}
	for (unsigned i = 0; i < ARRAY_LEN(came); i++)
		assert_true(came[i] > PAIRS / 20);
}

static struct dns_name random_name(struct listgen *g)
{
	char text[64];
	unsigned n = (unsigned)(listgen_next(g) % 400);
	sprintf(text, listgen_next(g) % 3 ? "n%u.test" : "a.n%u.test", n);
	return fixture_name(text);
}

// The last two sources hold rules that are not plain, few of them.
static void make_image(struct listgen *g, struct rule_arena *arena, struct rule_reader *r)
{
	struct rule_builder *b = fixture_builder();
	char why[128];
	for (unsigned source = 0; source < SOURCES; source++) {
		assert_int_equal(rule_builder_source(b, source < 2 ? "operator" : "list"), 0);
		unsigned names = source < 2 || source >= SOURCES - 2 ? 5 : NAMES / 3;
		for (unsigned i = 0; i < names; i++) {
			struct dns_name name = random_name(g);
			struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
			if (source == 0)
				rule.kind.rule_class = RULE_CLASS_OPERATOR_ALLOW;
			else if (source == SOURCES - 1)
				rule.kind.rule_class =
					(uint8_t)(listgen_next(g) % RULE_CLASS_LOCAL);
			else if (source == SOURCES - 2)
				rule.kind.reply = RULE_REPLY_REFUSED;
			assert_int_equal(rule_builder_rule(b, &rule), 0);
		}
	}
	fixture_finish(b, arena);
	assert_int_equal(rule_reader_init(r, arena->base, arena->size, true, why), 0);
}

struct tally {
	unsigned blocked, behind, left, passed;
};

static void ask(const struct rule_reader *r, struct listgen *g, struct tally *t)
{
	const struct dns_name name = random_name(g);
	const uint64_t lists[4] = {listgen_next(g) | listgen_next(g), 0, 0, listgen_next(g)};
	struct rule_probe p;
	rule_fast_probe(r, &name, &p);
	struct rule_decision d = rule_probe_decide(r, &p, &name, DNS_TYPE_A, lists);
	struct rule_fast_said said = rule_fast_ask(r, &p, lists);
	assert_true(rule_fast_is_right(&said, &d));
	t->blocked += said.blocks;
	t->behind += said.blocks && said.is_behind;
	t->left += !said.blocks && d.matched;
	t->passed += !d.matched;
}

// Most of what is blocked is plain, and of that some lies behind.
TEST(test_decisions)
{
	struct listgen g = {.state = 77};
	struct tally t = {0};
	for (unsigned i = 0; i < IMAGES; i++) {
		struct rule_arena arena;
		struct rule_reader r;
		make_image(&g, &arena, &r);
		for (unsigned k = 0; k < ASKED; k++)
			ask(&r, &g, &t);
		rule_arena_free(&arena);
	}
	print_message("%u blocked, %u of them behind, %u left, %u passed\n", t.blocked, t.behind,
		t.left, t.passed);
	assert_true(t.blocked > 4 * t.left && t.left > 100);
	assert_true(t.behind > 100 && t.passed > 100);
}

// Lists of each word, plain or not, whatever lies around the masks of the image.
TEST(test_each_list_is_plain_or_not)
{
	for (unsigned list = 0; list < RULE_LISTS_MAX; list++) {
		for (unsigned around = 0; around < 4; around++) {
			const uint64_t bit = UINT64_C(1) << list % 64;
			const bool is_plain = around % 2;
			struct rule_reader r;
			struct rule_set set = {{0}};
			memset(&r, around < 2 ? 0 : 0xff, sizeof(r));
			memset(r.plain, is_plain ? 0 : 0xff, sizeof(r.plain));
			r.plain[list / 64] ^= bit;
			set.lists[list / 64] = bit;
			assert_int_equal(rule_fast_blocks(&r, &set, set.lists), is_plain);
			assert_false(rule_fast_blocks(&r, &set, (const uint64_t[4]){0}));
		}
	}
}

static void add_block(struct rule_builder *b, const char *text, const char *glob)
{
	const struct dns_name name = fixture_name(text);
	struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
	rule.kind.globs = glob != NULL;
	rule.kind.covers = glob ? RULE_COVERS_BELOW : RULE_COVERS_ALL;
	rule.glob = glob;
	rule.glob_len = glob ? strlen(glob) : 0;
	assert_int_equal(rule_builder_rule(b, &rule), 0);
}

// A name that two bytes tell from all globs goes on as one that is not listed, unless another list
// has the name of the globs, or one of these may fit any name.
TEST(test_names_that_no_glob_can_fit)
{
	static const struct {
		const char *name;
		bool goes_on, is_blocked;
	} row[] = {
		{"www.stars.example", false, false},
		{"stars.example", false, false},
		{"adsl.stars.example", true, false},
		{"ads-1.stars.example", true, true},
		{"www.ads-1.stars.example", true, true},
		{"ads-1.www.stars.example", true, true},
		{"my-ok.stars.example", true, true},
		{"my-ok.x.stars.example", false, false},
		{"www.both.example", true, true},
		{"www.open.example", true, false},
		{"xay.open.example", true, true},
		{"both.example", true, true},
		{"open.example", true, false},
	};
	struct rule_builder *b = fixture_builder();
	struct rule_arena arena;
	struct rule_reader r;
	char why[128];
	assert_int_equal(rule_builder_source(b, "one"), 0);
	add_block(b, "stars.example", "*.ads-*");
	add_block(b, "stars.example", ".*-ok");
	add_block(b, "both.example", "*.ads-*");
	add_block(b, "both.example", NULL);
	add_block(b, "open.example", ".*a*");
	fixture_finish(b, &arena);
	assert_int_equal(rule_reader_init(&r, arena.base, arena.size, true, why), 0);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
		const struct dns_name name = fixture_name(row[i].name);
		struct rule_probe p;
		rule_fast_probe(&r, &name, &p);
		if ((p.candidates != 0) != row[i].goes_on)
			fail_msg("%s goes on, or not", row[i].name);
		const struct rule_decision d = rule_probe_decide(&r, &p, &name, DNS_TYPE_A, all);
		assert_int_equal(d.action, row[i].is_blocked ? RULE_BLOCK : RULE_PASS);
	}
	rule_arena_free(&arena);
}
