// SPDX-License-Identifier: BSD-3-Clause
// The explanation of a decision: which rule decides in each class, what the others are said to be,
// the next rule, and the words.

#include "controlplane/answer_policy/why/why.h"
#include "controlplane/answer_policy/why/why_steps.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"
#include "why_rig.h"

// Situations for the explanation of a decision (test_why.c): rules, and the expected explanation.

#define A    DNS_TYPE_A
#define AAAA DNS_TYPE_AAAA

struct rule {
	unsigned list;
	enum rule_class class;
	const char *name;
	unsigned covers; // 0: all
	enum rule_reply reply;
	struct rule_types types;
	enum why_what what;
};

// A rule of a list for a name, with what else it says; and one for a pattern.
enum { ALLOWED, DENIED, ADS, FINE, KIDS, LOCAL, SAFE };
static const char *const titles[] = {
	"allow entries", "deny entries", "ads", "fine", "kids", "local records", "safe search"};
#define RULE(list_, class_, name_, ...)                        \
	{                                                      \
		.list = (list_), .class = RULE_CLASS_##class_, \
		.name = (name_)__VA_OPT__(, ) __VA_ARGS__      \
	}
#define PATTERN(list_, class_, text_) RULE(list_, class_, text_, .what = WHY_PATTERN)

struct situation {
	const char *what;
	const char *name;
	uint16_t qtype;
	uint64_t off; // lists that the group has not
	bool paused, disabled;
	bool group_paused; // `off` is what a pause of the group took away
	struct rule rule[4];
	// Expected.
	enum why_verdict verdict, next;
	int decides;             // number in rule, -1: none
	enum why_state state[4]; // of each rule
	bool safe;
};

static const struct situation situations[] = {
	{"nothing", "www.example", A, .verdict = WHY_PASSED, .decides = -1},
	{"block", "x.ads.example", A, .rule = {RULE(ADS, BLOCK, "ads.example")},
		.verdict = WHY_BLOCKED, .decides = 0, .state = {WHY_DECIDES}},
	{"allow beats block wherever it is", "x.y.ads.example", A,
		.rule = {RULE(ADS, BLOCK, "x.y.ads.example"), RULE(FINE, ALLOW, "ads.example")},
		.verdict = WHY_ALLOWED, .next = WHY_BLOCKED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
	{"a list that a pause of the group takes away", "x.ads.example", A, .off = 1 << ADS,
		.group_paused = true, .rule = {RULE(ADS, BLOCK, "ads.example")},
		.verdict = WHY_PASSED, .next = WHY_BLOCKED, .decides = -1, .state = {WHY_PAUSED}},
	{"important block beats allow", "x.ads.example", A,
		.rule = {RULE(FINE, ALLOW, "x.ads.example"),
			RULE(ADS, IMPORTANT_BLOCK, "ads.example")},
		.verdict = WHY_BLOCKED, .next = WHY_ALLOWED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
	{"important allow beats important block", "x.ads.example", A,
		.rule = {RULE(FINE, IMPORTANT_ALLOW, "ads.example"),
			RULE(ADS, IMPORTANT_BLOCK, "x.ads.example")},
		.verdict = WHY_ALLOWED, .next = WHY_BLOCKED, .decides = 0,
		.state = {WHY_DECIDES, WHY_OVERRULED}},
	{"the operator's nearest entry", "a.b.c.example", A,
		.rule = {RULE(ALLOWED, OPERATOR_ALLOW, "c.example"),
			RULE(DENIED, OPERATOR_DENY, "b.c.example"),
			RULE(FINE, IMPORTANT_ALLOW, "a.b.c.example")},
		.verdict = WHY_BLOCKED, .next = WHY_ALLOWED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES, WHY_OVERRULED}},
	{"the operator's allow at the same name", "b.c.example", A,
		.rule = {RULE(DENIED, OPERATOR_DENY, "b.c.example"),
			RULE(ALLOWED, OPERATOR_ALLOW, "b.c.example")},
		.verdict = WHY_ALLOWED, .next = WHY_BLOCKED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
	{"local data before all", "nas.home.example", A,
		.rule = {RULE(ALLOWED, OPERATOR_ALLOW, "nas.home.example"),
			RULE(LOCAL, LOCAL, "home.example", .reply = RULE_REPLY_NXDOMAIN),
			RULE(LOCAL, LOCAL, "nas.home.example", .reply = RULE_REPLY_DATA)},
		.verdict = WHY_LOCAL, .next = WHY_LOCAL, .decides = 2,
		.state = {WHY_OVERRULED, WHY_OVERRULED, WHY_DECIDES}},
	{"a local CNAME", "nas.home.example", A,
		.rule = {RULE(LOCAL, LOCAL, "nas.home.example", .reply = RULE_REPLY_RESOLVE,
			.covers = RULE_COVERS_SELF)},
		.verdict = WHY_REWRITTEN, .decides = 0, .state = {WHY_DECIDES}},
	{"a zone that is left to servers", "x.guest.lan", A,
		.rule = {RULE(LOCAL, LOCAL, "lan", .reply = RULE_REPLY_NXDOMAIN),
			RULE(LOCAL, LOCAL, "guest.lan", .reply = RULE_REPLY_RESOLVE),
			RULE(DENIED, OPERATOR_DENY, "x.guest.lan")},
		.verdict = WHY_BLOCKED, .decides = 2,
		.state = {WHY_EXCEPTED, WHY_EXCEPTS, WHY_DECIDES}},
	{"dropped", "ads.example", A,
		.rule = {RULE(ADS, BLOCK, "ads.example", .reply = RULE_REPLY_DROP)},
		.verdict = WHY_DROPPED, .decides = 0, .state = {WHY_DECIDES}},
	{"a list that the group has not", "ads.example", A, .off = 1 << KIDS,
		.rule = {RULE(KIDS, BLOCK, "ads.example")}, .verdict = WHY_PASSED, .decides = -1,
		.state = {WHY_NO_GROUP}},
	{"the same for another group", "ads.example", A, .off = 1 << ADS,
		.rule = {RULE(KIDS, BLOCK, "ads.example"), RULE(ADS, ALLOW, "ads.example")},
		.verdict = WHY_BLOCKED, .decides = 0, .state = {WHY_DECIDES, WHY_NO_GROUP}},
	{"for other types", "ads.example", A,
		.rule = {RULE(ADS, BLOCK, "ads.example", .types = {.count = 1, .type = {AAAA}})},
		.verdict = WHY_PASSED, .decides = -1, .state = {WHY_NO_TYPE}},
	{"for this type", "ads.example", AAAA,
		.rule = {RULE(ADS, BLOCK, "ads.example", .types = {.count = 2, .type = {A, AAAA}})},
		.verdict = WHY_BLOCKED, .decides = 0, .state = {WHY_DECIDES}},
	{"for all types but this one", "ads.example", AAAA,
		.rule = {RULE(ADS, BLOCK, "ads.example",
			.types = {.count = 1, .except = 1, .type = {AAAA}})},
		.verdict = WHY_PASSED, .decides = -1, .state = {WHY_NO_TYPE}},
	{"for all types but others", "ads.example", A,
		.rule = {RULE(ADS, BLOCK, "ads.example",
			.types = {.count = 1, .except = 1, .type = {AAAA}})},
		.verdict = WHY_BLOCKED, .decides = 0, .state = {WHY_DECIDES}},
	{"the name itself alone", "x.ads.example", A,
		.rule = {RULE(ADS, BLOCK, "ads.example", .covers = RULE_COVERS_SELF),
			RULE(FINE, BLOCK, "x.ads.example", .covers = RULE_COVERS_SELF)},
		.verdict = WHY_BLOCKED, .next = WHY_PASSED, .decides = 1,
		.state = {WHY_NO_COVER, WHY_DECIDES}},
	{"the names below alone", "ads.example", A,
		.rule = {RULE(ADS, BLOCK, "ads.example", .covers = RULE_COVERS_BELOW),
			RULE(FINE, BLOCK, "example", .covers = RULE_COVERS_BELOW)},
		.verdict = WHY_BLOCKED, .decides = 1, .state = {WHY_NO_COVER, WHY_DECIDES}},
	{"excepted by its own list", "x.good.example", A,
		.rule = {RULE(ADS, BLOCK, "example"), RULE(ADS, EXCEPT, "good.example")},
		.verdict = WHY_PASSED, .decides = -1, .state = {WHY_EXCEPTED, WHY_EXCEPTS}},
	{"not by another list", "x.good.example", A,
		.rule = {RULE(ADS, BLOCK, "example"), RULE(FINE, EXCEPT, "good.example")},
		.verdict = WHY_BLOCKED, .decides = 0, .state = {WHY_DECIDES, WHY_EXCEPTS}},
	{"nor at the same name or below", "x.good.example", A,
		.rule = {RULE(ADS, BLOCK, "good.example"), RULE(ADS, EXCEPT, "good.example")},
		.verdict = WHY_BLOCKED, .decides = 0, .state = {WHY_DECIDES, WHY_EXCEPTS}},
	{"nor if it is important", "x.good.example", A,
		.rule = {RULE(ADS, IMPORTANT_BLOCK, "example"), RULE(ADS, EXCEPT, "good.example")},
		.verdict = WHY_BLOCKED, .decides = 0, .state = {WHY_DECIDES, WHY_EXCEPTS}},
	{"safe search", "www.search.example", A, .rule = {RULE(SAFE, SAFE, "www.search.example")},
		.verdict = WHY_PASSED, .decides = -1, .state = {WHY_ADDS}, .safe = true},
	{"safe search of another group", "www.search.example", A, .off = 1 << SAFE,
		.rule = {RULE(SAFE, SAFE, "www.search.example")}, .verdict = WHY_PASSED,
		.decides = -1, .state = {WHY_NO_GROUP}},
	{"a pattern", "ads7.example", A, .rule = {PATTERN(ADS, BLOCK, "ads[0-9]")},
		.verdict = WHY_BLOCKED, .decides = 0, .state = {WHY_DECIDES}},
	{"a list's name before the operator's pattern", "ads7.example", A,
		.rule = {PATTERN(DENIED, OPERATOR_DENY, "ads[0-9]"),
			RULE(FINE, ALLOW, "ads7.example")},
		.verdict = WHY_ALLOWED, .next = WHY_BLOCKED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
	{"his name before his pattern", "ads7.example", A,
		.rule = {PATTERN(DENIED, OPERATOR_DENY, "ads[0-9]"),
			RULE(ALLOWED, OPERATOR_ALLOW, "ads7.example")},
		.verdict = WHY_ALLOWED, .next = WHY_BLOCKED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
	{"a list's name before a list's pattern", "ads7.example", A,
		.rule = {PATTERN(ADS, BLOCK, "ads[0-9]"), RULE(FINE, ALLOW, "ads7.example")},
		.verdict = WHY_ALLOWED, .next = WHY_BLOCKED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
	{"a pattern that allows what a list blocks", "ads7.example", A,
		.rule = {RULE(ADS, BLOCK, "ads7.example"), PATTERN(FINE, ALLOW, "ads[0-9]")},
		.verdict = WHY_ALLOWED, .next = WHY_BLOCKED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
	{"not if that is important", "ads7.example", A,
		.rule = {RULE(ADS, IMPORTANT_BLOCK, "ads7.example"),
			PATTERN(FINE, ALLOW, "ads[0-9]")},
		.verdict = WHY_BLOCKED, .next = WHY_ALLOWED, .decides = 0,
		.state = {WHY_DECIDES, WHY_OVERRULED}},
	{"nor the operator's entry", "ads7.example", A,
		.rule = {RULE(DENIED, OPERATOR_DENY, "example"),
			PATTERN(ALLOWED, OPERATOR_ALLOW, "ads[0-9]")},
		.verdict = WHY_BLOCKED, .next = WHY_ALLOWED, .decides = 0,
		.state = {WHY_DECIDES, WHY_OVERRULED}},
	{"a pattern that allows what a list drops", "ads7.example", A,
		.rule = {RULE(ADS, BLOCK, "ads7.example", .reply = RULE_REPLY_DROP),
			PATTERN(FINE, ALLOW, "ads[0-9]")},
		.verdict = WHY_ALLOWED, .next = WHY_DROPPED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
	{"paused", "ads.example", A, .paused = true, .rule = {RULE(ADS, BLOCK, "ads.example")},
		.verdict = WHY_PASSED, .next = WHY_BLOCKED, .decides = -1, .state = {WHY_PAUSED}},
	{"switched off", "ads.example", A, .disabled = true,
		.rule = {RULE(ADS, BLOCK, "ads.example")}, .verdict = WHY_PASSED,
		.next = WHY_BLOCKED, .decides = -1, .state = {WHY_PAUSED}},
	{"local data during a pause", "nas.example", A, .paused = true,
		.rule = {RULE(LOCAL, LOCAL, "nas.example", .reply = RULE_REPLY_DATA)},
		.verdict = WHY_LOCAL, .decides = 0, .state = {WHY_DECIDES}},
	{"two lists at one name", "ads.example", A,
		.rule = {RULE(KIDS, BLOCK, "ads.example"), RULE(ADS, BLOCK, "ads.example")},
		.verdict = WHY_BLOCKED, .next = WHY_BLOCKED, .decides = 1,
		.state = {WHY_OVERRULED, WHY_DECIDES}},
};

static struct why_hit hit_of(const struct rule *r)
{
	struct why_hit h = {.what = r->what, .list = (uint16_t)r->list, .order = (uint16_t)r->list};
	h.kind.rule_class = (uint8_t)r->class;
	h.kind.covers = (uint8_t)(r->covers ? r->covers : RULE_COVERS_ALL);
	h.kind.reply = (uint8_t)r->reply;
	h.kind.types = r->types;
	strcpy(h.title, titles[r->list]);
	if (r->what == WHY_NAME)
		h.labels = fixture_name(r->name).labels;
	else
		strcpy(h.text, r->name);
	return h;
}

#define HIT(...) hit_of(&(struct rule)RULE(__VA_ARGS__))

static struct why *why_of(const struct situation *s)
{
	struct dns_name name = fixture_name(s->name);
	struct why *w = why_begin(&name, s->qtype);
	w->lists[0] &= ~s->off;
	w->unpaused[0] = s->group_paused ? UINT64_MAX : w->lists[0];
	w->enabled = !s->disabled;
	w->paused_left_ms = s->paused ? 1500 : 0;
	for (unsigned i = 0; i < ARRAY_LEN(s->rule) && s->rule[i].name; i++) {
		struct why_hit h = hit_of(&s->rule[i]);
		why_hit_add(w, &h);
	}
	why_check(w);
	return w;
}

static int rule_of(const struct situation *s, const struct why_hit *h)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->rule) && s->rule[i].name; i++) {
		struct why_hit want = hit_of(&s->rule[i]);
		if (want.list == h->list && want.labels == h->labels && want.what == h->what
			&& want.kind.rule_class == h->kind.rule_class)
			return (int)i;
	}
	return -1;
}

TEST(test_situations)
{
	for (size_t i = 0; i < ARRAY_LEN(situations); i++) {
		const struct situation *s = &situations[i];
		struct why *w = why_of(s);
		int decides = w->decider < 0 ? -1 : rule_of(s, &w->hit[w->decider]);
		if (w->verdict != s->verdict || w->next_verdict != s->next || decides != s->decides
			|| w->safe != s->safe)
			fail_msg("%s: %s, then %s, by rule %d", s->what,
				why_verdict_name[w->verdict], why_verdict_name[w->next_verdict],
				decides);
		for (unsigned k = 0; k < w->hits; k++) {
			int rule = rule_of(s, &w->hit[k]);
			if (w->hit[k].state != s->state[rule])
				fail_msg("%s: rule %d is %s", s->what, rule,
					why_state_name[w->hit[k].state]);
		}
	}
}

// A schedule that blocks all: what a rule at the name decides stays, all else is blocked as the
// group says, for as long as anything is.
TEST(test_all_blocked)
{
	static const struct dns_block null = {.mode = DNS_BLOCK_NULL, .ttl_s = 9};
	static const struct {
		struct rule rule;
		enum why_verdict verdict;
		int decider;
	} cases[] = {
		{RULE(ADS, SAFE, "example"), WHY_BLOCKED, -1},
		{PATTERN(FINE, ALLOW, "[.]example"), WHY_BLOCKED, -1},
		{RULE(FINE, ALLOW, "example"), WHY_ALLOWED, 0},
		{RULE(LOCAL, LOCAL, "www.example", .reply = RULE_REPLY_RESOLVE,
			 .covers = RULE_COVERS_SELF),
			WHY_REWRITTEN, 0},
		{RULE(ADS, BLOCK, "www.example", .reply = RULE_REPLY_DROP), WHY_DROPPED, 0},
		{RULE(LOCAL, LOCAL, "www.example", .reply = RULE_REPLY_DATA), WHY_LOCAL, 0},
	};
	struct dns_name name = fixture_name("www.example");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct why *w = why_begin(&name, A);
		w->client.blocks_all = true;
		struct why_hit h = hit_of(&cases[i].rule);
		why_hit_add(w, &h);
		why_check(w);
		assert_int_equal(w->verdict, cases[i].verdict);
		assert_int_equal(w->decider, cases[i].decider);
		why_reply(w, &null);
		why_steps(w);
		if (w->verdict == WHY_BLOCKED) {
			assert_string_equal(w->reply, "0.0.0.0");
			assert_int_equal(w->ede, DNS_EDE_FILTERED);
		}
		assert_int_equal(
			strncmp(w->headline, "blocked by a schedule:", 22) == 0, w->decider < 0);
		w->paused_left_ms = 1000; // of everyone's blocking: not of this
		why_check(w);
		assert_int_equal(w->verdict, cases[i].verdict);
		why_steps(w);
		assert_non_null(strstr(w->step[1].text, "paused for everyone"));
		assert_non_null(strstr(w->step[1].text, "does not lift block_all"));
		w->client.blocks_all = false;
		why_check(w);
		assert_int_not_equal(w->verdict, WHY_BLOCKED);
		why_steps(w);
		assert_null(strstr(w->step[1].text, "only local data"));
	}
}

// What the cached answer leads to decides only where the name does not, and an allow rule for one
// of its names keeps that name alone from being blocked.
TEST(test_answer)
{
	struct dns_name name = fixture_name("www.example"),
			cloak = fixture_name("x.tracker.example"),
			other = fixture_name("fine.example");
	struct why_hit block = HIT(ADS, BLOCK, "tracker.example");
	struct why_hit allow = HIT(FINE, ALLOW, "x.tracker.example");
	struct why *w = why_begin(&name, A);
	assert_int_equal(why_name_add(w, &other), 1);
	assert_int_equal(why_name_add(w, &cloak), 2);
	block.name = allow.name = 2;
	why_hit_add(w, &block);
	why_check(w);
	assert_int_equal(w->verdict, WHY_BLOCKED_ANSWER);
	struct dns_name at = why_hit_name(w, &w->hit[w->decider]);
	struct dns_name want = fixture_name("tracker.example");
	assert_true(dns_name_equal(&at, &want));
	why_hit_add(w, &allow);
	why_check(w);
	assert_int_equal(w->verdict, WHY_PASSED);
	assert_int_equal(w->decider, -1);

	w = why_begin(&name, A);
	struct why_hit address = HIT(ADS, BLOCK, "198.51.100.0/24", .what = WHY_ADDRESS);
	why_hit_add(w, &address);
	why_check(w);
	assert_int_equal(w->verdict, WHY_BLOCKED_ANSWER);
	allow = HIT(FINE, ALLOW, "www.example");
	why_hit_add(w, &allow);
	why_check(w);
	assert_int_equal(w->verdict, WHY_ALLOWED);
	assert_int_equal(w->next_verdict, WHY_BLOCKED_ANSWER);
}

// A name that the answer leads to is checked together with its patterns; the operator's allow rule
// at it beats every pattern, an exception at the name asked takes an address rule of its list away.
TEST(test_answer_patterns)
{
	struct dns_name name = fixture_name("www.example"), other = fixture_name("fine.example");
	struct rule_kind block = {.rule_class = RULE_CLASS_OPERATOR_DENY};
	struct why_hit pattern = {.what = WHY_PATTERN, .name = 1, .list = 1, .kind = block};
	struct why_hit allow = hit_of(&(struct rule){
		.list = 0, .class = RULE_CLASS_OPERATOR_ALLOW, .name = "fine.example"});
	struct why_hit own = {
		.what = WHY_PATTERN, .list = 0, .kind = {.rule_class = RULE_CLASS_OPERATOR_ALLOW}};
	struct why *w = why_begin(&name, A);
	assert_int_equal(why_name_add(w, &other), 1);
	why_hit_add(w, &pattern);
	why_hit_add(
		w, &own); // allows the name asked, by a pattern: the answer is checked all the same
	why_check(w);
	assert_int_equal(w->verdict, WHY_BLOCKED_ANSWER);
	assert_int_equal(w->next_verdict, WHY_ALLOWED);
	allow.name = 1;
	why_hit_add(w, &allow);
	why_check(w);
	assert_int_equal(w->verdict, WHY_ALLOWED);

	w = why_begin(&name, A);
	struct why_hit address = HIT(ADS, BLOCK, "198.51.100.0/24", .what = WHY_ADDRESS);
	struct why_hit except = HIT(ADS, EXCEPT, "www.example");
	why_hit_add(w, &address);
	why_hit_add(w, &except);
	why_check(w);
	assert_int_equal(w->verdict, WHY_PASSED);
}

static const char *step_text(const struct why *w, enum why_stage stage)
{
	for (unsigned i = 0; i < w->steps; i++)
		if (w->step[i].stage == stage)
			return w->step[i].text;
	return NULL;
}

TEST(test_words)
{
	struct why *w = why_of(&situations[2]);
	why_line_add(w, (unsigned)w->decider, 4711, "@@||ads.example^\n", 16);
	why_line_add(w, (unsigned)w->next, 9, "0.0.0.0 x.y.ads.example", 23);
	w->client = (struct why_client){.found = WHY_FOUND_PREFIX,
		.group = 1,
		.blocking = true,
		.name = "kids",
		.client = "198.18.0.3",
		.by = "198.18.0.0/24"};
	strcpy(w->upstreams, "9.9.9.9");
	why_steps(w);
	assert_string_equal(w->headline, "allowed by list fine: @@||ads.example^ (line 4711)");
	assert_string_equal(step_text(w, WHY_STAGE_CLIENT),
		"198.18.0.3 is in group kids by prefix 198.18.0.0/24");
	assert_string_equal(step_text(w, WHY_STAGE_LOCAL), "no rule");
	assert_string_equal(
		step_text(w, WHY_STAGE_ALLOW), "list fine: @@||ads.example^ (line 4711) decides");
	assert_null(step_text(w, WHY_STAGE_BLOCK)); // was not asked any more
	assert_string_equal(step_text(w, WHY_STAGE_UPSTREAM), "9.9.9.9, in view 0");
	assert_string_equal(step_text(w, WHY_STAGE_NEXT),
		"without that rule: blocked by list ads: 0.0.0.0 x.y.ads.example (line 9)");

	w = why_of(&situations[1]);
	strcpy(w->reply, "NXDOMAIN");
	w->reply_ttl_s = 60;
	w->ede = 15;
	why_steps(w);
	assert_string_equal(w->headline, "blocked by list ads: ads.example and all below it");
	assert_string_equal(
		step_text(w, WHY_STAGE_REPLY), "NXDOMAIN, TTL 60 s, extended error 15 (Blocked)");
	assert_null(step_text(w, WHY_STAGE_UPSTREAM));
	assert_string_equal(step_text(w, WHY_STAGE_NEXT), "without that rule: not blocked");
}

// Where the MAC address is from, and what is not known and might change the group.
TEST(test_words_of_the_client)
{
	static const struct {
		struct why_client client;
		const char *text;
	} said[] = {
		{{.found = WHY_FOUND_MAC, .name = "kids", .by = "02:00:5e:10:00:01"},
			"198.18.0.3 is in group kids by MAC address 02:00:5e:10:00:01"},
		{{.found = WHY_FOUND_MAC,
			 .name = "kids",
			 .by = "02:00:5e:10:00:01",
			 .mac = "02:00:5e:10:00:01",
			 .mac_from = WHY_FROM_NEIGHBOUR},
			"198.18.0.3 is in group kids by MAC address 02:00:5e:10:00:01, known from "
			"the kernel's neighbours"},
		{{.found = WHY_FOUND_HOST,
			 .name = "kids",
			 .by = "pad",
			 .mac = "02:00:5e:10:00:02",
			 .mac_from = WHY_FROM_LEASE},
			"198.18.0.3 is in group kids by host name pad; no group has its MAC "
			"address 02:00:5e:10:00:02, known from its lease"},
		{{.found = WHY_FOUND_REST, .lacks_mac = true},
			"198.18.0.3 is in no group, as everyone else; its MAC address is not "
			"known, and a group with it would come first"},
		{{.found = WHY_FOUND_REST, .lacks_address = true},
			"198.18.0.3 is in no group, as everyone else; its address is not known, "
			"and a group with it would come first"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(said); i++) {
		struct why *w = why_of(&situations[1]);
		w->client = said[i].client;
		strcpy(w->client.client, "198.18.0.3");
		why_steps(w);
		assert_string_equal(step_text(w, WHY_STAGE_CLIENT), said[i].text);
	}
}

// A name that no rule blocks, and whose answer the validator refused.
TEST(test_bogus)
{
	static const struct situation plain = {.name = "www.example", .qtype = A};
	struct why *w = why_of(&plain);
	w->cache = WHY_CACHE_NOTHING;
	w->bogus = (struct why_bogus){.is_known = true,
		.ede = DNS_EDE_SIGNATURE_EXPIRED,
		.age_s = 7,
		.why = "signature expired"};
	why_steps(w);
	assert_string_equal(step_text(w, WHY_STAGE_ANSWER),
		"bogus 7 s ago, so SERVFAIL with extended error 7 (Signature Expired): "
		"signature expired");
	assert_string_equal(w->headline, "not blocked: no rule names it or a parent of it; but its "
					 "answer failed DNSSEC validation");
	w = why_of(&situations[1]); // blocked: nobody gets its answer
	w->bogus.is_known = true;
	why_steps(w);
	assert_null(step_text(w, WHY_STAGE_ANSWER));
	assert_string_equal(w->headline, "blocked by list ads: ads.example and all below it");
}

// As many hits and lines as one likes, and text that would not be good for a terminal.
TEST(test_bounds)
{
	char longest[DNS_NAME_MAX * 4], odd[600];
	memset(longest, 0, sizeof(longest));
	for (unsigned i = 0; i < 4; i++) {
		strcat(longest, i ? "." : "");
		for (unsigned k = 0; k < (i < 3 ? 63 : 61); k++)
			strcat(longest, "\\001");
	}
	struct dns_name name = fixture_name(longest);
	assert_int_equal(name.len, DNS_NAME_MAX);
	struct why *w = why_begin(&name, A);
	for (unsigned i = 0; i < WHY_HITS_MAX + 5; i++) {
		struct why_hit h = {.labels = 4, .list = (uint16_t)(i % RULE_LISTS_MAX)};
		h.kind.covers = RULE_COVERS_ALL;
		memset(h.title, 'x', sizeof(h.title) - 1);
		why_hit_add(w, &h);
	}
	assert_int_equal(w->hits, WHY_HITS_MAX);
	assert_int_equal(w->hits_left_out, 5);
	why_check(w);
	why_steps(w);
	memset(odd, '\033', sizeof(odd));
	for (unsigned i = 0; i < 2 * WHY_LINES_MAX; i++)
		why_line_add(w, i / 2, i, odd, sizeof(odd));
	for (unsigned i = 0; i < 20; i++)
		why_line_add(w, WHY_HITS_MAX - 1, i, odd, sizeof(odd));
	why_line_add(w, WHY_HITS_MAX, 1, odd, sizeof(odd));
	assert_int_equal(w->lines, WHY_LINES_MAX);
	assert_int_equal(w->lines_left_out, WHY_LINES_MAX + 20);
	why_steps(w);
	for (const char *p = w->headline; *p; p++)
		assert_in_range(*p, 0x20, 0x7e);
	for (unsigned i = 1; i < WHY_NAMES_MAX; i++)
		assert_int_equal(why_name_add(w, &name), (int)i);
	assert_int_equal(why_name_add(w, &name), -ENOSPC);
}
