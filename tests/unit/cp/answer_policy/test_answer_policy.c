// SPDX-License-Identifier: BSD-3-Clause
#include "answer_policy_fixture.h"
#include "tests/unit/core/dns/dns_build.h"

#include <weir/rule_image.h>

static struct answer_policy_fixture f;
static struct dns_build build;
static struct dns_answer answer;
static struct answer_match finding;

static void judge(const struct dns_query *q)
{
	static const struct dns_answer_rules limits = {.max_s = 86400, .negative_s = 3600};
	assert_int_equal(dns_answer_read(build.buf, build.w.pos, q, &limits, &answer), 0);
	const struct dns_answer_view v = dns_answer_view_of(&answer);
	answer_policy_answer(
		f.answer_policy, ANSWER_POLICY_ON_RESOLVER, &q->name, q->qtype, &v, NULL, &finding);
	assert_true(finding.count == 0 || answer_policy_concerns(f.answer_policy, &v));
}

static void answer_service(const char *owner, const char *target)
{
	const struct dns_query q = {
		.name = fixture_name(owner), .qtype = DNS_TYPE_HTTPS, .qclass = DNS_CLASS_IN};
	const struct dns_name to = fixture_name(target);
	uint8_t rdata[2 + DNS_NAME_MAX] = {0, 1};
	memcpy(rdata + 2, to.wire, to.len);
	build_reply(&build, 0, owner, q.qtype);
	build_rr(&build, SECTION_ANSWER, owner, q.qtype, 60, rdata, (uint16_t)(2 + to.len));
	judge(&q);
}

// Judges an answer to `names[0]`: a chain through the names (space-separated), then addresses.
static void answer_chain(const char *names, const char *address)
{
	char copy[512], *rest = copy, *word, *owner;
	struct ip_address a;
	strcpy(copy, names);
	owner = strtok_r(rest, " ", &rest);
	struct dns_query q = {
		.name = fixture_name(owner), .qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN};
	a = address_of_text(address);
	if (a.version == 6)
		q.qtype = DNS_TYPE_AAAA;
	build_reply(&build, 0, owner, q.qtype);
	while ((word = strtok_r(rest, " ", &rest))) {
		build_rr_name(&build, SECTION_ANSWER, owner, DNS_TYPE_CNAME, 60, word);
		owner = word;
	}
	build_rr(&build, SECTION_ANSWER, owner, q.qtype, 60, a.bytes, a.version == 6 ? 16 : 4);
	judge(&q);
}

static bool blocks(const char *a, const char *b)
{
	const char *const titles[] = {a, b};
	const struct rule_set g = fixture_group(&f, titles, b ? 2 : a ? 1 : 0);
	return answer_match_lists(&finding, g.lists, &(struct rule_set){{0}});
}

static int setup(void **)
{
	fixture_open(&f);
	fixture_source(&f, "allow entries");
	fixture_rule(&f, RULE_CLASS_OPERATOR_ALLOW, "fine.tracker.example");
	fixture_rule(&f, RULE_CLASS_OPERATOR_ALLOW, "/^trusted[.]/");
	fixture_source(&f, "deny entries");
	fixture_rule(&f, RULE_CLASS_OPERATOR_DENY, "denied.example");
	fixture_rule(&f, RULE_CLASS_OPERATOR_DENY, "/metrics/");
	fixture_source(&f, "ads");
	fixture_rule(&f, RULE_CLASS_BLOCK, "tracker.example");
	fixture_rule(&f, RULE_CLASS_BLOCK, "double.example");
	fixture_rule(&f, RULE_CLASS_BLOCK, "/^ads?[0-9]*[.]/");
	fixture_rule(&f, RULE_CLASS_ALLOW, "own.tracker.example");
	fixture_source(&f, "malware");
	fixture_rule(&f, RULE_CLASS_BLOCK, "double.example");
	fixture_rule(&f, RULE_CLASS_BLOCK, "evil.example");
	fixture_rule(&f, RULE_CLASS_BLOCK, "192.0.2.0/24");
	fixture_rule(&f, RULE_CLASS_IMPORTANT_BLOCK, "worst.example");
	fixture_source(&f, "good");
	fixture_rule(&f, RULE_CLASS_ALLOW, "double.example");
	fixture_rule(&f, RULE_CLASS_ALLOW, "worst.example");
	fixture_source(&f, "rebinding");
	fixture_rule(&f, RULE_CLASS_BLOCK, "10.0.0.0/8");
	fixture_rule(&f, RULE_CLASS_BLOCK, "fc00::/7");
	fixture_rule(&f, RULE_CLASS_EXCEPT, "home.example");
	fixture_check(&f);
	return 0;
}

FIXTURE(teardown, fixture_close(&f))

// A chain, its address, and whether it is blocked for a group with these two sources.
struct checked {
	const char *names, *address, *source, *other;
	bool blocked;
};
#define PUBLIC "198.18.0.1"

static void expect_checked(const struct checked *j, unsigned count)
{
	for (; count > 0; j++, count--) {
		answer_chain(j->names, j->address);
		if (blocks(j->source, j->other) != j->blocked)
			fail_msg("%s %s, with %s and %s: blocked %d", j->names, j->address,
				j->source, j->other, !j->blocked);
	}
}
#define EXPECT_CHECKED(rows) expect_checked(rows, ARRAY_LEN(rows))

TEST_WITH(test_chain, setup, teardown)
{
	static const struct checked checked[] = {
		{"tracker.example", PUBLIC, "ads", NULL, true}, // a pattern might have allowed it
		{"trusted.tracker.example", PUBLIC, "ads", NULL, false},
		{"www.shop.example shop.Tracker.example", PUBLIC, "ads", NULL, true},
		{"www.shop.example shop.Tracker.example", PUBLIC, "malware", NULL, false},
		{"a.shop.example a.example b.example evil.example c.example", PUBLIC, "ads", NULL,
			false},
		{"a.shop.example a.example b.example evil.example c.example", PUBLIC, "malware",
			NULL, true},
		// The operator's entries are everyone's.
		{"www.shop.example x.denied.example", PUBLIC, NULL, NULL, true},
	};
	EXPECT_CHECKED(checked);
	answer_chain("www.shop.example", PUBLIC);
	assert_int_equal(finding.count, 0);
}

// Of an address and of a service's target nothing is known for the name's other types.
TEST_WITH(test_of_one_type, setup, teardown)
{
	answer_chain("www.shop.example tracker.example", "198.18.0.1");
	assert_true(blocks("ads", NULL) && !finding.typed); // an alias is one for all types
	answer_chain("ads.shop.example", "198.18.0.1");
	assert_true(blocks("ads", NULL) && !finding.typed);
	answer_chain("www.shop.example", "192.0.2.1");
	assert_true(blocks("malware", NULL) && finding.typed);
	answer_service("www.shop.example", "tracker.example");
	assert_true(blocks("ads", NULL) && finding.typed);
	answer_service("tracker.example", "www.shop.example"); // by its name
	assert_true(blocks("ads", NULL) && !finding.typed);
}

TEST_WITH(test_allowed_targets, setup, teardown)
{
	static const struct checked checked[] = {
		// By the operator, by the list itself, by another one.
		{"www.shop.example fine.tracker.example", PUBLIC, "ads", "malware", false},
		{"www.shop.example own.tracker.example", PUBLIC, "ads", "malware", false},
		{"www.shop.example double.example", PUBLIC, "ads", NULL, true},
		{"www.shop.example double.example", PUBLIC, "ads", "good", false},
		// Important beats that.
		{"www.shop.example worst.example", PUBLIC, "malware", "good", true},
		// One allowed name does not take the other's block away.
		{"www.shop.example fine.tracker.example evil.example", PUBLIC, "malware", NULL,
			true},
		{"www.shop.example fine.tracker.example evil.example", PUBLIC, "ads", NULL, false},
		{"www.shop.example double.example evil.example tracker.example", PUBLIC, "malware",
			"good", true},
		{"www.shop.example double.example evil.example tracker.example", PUBLIC, "ads",
			"good", true},
	};
	struct rule_set mask;
	EXPECT_CHECKED(checked);
	answer_chain("www.shop.example double.example", PUBLIC);
	assert_true(answer_match_mask(&finding, &mask));
}

TEST_WITH(test_patterns, setup, teardown)
{
	static const struct checked checked[] = {
		{"ad3.shop.example", PUBLIC, "ads", NULL, true},
		{"ad3.shop.example", PUBLIC, "malware", NULL, false},
		{"www.shop.example ads.cdn.example", PUBLIC, "ads", NULL, true},
		{"METRICS.shop.example", PUBLIC, NULL, NULL, true},
		{"trusted.metrics.example", PUBLIC, "ads", "malware", false},
		// It takes a list's block of a target away, an operator's deny of a name not.
		{"www.shop.example trusted.tracker.example", PUBLIC, "ads", NULL, false},
		{"www.shop.example trusted.denied.example", PUBLIC, "ads", NULL, true},
	};
	struct dns_name name = fixture_name("ad9.example");
	EXPECT_CHECKED(checked);
	answer_policy_question(
		f.answer_policy, ANSWER_POLICY_ON_SERVICE, &name, DNS_TYPE_A, &finding);
	assert_true(blocks("ads", NULL));
}

// Workers leave names to us that a list blocks, whether or not libhs took the pattern that may
// allow them.
TEST_WITH(test_refused_allow_pattern, setup, teardown)
{
	struct answer_policy_fixture was = f;
	fixture_open(&f);
	fixture_source(&f, "allow entries");
	fixture_rule(&f, RULE_CLASS_OPERATOR_ALLOW, "/^(?=trusted)/");
	fixture_source(&f, "ads");
	fixture_rule(&f, RULE_CLASS_BLOCK, "tracker.example");
	fixture_check(&f);
	assert_int_equal(answer_policy_counts(f.answer_policy)->patterns.compiled, 0);
	assert_true(answer_policy_concerns_names(f.answer_policy));
	answer_chain("tracker.example", "198.18.0.1"); // and walks check its record
	assert_true(blocks("ads", NULL));
	answer_chain("www.shop.example", "198.18.0.1");
	assert_int_equal(finding.count, 0);
	fixture_close(&f);
	f = was;
}

// An inverted pattern is one as the others: an allowed name, local data and a list's allow rule
// beat it, and it meets names that the answer leads to.
TEST_WITH(test_inverted_pattern, setup, teardown)
{
	static const struct checked checked[] = {
		{"www.ours.example", PUBLIC, NULL, NULL, false},
		{"www.other.example", PUBLIC, NULL, NULL, true},
		{"www.allowed.example", PUBLIC, NULL, NULL, false},
		{"www.local.example", PUBLIC, NULL, NULL, false},
		{"www.listed.example", PUBLIC, "fine", NULL, false},
		{"www.listed.example", PUBLIC, NULL, NULL, true},
		{"www.ours.example www.other.example", PUBLIC, NULL, NULL, true},
		{"www.ours.example more.ours.example", PUBLIC, NULL, NULL, false},
	};
	struct answer_policy_fixture was = f;
	fixture_open(&f);
	fixture_source(&f, "allow entries");
	fixture_rule(&f, RULE_CLASS_OPERATOR_ALLOW, "allowed.example");
	fixture_source(&f, "deny entries");
	fixture_rule(&f, RULE_CLASS_OPERATOR_DENY, "!/[.]ours[.]example$/");
	fixture_rule(&f, RULE_CLASS_LOCAL, "local.example");
	fixture_source(&f, "fine");
	fixture_rule(&f, RULE_CLASS_ALLOW, "listed.example");
	fixture_check(&f);
	EXPECT_CHECKED(checked);
	fixture_close(&f);
	f = was;
}

// The last allow pattern goes: until workers know, names are checked as before.
TEST_WITH(test_follows_allow_pattern, setup, teardown)
{
	const struct dns_name name = fixture_name("tracker.example");
	struct answer_policy_fixture next[2];
	const struct answer_policy *before = f.answer_policy;
	for (unsigned i = 0; i < 2; i++) {
		fixture_open(&next[i]);
		fixture_source(&next[i], "allow entries");
		fixture_source(&next[i], "ads");
		fixture_rule(&next[i], RULE_CLASS_BLOCK, "tracker.example");
		fixture_check(&next[i]);
		answer_policy_follow(next[i].answer_policy, before);
		assert_int_equal(answer_policy_concerns_names(next[i].answer_policy), i == 0);
		answer_policy_question(next[i].answer_policy, ANSWER_POLICY_ON_RESOLVER, &name,
			DNS_TYPE_A, &finding);
		assert_int_equal(finding.count, i == 0);
		before = next[i].answer_policy;
	}
	fixture_close(&next[0]);
	fixture_close(&next[1]);
}

// A pattern for some types ($dnstype) says nothing of others, be it that it blocks or allows.
TEST_WITH(test_pattern_types, setup, teardown)
{
	static const struct {
		const char *name;
		uint16_t qtype;
		bool blocked;
	} asked[] = {{"six.example", DNS_TYPE_A, false}, {"six.example", DNS_TYPE_AAAA, true},
		{"free.example", DNS_TYPE_A, false}, {"free.example", DNS_TYPE_AAAA, true}};
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	for (unsigned allows = 0; allows < 2; allows++) {
		struct answer_policy_fixture g;
		fixture_begin(&g);
		fixture_source(&g, "ads");
		fixture_rule_for(&g, RULE_CLASS_BLOCK, "/^six/", DNS_TYPE_AAAA);
		if (allows) {
			fixture_rule(&g, RULE_CLASS_BLOCK, "free.example");
			fixture_rule_for(&g, RULE_CLASS_ALLOW, "/^free/", DNS_TYPE_A);
		}
		fixture_check(&g);
		for (unsigned i = 0; i < (allows ? 4 : 2); i++) {
			struct dns_name name = fixture_name(asked[i].name);
			answer_policy_question(g.answer_policy, ANSWER_POLICY_ON_RESOLVER, &name,
				asked[i].qtype, &finding);
			if ((answer_match_lists(&finding, all, &(struct rule_set){{0}}))
				!= asked[i].blocked)
				fail_msg("%s, type %u", asked[i].name, asked[i].qtype);
		}
		fixture_close(&g);
	}
}

TEST_WITH(test_addresses, setup, teardown)
{
	static const struct checked checked[] = {
		{"www.shop.example", "192.0.2.77", "malware", NULL, true},
		{"www.shop.example", "192.0.2.77", "ads", NULL, false},
		{"www.shop.example", "10.1.2.3", "rebinding", NULL, true},
		{"www.shop.example", "fd53::1", "rebinding", NULL, true},
		{"www.shop.example", "::ffff:10.0.0.1", "rebinding", NULL, true},
		// What is excepted is the name asked, not one that it leads to; of rebinding alone.
		{"nas.home.example", "10.1.2.3", "rebinding", NULL, false},
		{"www.shop.example nas.home.example", "10.1.2.3", "rebinding", NULL, true},
		{"nas.home.example", "192.0.2.77", "malware", "rebinding", true},
	};
	EXPECT_CHECKED(checked);
}

// A list of more addresses than there is room for takes none of a smaller list's.
TEST(test_a_long_list_of_addresses)
{
	struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, NULL);
	rule.what = LIST_RULE_ADDRESS;
	rule.prefix = (struct ip_address){.version = 4, .prefix_len = 32};
	fixture_begin(&f);
	fixture_source(&f, "long");
	for (uint32_t i = 0; i < ANSWER_PREFIXES_MAX; i++) {
		put_u32(rule.prefix.bytes, UINT32_C(0x20000000) + i);
		if (rule_builder_rule(f.builder, &rule))
			fail_msg("prefix %u is refused", i);
	}
	fixture_source(&f, "rebinding");
	fixture_rule(&f, RULE_CLASS_BLOCK, "10.0.0.0/8");
	fixture_rule(&f, RULE_CLASS_BLOCK, "fc00::/7");
	fixture_check(&f);
	const struct checked checked[] = {
		{"www.shop.example", "10.1.2.3", "rebinding", NULL, true},
		{"www.shop.example", "fd53::1", "rebinding", NULL, true},
		{"www.shop.example", "32.0.0.1", "long", NULL, true},
		{"www.shop.example", "32.15.255.255", "long", NULL, false}, // refused
	};
	EXPECT_CHECKED(checked);
	assert_int_equal(answer_policy_counts(f.answer_policy)->prefixes.refused_count, 2);
	fixture_close(&f);
}

TEST_WITH(test_question_allowed, setup, teardown)
{
	static const uint64_t all[4] = {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};
	const uint64_t one[4] = {1 << RULE_LIST_FIRST};
	const struct answer_match found = {
		.count = 1, .clause = {{.block = {{1 << RULE_LIST_FIRST}}}}};
	struct rule_ruling ruling;
	struct dns_name name = fixture_name("x.fine.tracker.example");
	assert_false(
		answer_policy_blocks(f.answer_policy, &found, &name, DNS_TYPE_A, all, &ruling));
	assert_true(answer_policy_blocks(f.answer_policy, &found, &name, DNS_TYPE_A, one, &ruling));
	assert_int_equal(ruling.d.list, RULE_LIST_FIRST);
	name = fixture_name("tracker.example");
	assert_true(answer_policy_blocks(f.answer_policy, &found, &name, DNS_TYPE_A, all, &ruling));
}

// Random rules of all classes, random chains, groups with any sources: the finding says what the
// decisions on the names one by one say, with patterns looked for by hand, and a mask that it.
enum { SOURCES = 6, LABELS = 3 };
static const char *const pattern_text[] = {"aa", "b.c", "[.]d", "ee[.]", "c"};
struct model_pattern {
	unsigned text, source;
	enum rule_class rule_class;
	bool inverts;
};
static struct model_pattern model_pattern[12];
static unsigned model_patterns;

static void random_name(struct dns_rand *r, char *out)
{
	out[0] = 0;
	for (unsigned n = 1 + dns_rand_below(r, 4); n; n--) {
		static const char *const label[LABELS] = {"a", "bc", "d"};
		strcat(out, label[dns_rand_below(r, LABELS)]);
		if (dns_rand_below(r, 8) == 0)
			strcat(out, label[dns_rand_below(r, LABELS)]);
		strcat(out, ".");
	}
	strcat(out, "test");
}

static const char *source_title(unsigned source)
{
	static const char *const title[SOURCES] = {
		"allow entries", "deny entries", "s2", "s3", "s4", "s5"};
	return title[source];
}

static enum rule_class random_class(struct dns_rand *r, unsigned source)
{
	static const enum rule_class any[] = {RULE_CLASS_BLOCK, RULE_CLASS_BLOCK, RULE_CLASS_BLOCK,
		RULE_CLASS_ALLOW, RULE_CLASS_ALLOW, RULE_CLASS_IMPORTANT_BLOCK,
		RULE_CLASS_IMPORTANT_ALLOW, RULE_CLASS_EXCEPT, RULE_CLASS_OPERATOR_ALLOW,
		RULE_CLASS_OPERATOR_DENY, RULE_CLASS_LOCAL};
	return source == 0   ? RULE_CLASS_OPERATOR_ALLOW
	       : source == 1 ? RULE_CLASS_OPERATOR_DENY
			     : any[dns_rand_below(r, ARRAY_LEN(any))];
}

static void model_image(struct dns_rand *r)
{
	bool allows = dns_rand_below(r, 2); // some pattern does
	model_patterns = 0;
	fixture_open(&f);
	for (unsigned s = 0; s < SOURCES; s++) {
		fixture_source(&f, source_title(s));
		for (unsigned i = 0; i < (s < 2 ? 2 : 12); i++) {
			char name[256];
			random_name(r, name);
			enum rule_class c = random_class(r, s);
			struct dns_name n = fixture_name(name);
			struct list_rule rule = rule_of_name(c, &n);
			if (c == RULE_CLASS_LOCAL)
				rule.kind.reply = RULE_REPLY_RESOLVE;
			assert_int_equal(rule_builder_rule(f.builder, &rule), 0);
		}
		for (unsigned i = 0; i < (s > 0 || allows ? 2 : 0); i++) {
			struct model_pattern *p = &model_pattern[model_patterns++];
			*p = (struct model_pattern){dns_rand_below(r, ARRAY_LEN(pattern_text)), s,
				random_class(r, s), dns_rand_below(r, 8) == 0};
			bool may = p->rule_class == RULE_CLASS_BLOCK
				   || p->rule_class == RULE_CLASS_IMPORTANT_BLOCK
				   || p->rule_class == RULE_CLASS_OPERATOR_DENY;
			if (!may
				&& !(allows && p->rule_class != RULE_CLASS_EXCEPT
					&& p->rule_class != RULE_CLASS_LOCAL))
				p->rule_class = RULE_CLASS_BLOCK;
			fixture_rule(&f, p->rule_class,
				text_from("%s/%s/", p->inverts ? "!" : "", pattern_text[p->text]));
		}
	}
	fixture_check(&f);
}

static bool pattern_matches(unsigned text, const char *name)
{
	static const char *const plain[] = {"aa", NULL, ".d", "ee.", "c"};
	if (plain[text])
		return strstr(name, plain[text]) != NULL;
	for (const char *p = strchr(name, 'b'); p; p = strchr(p + 1, 'b'))
		if (p[1] && p[2] == 'c')
			return true;
	return false;
}

// Which classes have a pattern for the name in a group.
static unsigned model_classes(const char *name, unsigned sources)
{
	unsigned classes = 0;
	for (unsigned i = 0; i < model_patterns; i++)
		if ((sources >> model_pattern[i].source & 1)
			&& pattern_matches(model_pattern[i].text, name) != model_pattern[i].inverts)
			classes |= 1u << model_pattern[i].rule_class;
	return classes;
}

// Of which classes rules by name are that cover it, whether or not they decide.
static unsigned model_name_classes(const struct dns_name *name, const struct rule_set *group)
{
	struct rule_match match[RULE_LABELS_MAX];
	unsigned classes = 0;
	for (unsigned n = rule_matches(&f.image, name, DNS_TYPE_A, match); n; n--)
		for (unsigned k = 0; k < RULE_CLASSES; k++)
			for (unsigned w = 0; w < 4; w++)
				if (match[n - 1].set.lists[w] & group->lists[w]
					& f.image.of_class[k][w])
					classes |= 1u << k;
	return classes;
}

// Has the image a pattern of one of these classes?
static bool model_has(unsigned classes)
{
	bool any = false;
	for (unsigned i = 0; i < model_patterns; i++)
		any |= classes >> model_pattern[i].rule_class & 1;
	return any;
}

enum {
	OVER_ALL = 1u << RULE_CLASS_OPERATOR_ALLOW | 1u << RULE_CLASS_LOCAL,
	OVER_IMPORTANT = OVER_ALL | 1u << RULE_CLASS_IMPORTANT_ALLOW,
	OVER_BLOCK = OVER_IMPORTANT | 1u << RULE_CLASS_ALLOW,
	BY_LISTS = 1u << RULE_CLASS_ALLOW | 1u << RULE_CLASS_IMPORTANT_ALLOW,
	INSISTING = 1u << RULE_CLASS_IMPORTANT_BLOCK
};

static bool model_blocks(
	const char *text, unsigned sources, const struct rule_set *group, bool asked)
{
	struct rule_verdict v = {0};
	struct dns_name name = fixture_name(text);
	unsigned p = model_classes(text, sources);
	unsigned named = model_name_classes(&name, group), any = p | named;
	// What a rule by name blocks of the question the table did, unless a pattern may allow it.
	if (!asked || model_has(OVER_BLOCK))
		rule_decide(&f.image, &name, DNS_TYPE_A, group->lists, &v);
	unsigned c = v.d.matched ? v.d.rule_class : RULE_CLASSES;
	return c == RULE_CLASS_OPERATOR_DENY
	       || (p & 1u << RULE_CLASS_OPERATOR_DENY && !(any & OVER_ALL) && !(named & OVER_BLOCK))
	       || (c == RULE_CLASS_IMPORTANT_BLOCK && !(p & OVER_IMPORTANT))
	       || (p & 1u << RULE_CLASS_IMPORTANT_BLOCK && !(any & OVER_IMPORTANT))
	       || (c == RULE_CLASS_BLOCK && !(p & OVER_BLOCK))
	       || (p & 1u << RULE_CLASS_BLOCK && !(any & OVER_BLOCK));
}

static void check_group(char (*name)[256], unsigned count, unsigned sources)
{
	const char *titles[SOURCES];
	unsigned n = 0;
	for (unsigned s = 2; s < SOURCES; s++)
		if (sources >> s & 1)
			titles[n++] = source_title(s);
	const struct rule_set group = fixture_group(&f, titles, n);
	struct dns_name question = fixture_name(name[0]);
	bool led = !model_has(INSISTING) || !(model_name_classes(&question, &group) & BY_LISTS);
	bool want = false;
	for (unsigned i = 0; i < (led ? count : 1); i++)
		want |= model_blocks(name[i], sources, &group, i == 0);
	if (finding.count < ANSWER_POLICY_CLAUSES_MAX)
		assert_int_equal(
			(answer_match_lists(&finding, group.lists, &(struct rule_set){{0}})), want);
	else
		assert_true(!want
			    || answer_match_lists(&finding, group.lists, &(struct rule_set){{0}}));
	struct rule_set mask;
	if (answer_match_mask(&finding, &mask))
		assert_int_equal(rule_mask_blocks(&mask, answer_policy_allowing(f.answer_policy),
					 group.lists),
			want);
}

TEST(test_model)
{
	struct dns_rand r = {.state = 17};
	unsigned masks = 0, blocked = 0, all = 0;
	for (unsigned round = 0; round < 60; round++) {
		model_image(&r);
		for (unsigned k = 0; k < 60; k++) {
			char name[4][256], chain[1024] = "";
			unsigned count = 1 + dns_rand_below(&r, 4);
			struct rule_set mask;
			for (unsigned i = 0; i < count; i++) {
				char plain[240];
				random_name(&r, plain);
				// No loops in the chain.
				snprintf(name[i], sizeof(name[i]), "%u.%s", i, plain);
				strcat(strcat(chain, i ? " " : ""), name[i]);
			}
			answer_chain(chain, "198.18.0.1");
			for (unsigned sources = 3; sources < 1u << SOURCES; sources += 4)
				check_group(name, count, sources);
			all++;
			blocked += finding.count > 0;
			masks += answer_match_mask(&finding, &mask);
		}
		fixture_close(&f);
	}
	assert_true(blocked > all / 4 && blocked < all);
	assert_true(masks > all / 4);
}
