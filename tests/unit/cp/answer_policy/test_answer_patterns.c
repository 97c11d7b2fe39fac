// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/answer_policy/answer_patterns.h"
#include "tests/unit/unit.h"

#include <hs.h>

static struct answer_pattern_counts counts;

UNIT_END_OF(answer_patterns_free, struct answer_patterns)

static const struct answer_pattern_limits unlimited = {
	.budget_ms = UINT64_MAX, .bytes = ANSWER_PATTERNS_BYTES_MAX};

// Until the end of the case. NULL: no pattern was taken.
static struct answer_patterns *compile(
	const struct answer_pattern *pattern, size_t n, const struct answer_pattern_limits *limits)
{
	struct answer_patterns *p;
	assert_int_equal(answer_patterns_new(&p, pattern, n, limits, &counts), 0);
	unit_at_end(answer_patterns_free_at_end, p);
	return p;
}

static struct answer_patterns *make(const char *const *text, const unsigned *list, size_t n)
{
	struct answer_pattern pattern[16] = {0};
	for (size_t i = 0; i < n; i++)
		pattern[i] =
			(struct answer_pattern){list[i], text[i], strlen(text[i]), false, false};
	return compile(pattern, n, NULL);
}

static struct rule_set lists_of(const struct answer_patterns *p, const char *name)
{
	struct answer_pattern_scratch *s;
	struct rule_set set = {{0}};
	assert_int_equal(answer_pattern_scratch_new(p, &s), 0);
	answer_patterns_match(p, s, name, strlen(name), &set);
	answer_pattern_scratch_free(s);
	return set;
}

static bool has(const struct answer_patterns *p, const char *name, unsigned list)
{
	const struct rule_set set = lists_of(p, name);
	return set.lists[list / 64] >> list % 64 & 1;
}

TEST(test_matches)
{
	static const char *const text[] = {
		"^ad[0-9]*\\.", "tracker", "\\.zip$", "^$", "(^|\\.)ADS\\."};
	static const unsigned list[] = {2, 70, 130, 200, 255};
	struct answer_patterns *p = make(text, list, 5);
	assert_int_equal(counts.compiled, 5);
	assert_true(has(p, "ad12.example.com", 2));
	assert_false(has(p, "bad12.example.com", 2));        // anchored
	assert_true(has(p, "my-tracker-1.example.com", 70)); // anywhere
	assert_true(has(p, "TRACKER.example", 70));
	assert_true(has(p, "file.zip", 130));
	assert_false(has(p, "zip", 130));
	assert_false(has(p, "example.com", 200));
	assert_true(has(p, "ads.example", 255)); // case of the pattern does not count
	assert_true(has(p, "www.ads.example", 255));
	assert_false(has(p, "wwwads.example", 255));
	// Several lists at once.
	const struct rule_set both = lists_of(p, "ad1.tracker.zip");
	assert_int_equal(both.lists[0], 1u << 2);
	assert_int_equal(both.lists[1], 1u << (70 - 64));
	assert_int_equal(both.lists[2], 1u << (130 - 128));
	assert_int_equal(both.lists[3], 0);
}

TEST(test_dot_star_matches_everything)
{
	static const char *const text[] = {".*"};
	static const unsigned list[] = {3};
	struct answer_patterns *p = make(text, list, 1);
	assert_true(has(p, "a", 3));
	assert_true(has(p, "www.example.com", 3));
}

TEST(test_refuses_and_goes_on)
{
	static const char nul[] = "a\0b";
	static char longest[ANSWER_PATTERN_LEN_MAX + 1];
	memset(longest, 'x', sizeof(longest));
	const struct answer_pattern pattern[] = {
		{2, "(unclosed", 9, false, false},
		{2, "(?!look)ahead", 13, false, false},
		{2, "(a)\\1", 5, false, false},
		{2, "", 0, false, false},
		{2, nul, 3, false, false},
		{2, longest, ANSWER_PATTERN_LEN_MAX + 1, false, false},
		{RULE_LISTS_MAX, "list", 4, false, false},
		{RULE_LISTS_MAX - 1, "last", 4, false, false},
		{2, "((a{50}){50}){50}", 17, false, false},
		{3, longest, ANSWER_PATTERN_LEN_MAX, false, false},
		{4, "good", 4, false, false},
	};
	struct answer_patterns *p = compile(pattern, ARRAY_LEN(pattern), NULL);
	assert_int_equal(counts.refused_syntax, 5);
	assert_int_equal(counts.refused_slow, 1);
	assert_int_equal(counts.refused_length, 2);
	assert_int_equal(counts.compiled, 3);
	assert_true(has(p, "last.example", RULE_LISTS_MAX - 1));
	assert_non_null(strstr(counts.first_error, "(unclosed"));
	assert_true(has(p, "good.example", 4));
	assert_false(has(p, "look.example", 2));
}

// Lists with the same text share what is compiled of it.
TEST(test_a_text_of_many_lists)
{
	static const char *const text[] = {
		"^ad[0-9]*\\.", "(", "^ad[0-9]*\\.", "zip$", "(", "^ad[0-9]*\\."};
	static const unsigned list[] = {2, 3, 70, 71, 72, 255};
	struct answer_patterns *p = make(text, list, 1);
	const uint64_t alone = counts.bytes;
	static const char *const same[] = {
		"^ad[0-9]*\\.", "^ad[0-9]*\\.", "^ad[0-9]*\\.", "^ad[0-9]*\\."};
	p = make(same, list, 4);
	assert_int_equal(counts.compiled, 4);
	assert_int_equal(counts.bytes, alone);
	p = make(text, list, 6);
	assert_int_equal(counts.compiled, 4);
	assert_int_equal(counts.refused_syntax, 2);
	const struct rule_set set = lists_of(p, "ad1.zip");
	assert_int_equal(set.lists[0], 1u << 2);
	assert_int_equal(set.lists[1], 1u << (70 - 64) | 1u << (71 - 64));
	assert_int_equal(set.lists[2], 0);
	assert_int_equal(set.lists[3], UINT64_C(1) << (255 - 192));
	assert_int_equal(lists_of(p, "ad1.rar").lists[1], 1u << (70 - 64));
}

// `count` patterns that differ, of list i % 200.
static struct answer_pattern *many(unsigned count, char (*text)[32])
{
	struct answer_pattern *pattern = calloc(count, sizeof(*pattern));
	assert_non_null(pattern);
	unit_at_end(free, pattern);
	for (unsigned i = 0; i < count; i++) {
		int n = snprintf(text[i], 32, "^host%u\\.", i);
		pattern[i] = (struct answer_pattern){i % 200, text[i], (size_t)n, false, false};
	}
	return pattern;
}

// A text is compiled once for those that match it and those that invert it. A refused
// pattern applies to no name.
TEST(test_inverted)
{
	const struct answer_pattern pattern[] = {
		{.list = 2, .text = "[.]lan$", .len = 7, .inverts = true},
		{.list = 3, .text = "(", .len = 1, .inverts = true},
		{.list = 70, .text = "[.]lan$", .len = 7},
		{.list = 71, .text = "^ads", .len = 4},
		{.list = 130, .text = "^ads", .len = 4, .inverts = true},
		{.list = 130, .text = "^www", .len = 4, .inverts = true},
		{.list = 255, .text = "(", .len = 1, .inverts = true},
	};
	struct answer_patterns *p = compile(pattern, ARRAY_LEN(pattern), NULL);
	assert_int_equal(counts.compiled, 5);
	assert_int_equal(counts.refused_syntax, 2);
	const struct rule_set lan = lists_of(p, "ads.lan"), other = lists_of(p, "www.example");
	assert_int_equal(lan.lists[0], 0);
	assert_int_equal(lan.lists[1], 1u << (70 - 64) | 1u << (71 - 64));
	assert_int_equal(lan.lists[2], 1u << (130 - 128)); // by its other pattern
	assert_int_equal(lan.lists[3], 0);
	assert_int_equal(other.lists[0], 1u << 2);
	assert_int_equal(other.lists[1], 0);
	assert_int_equal(other.lists[2], 1u << (130 - 128));
	assert_int_equal(other.lists[3], 0);
	assert_true(has(p, ".", 2)); // the root
	assert_null(compile(&pattern[6], 1, NULL));
}

// The others are there, in several portions, and a name of all texts is of none.
TEST(test_inverted_of_many_portions)
{
	enum { COUNT = 200 };
	static char text[COUNT][32];
	struct answer_pattern *pattern = many(COUNT, text);
	char all[16 * COUNT] = "";
	for (unsigned i = 0; i < COUNT; i++) {
		pattern[i].text = text[i] + 1; // without the ^
		pattern[i].len--;
		pattern[i].inverts = i % 2;
		strcat(all, text_from("host%u.", i));
	}
	struct answer_patterns *p = compile(pattern, COUNT, &unlimited);
	assert_int_equal(counts.compiled, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(has(p, "host77.", i), i % 2 && i != 77);
		assert_int_equal(has(p, all, i), i % 2 == 0);
	}
}

TEST(test_none_left)
{
	static const char *const text[] = {"("};
	static const unsigned list[] = {2};
	assert_null(make(text, list, 1));
	assert_null(make(text, list, 0));
	assert_int_equal(lists_of(NULL, "www.example").lists[0], 0);
}

// Beyond the limit the rest is refused, in the order given; what is left works in every portion.
TEST(test_count_limit)
{
	enum { COUNT = ANSWER_PATTERNS_MAX + 10 };
	static char text[COUNT][32];
	if (UNIT_IS_SANITIZED)
		skip(); // a minute's work
	struct answer_pattern *pattern = many(COUNT, text);
	struct answer_patterns *p = compile(pattern, COUNT, &unlimited);
	assert_int_equal(counts.refused_count, 10);
	assert_int_equal(counts.compiled, ANSWER_PATTERNS_MAX);
	assert_true(has(p, "host0.example", 0));
	assert_true(has(p, "host4095.example", 4095 % 200));
	assert_int_equal(lists_of(p, "host4096.example").lists[4096 % 200 / 64], 0);
	for (unsigned i = 1; i < ANSWER_PATTERNS_MAX; i += 97) {
		const char *name = text_from("host%u.example", i);
		assert_true(has(p, name, i % 200));
		assert_false(has(p, name, (i + 1) % 200));
	}
}

// Patterns that are quick alone and take libhs minutes together, behind some that are quick.
TEST(test_no_portion_takes_long)
{
	enum { QUICK = 160, COUNT = QUICK + 128 };
	static char text[COUNT][32];
	struct answer_pattern *pattern = many(COUNT, text);
	for (unsigned i = QUICK; i < COUNT; i++)
		pattern[i].len = (size_t)snprintf(text[i], sizeof(text[i]), "%c%c.*%c%c",
			'a' + i % 26, 'a' + i / 26 % 26, 'a' + i * 7 % 26, 'a' + i * 11 % 26);
	struct answer_patterns *p = compile(pattern, COUNT, &unlimited);
	assert_int_equal(counts.compiled, COUNT);
	assert_true(has(p, "host159.example", 159));
	assert_true(has(p,
		text_from("%c%c--%c%c", 'a' + 160 % 26, 'a' + 160 / 26, 'a' + 160 * 7 % 26,
			'a' + 160 * 11 % 26),
		160));
}

static char *repeated(char *to, const char *text, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		to = stpcpy(to, text);
	return to;
}

// A list's: each compiles at once and alone, and a name of a and b keeps all of each awake.
TEST(test_dear_patterns_leave_the_others)
{
	enum { DEAR = 512, COUNT = DEAR + 2 };
	static char dear[DEAR + 1][512];
	struct answer_pattern pattern[COUNT] = {0};
	for (unsigned i = 0; i <= DEAR; i++) {
		char *end = repeated(repeated(dear[i], "(a|b)?", 60), "a.*b", 8);
		snprintf(end, 8, "q%u", i);
		pattern[i] = (struct answer_pattern){2, dear[i], strlen(dear[i]), false, false};
	}
	pattern[DEAR].is_own = true;
	pattern[DEAR + 1] = (struct answer_pattern){3, "^ads[0-9]*\\.", 12, false, false};
	struct answer_patterns *p = compile(pattern, COUNT, NULL);
	assert_in_range(counts.refused_slow, DEAR - 10, DEAR);
	assert_int_equal(counts.compiled + counts.refused_slow, COUNT);
	assert_true(has(p, "ads12.example", 3));
	assert_true(has(p, text_from("%sq%u", "abababababababab", DEAR), 2));
	assert_false(has(p, text_from("%sq%u", "abababababababab", DEAR - 1), 2));
}

// However many a list has, and whatever number it has in the image.
TEST(test_the_operators_own_come_first)
{
	enum { COUNT = ANSWER_PATTERNS_MAX + 1 };
	static char text[COUNT][32];
	if (UNIT_IS_SANITIZED)
		skip(); // a minute's work
	struct answer_pattern *pattern = many(COUNT, text);
	pattern[COUNT - 1] = (struct answer_pattern){250, "^own[0-9]+x*\\.", 14, true, false};
	struct answer_patterns *p = compile(pattern, COUNT, &unlimited);
	assert_int_equal(counts.refused_count, 1);
	assert_true(has(p, "own1.example", 250));
}

// As filters and lists of expressions have them.
TEST(test_usual_patterns_are_taken)
{
	static const char *const shape[] = {"^ad%u[0-9]*\\.", "(^|\\.)track%u(er|ing)\\..*",
		"^(.+[_.-])?ads%u[_.-]", "^adse?rv%us?[0-9]*[_.-]", "(^|[.-])pixel%u[0-9]{1,3}\\.",
		"^beacon%u[a-z0-9-]*\\.example\\.com$", "^(www|m|cdn)\\.ads%u\\.(com|net|org)$",
		"^.*\\.metrics%u\\..*$", "stat(s|istics)?%u\\.", "^ad%u$"};
	enum { COUNT = 300, SHAPES = ARRAY_LEN(shape) };
	static char text[COUNT][64];
	struct answer_pattern pattern[COUNT];
	for (unsigned i = 0; i < COUNT; i++) {
		const int n = snprintf(text[i], sizeof(text[i]), shape[i % SHAPES], 100 + i);
		pattern[i] = (struct answer_pattern){i % 200, text[i], (size_t)n, false, false};
	}
	struct answer_patterns *p = compile(pattern, COUNT, &unlimited);
	assert_int_equal(counts.compiled, COUNT);
	assert_true(has(p, "ad1007.example.com", 0));
	assert_true(has(p, "x.ads102-y.example", 2));
	assert_true(has(p, "www.metrics107.example", 7));
	assert_false(has(p, "metrics107.example", 7));
}

static int on_found(unsigned, unsigned long long, unsigned long long, unsigned, void *found)
{
	*(bool *)found = true;
	return 0;
}

static bool library_finds(const char *text, const char *name)
{
	enum { FLAGS = HS_FLAG_CASELESS | HS_FLAG_DOTALL | HS_FLAG_ALLOWEMPTY };
	hs_compile_error_t *error;
	hs_database_t *db;
	hs_scratch_t *scratch = NULL;
	bool found = false;
	assert_int_equal(hs_compile(text, FLAGS, HS_MODE_BLOCK, NULL, &db, &error), HS_SUCCESS);
	assert_int_equal(hs_alloc_scratch(db, &scratch), HS_SUCCESS);
	assert_int_equal(hs_scan(db, name, (unsigned)strlen(name), 0, scratch, on_found, &found),
		HS_SUCCESS);
	hs_free_scratch(scratch);
	hs_free_database(db);
	return found;
}

// A part that matches anything is left out at the ends where that changes nothing.
TEST(test_any_at_the_ends)
{
	static const char *const text[] = {"^.*\\.zip$", "tracker\\..*", ".*", "x\\.*y", ".*?ads$",
		"^.*$", "^a$|^b.*", "c.*$", "\\Qq.*", "(d|e.*)$", "^.*|^f", "x?.*$", "a\\\\.*",
		"^.*|g"};
	static const char *const name[] = {"a", "file.zip", "zip", "tracker.", "tracker", "xy",
		"x...y", "ads", "adsx", "b", "bb", "aa", "q.*", "q.x", "z", "d", "de", "f", "x",
		"a\\", "g", "xc"};
	unsigned found = 0;
	for (unsigned i = 0; i < ARRAY_LEN(text); i++) {
		struct answer_patterns *p = make(&text[i], &(unsigned){2}, 1);
		for (unsigned k = 0; k < ARRAY_LEN(name); k++) {
			const bool is_found = library_finds(text[i], name[k]);
			if (has(p, name[k], 2) != is_found)
				fail_msg("/%s/ at %s", text[i], name[k]);
			found += is_found;
		}
	}
	assert_in_range(found, ARRAY_LEN(text), ARRAY_LEN(text) * ARRAY_LEN(name) - 100);
}

// The operator's own have a part of the time that a build has.
TEST(test_proofs_have_a_budget)
{
	char why[ANSWER_PATTERN_WHY_MAX];
	struct answer_pattern_spent spent = {.all_ms = ANSWER_PATTERNS_BUDGET_MS - 1000};
	assert_true(answer_pattern_proves("^ads[.]", &spent, why));
	spent.good_ms = ANSWER_PATTERNS_OWN_MS;
	assert_false(answer_pattern_proves("^ads[.]", &spent, why));
	spent = (struct answer_pattern_spent){.all_ms = ANSWER_PATTERNS_BUDGET_MS};
	assert_false(answer_pattern_proves("^ads[.]", &spent, why));
	assert_string_equal(why, "together with the others, all take too long to compile");
}

TEST(test_time_and_size)
{
	enum { COUNT = 200, FIRST = 32 };
	static char text[COUNT][32];
	struct answer_pattern *pattern = many(COUNT, text);
	const struct answer_pattern_limits no_time = {.bytes = ANSWER_PATTERNS_BYTES_MAX};
	assert_null(compile(pattern, COUNT, &no_time));
	assert_int_equal(counts.refused_time, COUNT);
	const struct answer_pattern_limits too_late = {
		.budget_ms = UINT64_MAX, .bytes = ANSWER_PATTERNS_BYTES_MAX, .until_ms = 1};
	assert_null(compile(pattern, COUNT, &too_late));
	assert_int_equal(counts.refused_time, COUNT);
	const struct answer_pattern_limits no_room = {.budget_ms = UINT64_MAX, .bytes = 20000};
	assert_non_null(compile(pattern, COUNT, &no_room));
	assert_true(counts.refused_size > 0);
	assert_int_equal(counts.compiled + counts.refused_size, COUNT);
	assert_true(counts.bytes <= 20000);
	// Room for the first portion to the last byte: it is taken, and nothing behind it.
	struct answer_pattern_limits exact = unlimited;
	assert_non_null(compile(pattern, FIRST, &exact));
	assert_int_equal(counts.compiled, FIRST);
	exact.bytes = counts.bytes;
	assert_non_null(compile(pattern, COUNT, &exact));
	assert_int_equal(counts.compiled, FIRST);
	assert_int_equal(counts.refused_size, COUNT - FIRST);
}

static void *no_memory(size_t)
{
	return NULL;
}

static void *no_memory_for_errors(size_t size)
{
	return size == sizeof(hs_compile_error_t) ? NULL : malloc(size);
}

// The library blames no single pattern: every pattern of the portion is counted as too large.
TEST(test_the_library_refuses_a_portion)
{
	enum { COUNT = 5 };
	static char text[COUNT][32];
	struct answer_pattern *pattern = many(COUNT, text);
	assert_int_equal(hs_set_database_allocator(no_memory, free), HS_SUCCESS);
	assert_null(compile(pattern, COUNT, NULL));
	assert_int_equal(counts.refused_size, COUNT);
	assert_int_equal(counts.refused_syntax + counts.compiled, 0);
	// A portion of one pattern: that one is to blame.
	assert_null(compile(pattern, 1, NULL));
	assert_int_equal(counts.refused_syntax, 1);
	assert_int_equal(counts.refused_size, 0);
	// It blames the first of those that are left, one after the other.
	assert_int_equal(hs_set_misc_allocator(no_memory_for_errors, free), HS_SUCCESS);
	assert_null(compile(pattern, COUNT, NULL));
	assert_int_equal(counts.refused_syntax, COUNT);
	assert_int_equal(counts.refused_size, 0);
	assert_int_equal(hs_set_misc_allocator(NULL, NULL), HS_SUCCESS);
	assert_int_equal(hs_set_database_allocator(NULL, NULL), HS_SUCCESS);
}
