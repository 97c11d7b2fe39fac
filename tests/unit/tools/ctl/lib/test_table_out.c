// SPDX-License-Identifier: BSD-3-Clause

#include "printed.h"
#include "tools/ctl/lib/table_out.h"

#include <string.h>
#include <weir/text.h>

static void test_escape(void **)
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

static void test_numbers(void **)
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

static void test_columns(void **)
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

static void test_bounds(void **)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
