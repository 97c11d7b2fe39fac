// SPDX-License-Identifier: BSD-3-Clause
// Heap profiles read and compared: scaling, bounds, names of functions, what grew.

#include "tests/unit/unit.h"
#include "tools/ctl/memory/heap_diff.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[1 << 16];
static struct symbols *symbols;
static char *copies[8]; // of profiles: the paths of maps are in them
static unsigned copy_count;

static struct heap_text *read_text(const char *profile)
{
	struct heap_text *h;
	char *copy = strdup(profile);
	assert_non_null(copy);
	assert_in_range(copy_count, 0, ARRAY_LEN(copies) - 1);
	copies[copy_count++] = copy;
	assert_int_equal(heap_text_read(&h, copy), 0);
	return h;
}

static void samples_are_scaled(void **)
{
	struct heap_text *h = read_text("heap_v2/1000\n  t*: 9: 9 [0: 0]\n@ 0x10 0x20\n"
					"  t*: 2: 200 [0: 0]\n  t0: 7: 700 [0: 0]\n"
					"@ 0x30\n  t*: 3: 300000 [0: 0]\n");
	assert_int_equal(h->stack_count, 2);
	assert_int_equal(h->stack[0].depth, 2);
	assert_int_equal(h->stack[0].frame[1], 0x20);
	// 1 / (1 - exp(-100/1000)) = 10.508; large blocks are all seen.
	assert_float_equal(h->stack[0].blocks, 21.017, 0.001);
	assert_float_equal(h->stack[0].bytes, 2101.7, 0.1);
	assert_float_equal(h->stack[1].bytes, 300000, 1);
	heap_text_free(h);
}

static void absurd_numbers_stay_finite(void **)
{
	struct heap_text *h = read_text("heap_v2/18446744073709551615\n@ 0x10\n"
					"  t*: 18446744073709551615: 1 [0: 0]\n");
	assert_true(isfinite(h->stack[0].bytes) && h->stack[0].bytes > 0);
	assert_true(isfinite(h->stack[0].blocks) && h->stack[0].blocks > 0);
	heap_text_free(h);
}

static void what_is_no_profile_is_refused(void **)
{
	static const char *const wrong[] = {"", "heap", "heap_v2/", "heap_v2/0\n", "heap_v2/x\n",
		"heap_v2/-5\n", "heap_v2/99999999999999999999999\n", "heap profile: 1: 2\n"};
	struct heap_text *h;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(text, sizeof(text), "%s", wrong[i]);
		assert_int_equal(heap_text_read(&h, text), -EPROTO);
	}
}

static void over_the_caps_is_counted(void **)
{
	size_t room = (HEAP_STACKS_MAX + 5) * 8 + 64, len = 0;
	char *many = malloc(room);
	assert_non_null(many);
	len += (size_t)snprintf(many, room, "heap_v2/1\n");
	for (unsigned i = 0; i < HEAP_STACKS_MAX + 3; i++)
		len += (size_t)snprintf(many + len, room - len, "@ 0x1\n");
	struct heap_text *h;
	assert_int_equal(heap_text_read(&h, many), 0);
	assert_int_equal(h->stack_count, HEAP_STACKS_MAX);
	assert_int_equal(h->left_out, 3);
	heap_text_free(h);
	free(many);
}

static void maps_say_where_code_is(void **)
{
	struct heap_text *h = read_text("heap_v2/1\n\nMAPPED_LIBRARIES:\n"
					"1000-2000 r-xp 00000400 08:01 12 /bin/a b\n"
					"2000-3000 rw-p 00001400 08:01 12 /bin/data\n"
					"3000-4000 r-xp 00000000 00:00 0 [vdso]\n");
	assert_int_equal(h->map_count, 1);
	assert_string_equal(heap_text_map(h, 0x1fff)->path, "/bin/a b");
	assert_int_equal(h->map[0].offset, 0x400);
	assert_null(heap_text_map(h, 0x2000));
	heap_text_free(h);
}

__attribute__((noinline)) int heap_test_leaks(int n);
int heap_test_leaks(int n)
{
	return n * 3 + text[0];
}

// A profile whose one stack of `bytes` is in a function of this program.
static struct heap_text *own_profile(unsigned long bytes, const char *more)
{
	size_t len = (size_t)snprintf(text, sizeof(text),
		"heap_v2/1\n  t*: 1: 1 [0: 0]\n@ 0x%lx\n  t*: 10: %lu [0: "
		"0]\n%s\nMAPPED_LIBRARIES:\n",
		(unsigned long)(uintptr_t)heap_test_leaks + 2, bytes, more);
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	len += fread(text + len, 1, sizeof(text) - len - 1, maps);
	text[len] = '\0';
	fclose(maps);
	return read_text(text);
}

static void the_grower_is_named(void **)
{
	struct heap_text *a = own_profile(1000, "@ 0x1\n  t*: 1: 50000 [0: 0]\n");
	struct heap_text *b = own_profile(900000, "@ 0x1\n  t*: 1: 50000 [0: 0]\n"
						  "@ 0x2\n  t*: 1: 777 [0: 0]\n");
	struct heap_diff d;
	assert_int_equal(heap_diff_make(&d, a, b, symbols), 0);
	assert_int_equal(d.count, 3);
	assert_string_equal(d.growth[0].stack[0], "heap_test_leaks");
	assert_float_equal(d.growth[0].bytes - d.growth[0].bytes_before, 899000, 1);
	assert_string_equal(d.growth[1].stack[0], "0x2");
	assert_float_equal(d.growth[2].bytes - d.growth[2].bytes_before, 0, 1);
	heap_diff_free(&d);
	assert_int_equal(heap_diff_make(&d, NULL, a, symbols), 0);
	assert_string_equal(d.growth[0].stack[0], "0x1");
	assert_string_equal(d.growth[1].stack[0], "heap_test_leaks");
	heap_diff_free(&d);
	heap_text_free(a);
	heap_text_free(b);
}

static void unreadable_files_give_places(void **)
{
	char name[SYMBOL_NAME_MAX];
	symbols_name(symbols, "/nonexistent/lib.so", 0x1234, name);
	assert_string_equal(name, "lib.so+0x1234");
	symbols_name(symbols, "/proc/self/maps", 16, name);
	assert_string_equal(name, "maps+0x10");
	symbols_name(NULL, "/lib/x", 1, name);
	assert_string_equal(name, "x+0x1");
}

static int setup(void **)
{
	symbols = symbols_new();
	return symbols ? 0 : -1;
}

static int teardown(void **)
{
	symbols_free(symbols);
	while (copy_count)
		free(copies[--copy_count]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_scaled),
		cmocka_unit_test(absurd_numbers_stay_finite),
		cmocka_unit_test(what_is_no_profile_is_refused),
		cmocka_unit_test(over_the_caps_is_counted),
		cmocka_unit_test(maps_say_where_code_is),
		cmocka_unit_test(the_grower_is_named),
		cmocka_unit_test(unreadable_files_give_places),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
