// SPDX-License-Identifier: BSD-3-Clause

// The order of decision against a model that knows nothing of fingerprints, sets or walks: a plain
// array of rules, gone through for each question as rule_class.h says it.

#include "listgen.h"
#include "rule_fixture.h"
#include "tests/unit/core/rule/rule_fast_twin.h"

#include <fnmatch.h>

enum { RULES_MAX = 400, SOURCES = 5, KINDS = 6, SEEN = UNIT_IS_SANITIZED ? 10 : 100 };

struct model_rule {
	struct dns_name name;
	struct rule_kind kind;
	const char *glob;
	unsigned source, list;
};

struct model {
	struct model_rule rule[RULES_MAX];
	unsigned count;
	struct rule_arena arena;
	struct rule_reader r;
};

// Few labels, so that names repeat and lie below each other.
static struct dns_name random_name(struct listgen *g, unsigned most)
{
	char text[64] = "";
	for (unsigned labels = 1 + (unsigned)(listgen_next(g) % most); labels > 0; labels--) {
		size_t n = strlen(text);
		sprintf(text + n, "%s%c", n ? "." : "", (int)('a' + listgen_next(g) % 3));
	}
	return fixture_name(text);
}

static const char *const globs[] = {"*.a", ".b*", ".*a", "*.b.*", ".c", "*.a*b", ".*.c", ".*"};

static struct rule_types random_types(struct listgen *g)
{
	static const uint16_t some[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_TXT, DNS_TYPE_HTTPS};
	struct rule_types t = {0};
	if (listgen_next(g) % 3 != 0)
		return t;
	t.count = (uint8_t)(1 + listgen_next(g) % 2);
	t.except = listgen_next(g) % 3 == 0;
	for (unsigned i = 0; i < t.count; i++)
		t.type[i] = some[(listgen_next(g) + 2 * i) % 4];
	return t;
}

static struct rule_kind random_kind(struct listgen *g, enum rule_zone zone)
{
	struct rule_kind k = {
		.rule_class = (uint8_t)(listgen_next(g) % 2 ? listgen_next(g) % RULE_CLASSES
							    : RULE_CLASS_BLOCK),
		.covers =
			(uint8_t)(listgen_next(g) % 2 ? RULE_COVERS_ALL : 1 + listgen_next(g) % 3),
		.reply = (uint8_t)(listgen_next(g) % 2 ? RULE_REPLY_GROUP
						       : listgen_next(g) % RULE_REPLIES),
		.types = random_types(g),
		.zone = (uint8_t)zone,
	};
	if (zone != RULE_ZONE_NONE)
		k.rule_class = listgen_next(g) % 3 ? RULE_CLASS_BLOCK : RULE_CLASS_ALLOW;
	else if (k.rule_class == RULE_CLASS_EXCEPT)
		k.base = (uint8_t)(listgen_next(g) % 6 ? 1 + listgen_next(g) % 3 : 0);
	else if (k.rule_class == RULE_CLASS_BLOCK)
		k.base = (uint8_t)(listgen_next(g) % 4); // RULE_EXCEPTED, RULE_REWRITES, or both
	else if (k.rule_class == RULE_CLASS_IMPORTANT_BLOCK)
		k.base = listgen_next(g) % 2 ? RULE_REWRITES : 0;
	else if (k.rule_class == RULE_CLASS_UNREWRITE)
		k.base = listgen_next(g) % 2;
	k.globs = zone == RULE_ZONE_NONE && listgen_next(g) % 4 == 0;
	k.covers = k.globs ? RULE_COVERS_BELOW : k.covers;
	return k;
}

static unsigned number_of(
	const struct rule_reader *r, unsigned source, const struct rule_kind *kind)
{
	for (unsigned i = 0; i < r->list_count; i++) {
		const struct rule_list_info *l = rule_list_info(r, i);
		if (l && l->source == source && memcmp(&l->kind, kind, sizeof(*kind)) == 0)
			return i;
	}
	fail_msg("no list for source %u", source);
	return 0;
}

static void make_model(struct model *m, struct listgen *g, unsigned rules)
{
	struct rule_builder *b = fixture_builder();
	char why[128], title[16];
	m->count = 0;
	for (unsigned source = 0; source < SOURCES; source++) {
		static const enum rule_zone zones[] = {RULE_ZONE_NONE, RULE_ZONE_NONE,
			RULE_ZONE_NONE, RULE_ZONE_NONE, RULE_ZONE_NONE, RULE_ZONE_FIRST,
			RULE_ZONE_FIRST, RULE_ZONE_ANY};
		const enum rule_zone zone = zones[listgen_next(g) % ARRAY_LEN(zones)];
		struct rule_kind kind[KINDS];
		for (unsigned i = 0; i < KINDS; i++)
			kind[i] = random_kind(g, zone);
		sprintf(title, "source %u", source);
		assert_int_equal(rule_builder_source(b, title), 0);
		for (unsigned i = 0; i < rules / SOURCES; i++) {
			struct model_rule *rule = &m->rule[m->count++];
			rule->name = random_name(g, 4);
			rule->kind = kind[listgen_next(g) % KINDS];
			rule->source = source;
			rule->glob =
				rule->kind.globs ? globs[listgen_next(g) % ARRAY_LEN(globs)] : "";
			const struct list_rule one = {.kind = rule->kind,
				.name = &rule->name,
				.glob = rule->glob,
				.glob_len = strlen(rule->glob)};
			assert_int_equal(rule_builder_rule(b, &one), 0);
		}
	}
	fixture_finish(b, &m->arena);
	assert_int_equal(rule_reader_init(&m->r, m->arena.base, m->arena.size, true, why), 0);
	for (unsigned i = 0; i < m->count; i++)
		m->rule[i].list = number_of(&m->r, m->rule[i].source, &m->rule[i].kind);
}

// By the C library, over the text in front of the rule's name.
static bool glob_fits(const struct model_rule *rule, const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX] = ".", at[DNS_NAME_TEXT_MAX];
	dns_name_to_text(name, text + 1);
	text[strlen(text) - strlen(dns_name_to_text(&rule->name, at)) - 1] = '\0';
	return fnmatch(rule->glob, text, 0) == 0;
}

static bool counts(const struct model_rule *rule, const struct dns_name *name, uint16_t qtype,
	const uint64_t lists[4])
{
	const struct rule_types *t = &rule->kind.types;
	bool listed = false, self = dns_name_equal(name, &rule->name);
	for (unsigned i = 0; i < t->count; i++)
		listed = listed || t->type[i] == qtype;
	return (lists[rule->list / 64] >> rule->list % 64 & 1)
	       && (t->count == 0 || listed != (t->except != 0))
	       && (self ? rule->kind.covers & RULE_COVERS_SELF
			: rule->kind.covers & RULE_COVERS_BELOW
				       && dns_name_is_under(name, &rule->name)
				       && (!rule->kind.globs || glob_fits(rule, name)));
}

// Local data that leaves a zone to servers.
static bool opens(const struct model_rule *rule)
{
	const struct rule_kind *k = &rule->kind;
	return k->rule_class == RULE_CLASS_LOCAL && k->reply == RULE_REPLY_RESOLVE
	       && k->covers == RULE_COVERS_ALL;
}

static bool takes(const struct model_rule *e, const struct model_rule *rule)
{
	const struct rule_kind *a = &e->kind, *b = &rule->kind;
	if (opens(e))
		return b->rule_class == RULE_CLASS_LOCAL && !opens(rule)
		       && e->name.labels > rule->name.labels
		       && (e->source == rule->source || b->reply != RULE_REPLY_RESOLVE);
	return a->rule_class == RULE_CLASS_EXCEPT && b->rule_class == RULE_CLASS_BLOCK
	       && e->source == rule->source && e->name.labels > rule->name.labels
	       && (a->base == 0
		       || (a->base == rule->name.labels && b->base & RULE_EXCEPTED
			       && memcmp(&a->types, &b->types, sizeof(a->types)) == 0));
}

// A list in which the builder keeps the names that exist in a policy zone.
static bool is_of_marks(const struct rule_list_info *l)
{
	return l && l->kind.rule_class == RULE_CLASS_EXCEPT && l->kind.zone != RULE_ZONE_NONE;
}

// A wildcard of a policy zone is not for names at or below one that the zone has, nor for those
// between them, for groups that have the whole zone.
static bool exists_nearer(const struct model *m, const struct model_rule *rule,
	const struct dns_name *name, const uint64_t lists[4])
{
	bool whole = false;
	for (unsigned i = 0; i < m->r.list_count; i++) {
		const struct rule_list_info *l = rule_list_info(&m->r, i);
		whole |= is_of_marks(l) && l->source == rule->source
			 && (lists[i / 64] >> i % 64 & 1);
	}
	if (!whole)
		return false;
	for (unsigned i = 0; i < m->count; i++) {
		const struct model_rule *other = &m->rule[i];
		unsigned common = 0;
		while (common < name->labels && common < other->name.labels) {
			struct dns_name x = rule_suffix(name, common + 1),
					y = rule_suffix(&other->name, common + 1);
			if (!dns_name_equal(&x, &y))
				break;
			common++;
		}
		if (other->source == rule->source && common > rule->name.labels)
			return true;
	}
	return false;
}

static bool excepted(const struct model *m, const struct model_rule *rule,
	const struct dns_name *name, uint16_t qtype, const uint64_t lists[4])
{
	for (unsigned i = 0; i < m->count; i++)
		if (takes(&m->rule[i], rule) && counts(&m->rule[i], name, qtype, lists))
			return true;
	return rule->kind.zone != RULE_ZONE_NONE && exists_nearer(m, rule, name, lists);
}

// By an exception for rewrites, of whatever source, wherever in the name.
static bool taken_back(const struct model *m, const struct model_rule *rule,
	const struct dns_name *name, uint16_t qtype, const uint64_t lists[4])
{
	const struct rule_kind *k = &rule->kind;
	const bool blocks = k->rule_class == RULE_CLASS_BLOCK;
	for (unsigned i = 0; i < m->count; i++) {
		const struct rule_kind *e = &m->rule[i].kind;
		if (e->rule_class == RULE_CLASS_UNREWRITE && k->base & RULE_REWRITES
			&& (blocks || (k->rule_class == RULE_CLASS_IMPORTANT_BLOCK && e->base))
			&& (e->reply == RULE_REPLY_GROUP || e->reply == k->reply)
			&& counts(&m->rule[i], name, qtype, lists))
			return true;
	}
	return false;
}

// At one name in one class.
static bool first_of_equals(const struct model_rule *x, const struct model_rule *y)
{
	static const uint8_t replies[] = {RULE_REPLY_DROP, RULE_REPLY_RESOLVE, RULE_REPLY_REFUSED,
		RULE_REPLY_SERVFAIL, RULE_REPLY_NXDOMAIN, RULE_REPLY_DATA, RULE_REPLY_NODATA,
		RULE_REPLY_NULL};
	const struct rule_kind *a = &x->kind, *b = &y->kind;
	if (a->reply == RULE_REPLY_GROUP && b->reply == RULE_REPLY_GROUP)
		return x->list < y->list;
	if (a->reply == RULE_REPLY_GROUP || b->reply == RULE_REPLY_GROUP)
		return b->reply == RULE_REPLY_GROUP;
	if (x->source != y->source)
		return x->source < y->source;
	if (a->reply != b->reply)
		return (const uint8_t *)memchr(replies, a->reply, sizeof(replies))
		       < (const uint8_t *)memchr(replies, b->reply, sizeof(replies));
	if ((a->types.count > 0) != (b->types.count > 0))
		return a->types.count > 0;
	return memcmp(a, b, sizeof(*a)) < 0;
}

// By the numbers in rule_class.h.
static const int rank_of[RULE_CLASSES] = {[RULE_CLASS_LOCAL] = 1,
	[RULE_CLASS_OPERATOR_ALLOW] = 2,
	[RULE_CLASS_OPERATOR_DENY] = 2,
	[RULE_CLASS_IMPORTANT_ALLOW] = 3,
	[RULE_CLASS_IMPORTANT_BLOCK] = 4,
	[RULE_CLASS_UNREWRITE] = 4,
	[RULE_CLASS_ALLOW] = 5,
	[RULE_CLASS_BLOCK] = 7};

static int rank_at(const struct rule_kind *k)
{
	bool zone = k->zone == RULE_ZONE_FIRST && k->rule_class != RULE_CLASS_EXCEPT;
	return zone ? 6 : rank_of[k->rule_class];
}

// Does x come before y? Both count.
static bool before(const struct model_rule *x, const struct model_rule *y)
{
	uint8_t a = x->kind.rule_class, b = y->kind.rule_class;
	int rank_x = rank_at(&x->kind), rank_y = rank_at(&y->kind);
	if (rank_x != rank_y)
		return rank_x < rank_y;
	if (x->kind.zone == RULE_ZONE_FIRST && x->source != y->source)
		return x->source < y->source;
	if (x->name.labels != y->name.labels)
		return x->name.labels > y->name.labels;
	if (a != b)
		return a == RULE_CLASS_OPERATOR_ALLOW || a == RULE_CLASS_ALLOW;
	return first_of_equals(x, y);
}

static enum rule_action action_of(const struct rule_kind *k)
{
	switch (k->rule_class) {
	case RULE_CLASS_ALLOW:
	case RULE_CLASS_IMPORTANT_ALLOW:
	case RULE_CLASS_OPERATOR_ALLOW:
		return RULE_PASS;
	default:
		return k->reply == RULE_REPLY_DROP      ? RULE_DROP
		       : k->reply == RULE_REPLY_DATA    ? RULE_DATA
		       : k->reply == RULE_REPLY_RESOLVE ? RULE_RESOLVE
							: RULE_BLOCK;
	}
}

// May a rule for some types decide another type of the name otherwise? One of a lower rank does
// not. Of local data and safe search all types are one thing.
static bool types_differ(const struct model *m, const struct model_rule *decides,
	const struct dns_name *name, const uint64_t lists[4])
{
	bool differ = false;
	for (unsigned i = 0; i < m->count && !differ; i++) {
		struct model_rule rule = m->rule[i];
		const int its = rank_at(&rule.kind), is = rule.kind.rule_class;
		const bool typed = rule.kind.types.count && is != RULE_CLASS_LOCAL;
		rule.kind.types.count = 0;
		differ = typed && its && counts(&rule, name, 0, lists)
			 && (!decides || its <= rank_at(&decides->kind));
	}
	return differ;
}

struct expected {
	const struct model_rule *decides;
	bool safe, back;
	unsigned safe_labels;
};

static struct expected expect(
	const struct model *m, const struct dns_name *name, uint16_t qtype, const uint64_t lists[4])
{
	struct expected e = {0};
	for (unsigned i = 0; i < m->count; i++) {
		const struct model_rule *rule = &m->rule[i];
		uint8_t is = rule->kind.rule_class;
		if (!counts(rule, name, qtype, lists) || is == RULE_CLASS_EXCEPT
			|| is == RULE_CLASS_UNREWRITE || opens(rule))
			continue;
		if (is == RULE_CLASS_SAFE) {
			e.safe = true;
			if (rule->name.labels > e.safe_labels)
				e.safe_labels = rule->name.labels;
			continue;
		}
		if (excepted(m, rule, name, qtype, lists))
			continue;
		if (taken_back(m, rule, name, qtype, lists)) {
			e.back = true;
			continue;
		}
		if (!e.decides || before(rule, e.decides))
			e.decides = rule;
	}
	return e;
}

static void check_typed(const struct model *m, const struct rule_decision *d,
	const struct dns_name *name, const uint64_t lists[4])
{
	const struct model_rule *decides = d->matched ? m->rule : NULL;
	while (decides && decides->list != d->list)
		decides++;
	assert_int_equal(d->typed, types_differ(m, decides, name, lists));
}

static void check(
	const struct model *m, const struct dns_name *name, uint16_t qtype, const uint64_t lists[4])
{
	struct rule_verdict v;
	struct expected e = expect(m, name, qtype, lists);
	char text[DNS_NAME_TEXT_MAX];
	rule_decide(&m->r, name, qtype, lists, &v);
	dns_name_to_text(name, text);
	if (v.d.matched != (e.decides != NULL))
		fail_msg("%s: matched %d", text, v.d.matched);
	if (!e.decides) {
		assert_int_equal(v.d.action, RULE_PASS);
		assert_false(v.d.allowed);
	} else if (v.d.list != e.decides->list || v.labels != e.decides->name.labels
		   || v.d.rule_class != e.decides->kind.rule_class
		   || v.d.reply != e.decides->kind.reply
		   || v.d.action != action_of(&e.decides->kind)
		   || v.d.allowed != (v.d.action == RULE_PASS)
		   || !(v.set.lists[v.d.list / 64] >> v.d.list % 64 & 1)) {
		fail_msg("%s: list %u at %u labels, expected %u at %u", text, v.d.list, v.labels,
			e.decides->list, e.decides->name.labels);
	}
	// A name that a local rule decides is not resolved, so no safe search rule above it is
	// searched.
	if (!v.d.matched || v.d.rule_class != RULE_CLASS_LOCAL) {
		assert_int_equal(v.d.safe, e.safe);
		if (e.safe)
			assert_int_equal(v.safe_labels, e.safe_labels);
	}
	check_typed(m, &v.d, name, lists);
}

// What the packet path decides in line. True: it did.
static bool check_line(
	const struct model *m, const struct dns_name *name, uint16_t qtype, const uint64_t lists[4])
{
	struct rule_probe p;
	rule_fast_probe(&m->r, name, &p);
	struct rule_decision d = rule_probe_decide(&m->r, &p, name, qtype, lists);
	struct rule_fast_said said = rule_fast_ask(&m->r, &p, lists);
	assert_true(rule_fast_is_right(&said, &d));
	return said.blocks;
}

// Without what the builder makes of names of policy zones.
static unsigned without_marks(
	const struct model *m, struct rule_match found[RULE_LABELS_MAX], unsigned count)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++) {
		struct rule_match f = found[i];
		uint64_t any = 0;
		for (unsigned list = 0; list < RULE_LISTS_MAX; list++) {
			if (is_of_marks(rule_list_info(&m->r, list)))
				f.set.lists[list / 64] &= ~(UINT64_C(1) << list % 64);
		}
		for (unsigned w = 0; w < 4; w++)
			any |= f.set.lists[w];
		if (any)
			found[n++] = f;
	}
	return n;
}

static void check_matches(const struct model *m, const struct dns_name *name, uint16_t qtype)
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct rule_match found[RULE_LABELS_MAX];
	uint64_t expected[8][4] = {{0}};
	unsigned n = without_marks(m, found, rule_matches(&m->r, name, qtype, found)), names = 0;
	for (unsigned i = 0; i < m->count; i++)
		if (counts(&m->rule[i], name, qtype, all)
			&& !excepted(m, &m->rule[i], name, qtype, all))
			expected[m->rule[i].name.labels][m->rule[i].list / 64] |=
				UINT64_C(1) << m->rule[i].list % 64;
	for (unsigned labels = 7; labels > 0; labels--) {
		static const uint64_t none[4];
		if (memcmp(expected[labels], none, sizeof(none)) == 0)
			continue;
		assert_true(names < n);
		assert_int_equal(found[names].labels, labels);
		assert_memory_equal(found[names++].set.lists, expected[labels], sizeof(none));
	}
	assert_int_equal(names, n);
}

TEST(test_random_rules)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_TXT, DNS_TYPE_MX};
	static struct model m;
	struct listgen g = {.state = 4711};
	unsigned acted[RULE_RESOLVE + 1] = {0}, decided[RULE_CLASSES] = {0}, in_line = 0,
				      by_glob = 0, back = 0;
	for (unsigned round = 0; round < (UNIT_IS_SANITIZED ? 100 : 400); round++) {
		make_model(&m, &g, 10 + (unsigned)(listgen_next(&g) % (RULES_MAX - 10)));
		for (unsigned ask = 0; ask < 150; ask++) {
			struct dns_name name = random_name(&g, 6);
			uint16_t qtype = types[listgen_next(&g) % 4];
			uint64_t lists[4] = {listgen_next(&g) | listgen_next(&g), 0, 0, 0};
			if (ask % 3 == 0)
				memset(lists, 0xff, sizeof(lists));
			check(&m, &name, qtype, lists);
			in_line += check_line(&m, &name, qtype, lists);
			check_matches(&m, &name, qtype);
			struct expected e = expect(&m, &name, qtype, lists);
			back += e.back;
			if (e.decides) {
				acted[action_of(&e.decides->kind)]++;
				decided[e.decides->kind.rule_class]++;
				by_glob += e.decides->kind.globs;
			}
		}
		rule_arena_free(&m.arena);
	}
	// All that can happen did.
	assert_true(in_line > SEEN && by_glob > SEEN && back > SEEN);
	for (unsigned i = 0; i <= RULE_RESOLVE; i++)
		assert_true(acted[i] > SEEN);
	for (unsigned i = 0; i < RULE_CLASSES; i++)
		assert_true(decided[i] > SEEN || i == RULE_CLASS_EXCEPT || i == RULE_CLASS_SAFE
			    || i == RULE_CLASS_UNREWRITE);
}

struct one {
	unsigned source;
	enum rule_class rule_class;
	unsigned covers;
	const char *name;
};

// `expected`: the source that decides; -1: none.
static int decides(const struct one *rule, unsigned count, const char *name)
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct rule_builder *b = fixture_builder();
	struct rule_arena a;
	struct rule_reader r;
	struct rule_verdict v;
	struct dns_name asked = fixture_name(name);
	char why[128];
	for (unsigned source = 0; source < 4; source++) {
		assert_int_equal(rule_builder_source(b, "s"), 0);
		for (unsigned i = 0; i < count; i++) {
			struct dns_name at = fixture_name(rule[i].name);
			struct list_rule one = rule_of_name(rule[i].rule_class, &at);
			one.kind.covers = (uint8_t)rule[i].covers;
			if (rule[i].source == source)
				assert_int_equal(rule_builder_rule(b, &one), 0);
		}
	}
	fixture_finish(b, &a);
	assert_int_equal(rule_reader_init(&r, a.base, a.size, true, why), 0);
	rule_decide(&r, &asked, DNS_TYPE_A, all, &v);
	int source = v.d.matched ? rule_list_info(&r, v.d.list)->source : -1;
	rule_arena_free(&a);
	return source;
}

#define ALL   RULE_COVERS_ALL
#define SELF  RULE_COVERS_SELF
#define BELOW RULE_COVERS_BELOW

// $denyallow and prefixes, case by case.
TEST(test_exceptions)
{
	static const struct one rules[] = {
		{2, RULE_CLASS_BLOCK, ALL, "shop"},
		{2, RULE_CLASS_EXCEPT, ALL, "good.shop"},
		{2, RULE_CLASS_BLOCK, ALL, "ads.good.shop"},
		{2, RULE_CLASS_BLOCK, ALL, "twice.shop"},
		{2, RULE_CLASS_EXCEPT, ALL, "twice.shop"},
		{3, RULE_CLASS_BLOCK, SELF, "other.good.shop"},
	};
	const unsigned n = ARRAY_LEN(rules);
	assert_int_equal(decides(rules, n, "shop"), 2);
	assert_int_equal(decides(rules, n, "bad.shop"), 2);
	assert_int_equal(decides(rules, n, "good.shop"), -1);
	assert_int_equal(decides(rules, n, "www.good.shop"), -1);
	assert_int_equal(decides(rules, n, "ads.good.shop"), 2);   // nearer than the exception
	assert_int_equal(decides(rules, n, "twice.shop"), 2);      // at its very name
	assert_int_equal(decides(rules, n, "other.good.shop"), 3); // of another source
	assert_int_equal(decides(rules, n, "x.other.good.shop"), -1);
}

TEST(test_covers)
{
	static const struct one rules[] = {
		{2, RULE_CLASS_BLOCK, SELF, "a.example"},
		{3, RULE_CLASS_BLOCK, BELOW, "b.example"},
		{2, RULE_CLASS_LOCAL, BELOW, "lan"},
		{3, RULE_CLASS_LOCAL, SELF, "nas.lan"},
		{0, RULE_CLASS_OPERATOR_ALLOW, ALL, "free.lan"},
	};
	const unsigned n = ARRAY_LEN(rules);
	assert_int_equal(decides(rules, n, "a.example"), 2);
	assert_int_equal(decides(rules, n, "x.a.example"), -1);
	assert_int_equal(decides(rules, n, "b.example"), -1);
	assert_int_equal(decides(rules, n, "x.y.b.example"), 3);
	assert_int_equal(decides(rules, n, "lan"), -1);
	assert_int_equal(decides(rules, n, "pc.lan"), 2);
	assert_int_equal(decides(rules, n, "nas.lan"), 3);
	assert_int_equal(decides(rules, n, "x.nas.lan"), 2);
	assert_int_equal(decides(rules, n, "free.lan"), 2); // local, though farther, comes first
}
