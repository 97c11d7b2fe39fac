// SPDX-License-Identifier: BSD-3-Clause
// What is found against a name, clauses and masks for all groups at once, against the order of
// precedence as rule_class.h puts it for one group: random rules of every kind over few names, so
// that most of them meet. The model looks at all rules, one by one.
#include "controlplane/answer_policy/answer_rank.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

#include <weir/rule_image.h>

enum { SOURCES = 5, RULES_MAX = 20, IMAGES = 1000, QUESTIONS = 100 };
static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_TXT};

struct model_rule {
	struct dns_name name;
	struct rule_kind kind;
	unsigned source, list;
};

struct model {
	struct model_rule rule[RULES_MAX];
	unsigned count;
	struct rule_arena arena;
	struct rule_reader reader;
	struct answer_rank rank;
};

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

static struct dns_name random_name(unsigned labels)
{
	char text[16] = "";
	for (unsigned i = 0; i < labels; i++)
		strcat(text, (const char *[]){"a.", "b."}[below(2)]);
	return fixture_name(text);
}

// Exceptions do something only together with a block of their source, and with nothing above that.
static uint8_t random_class(void)
{
	return below(2) ? (below(2) ? RULE_CLASS_EXCEPT : RULE_CLASS_BLOCK)
			: (uint8_t)below(RULE_CLASSES);
}

static struct rule_kind random_kind(enum rule_zone zone)
{
	struct rule_kind k = {.rule_class = random_class(),
		.zone = (uint8_t)zone,
		.covers = (uint8_t)(below(3) ? RULE_COVERS_ALL : 1 + below(2)),
		.reply = (uint8_t)(below(4) ? RULE_REPLY_GROUP : RULE_REPLY_NULL)};
	if (below(5) == 0) {
		k.types.count = 1;
		k.types.except = (uint8_t)below(2);
		k.types.type[0] = types[below(2)];
	}
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
	return k;
}

static void rule_add(struct model *m, struct rule_builder *b, unsigned source, enum rule_zone zone)
{
	struct model_rule *r = &m->rule[m->count++];
	*r = (struct model_rule){
		.name = random_name(1 + below(4)), .kind = random_kind(zone), .source = source};
	if (source <= RULE_LIST_DENY)
		r->kind = (struct rule_kind){.rule_class = source == RULE_LIST_ALLOW
								   ? RULE_CLASS_OPERATOR_ALLOW
								   : RULE_CLASS_OPERATOR_DENY,
			.covers = RULE_COVERS_ALL};
	struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &r->name);
	rule.kind = r->kind;
	assert_int_equal(rule_builder_rule(b, &rule), 0);
}

static unsigned list_of(const struct rule_reader *r, const struct model_rule *rule)
{
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++) {
		const struct rule_list_info *info = rule_list_info(r, i);
		if (info && info->source == rule->source
			&& memcmp(&info->kind, &rule->kind, sizeof(rule->kind)) == 0)
			return i;
	}
	fail_msg("a rule without a list");
	return 0;
}

static void model_make(struct model *m)
{
	struct rule_builder *b = fixture_builder();
	char why[128];
	m->count = 0;
	for (unsigned i = 0; i < SOURCES; i++) {
		assert_int_equal(rule_builder_source(b, text_from("s%u", i)), 0);
		const enum rule_zone zone = below(2) ? RULE_ZONE_NONE : RULE_ZONE_FIRST;
		for (unsigned n = below(RULES_MAX / SOURCES + 1); n > 0; n--)
			rule_add(m, b, i, zone);
	}
	fixture_finish(b, &m->arena);
	assert_int_equal(rule_reader_init(&m->reader, m->arena.base, m->arena.size, true, why), 0);
	answer_rank_init(&m->rank, &m->reader);
	for (unsigned i = 0; i < m->count; i++)
		m->rule[i].list = list_of(&m->reader, &m->rule[i]);
}

// Whole sources, as groups have them; the operator's entries for everyone are in every group.
static void random_group(const struct model *m, uint64_t lists[4])
{
	unsigned sources = below(1 << SOURCES) | 1 << RULE_LIST_ALLOW | 1 << RULE_LIST_DENY;
	memset(lists, 0, 4 * sizeof(*lists));
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++) {
		const struct rule_list_info *info = rule_list_info(&m->reader, i);
		if (info && sources >> info->source & 1)
			lists[i / 64] |= UINT64_C(1) << i % 64;
	}
	lists[0] |= 1 << RULE_LIST_ALLOW | 1 << RULE_LIST_DENY;
}

struct question {
	struct dns_name name;
	uint16_t qtype;
	uint64_t group[4];
};

static bool counts(const struct question *q, const struct model_rule *r)
{
	const struct rule_types *t = &r->kind.types;
	if (!(q->group[r->list / 64] >> r->list % 64 & 1) || r->name.labels > q->name.labels)
		return false;
	if (t->count && (t->type[0] == q->qtype) == t->except)
		return false;
	struct dns_name suffix = rule_suffix(&q->name, r->name.labels);
	bool self = r->name.labels == q->name.labels;
	return dns_name_equal(&suffix, &r->name)
	       && r->kind.covers & (self ? RULE_COVERS_SELF : RULE_COVERS_BELOW);
}

static unsigned common_labels(const struct dns_name *a, const struct dns_name *b)
{
	unsigned common = 0;
	while (common < a->labels && common < b->labels) {
		struct dns_name x = rule_suffix(a, common + 1), y = rule_suffix(b, common + 1);
		if (!dns_name_equal(&x, &y))
			break;
		common++;
	}
	return common;
}

// By an exception of its source, or as a name of its zone exists that is nearer.
static bool excepted(const struct model *m, const struct question *q, const struct model_rule *r)
{
	for (unsigned i = 0; i < m->count; i++) {
		const struct model_rule *e = &m->rule[i];
		if (e->source != r->source)
			continue;
		if (r->kind.zone != RULE_ZONE_NONE
			&& common_labels(&q->name, &e->name) > r->name.labels)
			return true;
		if (e->kind.rule_class != RULE_CLASS_EXCEPT
			|| r->kind.rule_class != RULE_CLASS_BLOCK
			|| e->name.labels <= r->name.labels || !counts(q, e))
			continue;
		if (e->kind.base == 0
			|| (e->kind.base == r->name.labels && r->kind.base & RULE_EXCEPTED
				&& memcmp(&e->kind.types, &r->kind.types, sizeof(e->kind.types))
					   == 0))
			return true;
	}
	return false;
}

// By an exception for rewrites, of whatever source.
static bool taken_back(const struct model *m, const struct question *q, const struct model_rule *r)
{
	const struct rule_kind *k = &r->kind;
	for (unsigned i = 0; i < m->count; i++) {
		const struct rule_kind *e = &m->rule[i].kind;
		if (e->rule_class == RULE_CLASS_UNREWRITE && k->base & RULE_REWRITES
			&& (k->rule_class == RULE_CLASS_BLOCK
				|| (k->rule_class == RULE_CLASS_IMPORTANT_BLOCK && e->base))
			&& (e->reply == RULE_REPLY_GROUP || e->reply == k->reply)
			&& counts(q, &m->rule[i]))
			return true;
	}
	return false;
}

// Does `a` decide before `b`?
static bool before(const struct model_rule *a, const struct model_rule *b)
{
	static const uint8_t tier[RULE_CLASSES] = {[RULE_CLASS_LOCAL] = 1,
		[RULE_CLASS_OPERATOR_ALLOW] = 2,
		[RULE_CLASS_OPERATOR_DENY] = 2,
		[RULE_CLASS_IMPORTANT_ALLOW] = 3,
		[RULE_CLASS_IMPORTANT_BLOCK] = 4,
		[RULE_CLASS_ALLOW] = 5,
		[RULE_CLASS_BLOCK] = 7};
	unsigned x = a->kind.zone ? 6 : tier[a->kind.rule_class],
		 y = b->kind.zone ? 6 : tier[b->kind.rule_class];
	if (x != y)
		return x < y;
	if (a->kind.zone && a->source != b->source)
		return a->source < b->source;
	if (a->name.labels != b->name.labels)
		return a->name.labels > b->name.labels;
	if (a->kind.rule_class != b->kind.rule_class)
		return a->kind.rule_class == RULE_CLASS_OPERATOR_ALLOW
		       || a->kind.rule_class == RULE_CLASS_ALLOW;
	return a->source < b->source;
}

static const struct model_rule *model_decide(const struct model *m, const struct question *q)
{
	const struct model_rule *best = NULL;
	for (unsigned i = 0; i < m->count; i++) {
		const struct model_rule *r = &m->rule[i];
		uint8_t class = r->kind.rule_class;
		if (class == RULE_CLASS_EXCEPT || class == RULE_CLASS_SAFE
			|| class == RULE_CLASS_UNREWRITE || !counts(q, r) || excepted(m, q, r)
			|| taken_back(m, q, r))
			continue;
		if (!best || before(r, best))
			best = r;
	}
	return best;
}

static bool is_blocking(const struct model_rule *r)
{
	return r
	       && (r->kind.rule_class == RULE_CLASS_BLOCK
		       || r->kind.rule_class == RULE_CLASS_IMPORTANT_BLOCK
		       || r->kind.rule_class == RULE_CLASS_OPERATOR_DENY);
}

static void fail_question(const struct question *q, const struct model_rule *want, const char *what)
{
	char text[DNS_NAME_TEXT_MAX];
	dns_name_to_text(&q->name, text);
	fail_msg("%s, type %u: %s; the model says %s of list %u", text, q->qtype, what,
		want ? rule_class_name[want->kind.rule_class] : "nothing", want ? want->list : 0);
}

// The mask of a record gives the same verdict for each group.
static void check_finding(const struct model *m, const struct question *q, unsigned *masks)
{
	static const struct rule_set none;
	const struct model_rule *want = model_decide(m, q);
	struct rule_match match[RULE_LABELS_MAX];
	struct answer_match f = {0};
	struct rule_set mask;
	unsigned n = rule_matches(&m->reader, &q->name, q->qtype, match);
	answer_rank_name(&m->rank, match, n, &none, &f);
	if (f.count < ANSWER_POLICY_CLAUSES_MAX
		&& (answer_match_lists(&f, q->group, &(struct rule_set){{0}})) != is_blocking(want))
		fail_question(q, want, "another finding");
	if (!answer_match_mask(&f, &mask))
		return;
	*masks += f.count > 0;
	if (rule_mask_blocks(&mask, m->rank.allowing, q->group) != is_blocking(want))
		fail_question(q, want, "another mask");
}

TEST(test_findings)
{
	static struct model m;
	unsigned masks = 0;
	srand(5);
	for (unsigned i = 0; i < IMAGES; i++) {
		model_make(&m);
		for (unsigned k = 0; k < QUESTIONS; k++) {
			struct question q = {
				.name = random_name(1 + below(5)), .qtype = types[below(3)]};
			random_group(&m, q.group);
			check_finding(&m, &q, &masks);
		}
		rule_arena_free(&m.arena);
	}
	assert_true(masks > IMAGES);
}
