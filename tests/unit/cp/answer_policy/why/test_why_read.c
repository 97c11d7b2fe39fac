// SPDX-License-Identifier: BSD-3-Clause
// The explanation against the packet path's decision: the same verdict, by a rule of the same class
// at the same name, for random rules of all kinds, names, types and groups.

#include "controlplane/answer_policy/why/why_read.h"
#include "controlplane/answer_policy/why/why_steps.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"
#include "why_rig.h"

enum { SOURCES = 12, ROUNDS = UNIT_IS_SANITIZED ? 10 : 60, ASKED = 400 };

static uint64_t state = 0x5eed;

static unsigned below(unsigned n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)((state >> 33) % n);
}

// One to five labels of three letters each: names that are often listed, or below one that is.
static struct dns_name random_name(void)
{
	static const char *const labels[] = {"a", "b", "c"};
	char text[32] = "";
	unsigned count = 1 + below(5);
	for (unsigned i = 0; i < count; i++) {
		strcat(text, i ? "." : "");
		strcat(text, labels[below(ARRAY_LEN(labels))]);
	}
	return fixture_name(text);
}

static uint16_t random_type(void)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_TXT};
	return types[below(ARRAY_LEN(types))];
}

static struct rule_kind random_kind(enum rule_zone zone)
{
	struct rule_kind k = {.rule_class = (uint8_t)below(RULE_CLASSES), .zone = (uint8_t)zone};
	if (zone != RULE_ZONE_NONE)
		k.rule_class = below(3) ? RULE_CLASS_BLOCK : RULE_CLASS_ALLOW;
	else if (k.rule_class == RULE_CLASS_EXCEPT)
		k.base = (uint8_t)below(4);
	else if (k.rule_class == RULE_CLASS_BLOCK)
		k.base = (uint8_t)below(4); // RULE_EXCEPTED, RULE_REWRITES, or both
	else if (k.rule_class == RULE_CLASS_IMPORTANT_BLOCK)
		k.base = below(2) ? RULE_REWRITES : 0;
	else if (k.rule_class == RULE_CLASS_UNREWRITE)
		k.base = (uint8_t)below(2);
	k.covers = (uint8_t)(below(3) ? (unsigned)RULE_COVERS_ALL : 1 + below(2));
	if (zone == RULE_ZONE_NONE && below(4) == 0) {
		k.globs = 1;
		k.covers = RULE_COVERS_BELOW;
	}
	if (below(4) == 0)
		k.reply = (uint8_t)below(RULE_REPLIES);
	if (k.reply == RULE_REPLY_RESOLVE && k.rule_class != RULE_CLASS_LOCAL)
		k.reply = RULE_REPLY_GROUP; // rule_class.h: of local data alone
	if (below(4) == 0) {
		k.types.count = 1;
		k.types.except = (uint8_t)below(2);
		k.types.type[0] = random_type();
	}
	return k;
}

static struct rule_reader random_image(struct rule_arena *arena)
{
	struct rule_builder *b = fixture_builder();
	struct rule_reader r;
	char why[128];
	unsigned taken = 0;
	for (unsigned s = 0; s < SOURCES; s++) {
		static const enum rule_zone zones[] = {
			RULE_ZONE_NONE, RULE_ZONE_NONE, RULE_ZONE_FIRST, RULE_ZONE_ANY};
		const enum rule_zone zone = zones[below(ARRAY_LEN(zones))];
		struct rule_kind kinds[4];
		assert_int_equal(rule_builder_source(b, text_from("source %u", s)), 0);
		for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
			kinds[i] = random_kind(zone);
		for (unsigned i = below(8); i > 0; i--) {
			struct dns_name name = random_name();
			struct list_rule rule = {
				.kind = kinds[below(ARRAY_LEN(kinds))], .name = &name};
			if (rule.kind.globs) {
				static const char *const globs[] = {"*.a", ".b*", ".*c", "*.b.*"};
				rule.glob = globs[below(ARRAY_LEN(globs))];
				rule.glob_len = strlen(rule.glob);
			}
			int err = rule_builder_rule(b, &rule);
			assert_true(err == 0 || err == -EINVAL);
			taken += err == 0;
		}
	}
	assert_true(taken > 0);
	fixture_finish(b, arena);
	assert_int_equal(rule_reader_init(&r, arena->base, arena->size, true, why), 0);
	return r;
}

static enum why_verdict verdict_of(const struct rule_decision *d)
{
	bool local = d->rule_class == RULE_CLASS_LOCAL;
	if (!d->matched)
		return WHY_PASSED;
	switch (d->action) {
	case RULE_PASS:
		return WHY_ALLOWED;
	case RULE_BLOCK:
	case RULE_DATA:
		return local ? WHY_LOCAL : WHY_BLOCKED;
	case RULE_DROP:
		return WHY_DROPPED;
	default:
		return WHY_REWRITTEN;
	}
}

static void compare(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype,
	const uint64_t lists[4])
{
	struct rule_verdict v;
	char text[DNS_NAME_TEXT_MAX];
	rule_decide(r, name, qtype, lists, &v);
	struct why *w; // not why_begin: there are thousands in one case
	assert_int_equal(why_new(name, qtype, &w), 0);
	memcpy(w->lists, lists, sizeof(w->lists));
	why_read_name(w, 0, r);
	why_check(w);
	const struct why_hit *h = w->decider < 0 ? NULL : &w->hit[w->decider];
	assert_int_equal(w->typed, v.d.typed);
	if (w->verdict != verdict_of(&v.d) || (v.d.action == RULE_PASS && w->safe != v.d.safe)
		|| (h != NULL) != v.d.matched)
		fail_msg("%s %u: %s, the packet path says %u", dns_name_to_text(name, text), qtype,
			why_verdict_name[w->verdict], v.d.action);
	if (h
		&& (h->kind.rule_class != v.d.rule_class || h->labels != v.labels
			|| h->list != v.d.list))
		fail_msg("%s %u: by list %u with %u labels, the packet path by %u with %u",
			dns_name_to_text(name, text), qtype, h->list, h->labels, v.d.list,
			v.labels);
	why_free(w);
}

TEST(test_as_the_packet_path)
{
	unsigned decided = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct rule_arena arena;
		struct rule_reader r = random_image(&arena);
		for (unsigned i = 0; i < ASKED; i++) {
			struct dns_name name = random_name();
			uint64_t lists[4] = {0};
			for (unsigned l = 0; l < r.list_count; l++)
				lists[l / 64] |= (uint64_t)(below(4) > 0) << l % 64;
			struct rule_verdict v;
			rule_decide(&r, &name, DNS_TYPE_A, lists, &v);
			decided += v.d.matched;
			compare(&r, &name, random_type(), lists);
		}
		rule_arena_free(&arena);
	}
	assert_in_range(decided, ROUNDS * ASKED / 10, ROUNDS * ASKED);
}

static struct rule_reader image_of(
	const char *title, const struct list_rule *rules, unsigned count, struct rule_arena *arena)
{
	struct rule_builder *b = fixture_builder();
	struct rule_reader r;
	char why[128];
	assert_int_equal(rule_builder_source(b, "allow entries"), 0);
	assert_int_equal(rule_builder_source(b, "deny entries"), 0);
	assert_int_equal(rule_builder_source(b, title), 0);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(rule_builder_rule(b, &rules[i]), 0);
	fixture_finish(b, arena);
	assert_int_equal(rule_reader_init(&r, arena->base, arena->size, true, why), 0);
	return r;
}

static struct list_rule pattern_rule(enum rule_class class, const char *text)
{
	return (struct list_rule){.what = LIST_RULE_PATTERN,
		.kind = {.rule_class = (uint8_t) class, .covers = RULE_COVERS_ALL},
		.pattern = text,
		.pattern_len = strlen(text)};
}

static struct why *why_of(const struct dns_name *name, const struct dns_name *other)
{
	struct why *w = why_begin(name, DNS_TYPE_A);
	assert_int_equal(why_name_add(w, other), 1);
	return w;
}

// More patterns than fit one portion; which ones match, and for which name.
TEST(test_patterns)
{
	enum { COUNT = 200 };
	static struct list_rule rules[COUNT];
	static char texts[COUNT][24];
	static const _Atomic bool go = false, stop = true;
	struct rule_arena arena;
	struct why_patterns p;
	struct why *w;
	struct dns_name name = fixture_name("x77.example"), other = fixture_name("x199.example");
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(texts[i], sizeof(texts[i]), "^x%u\\.", i);
		rules[i] = pattern_rule(i == 77 ? RULE_CLASS_ALLOW : RULE_CLASS_BLOCK, texts[i]);
	}
	rules[5] = pattern_rule(RULE_CLASS_BLOCK, "(not a pattern");
	struct rule_reader r = image_of("odd", rules, COUNT, &arena);
	w = why_of(&name, &other);
	assert_int_equal(why_patterns_copy(&r, &p), 0);
	rule_arena_free(&arena); // the copy is whole
	assert_int_equal(p.count, COUNT);
	assert_int_equal(why_patterns_match(w, &p, &stop), -ECANCELED);
	assert_int_equal(why_patterns_match(w, &p, &go), 0);
	assert_int_equal(w->hits_left_out, 0);
	assert_int_equal(w->hits, 2);
	why_check(w);
	assert_int_equal(w->verdict, WHY_BLOCKED_ANSWER);
	assert_string_equal(w->hit[w->decider].text, "^x199\\.");
	assert_int_equal(w->hit[w->decider].name, 1);
	assert_string_equal(w->hit[w->next].text, "^x77\\.");
	assert_int_equal(w->sources, 1);
	assert_string_equal(w->source[0].title, "odd");
	why_patterns_free(&p);
}

// One that is inverted is a hit for the names that it does not match.
TEST(test_inverted_patterns)
{
	static const _Atomic bool go = false;
	char text[WHY_TEXT_MAX];
	struct rule_arena arena;
	struct why_patterns p;
	struct dns_name name = fixture_name("www.example"), other = fixture_name("ads.example");
	struct list_rule rules[] = {pattern_rule(RULE_CLASS_BLOCK, "^www"),
		pattern_rule(RULE_CLASS_BLOCK, "^ads"), pattern_rule(RULE_CLASS_BLOCK, "(")};
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++)
		rules[i].inverts = true;
	struct rule_reader r = image_of("odd", rules, ARRAY_LEN(rules), &arena);
	struct why *w = why_of(&name, &other);
	assert_int_equal(why_patterns_copy(&r, &p), 0);
	rule_arena_free(&arena);
	assert_int_equal(why_patterns_match(w, &p, &go), 0);
	assert_int_equal(w->hits, 2);
	for (unsigned i = 0; i < w->hits; i++) {
		assert_true(w->hit[i].inverts);
		assert_string_equal(w->hit[i].text, w->hit[i].name ? "^www" : "^ads");
	}
	why_check(w);
	assert_int_equal(w->verdict, WHY_BLOCKED);
	assert_string_equal(why_hit_text(w, (unsigned)w->decider, text),
		"odd: every name but those that match /^ads/");
	why_patterns_free(&p);
}

TEST(test_addresses)
{
	struct list_rule rules[] = {
		{.what = LIST_RULE_ADDRESS, .prefix = address_of_text("198.51.100.0/24")},
		{.what = LIST_RULE_ADDRESS, .prefix = address_of_text("fd53:1::/33")},
		{.what = LIST_RULE_ADDRESS, .prefix = address_of_text("203.0.113.7/32")},
	};
	struct rule_arena *arena = fixture_arena();
	struct dns_name name = fixture_name("www.example");
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++)
		rules[i].kind.covers = RULE_COVERS_ALL;
	struct rule_reader r = image_of("nets", rules, ARRAY_LEN(rules), arena);
	struct why *w = why_begin(&name, DNS_TYPE_A);
	const char *const asked[] = {"203.0.113.8", "fd53:1:8000::1", "fd53:1:7fff::1",
		"198.51.101.0", "198.51.100.255"};
	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		struct ip_address a = address_of_text(asked[i]);
		assert_int_equal(why_address_add(w, &a), (int)i);
	}
	why_read_addresses(w, &r);
	assert_int_equal(w->hits, 2);
	why_check(w);
	assert_int_equal(w->hit[0].name, 2);
	assert_string_equal(w->hit[0].text, "fd53:1::/33");
	assert_int_equal(w->hit[1].name, 4);
	assert_string_equal(w->hit[1].text, "198.51.100.0/24");
	assert_int_equal(w->verdict, WHY_BLOCKED_ANSWER);
}
