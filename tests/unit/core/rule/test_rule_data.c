// SPDX-License-Identifier: BSD-3-Clause

// Records, patterns and prefixes of an image: what was put in comes out, as answers that fit any
// question, and nothing of it is trusted.

#include "controlplane/rule_image/rule_build.h"
#include "rule_data_rig.h"

TEST(test_answers)
{
	static const struct record records[] = {
		{"host.lan", DNS_TYPE_A, 300, "1111", 0},
		{"host.lan", DNS_TYPE_A, 300, "2222", 0},
		{"host.lan", DNS_TYPE_A, 60, "2222", 0}, // the same again
		{"host.lan", DNS_TYPE_TXT, 5, "long text", 0},
		{"host.lan", DNS_TYPE_TXT, 5, "short", 0},
		{"other.lan", DNS_TYPE_AAAA, 9, "6666666666666666", 0},
		{"empty.lan", 0, 0, "", 0},
		{"apps.lan", DNS_TYPE_A, 1, "3333", RULE_COVERS_BELOW},
	};
	struct rule_arena *a = fixture_arena();
	struct rule_reader r = make(records, ARRAY_LEN(records), a);
	EXPECT("host.lan", DNS_TYPE_A, "@ 1 300 1111, @ 1 300 2222");
	EXPECT("host.lan", DNS_TYPE_TXT, "@ 16 5 long text, @ 16 5 short");
	EXPECT("host.lan", DNS_TYPE_AAAA, "none");
	EXPECT("host.lan", DNS_TYPE_ANY, "@ 1 300 1111, @ 1 300 2222");
	EXPECT("other.lan", DNS_TYPE_AAAA, "@ 28 9 6666666666666666");
	EXPECT("other.lan", DNS_TYPE_A, "none");
	EXPECT("empty.lan", DNS_TYPE_A, "none");
	EXPECT("x.apps.lan", DNS_TYPE_A, "@ 1 1 3333");
	EXPECT("x.y.apps.lan", DNS_TYPE_A, "@ 1 1 3333");
	struct dns_answer_view view;
	assert_true(ask(&r, "host.lan", DNS_TYPE_A, &view));
	assert_int_equal(view.ttl_step, 16);
}

// RFC 2181 5.2: of the set, the least; of others, each its own.
TEST(test_one_ttl_for_a_set)
{
	static const struct record records[] = {
		{.owner = "a.lan", .type = DNS_TYPE_A, .ttl_s = 70, .value = "1111"},
		{.owner = "a.lan", .type = DNS_TYPE_A, .ttl_s = 60, .value = "2222"},
		{.owner = "a.lan", .type = DNS_TYPE_TXT, .ttl_s = 90, .value = "\1x"},
		{.owner = "a.lan", .type = DNS_TYPE_A, .ttl_s = 80, .value = "3333"},
		{.owner = "b.lan", .type = DNS_TYPE_A, .ttl_s = 10, .value = "4444"},
	};
	struct rule_arena *arena = fixture_arena();
	struct rule_reader r = make(records, ARRAY_LEN(records), arena);
	assert_string_equal(
		answer(&r, "a.lan", DNS_TYPE_A), "@ 1 60 1111, @ 1 60 2222, @ 1 60 3333");
	assert_string_equal(answer(&r, "a.lan", DNS_TYPE_TXT), "@ 16 90 \1x");
	assert_string_equal(answer(&r, "b.lan", DNS_TYPE_A), "@ 1 10 4444");
}

// What is too much for an answer is left out and counted.
TEST(test_limits)
{
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	struct rule_reader r;
	struct dns_answer_view view;
	char why[128], value[20], *text = malloc(30001);
	for (unsigned i = 0; i <= RULE_LIST_FIRST; i++)
		assert_int_equal(rule_builder_source(b, "x"), 0);
	for (unsigned i = 0; i < RULE_DATA_RECORDS_MAX + 36; i++) {
		snprintf(value, sizeof(value), "%04u", i);
		add(b, &(struct record){"many.lan", DNS_TYPE_A, 1, value, 0});
	}
	for (unsigned i = 0; i < 100; i++)
		add(b, &(struct record){"types.lan", (uint16_t)(300 + i), 1, "x", 0});
	memset(text, 'a', 30000);
	for (unsigned i = 0; i < 3; i++) {
		text[i * 5000 + 5000] = 0;
		add(b, &(struct record){"long.lan", DNS_TYPE_TXT, 1, text, 0});
		text[i * 5000 + 5000] = 'a';
	}
	text[30000] = 0;
	add(b, &(struct record){"long.lan", DNS_TYPE_TXT, 1, text, 0});
	struct dns_name owner = fixture_name("over.lan"), target;
	struct list_rule over =
		rule_of(&(struct record){"over.lan", DNS_TYPE_TXT, 1, text, 0}, &owner, &target);
	over.rdata_len = RULE_DATA_LEN_MAX - 11;
	assert_int_equal(rule_builder_rule(b, &over), -EINVAL);
	fixture_finish(b, a);
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	assert_true(ask(&r, "many.lan", DNS_TYPE_A, &view));
	assert_int_equal(view.ancount, RULE_DATA_RECORDS_MAX);
	assert_true(ask(&r, "types.lan", 300 + RULE_DATA_TYPES_MAX - 1, &view));
	assert_false(ask(&r, "types.lan", 300 + RULE_DATA_TYPES_MAX, &view));
	assert_true(ask(&r, "long.lan", DNS_TYPE_TXT, &view));
	assert_int_equal(view.ancount, 3);
	assert_int_equal(((struct rule_image_head *)a->base)->data_dropped, 36 + 36 + 1);
	free(text);
}

// Thousands of names in two lists, against what was handed.
TEST(test_many)
{
	enum { NAMES = 5000 };
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	struct rule_reader r;
	char why[128], owner[32], value[20], expected[64];
	for (unsigned i = 0; i < RULE_LIST_FIRST; i++)
		assert_int_equal(rule_builder_source(b, "x"), 0);
	for (unsigned list = 0; list < 2; list++) {
		assert_int_equal(rule_builder_source(b, list ? "second" : "first"), 0);
		for (unsigned i = list; i < NAMES; i += list + 1) {
			snprintf(owner, sizeof(owner), "n%u.lan", i);
			snprintf(value, sizeof(value), "%04u", i * 2 + list);
			add(b, &(struct record){owner, DNS_TYPE_A, list, value, 0});
		}
	}
	fixture_finish(b, a);
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	for (unsigned i = 0; i < NAMES; i++) {
		struct dns_answer_view view;
		snprintf(owner, sizeof(owner), "n%u.lan", i);
		snprintf(expected, sizeof(expected), "@ 1 0 %04u", i * 2);
		EXPECT(owner, DNS_TYPE_A, expected); // the lower list decides
		struct dns_name name = fixture_name(owner);
		uint64_t hash =
			rule_name_hash(&(struct keyhash_secret[]){fixture_secret()}[0], &name);
		assert_int_equal(rule_data_find(&r, hash, 3, DNS_TYPE_A, &view), i % 2);
		assert_false(rule_data_find(&r, hash, 4, DNS_TYPE_A, &view));
		assert_false(rule_data_find(&r, hash ^ 1, 2, DNS_TYPE_A, &view));
	}
}

static int add_pattern(
	struct rule_builder *b, enum rule_class rule_class, const char *text, size_t len)
{
	struct list_rule rule = rule_of_name(rule_class, NULL);
	rule.what = LIST_RULE_PATTERN;
	rule.pattern = text;
	rule.pattern_len = len;
	return rule_builder_rule(b, &rule);
}

static int add_prefix(struct rule_builder *b, enum rule_class rule_class, const char *text)
{
	struct list_rule rule = rule_of_name(rule_class, NULL);
	rule.what = LIST_RULE_ADDRESS;
	rule.prefix = address_of_text(text);
	return rule_builder_rule(b, &rule);
}

// A list of more patterns than there is room for costs the rest of its patterns, not the image.
TEST(test_too_many_patterns)
{
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	char text[16];
	for (unsigned i = 0; i <= RULE_LIST_FIRST; i++)
		assert_int_equal(rule_builder_source(b, "x"), 0);
	for (unsigned i = 0; i < RULE_PATTERNS_MAX; i++) {
		int len = snprintf(text, sizeof(text), "%u", i);
		if (add_pattern(b, RULE_CLASS_BLOCK, text, (size_t)len))
			fail_msg("pattern %u is refused", i);
	}
	assert_int_equal(add_pattern(b, RULE_CLASS_BLOCK, "one", 3), -ENOSPC);
	fixture_finish(b, a);
	assert_int_equal(((struct rule_image_head *)a->base)->patterns, RULE_PATTERNS_MAX);
}

TEST(test_patterns_and_prefixes)
{
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	struct rule_reader r;
	struct rule_pattern p;
	struct rule_prefix_row row;
	char why[128], text[LIST_PATTERN_MAX + 1];
	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i <= RULE_LIST_FIRST; i++)
		assert_int_equal(rule_builder_source(b, "x"), 0);
	assert_int_equal(add_prefix(b, RULE_CLASS_ALLOW, "fd00::/8"), 0);
	assert_int_equal(add_pattern(b, RULE_CLASS_BLOCK, "^ads[0-9]+", 10), 0);
	assert_int_equal(add_pattern(b, RULE_CLASS_ALLOW, "fine", 4), 0);
	assert_int_equal(add_pattern(b, RULE_CLASS_BLOCK, text, LIST_PATTERN_MAX), 0);
	assert_int_equal(add_pattern(b, RULE_CLASS_BLOCK, "^ads[0-9]+", 10), 0);
	assert_int_equal(add_pattern(b, RULE_CLASS_BLOCK, text, LIST_PATTERN_MAX + 1), -EINVAL);
	assert_int_equal(add_pattern(b, RULE_CLASS_BLOCK, "", 0), -EINVAL);
	assert_int_equal(add_pattern(b, RULE_CLASS_BLOCK, "a\0b", 3), -EINVAL);
	struct list_rule inverted = rule_of_name(RULE_CLASS_BLOCK, NULL);
	inverted.what = LIST_RULE_PATTERN;
	inverted.pattern = "^ads[0-9]+";
	inverted.pattern_len = 10;
	inverted.inverts = true;
	assert_int_equal(rule_builder_rule(b, &inverted), 0);
	assert_int_equal(rule_builder_rule(b, &inverted), 0);
	assert_int_equal(add_prefix(b, RULE_CLASS_BLOCK, "198.18.7.0/24"), 0);
	assert_int_equal(add_prefix(b, RULE_CLASS_BLOCK, "198.18.7.0/24"), 0);
	fixture_finish(b, a);
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	assert_int_equal(((struct rule_image_head *)a->base)->names, 0);
	assert_int_equal(r.pattern_count, 4);
	assert_true(rule_pattern_at(&r, 0, &p) && p.len == 4 && memcmp(p.text, "fine", 4) == 0);
	assert_int_equal(rule_list_info(&r, p.list)->kind.rule_class, RULE_CLASS_ALLOW);
	assert_true(rule_pattern_at(&r, 1, &p) && p.len == 10 && !p.inverts);
	assert_int_equal(rule_list_info(&r, p.list)->kind.rule_class, RULE_CLASS_BLOCK);
	assert_true(rule_pattern_at(&r, 2, &p) && p.len == LIST_PATTERN_MAX);
	const unsigned list = p.list;
	assert_true(rule_pattern_at(&r, 3, &p) && p.len == 10 && p.inverts && p.list == list);
	assert_false(rule_pattern_at(&r, 4, &p));
	struct rule_pattern_row *last = (struct rule_pattern_row *)(uintptr_t)&r.patterns[2];
	last->off = r.text_count - LIST_PATTERN_MAX;
	assert_true(rule_pattern_at(&r, 2, &p));
	last->off++; // its last byte is behind the texts
	assert_false(rule_pattern_at(&r, 2, &p));
	assert_int_equal(r.prefix_count, 2);
	assert_true(rule_prefix_at(&r, 0, &row));
	assert_int_equal(row.version, 6);
	assert_int_equal(row.length, 8);
	assert_true(rule_prefix_at(&r, 1, &row));
	assert_int_equal(row.version, 4);
	assert_int_equal(row.bytes[2], 7);
	assert_false(rule_prefix_at(&r, 2, &row));
}

static unsigned sum_of(const struct dns_answer_view *a)
{
	unsigned sum = 0;
	for (uint32_t i = 0; i < a->len; i++)
		sum += a->bytes[i];
	for (uint32_t i = 0; i < a->ttl_count; i++)
		sum += dns_answer_ttl_at(a, i);
	return sum;
}

// Damaged after it was checked: whatever is answered lies inside (the sanitizer build sees it).
// Each number of an answer, at its bound and one behind it.
TEST(test_bounds)
{
	static const struct record records[] = {{"host.lan", DNS_TYPE_A, 300, "1111", 0}};
	struct rule_arena *a = fixture_arena();
	struct rule_reader r = make(records, 1, a);
	assert_int_equal(r.answer_count, 1);
	struct rule_data_answer *in =
		(void *)((uint8_t *)a->base
			 + ((const uint8_t *)r.answers - (const uint8_t *)a->base));
	const struct rule_data_answer was = *in;
	const uint32_t all = r.byte_count, step = was.len;
	const uint16_t most = RULE_DATA_RECORDS_MAX + RULE_DATA_CHAIN_MAX;
	assert_int_equal(was.len, 16);
	const struct {
		uint32_t off, len, step, ttl_off;
		uint16_t records;
		bool good;
	} cases[] = {
		{was.off, 16, step, 0, 1, true},
		{all - 16, 16, step, 0, 1, true},
		{all - 15, 16, step, 0, 1, false},
		{all, 16, step, 0, 1, false},
		{all + 1, 0, step, 0, 1, false},
		{was.off, DNS_TTL_FIRST + 4, step, 0, 1, true},
		{was.off, DNS_TTL_FIRST + 3, step, 0, 1, false},
		{0, DNS_TTL_FIRST + 4 + 2, 2, 0, 2, true},
		{0, DNS_TTL_FIRST + 4 + 1, 2, 0, 2, false},
		{was.off, 16, step, 0, 0, false},
		{was.off, 16, RULE_DATA_LEN_MAX + 1, 0, 1, false},
		{was.off, 16, 0, all - all % 2 - 2, 1, true},
		{was.off, 16, 0, all - all % 2 - 2, 2, false},
		{was.off, 16, 0, 1, 1, false},
		{was.off, 16, 0, all - all % 2 + 2, 1, false},
		{was.off, 16, 0, 0, (uint16_t)(most + 1), false},
	};
	struct dns_name name = fixture_name("host.lan");
	struct keyhash_secret secret = fixture_secret();
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_answer_view view;
		*in = was;
		in->off = cases[i].off;
		in->len = cases[i].len;
		in->ttl_step = cases[i].step;
		in->ttl_off = cases[i].ttl_off;
		in->records = cases[i].records;
		bool found =
			rule_data_find(&r, rule_name_hash(&secret, &name), 2, DNS_TYPE_A, &view);
		if (found != cases[i].good)
			fail_msg("case %u is %d", i, found);
	}
	for (unsigned authority = 0; authority < 3; authority++) {
		struct dns_answer_view view;
		*in = was;
		in->authority = (uint8_t)authority;
		in->rcode = 0xf3;
		bool found =
			rule_data_find(&r, rule_name_hash(&secret, &name), 2, DNS_TYPE_A, &view);
		assert_int_equal(found, authority <= 1);
		assert_int_equal(view.nscount, found ? authority : 0);
		assert_int_equal(view.rcode, found ? 3 : 0);
	}
}

TEST(test_damage)
{
	static const struct record records[] = {
		{"host.lan", DNS_TYPE_A, 300, "1111", 0},
		{"host.lan", DNS_TYPE_TXT, 5, "text", 0},
		{"host.lan", DNS_TYPE_TXT, 5, "longer text", 0},
		{"www.lan", DNS_TYPE_CNAME, 60, "host.lan", 0},
	};
	struct rule_arena *a = fixture_arena();
	(void)make(records, ARRAY_LEN(records), a);
	const struct rule_image_head *h = a->base;
	void *memory = NULL;
	assert_int_equal(posix_memalign(&memory, CACHE_LINE, a->size), 0);
	uint8_t *copy = memory;
	struct listgen g = {.state = 77};
	unsigned answered = 0, sum = 0;
	for (unsigned round = 0; round < 30000; round++) {
		struct rule_reader r;
		char why[128];
		memcpy(copy, a->base, a->size);
		assert_int_equal(rule_reader_init(&r, copy, a->size, false, why), 0);
		for (uint64_t i = 1 + listgen_next(&g) % 3; i > 0; i--) {
			size_t from = h->entries_off, to = h->lists_off;
			copy[from + listgen_next(&g) % (to - from)] = (uint8_t)listgen_next(&g);
		}
		for (unsigned i = 0; i < ARRAY_LEN(records); i++) {
			struct dns_answer_view view;
			struct dns_name name = fixture_name(records[i].owner);
			struct keyhash_secret secret = fixture_secret();
			uint64_t hash = rule_name_hash(&secret, &name);
			answered += rule_data_find(&r, hash, 2, DNS_TYPE_TXT, &view);
			sum += sum_of(&view);
		}
	}
	assert_true(answered > 30000 && sum > 0);
	free(copy);
}
