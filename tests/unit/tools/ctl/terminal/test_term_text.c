// SPDX-License-Identifier: BSD-3-Clause
// What weirctl shows of names that are not ASCII, by locale.

#include "tests/unit/tools/ctl/lib/printed.h"
#include "tools/ctl/lib/table_cell.h"
#include "tools/ctl/terminal/term_text.h"

#include <fcntl.h>
#include <locale.h>

static int in_utf8(void **)
{
	assert_int_equal(setenv("LC_ALL", "C.UTF-8", 1), 0);
	term_text_init();
	return 0;
}

static int in_c(void **)
{
	assert_int_equal(setenv("LC_ALL", "C", 1), 0);
	term_text_init();
	return 0;
}

static const struct {
	const char *text, *shown;
	size_t width;
} cases[] = {
	{"plain ~", "plain ~", 7},
	{"K\xc3\xbc"
	 "che caf\xc3\xa9",
		"K\xc3\xbc"
		"che caf\xc3\xa9",
		10},
	{"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", 4}, // two columns each
	{"\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c", 2},                 // Hebrew letters
	{"e\xcc\x81", "e\xcc\x81", 1},                               // a combining accent
	{"a\x1b[m\n", "a\\x1b[m\\x0a", 11},
	{"\xc2\x9b"
	 "31m",
		"\\xc2\\x9b"
		"31m",
		11}, // CSI as one character
	{"\xe2\x80\xae"
	 "x",
		"\\xe2\\x80\\xae"
		"x",
		13},                                      // U+202E turns what follows
	{"\xe2\x81\xa6", "\\xe2\\x81\\xa6", 12},          // U+2066
	{"\xe2\x80\x8b", "\\xe2\\x80\\x8b", 12},          // U+200B, no width
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8", 12},          // a line separator
	{"\xc2\xad", "\\xc2\\xad", 8},                    // a soft hyphen
	{"\xf3\xa0\x80\xa1", "\\xf3\\xa0\\x80\\xa1", 16}, // a tag
	{"\xf0\x9d\x85\xb3", "\\xf0\\x9d\\x85\\xb3", 16}, // begins a beam of notes
	{"\xf0\x9b\xb2\xa0", "\\xf0\\x9b\\xb2\\xa0", 16}, // a sign of shorthand
	{"\xe0\xa3\xa2", "\\xe0\\xa3\\xa2", 12},          // Arabic, as U+0600
	{"\xed\xa0\x80", "\\xed\\xa0\\x80", 12},          // a surrogate
	{"\xc0\xaf", "\\xc0\\xaf", 8},                    // longer than need be
	{"\xe6\x97", "\\xe6\\x97", 8},                    // cut off
	{"\xff", "\\xff", 4},
};

TEST_WITH(test_utf8, in_utf8, NULL)
{
	char out[64];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(term_text(cases[i].text, out, sizeof(out)), cases[i].shown);
		assert_int_equal(term_width(out), cases[i].width);
	}
}

TEST_WITH(test_c_locale, in_c, NULL)
{
	char out[64];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		term_text(cases[i].text, out, sizeof(out));
		for (const char *p = out; *p; p++)
			assert_in_range((unsigned char)*p, 0x20, 0x7e);
		assert_int_equal(term_width(out), strlen(out));
	}
	assert_string_equal(term_text("K\xc3\xbc", out, sizeof(out)), "K\\xc3\\xbc");
}

// No character and no escape is cut, whatever the room.
TEST_WITH(test_cut, in_utf8, NULL)
{
	static const char text[] = "\xc3\xbc\xe6\x97\xa5\xff\xc3\xbc\xe6\x97\xa5\xff";
	static const char whole[] = "\xc3\xbc\xe6\x97\xa5\\xff\xc3\xbc\xe6\x97\xa5\\xff";
	for (size_t cap = 1; cap < 32; cap++) {
		char out[40];
		memset(out, 'Z', sizeof(out));
		size_t len = strlen(term_text(text, out, cap));
		assert_true(len < cap && (len >= sizeof(whole) - 1 || len + 5 > cap - 1));
		assert_memory_equal(out, whole, len);
		assert_int_equal(term_cut(out, sizeof(out)), len);
		for (size_t i = cap; i < sizeof(out); i++)
			assert_int_equal(out[i], 'Z');
	}
}

// What table_print writes on stdout.
static const char *printed(struct table *t)
{
	printed_begin();
	table_print(t);
	return printed_end();
}

TEST_WITH(test_columns_line_up, in_utf8, NULL)
{
	static const char *const heads[] = {"name", ">count", "end", NULL};
	struct table *t = table_new(heads);
	table_cell(t, "K\xc3\xbc"
		      "che");
	table_cell(t, "7");
	table_cell(t, "x");
	table_row_end(t);
	table_cell(t, "\xe6\x97\xa5\xe6\x9c\xac");
	table_cell(t, "12");
	table_cell(t, "x");
	table_row_end(t);
	assert_string_equal(printed(t), "  name    count   end\n"
					"  K\xc3\xbc"
					"che       7   x\n"
					"  \xe6\x97\xa5\xe6\x9c\xac       12   x\n");
}

TEST_WITH(test_cell_is_cut_between_characters, in_utf8, NULL)
{
	static const char *const heads[] = {"", NULL};
	struct table *t = table_new(heads);
	char cell[200] = "x";
	for (unsigned i = 0; i < 60; i++)
		strcat(cell, "\xe6\x97\xa5");
	table_cell(t, "%s", cell);
	table_row_end(t);
	const char *out = printed(t);
	assert_memory_equal(out, "  x", 3);
	size_t len = strlen(out);
	assert_string_equal(out + len - 7, "\xe6\x97\xa5...\n");
	assert_int_equal((len - 2 - 1 - 4) % 3, 0);
}

TEST(test_color)
{
	const int master = posix_openpt(O_RDWR | O_NOCTTY), saved = dup(STDOUT_FILENO);
	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	const int slave = open(ptsname(master), O_RDWR | O_NOCTTY),
		  null = open("/dev/null", O_WRONLY);
	assert_true(fflush(stdout) == 0 && dup2(slave, STDOUT_FILENO) >= 0);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	const char *const red = term_color(TERM_WRONG);
	setenv("TERM", "dumb", 1);
	const char *const dumb = term_color(TERM_WRONG);
	setenv("TERM", "xterm", 1);
	setenv("NO_COLOR", "1", 1);
	const char *const no = term_color(TERM_WRONG);
	unsetenv("NO_COLOR");
	assert_true(dup2(null, STDOUT_FILENO) >= 0);
	const char *const file = term_color(TERM_WRONG);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	assert_string_equal(red, "\033[31m");
	assert_string_equal(dumb, "");
	assert_string_equal(no, "");
	assert_string_equal(file, "");
	close(master);
	close(slave);
	close(null);
	close(saved);
}
