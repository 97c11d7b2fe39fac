// SPDX-License-Identifier: BSD-3-Clause
// Lines of rules: each format's, several of one name, sources that changed, went or are no files.

#include "controlplane/answer_policy/why/why_find.h"
#include "controlplane/answer_policy/why/why_read.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"
#include "why_rig.h"

static char path[] = "/tmp/weir-why-find-XXXXXX";
static const _Atomic bool go = false, halt = true;

static const char list_text[] = "! an AdBlock list\n"
				"||ads.example^\n"
				"@@||fine.ads.example^$important\n"
				"0.0.0.0 tracker.example  other.example # both\r\n"
				"||ads.example^$dnstype=AAAA\n"
				"/^ad[0-9]+\\./\n"
				"\n"
				"ads.example\n"
				"||example.com^$denyallow=good.example.com\n"
				"||b*.stars.example.org^\n"
				"||a*.stars.example.org^\n"
				"@@|*fine.stars.example.org^\n";

static int by_hand(void *, list_rule_take take, void *arg)
{
	struct dns_name name = fixture_name("mine.example");
	struct list_rule rule = rule_of_name(RULE_CLASS_OPERATOR_DENY, &name);
	return take(arg, &rule);
}

static const struct rule_source sources[] = {
	{.title = "allow entries"},
	{.title = "deny entries", .rules = by_hand},
	{.title = "ads", .path = path},
};

static void list_write(const char *text)
{
	text_to_file(path, text);
}

static int setup(void **)
{
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

FIXTURE_OF(teardown, unlink(path))

// What an image of `text` says of a name, with the lines in `now`.
static struct why *why_of_sources(const struct rule_source *from, unsigned count, const char *text,
	const char *now, const char *name_text, uint16_t qtype)
{
	struct rule_source_result result[8];
	struct rule_compile_options options = {.secret = fixture_secret()};
	struct rule_arena arena;
	struct rule_reader r;
	struct why_patterns patterns;
	struct dns_name name = fixture_name(name_text);
	char why[RULE_COMPILE_WHY_MAX];
	size_t peak;
	list_write(text);
	assert_int_equal(rule_compile(from, count, &options, result, &arena, &peak, why), 0);
	assert_int_equal(rule_reader_init(&r, arena.base, arena.size, true, why), 0);
	struct why *w = why_begin(&name, qtype);
	why_read_name(w, 0, &r);
	assert_int_equal(why_patterns_copy(&r, &patterns), 0);
	assert_int_equal(why_patterns_match(w, &patterns, &go), 0);
	why_check(w);
	if (now)
		list_write(now);
	assert_int_equal(why_find(w, from, count, &go), 0);
	why_patterns_free(&patterns);
	rule_arena_free(&arena);
	return w;
}

static struct why *why_of(const char *text, const char *now, const char *name_text, uint16_t qtype)
{
	return why_of_sources(sources, ARRAY_LEN(sources), text, now, name_text, qtype);
}

// The line that decides, and what it says.
static void decides(const char *name, uint16_t qtype, unsigned line, const char *text)
{
	struct why *w = why_of(list_text, NULL, name, qtype);
	assert_true(w->decider >= 0);
	for (unsigned i = 0; i < w->lines; i++)
		if (w->line[i].hit == w->decider && w->line[i].line == line) {
			assert_string_equal(w->line[i].text, text);
			for (unsigned s = 0; s < w->sources; s++)
				assert_string_equal(w->source[s].note, "");
			return;
		}
	fail_msg("%s: not by line %u", name, line);
}

TEST(test_lines)
{
	decides("x.ads.example", DNS_TYPE_A, 2, "||ads.example^");
	decides("x.ads.example", DNS_TYPE_A, 8, "ads.example");
	decides("x.fine.ads.example", DNS_TYPE_A, 3, "@@||fine.ads.example^$important");
	decides("other.example", DNS_TYPE_A, 4, "0.0.0.0 tracker.example  other.example # both");
	decides("ad77.example", DNS_TYPE_A, 6, "/^ad[0-9]+\\./");
	decides("www.example.com", DNS_TYPE_A, 9, "||example.com^$denyallow=good.example.com");
	decides("a.mine.example", DNS_TYPE_A, 0, "");
	struct why *w = why_of(list_text, NULL, "x.good.example.com", DNS_TYPE_A);
	assert_int_equal(w->verdict, WHY_PASSED);
	assert_int_equal(w->hits, 2); // the rule, and its exception, of one line
	assert_int_equal(w->lines, 2);
	assert_int_equal(w->line[0].line, 9);
	assert_int_equal(w->line[1].line, 9);
}

// Each glob at a name is a rule of its own, with its line; the others are shown as what they are.
TEST(test_globs)
{
	decides("x.a1.stars.example.org", DNS_TYPE_A, 11, "||a*.stars.example.org^");
	decides("afine.stars.example.org", DNS_TYPE_A, 12, "@@|*fine.stars.example.org^");
	struct why *w = why_of(list_text, NULL, "a1.stars.example.org", DNS_TYPE_A);
	assert_int_equal(w->verdict, WHY_BLOCKED);
	assert_int_equal(w->hits, 3);
	assert_string_equal(w->hit[w->decider].text, "||a*.stars.example.org^");
	for (unsigned i = 0; i < w->hits; i++)
		assert_int_equal(
			w->hit[i].state, (int)i == w->decider ? WHY_DECIDES : WHY_NO_COVER);
	assert_int_equal(
		why_of(list_text, NULL, "c.stars.example.org", DNS_TYPE_A)->verdict, WHY_PASSED);
}

// Each source that has a pattern that matches is read, and its changes are reported.
TEST(test_patterns_of_two_sources)
{
	static const struct rule_source two[] = {
		{.title = "allow entries"},
		{.title = "deny entries"},
		{.title = "ads", .path = path},
		{.title = "more", .path = path},
	};
	struct why *w = why_of_sources(
		two, ARRAY_LEN(two), list_text, "\n/^ad[0-9]+\\./\n", "ad77.example", DNS_TYPE_A);
	assert_int_equal(w->hits, 2);
	assert_int_equal(w->sources, 2);
	assert_int_equal(w->lines, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w->source[i].number, 2 + i);
		assert_string_equal(w->source[i].title, two[2 + i].title);
		assert_non_null(strstr(w->source[i].note, "changed"));
		assert_int_equal(w->line[i].line, 2);
	}
}

// A rule for one type is a list of its own: its line is not given to the other one.
TEST(test_kinds)
{
	struct why *w = why_of(list_text, NULL, "ads.example", DNS_TYPE_AAAA);
	unsigned found = 0;
	for (unsigned i = 0; i < w->lines; i++) {
		bool typed = w->hit[w->line[i].hit].kind.types.count > 0;
		assert_int_equal(typed, w->line[i].line == 5);
		found++;
	}
	assert_int_equal(found, 3);
}

TEST(test_changed)
{
	static const char text[] = "ads.example\n", other[] = "# new\nads.example\n";
	struct why *w = why_of(text, other, "ads.example", DNS_TYPE_A);
	assert_int_equal(w->lines, 1);
	assert_int_equal(w->line[0].line, 2);
	assert_non_null(strstr(w->source[0].note, "changed since"));
	assert_string_equal(w->source[0].path, path);

	w = why_of(text, "nothing\n", "ads.example", DNS_TYPE_A);
	assert_int_equal(w->lines, 0);
	assert_non_null(strstr(w->source[0].note, "changed since"));
}

TEST(test_no_source)
{
	struct why *w = why_of("ads.example\n", NULL, "ads.example", DNS_TYPE_A);
	struct rule_source gone[] = {
		sources[0], sources[1], {.title = "ads", .path = "/nonexistent/list"}};
	assert_int_equal(why_find(w, gone, ARRAY_LEN(gone), &go), 0);
	assert_string_equal(w->source[0].note, "No such file or directory");
	assert_int_equal(why_find(w, gone, RULE_LIST_FIRST, &go), 0);
	assert_string_equal(w->source[0].note, "no longer in the configuration");
	assert_int_equal(why_find(w, sources, ARRAY_LEN(sources), &halt), -ECANCELED);
}

TEST_GROUP(setup, teardown)
