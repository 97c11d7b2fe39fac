// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Situations for the explanation of a decision (test_why.c): rules, and the expected explanation.

#include "controlplane/answer_policy/why/why.h"

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
		.rule = {RULE(LOCAL, LOCAL, "nas.home.example", .reply = RULE_REPLY_RESOLVE)},
		.verdict = WHY_REWRITTEN, .decides = 0, .state = {WHY_DECIDES}},
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
