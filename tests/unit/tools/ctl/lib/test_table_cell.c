// SPDX-License-Identifier: BSD-3-Clause

#include "printed.h"
#include "tools/ctl/lib/table_cell.h"

#include <pty.h>
#include <termios.h>
#include <weir/text.h>

TEST(test_escape)
{
	char out[16];
	assert_string_equal(text_escape("a\x1b[m", out, sizeof(out)), "a\\x1b[m");
	assert_string_equal(text_escape("\xc3\xa4", out, sizeof(out)), "\\xc3\\xa4");
	for (size_t cap = 1; cap <= sizeof(out); cap++) {
		memset(out, '!', sizeof(out));
		text_escape("ab\x01zyxwvutsrqponmlkjihg", out, cap);
		assert_true(strlen(out) < cap);
	}
	assert_string_equal(text_escape("ab\x01yz", out, 6), "ab");
}

TEST(test_numbers)
{
	char out[FIGURE_MAX];
	assert_string_equal(figure_count(0, out), "0");
	assert_string_equal(figure_count(999, out), "999");
	assert_string_equal(figure_count(1000, out), "1,000");
	assert_string_equal(figure_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
	assert_string_equal(figure_rate(12.34, out), "12.3");
	assert_string_equal(figure_rate(1999.6, out), "2,000");
	assert_string_equal(figure_bytes(1023, out), "1023 B");
	assert_string_equal(figure_bytes(64 << 20, out), "64.0 MiB");
	assert_string_equal(figure_bytes(UINT64_MAX, out), "16777216.0 TiB");
	assert_string_equal(figure_duration(999, out), "999 ms");
	assert_string_equal(figure_duration(59999, out), "59.9 s");
	assert_string_equal(figure_duration(61000, out), "1 min 1 s");
	assert_string_equal(figure_duration(3600000, out), "1 h 0 min");
	assert_string_equal(figure_duration(90000000, out), "1 d 1 h");
}

// What table_print writes on stdout.
static const char *printed(struct table *t)
{
	printed_begin();
	table_print(t);
	return printed_end();
}

TEST(test_columns)
{
	static const char *const heads[] = {"name", ">count", "text", NULL};
	struct table *t = table_new(heads);
	table_cell(t, "a");
	table_cell_count(t, 1234);
	table_cell(t, "x\x07");
	table_row_end(t);
	table_cell(t, "longer");
	table_row_end(t);
	assert_string_equal(printed(t), "  name     count   text\n"
					"  a        1,234   x\\x07\n"
					"  longer           \n");
}

TEST(test_bounds)
{
	static const char *const heads[] = {"", "", NULL};
	struct table *t = table_new(heads);
	char cell[300];
	memset(cell, 'y', sizeof(cell));
	cell[sizeof(cell) - 1] = '\0';
	for (unsigned i = 0; i < TABLE_ROWS_MAX + 3; i++) {
		table_cell(t, "%s", i == 0 ? cell : "x");
		table_cell(t, "z");
		table_cell(t, "over");
		table_row_end(t);
	}
	const char *out = printed(t);
	assert_null(strstr(out, "over"));
	assert_non_null(strstr(out, "  (3 more)\n"));
	assert_true(strcspn(out, "z") < 2 + TABLE_CELL_MAX + 4);
	assert_non_null(strstr(out, "yy...   z"));

	t = NULL; // out of memory: nothing happens
	table_cell(t, "x");
	table_row_end(t);
	table_print(t);
}

// A terminal in the place of stdout, and what the table writes to it.
static const char *printed_on_terminal(struct table *t)
{
	static char out[4096];
	int terminal, user, saved = dup(STDOUT_FILENO);
	struct termios raw;
	struct winsize size = {.ws_row = 24, .ws_col = 40};
	assert_int_equal(openpty(&terminal, &user, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(user, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(user, TCSANOW, &raw), 0);
	fflush(stdout);
	assert_true(dup2(user, STDOUT_FILENO) >= 0);
	table_print_some(t, 2, "weirctl all");
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	ssize_t n = read(terminal, out, sizeof(out) - 1);
	out[n > 0 ? n : 0] = '\0';
	close(saved);
	close(user);
	close(terminal);
	return out;
}

static struct table *wide_table(void)
{
	static const char *const heads[] = {"name", ">count", "a long text", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < 3; i++) {
		table_cell(t, "a.name.of.some.length.example");
		table_cell_count(t, 1234567);
		table_cell(t, "words that say why it is so");
		table_row_end(t);
	}
	return t;
}

TEST(test_a_terminal)
{
	unsetenv("COLUMNS");
	assert_string_equal(printed_on_terminal(wide_table()),
		"  name              count   a long text\n"
		"  a.name.o...   1,234,567   words tha...\n"
		"  a.name.o...   1,234,567   words tha...\n"
		"  (1 more: weirctl all)\n");
	setenv("COLUMNS", "60", 1);
	assert_non_null(
		strstr(printed_on_terminal(wide_table()), "1,234,567   words that say why ...\n"));
	setenv("COLUMNS", "5", 1); // numbers stay whole
	assert_non_null(
		strstr(printed_on_terminal(wide_table()), "  a.nam...   1,234,567   words..."));
	assert_non_null(strstr(printed(wide_table()),
		"length.example   1,234,567   words that say why it is so\n"));
}
