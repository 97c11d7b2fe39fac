// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/answer_policy/pattern_positions.h"
#include "tests/unit/unit.h"

enum { MAX = 4000 };

TEST(test_what_repeats_write_out)
{
	static const struct {
		const char *text;
		unsigned positions;
	} of[] = {
		{"", 0},
		{"abc", 3},
		{"^ad[0-9]*\\.", 5},
		{"a{3}", 3},
		{"a{1,7}b", 8},
		{"a{7,}", 7},
		{"(ab){10}", 30},
		{"((a{10}){2}b){3}", 3 * (2 * 11 + 1 + 1)},
		{"a{2}{3}", 6},
		{"(|){100}", 200}, // of nothing
		{"[]a]{5}", 5},
		{"[^]{9}]{5}", 5},
		{"[[:alpha:]]{5}", 5},
		{"[\\]a]{5}", 5},
		{"\\{5}", 3},
		{"\\x{41}{5}", 5},
		{"a{b}", 4},
		{"((((a*)*b)*)?c)*d*e*f*g*", 11},
	};
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		assert_int_equal(pattern_positions(of[i].text, MAX), of[i].positions);
}

TEST(test_too_many)
{
	static const char *const text[] = {
		"(((([a-z]x?){1,20}y){1,20}z){1,20}w){1,20}1",
		"(((|){99}){99}){99}",
		"a{99999999999999999999999}",
		"\\Q[\\E(a{99}){99}", // a quoted bracket opens no class
		"(?#[)(a{99}){99}",   // nor does one in a comment
		"(?x)#[\n(a{99}){99}",
		"[\\Q]\\E](a{99}){99}",
		"[[:](((a{60}){60}){60}){60}", // no name of a class
		"[[:]:]](((a{60}){60}){60})",
		"(((a{60})\\E{60})\\E{60})\\E{60}", // what stands for nothing
		"(((a{60})\\Q\\E{60})\\Q\\E{60})",
		"(((a{60})(?i){60})(?-i){60})",
		"(((a{60})(?#){60})(?#){60})",
		"(?x)(((a{60}) {60}) {60}) {60}",
		"(?ix:a)",
		"\\c[(.{300}){300}", // what is escaped takes the bracket
		"\\c\\Q(a{99}){99}",
		"[\\c\\](.{300}){300}]",
		"[\\c][](.{300}){300}",
		"\\y",
		"(*UTF8)\\p{L}{100}", // names are bytes
		"(((((a)*)*)*)*)*",   // libhs takes twice the time for each
		"(((((ab?)+){1,})*?){0,})\\E*",
		"(({,1}{,1}{,1}{,1}{,1}{ 1}{+1}{,1}{,1}{,1}){60}){60}",
	};
	for (unsigned i = 0; i < ARRAY_LEN(text); i++)
		assert_int_equal(pattern_positions(text[i], MAX), MAX + 1);
	char deep[2 * PATTERN_DEPTH_MAX + 2] = "";
	memset(deep, '(', PATTERN_DEPTH_MAX);
	assert_int_equal(pattern_positions(deep, MAX), MAX + 1);
	deep[PATTERN_DEPTH_MAX - 1] = '\0';
	assert_in_range(pattern_positions(deep, MAX), 0, MAX);
}

static unsigned price(const char *text, unsigned max)
{
	return pattern_price(text, strlen(text), max);
}

// The same on every machine: what a list may have does not depend on how fast or busy one is.
TEST(test_prices)
{
	static const struct {
		const char *text;
		unsigned price;
	} of[] = {
		{"", 0},
		{"^ads\\.example\\.com$", 0},
		{"\\Qa*b+[c]\\E", 0},
		{"^ad[0-9]*\\.", 9},
		{"(^|\\.)track(er|ing)\\.", 2},
		{"colou?r", 2},
		{"\\d\\w\\-", 2},
		{"^.*\\.ads\\..*$", 0},
		{"a{", 0},
		{"a{3}", 8 + 2 * 2},
		{"^(.+[_.-])?ads[_.-]", 12 + 3},
		{"a.*b.*c", 12 + 3 * 6},
		{"[ab]{2,5}", 12 + 3 * (8 + 1 + 4 * 3 - 12)},
		{"((a|b){3}c){2}", 12 + 3 * (2 * (8 + 1 + 2 * 3) + 2 + 8 - 12)},
	};
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		assert_int_equal(price(of[i].text, MAX), of[i].price);
	assert_int_equal(price("a.*b", 8), 9);
	assert_int_equal(price("(((a{60}){60}){60})", MAX), MAX + 1);
	assert_int_equal(pattern_price("", PATTERN_PRICED_LEN_MAX + 1, MAX), MAX + 1);
}
