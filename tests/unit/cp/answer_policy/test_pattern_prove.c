// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/answer_policy/answer_patterns.h"
#include "tests/unit/unit.h"

#include <weir/pattern_prove.h>

static char good[] = "^ad[0-9]+[.]", open_group[] = "(ads", ahead[] = "ads(?=x)", back[] = "(a)\\1";
static char *of_all[] = {good, open_group}, *of_group[] = {ahead, back};

static struct config config_of(unsigned denied, unsigned group_allowed, struct config_group *group)
{
	*group = (struct config_group){
		.allow = {.patterns = of_group, .pattern_count = group_allowed}};
	return (struct config){.blocking = {.deny_patterns = of_all, .deny_pattern_count = denied},
		.groups = group,
		.group_count = 1};
}

static bool has(const struct config_errors *e, const char *text)
{
	for (unsigned i = 0; i < e->count; i++)
		if (strstr(e->text[i], text))
			return true;
	return false;
}

static struct config_errors errors_of(const struct config *c)
{
	struct config_errors e = {0};
	pattern_prove(c, &(struct config_proof){.errors = &e});
	return e;
}

TEST(test_patterns_that_nothing_reads)
{
	struct config_group group;
	struct config_errors e = {0};
	const struct config_proof proof = {.errors = &e};
	struct config c = config_of(1, 0, &group);
	pattern_prove(&c, &proof);
	assert_int_equal(e.count, 0);
	c = config_of(2, 2, &group);
	pattern_prove(&c, &proof);
	assert_int_equal(e.count, 3);
	assert_true(has(&e, "blocking.deny: /(ads/: "));
	assert_true(has(&e, "groups[0].allow: /ads(?=x)/: "));
	assert_true(has(&e, "groups[0].allow: /(a)\\1/: "));
}

// The others are among blocking.deny, and so on.
TEST(test_entries_with_options)
{
	struct config_dated_entry entries[] = {{.pattern = good, .types.count = 1},
		{.pattern = open_group, .inverts = true}, {.pattern = ahead},
		{.pattern = back, .reply = RULE_REPLY_DROP, .ended = true}};
	const struct config c = {.dated = {.entries = entries, .count = ARRAY_LEN(entries)}};
	const struct config_errors e = errors_of(&c);
	assert_int_equal(e.count, 1);
	assert_true(has(&e, "entries[1].name: /(ads/: "));
}

TEST(test_a_change_is_to_blame_for_its_own)
{
	struct config_group group, more;
	struct config_errors e = {0};
	const struct config running = config_of(2, 1, &group), next = config_of(2, 2, &more);
	pattern_prove_change(&running, &running, NULL, &e);
	assert_int_equal(e.count, 0);
	pattern_prove_change(&running, &next, NULL, &e);
	assert_int_equal(e.count, 1);
	assert_true(has(&e, "groups[0].allow: /(a)\\1/: "));
}

// Two of them cost libhs seconds; the first is never given to it.
static char exploding[] = "(((([a-z]x?){1,20}y){1,20}z){1,20}w){1,20}1", slow[] = "(a[^b]?c){200}d",
	    quick[] = "^ad[0-9]{1,3}[.]";

TEST(test_patterns_that_take_long)
{
	char *of_all_slow[] = {exploding, slow};
	const struct config c = {
		.blocking = {.deny_patterns = of_all_slow, .deny_pattern_count = 2}};
	const struct config_errors e = errors_of(&c);
	assert_int_equal(e.count, 2);
	assert_true(has(&e, "{1,20}1/: takes too long to compile"));
	assert_true(has(&e, "{200}d/: takes too long to compile"));
}

// Not with a slow one before it: on a slow machine with sanitizers that one takes the whole budget.
TEST(test_a_pattern_too_large)
{
	char too_large[7 * 70 + 1] = "", *of_all_large[] = {too_large, quick};
	for (unsigned i = 0; i < 70; i++)
		strcat(too_large, "a.{1,9}");
	const struct config c = {
		.blocking = {.deny_patterns = of_all_large, .deny_pattern_count = 2}};
	const struct config_errors e = errors_of(&c);
	assert_int_equal(e.count, 1);
	assert_true(has(&e, "Pattern is too large"));
}

// However many the running configuration has, wherever.
TEST(test_a_change_does_not_pay_for_the_others)
{
	struct config_group group, more;
	char *moved[] = {exploding, ahead};
	struct config running = config_of(0, 1, &group), next = config_of(0, 1, &more);
	struct config_errors e = {0};
	running.blocking.deny_patterns = running.blocking.allow_patterns = moved;
	running.blocking.deny_pattern_count = 2;
	next.blocking.allow_patterns = moved;
	next.blocking.allow_pattern_count = 1;
	pattern_prove_change(&running, &next, NULL, &e);
	assert_int_equal(e.count, 0);
}

// One more of 984 does not fit, nor one of 1,164 at all.
TEST(test_patterns_that_cost_each_name)
{
	enum { FIT = ANSWER_PATTERNS_PRICE_OWN / 984, MANY = FIT + 2 };
	static char text[MANY][32];
	char *many[MANY];
	struct config_errors e = {0};
	for (unsigned i = 0; i < MANY; i++) {
		many[i] = text[i];
		snprintf(text[i], sizeof(text[i]), "^.{%u}ads%u", i < MANY - 1 ? 110 : 130, i);
	}
	const struct config c = {.blocking = {.deny_patterns = many, .deny_pattern_count = MANY}};
	pattern_prove(&c, &(struct config_proof){.errors = &e});
	assert_int_equal(e.count, 2);
	assert_true(has(&e, "ads4/: together with the others, all take too long for each name"));
	assert_true(has(&e, "ads5/: takes too long for each name; use fewer"));
}

// Entered one by one, each good alone: the one that would be refused by the build is refused here,
// and lists keep their part of the time.
TEST(test_patterns_together)
{
	// Each takes some 2 ms, and ANSWER_PATTERNS_OWN_MS are for all.
	enum { MANY = 4000 };
	static char text[MANY][32];
	static char *many[MANY + 1];
	struct config_errors e = {0};
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text[i], sizeof(text[i]), "(a[^b]?c){40}d%u", i);
		many[i] = text[i];
	}
	many[MANY] = quick;
	const struct config running = {
		.blocking = {.deny_patterns = many, .deny_pattern_count = MANY}};
	struct config next = running;
	next.blocking.deny_pattern_count++;
	pattern_prove_change(&running, &next, NULL, &e);
	assert_int_equal(e.count, 1);
	assert_true(has(&e, "blocking.deny: /^ad[0-9]{1,3}[.]/: together with the others, all take "
			    "too long to compile"));
	next = running;
	next.blocking.deny_pattern_count--;
	pattern_prove_change(&running, &next, NULL, &e);
	assert_int_equal(e.count, 1);
}

// A pattern that everyone and many groups have is compiled once, and costs no more.
TEST(test_a_pattern_of_many_groups)
{
	enum { MANY = 400, GROUPS = 62 };
	static char text[MANY][32];
	static char *many[MANY];
	static struct config_group group[GROUPS];
	char why[ANSWER_PATTERN_WHY_MAX];
	struct config_errors e = {0};
	struct answer_pattern_spent spent = {0};
	unsigned n = 0;
	while (spent.good_ms < ANSWER_PATTERNS_OWN_MS / 48 && n < MANY - 1) {
		snprintf(text[n], sizeof(text[n]), "(a?%018u){3}", n);
		many[n] = text[n];
		assert_true(answer_pattern_proves(many[n++], &spent, why));
	}
	assert_true(spent.good_ms >= ANSWER_PATTERNS_OWN_MS / 48);
	many[n] = open_group;
	for (unsigned i = 0; i < GROUPS; i++)
		group[i].deny = (struct config_entries){.patterns = many, .pattern_count = n};
	struct config c = {.blocking = {.deny_patterns = many, .deny_pattern_count = n},
		.groups = group,
		.group_count = GROUPS};
	pattern_prove(&c, &(struct config_proof){.errors = &e});
	assert_int_equal(e.count, 0);
	pattern_prove_change(&(struct config){0}, &c, NULL, &e);
	assert_int_equal(e.count, 0);
	// Each place is named all the same.
	group[GROUPS - 1].deny.pattern_count = c.blocking.deny_pattern_count = n + 1;
	pattern_prove(&c, &(struct config_proof){.errors = &e});
	assert_int_equal(e.count, 2);
	assert_true(has(&e, "blocking.deny: /(ads/: "));
	assert_true(has(&e, "groups[61].deny: /(ads/: "));
}
