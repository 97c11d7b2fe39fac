// SPDX-License-Identifier: BSD-3-Clause

// Decisions among as many lists as an image can have, and exceptions of several sources: what a
// model of a few lists does not see.

#include "rule_fixture.h"

static const uint64_t everyone[4] = {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};

static void add(struct rule_builder *b, enum rule_class rule_class, uint8_t covers, uint16_t type,
	const char *text)
{
	struct dns_name name = fixture_name(text);
	struct list_rule rule = rule_of_name(rule_class, &name);
	rule.kind.covers = covers;
	rule.kind.types = (struct rule_types){.count = type != 0, .type = {type}};
	assert_int_equal(rule_builder_rule(b, &rule), 0);
}

static struct rule_reader finish(struct rule_builder *b, struct rule_arena *a)
{
	struct rule_reader r;
	char why[128];
	fixture_finish(b, a);
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	return r;
}

struct expected {
	enum rule_action action;
	int rule_class; // -1: no rule decides
	uint16_t qtype;
	const char *prefix;
};

static const struct expected expected[] = {
	{RULE_BLOCK, RULE_CLASS_BLOCK, DNS_TYPE_A, "b"},
	{RULE_BLOCK, RULE_CLASS_BLOCK, DNS_TYPE_A, "x.b"},
	{RULE_PASS, -1, DNS_TYPE_A, "e.b"},
	{RULE_PASS, -1, DNS_TYPE_AAAA, "x.y.e.b"},
	{RULE_PASS, -1, DNS_TYPE_A, "t"},
	{RULE_BLOCK, RULE_CLASS_BLOCK, DNS_TYPE_AAAA, "t"},
	{RULE_BLOCK, RULE_CLASS_BLOCK, DNS_TYPE_AAAA, "x.t"},
	{RULE_PASS, RULE_CLASS_ALLOW, DNS_TYPE_A, "a.b"},
	{RULE_BLOCK, RULE_CLASS_BLOCK, DNS_TYPE_A, "x.a.b"},
	{RULE_BLOCK, RULE_CLASS_IMPORTANT_BLOCK, DNS_TYPE_A, "i.e.b"},
};

// Sources with five lists each, so that each kind is in each word of the sets; one by one, with
// only the others, and with all of them.
TEST(test_each_of_many_lists)
{
	enum { SOURCES = 50 };
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	char text[64];
	for (unsigned s = 0; s < SOURCES + 2; s++) {
		static const struct {
			enum rule_class rule_class;
			uint8_t covers;
			uint16_t type;
			const char *prefix;
		} rules[] = {
			{RULE_CLASS_BLOCK, RULE_COVERS_ALL, 0, "b"},
			{RULE_CLASS_EXCEPT, RULE_COVERS_ALL, 0, "e.b"},
			{RULE_CLASS_BLOCK, RULE_COVERS_ALL, DNS_TYPE_AAAA, "t"},
			{RULE_CLASS_ALLOW, RULE_COVERS_SELF, 0, "a.b"},
			{RULE_CLASS_IMPORTANT_BLOCK, RULE_COVERS_ALL, 0, "i.e.b"},
		};
		snprintf(text, sizeof(text), "source %u", s);
		assert_int_equal(rule_builder_source(b, text), 0);
		for (unsigned i = 0; s >= 2 && i < ARRAY_LEN(rules); i++) {
			snprintf(text, sizeof(text), "%s%u.wide", rules[i].prefix, s);
			add(b, rules[i].rule_class, rules[i].covers, rules[i].type, text);
		}
	}
	struct rule_reader r = finish(b, a);
	assert_true(r.list_count > 240);
	for (unsigned s = 2; s < SOURCES + 2; s++) {
		uint64_t only[4] = {0}, others[4];
		for (unsigned i = 0; i < r.list_count; i++)
			if (rule_list_info(&r, i) && rule_list_info(&r, i)->source == s)
				only[i / 64] |= UINT64_C(1) << i % 64;
		for (unsigned w = 0; w < 4; w++)
			others[w] = ~only[w];
		for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
			const struct expected *e = &expected[i];
			struct rule_verdict v;
			snprintf(text, sizeof(text), "%s%u.wide", e->prefix, s);
			struct dns_name name = fixture_name(text);
			rule_decide(&r, &name, e->qtype, others, &v);
			assert_false(v.d.matched);
			for (unsigned all = 0; all < 2; all++) {
				rule_decide(&r, &name, e->qtype, all ? everyone : only, &v);
				if (v.d.action != e->action || v.d.matched != (e->rule_class >= 0))
					fail_msg("%s: action %u, matched %u", text, v.d.action,
						v.d.matched);
				if (!v.d.matched)
					continue;
				uint64_t set[4] = {0};
				set[v.d.list / 64] = UINT64_C(1) << v.d.list % 64;
				assert_int_equal(v.d.rule_class, e->rule_class);
				assert_int_equal(rule_list_info(&r, v.d.list)->source, s);
				assert_memory_equal(v.set.lists, set, sizeof(set));
				assert_true(set[v.d.list / 64] & only[v.d.list / 64]);
			}
		}
	}
}

static int decides(const struct rule_reader *r, const char *text, const uint64_t lists[4])
{
	struct dns_name name = fixture_name(text);
	struct rule_verdict v;
	rule_decide(r, &name, DNS_TYPE_A, lists, &v);
	return v.d.matched ? rule_list_info(r, v.d.list)->source : -1;
}

// Exceptions of two sources on the way from a name to the top; each takes its own source away, and
// only for groups that have it.
TEST(test_exceptions_add_up)
{
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	assert_int_equal(rule_builder_source(b, "allow"), 0);
	assert_int_equal(rule_builder_source(b, "deny"), 0);
	for (unsigned s = 2; s < 5; s++) {
		assert_int_equal(rule_builder_source(b, s == 2   ? "two"
							: s == 3 ? "three"
								 : "four"),
			0);
		add(b, RULE_CLASS_BLOCK, RULE_COVERS_ALL, 0, "shop.example");
		if (s < 4)
			add(b, RULE_CLASS_EXCEPT, RULE_COVERS_ALL, 0,
				s == 2 ? "c.b.shop.example" : "b.shop.example");
	}
	struct rule_reader r = finish(b, a);
	uint64_t without_four[4] = {0}, without_exceptions[4] = {0};
	for (unsigned i = 0; i < r.list_count; i++) {
		const struct rule_list_info *l = rule_list_info(&r, i);
		if (l && l->source < 4)
			without_four[i / 64] |= UINT64_C(1) << i % 64;
		if (l && l->kind.rule_class == RULE_CLASS_BLOCK)
			without_exceptions[i / 64] |= UINT64_C(1) << i % 64;
	}
	assert_int_equal(decides(&r, "c.b.shop.example", everyone), 4);
	assert_int_equal(decides(&r, "x.c.b.shop.example", everyone), 4);
	assert_int_equal(decides(&r, "c.b.shop.example", without_four), -1);
	assert_int_equal(decides(&r, "x.c.b.shop.example", without_four), -1);
	assert_int_equal(decides(&r, "b.shop.example", without_four), 2);
	assert_int_equal(decides(&r, "shop.example", without_four), 2);
	assert_int_equal(decides(&r, "c.b.shop.example", without_exceptions), 2);
}

static unsigned bits(uint64_t *state, unsigned bound)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*state >> 33) % bound;
}

// 100 sources block a name, and any of them has an exception at each of 40 names below it. Groups
// have all lists, or lack any of them.
TEST(test_exceptions_of_many)
{
	enum { SOURCES = 100, NAMES = 40, GROUPS = 50, ALONE = 2 };
	static bool excepts[NAMES][SOURCES];
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	char text[64];
	uint64_t state = 7;
	for (unsigned s = 0; s < SOURCES + ALONE; s++) {
		snprintf(text, sizeof(text), "source %u", s);
		assert_int_equal(rule_builder_source(b, text), 0);
		if (s >= ALONE)
			add(b, RULE_CLASS_BLOCK, RULE_COVERS_ALL, 0, "many.example");
		for (unsigned n = 0; s >= ALONE && n < NAMES; n++) {
			snprintf(text, sizeof(text), "e%u.many.example", n);
			excepts[n][s - ALONE] = n == 0 || bits(&state, NAMES) >= n;
			if (excepts[n][s - ALONE])
				add(b, RULE_CLASS_EXCEPT, RULE_COVERS_ALL, 0, text);
		}
	}
	struct rule_reader r = finish(b, a);
	for (unsigned g = 0; g < GROUPS; g++) {
		uint64_t group[4] = {0};
		bool has[SOURCES][2] = {0}; // to block, to except
		for (unsigned i = 0; i < r.list_count; i++) {
			const struct rule_list_info *l = rule_list_info(&r, i);
			if (!l || l->source < ALONE || (g && bits(&state, GROUPS) < g))
				continue;
			group[i / 64] |= UINT64_C(1) << i % 64;
			has[l->source - ALONE][l->kind.rule_class == RULE_CLASS_EXCEPT] = true;
		}
		for (unsigned n = 0; n < NAMES; n++) {
			int nearest = -1;
			for (unsigned s = SOURCES; s-- > 0;)
				if (has[s][0] && !(has[s][1] && excepts[n][s]))
					nearest = (int)(s + ALONE);
			snprintf(text, sizeof(text), "x.e%u.many.example", n);
			assert_int_equal(decides(&r, text, group), nearest);
		}
	}
}

// At one name: of the lists that hold it, the verdict names those whose rules fit the question.
TEST(test_set_has_what_fits)
{
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	struct rule_verdict v;
	assert_int_equal(rule_builder_source(b, "allow"), 0);
	assert_int_equal(rule_builder_source(b, "deny"), 0);
	static const struct {
		uint8_t covers;
		uint16_t type;
	} rules[] = {{RULE_COVERS_ALL, 0}, {RULE_COVERS_SELF, 0}, {RULE_COVERS_BELOW, 0},
		{RULE_COVERS_ALL, DNS_TYPE_AAAA}};
	static const char *const titles[] = {"all", "self", "below", "typed"};
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
		assert_int_equal(rule_builder_source(b, titles[i]), 0);
		add(b, RULE_CLASS_BLOCK, rules[i].covers, rules[i].type, "fit.example");
	}
	struct rule_reader r = finish(b, a);
	static const struct {
		const char *name;
		uint16_t qtype;
		uint64_t lists; // bits of `rules`
	} asked[] = {{"fit.example", DNS_TYPE_A, 3}, {"x.fit.example", DNS_TYPE_A, 5},
		{"fit.example", DNS_TYPE_AAAA, 11}, {"x.fit.example", DNS_TYPE_AAAA, 13}};
	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		struct dns_name name = fixture_name(asked[i].name);
		rule_decide(&r, &name, asked[i].qtype, everyone, &v);
		assert_int_equal(v.d.action, RULE_BLOCK);
		assert_int_equal(v.set.lists[0], asked[i].lists << RULE_LIST_FIRST);
	}
}
