// SPDX-License-Identifier: BSD-3-Clause
// Heap profiles read and compared: scaling, bounds, names of functions, what grew.

#include "tests/unit/unit.h"
#include "tools/ctl/memory/cmd_heap.h"

#include <math.h>

static _Alignas(uint64_t) char text[1 << 16];

UNIT_END_OF(heap_text_free, struct heap_text)

static struct heap_text *read_text(const char *profile)
{
	struct heap_text *h;
	char *copy = text_from("%s", profile); // the paths of maps are in it
	assert_int_equal(heap_text_read(&h, copy), 0);
	unit_at_end(heap_text_free_at_end, h);
	return h;
}

TEST(samples_are_scaled)
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
}

TEST(absurd_numbers_stay_finite)
{
	struct heap_text *h = read_text("heap_v2/18446744073709551615\n@ 0x10\n"
					"  t*: 18446744073709551615: 1 [0: 0]\n");
	assert_true(isfinite(h->stack[0].bytes) && h->stack[0].bytes > 0);
	assert_true(isfinite(h->stack[0].blocks) && h->stack[0].blocks > 0);
}

TEST(what_is_no_profile_is_refused)
{
	static const char *const wrong[] = {"", "heap", "heap_v2/", "heap_v2/0\n", "heap_v2/x\n",
		"heap_v2/-5\n", "heap_v2/99999999999999999999999\n", "heap profile: 1: 2\n"};
	struct heap_text *h;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(text, sizeof(text), "%s", wrong[i]);
		assert_int_equal(heap_text_read(&h, text), -EPROTO);
	}
}

TEST(over_the_caps_is_counted)
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

TEST(maps_say_where_code_is)
{
	struct heap_text *h = read_text("heap_v2/1\n\nMAPPED_LIBRARIES:\n"
					"1000-2000 r-xp 00000400 08:01 12 /bin/a b\n"
					"2000-3000 rw-p 00001400 08:01 12 /bin/data\n"
					"3000-4000 r-xp 00000000 00:00 0 [vdso]\n");
	assert_int_equal(h->map_count, 1);
	assert_string_equal(heap_text_map(h, 0x1fff)->path, "/bin/a b");
	assert_int_equal(h->map[0].offset, 0x400);
	assert_null(heap_text_map(h, 0x2000));
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

TEST(the_grower_is_named)
{
	struct heap_text *a = own_profile(1000, "@ 0x1\n  t*: 1: 50000 [0: 0]\n");
	struct heap_text *b = own_profile(900000, "@ 0x1\n  t*: 1: 50000 [0: 0]\n"
						  "@ 0x2\n  t*: 1: 777 [0: 0]\n");
	struct heap_diff d;
	assert_int_equal(heap_diff_make(&d, a, b), 0);
	assert_int_equal(d.count, 3);
	assert_string_equal(d.growth[0].stack[0], "heap_test_leaks");
	assert_float_equal(d.growth[0].bytes - d.growth[0].bytes_before, 899000, 1);
	assert_string_equal(d.growth[1].stack[0], "0x2");
	assert_float_equal(d.growth[2].bytes - d.growth[2].bytes_before, 0, 1);
	heap_diff_free(&d);
	assert_int_equal(heap_diff_make(&d, NULL, a), 0);
	assert_string_equal(d.growth[0].stack[0], "0x1");
	assert_string_equal(d.growth[1].stack[0], "heap_test_leaks");
	heap_diff_free(&d);
}

static void maps_and_sites(char *out, size_t cap, const char *sites)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	size_t len = fread(out, 1, cap - 1, maps);
	fclose(maps);
	snprintf(out + len, cap - len, "\nSITES:\n%s", sites);
}

// own_profile with the exact counts of two sites in one file.
static struct heap_text *exact_profile(unsigned long bytes, const char *sites)
{
	static char maps[1 << 15], all[1 << 16];
	maps_and_sites(maps, sizeof(maps), sites);
	snprintf(all, sizeof(all),
		"heap_v2/1\n@ 0x%lx\n  t*: 10: %lu [0: 0]\n@ 0x1\n  t*: 10: %lu [0: 0]\n\n"
		"MAPPED_LIBRARIES:\n%s",
		(unsigned long)(uintptr_t)heap_test_leaks + 2, bytes, bytes / 2, maps);
	return read_text(all);
}

static bool leaks_are_made_again(const char *before, const char *after)
{
	struct heap_text *a = exact_profile(0, before), *b = exact_profile(400000, after);
	struct heap_diff d, by_function;
	assert_int_equal(a->site_count, 2);
	assert_int_equal(heap_diff_make(&d, a, b), 0);
	assert_int_equal(d.count, 2);
	// What did not grow is behind what did.
	const bool made_again = d.growth[1].is_made_again;
	assert_false(d.growth[0].is_made_again);
	assert_string_equal(d.growth[made_again].stack[0], "heap_test_leaks");
	assert_int_equal(heap_diff_cumulate(&by_function, &d), 0);
	assert_int_equal(by_function.count, made_again ? 1 : 2);
	heap_diff_free(&by_function);
	heap_diff_free(&d);
	return made_again;
}

TEST(blocks_made_again_are_no_growth)
{
	static const char before[] = "heap_test_leaks 400000 400000 a.c\nother 0 0 a.c\n";
	assert_true(
		leaks_are_made_again(before, "heap_test_leaks 400000 800000 a.c\nother 0 0 a.c\n"));
	assert_false(
		leaks_are_made_again(before, "heap_test_leaks 800000 800000 a.c\nother 0 0 a.c\n"));
	// The other one may be part of this function.
	assert_false(leaks_are_made_again(
		before, "heap_test_leaks 400000 800000 a.c\nother 400000 400000 a.c\n"));
	// Nobody counts this function.
	assert_false(leaks_are_made_again(
		"f 400000 400000 a.c\nother 0 0 a.c\n", "f 400000 400000 a.c\nother 0 0 a.c\n"));
}

TEST(functions_have_all_their_stacks)
{
	struct heap_text *a = read_text("heap_v2/1\n@ 0x1 0x7 0x9\n  t*: 1: 1000 [0: 0]\n@ 0x2 0x7 "
					"0x7\n  t*: 1: 500 [0: 0]\n");
	struct heap_diff d, by;
	assert_int_equal(heap_diff_make(&d, NULL, a), 0);
	assert_int_equal(heap_diff_cumulate(&by, &d), 0);
	assert_int_equal(by.count, 4);
	assert_string_equal(by.growth[0].stack[0], "0x7");
	assert_float_equal(by.growth[0].bytes, 1500, 1); // once of a stack that it is in twice
	assert_int_equal(by.growth[0].depth, 1);
	heap_diff_free(&by);
	heap_diff_free(&d);
}

TEST(deep_stacks_are_told_apart)
{
	size_t len = (size_t)snprintf(text, sizeof(text), "heap_v2/1\n");
	for (unsigned s = 0; s < 2; s++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "@");
		for (unsigned i = 0; i < 24; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, " 0x%x",
				i < 23 ? 0x100 + i : 0x200 + s);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "\n  t*: 1: 64 [0: 0]\n");
	}
	struct heap_text *h = read_text(text);
	struct heap_diff d;
	assert_int_equal(heap_diff_make(&d, NULL, h), 0);
	assert_int_equal(d.count, 2);
	assert_int_equal(d.growth[0].depth, 24);
	heap_diff_free(&d);
}

TEST(allocations_are_read)
{
	struct heap_text *h = read_text(
		"heap profile:      0:        0 [     3:     3000] @ heap_v2/1000\n"
		"     0:        0 [     2:      200] @ 0x0000000000000010 0x0000000000000020\n"
		"     0:        0 [     0:        0] @ 0x30\n     0: 0 [ 1: 9000000] @ 0x40\n"
		"\nMAPPED_LIBRARIES:\n1000-2000 r-xp 00000400 08:01 12 /bin/a\n");
	assert_int_equal(h->kind, HEAP_ALLOCATED);
	assert_int_equal(h->stack_count, 2);
	assert_int_equal(h->stack[0].depth, 2);
	assert_int_equal(h->stack[0].frame[1], 0x20);
	assert_float_equal(h->stack[0].bytes, 2101.7, 0.1); // as samples of what is held
	assert_float_equal(h->stack[1].bytes, 9000000, 1);
	assert_int_equal(h->map_count, 1);
}

TEST(threads_are_read)
{
	struct heap_text *h =
		read_text("threads profile: total 3\n# a id 1: takes this profile\n"
			  "# b id 2 state S\n1 @ 0x10 0x20\n\n1 @ 0x30\n# c\n1 @ 0x40\n"
			  "\nMAPPED_LIBRARIES:\n1000-2000 r-xp 0 08:01 12 /bin/a\n");
	assert_int_equal(h->stack_count, 2);
	assert_string_equal(h->stack[0].label, "b id 2 state S");
	assert_int_equal(h->stack[0].frame[0], 0x11); // runs at 0x10
	assert_int_equal(h->stack[0].frame[1], 0x20);
	assert_string_equal(h->stack[1].label, "c");
}

static const uint64_t cpu_words[] = {0, 3, 0, 10000, 0, 5, 2, 0x10, 0x20, 1, 1, 0x30, 0, 1, 0};
static const char cpu_maps[] = "1000-2000 r-xp 00000000 08:01 12 /bin/a\n";

static int cpu_read(struct heap_text **out, size_t len)
{
	memcpy(text, cpu_words, sizeof(cpu_words));
	memcpy(text + sizeof(cpu_words), cpu_maps, sizeof(cpu_maps));
	text[len] = '\0';
	return heap_text_read_cpu(out, text, len);
}

TEST(cpu_time_is_read)
{
	struct heap_text *h;
	assert_int_equal(cpu_read(&h, sizeof(cpu_words) + sizeof(cpu_maps) - 1), 0);
	assert_int_equal(h->stack_count, 2);
	assert_int_equal(h->stack[0].frame[0], 0x11);
	assert_int_equal(h->stack[0].frame[1], 0x20);
	assert_float_equal(h->stack[0].bytes, 50000, 0);
	assert_float_equal(h->stack[1].bytes, 10000, 0);
	assert_int_equal(h->map_count, 1);
	struct heap_diff d;
	assert_int_equal(heap_diff_make(&d, NULL, h), 0);
	assert_string_equal(d.growth[0].stack[1], "0x20");
	heap_diff_free(&d);
	heap_text_free(h);
	for (size_t len = 0; len < sizeof(cpu_words); len++)
		assert_int_equal(cpu_read(&h, len), -EPROTO);
}

TEST(unreadable_files_give_places)
{
	struct heap_text *h = read_text("heap_v2/1\n@ 0x1235 0x2011\n  t*: 1: 64 [0: 0]\n"
					"\nMAPPED_LIBRARIES:\n"
					"1000-2000 r-xp 00000400 08:01 12 /nonexistent/lib.so\n"
					"2000-3000 r-xp 00000000 08:01 12 /proc/self/maps\n");
	struct heap_diff d;
	assert_int_equal(heap_diff_make(&d, NULL, h), 0);
	assert_string_equal(d.growth[0].stack[0], "lib.so+0x634");
	assert_string_equal(d.growth[0].stack[1], "maps+0x10");
	heap_diff_free(&d);
}

// As many stacks and sites as are read, all of one function and file: to compare each stack with
// each pair of sites would take years.
static struct heap_text *crowded_profile(unsigned bytes, char **whole)
{
	enum { LINE = 48 };
	size_t room = (HEAP_STACKS_MAX + HEAP_COUNTS_MAX + 9) * (size_t)LINE, len = 0;
	char *many = malloc(room);
	assert_non_null(many);
	len += (size_t)snprintf(many, room, "heap_v2/1\n");
	for (unsigned i = 0; i < HEAP_STACKS_MAX; i++)
		len += (size_t)snprintf(
			many + len, room - len, "@ 0x5 0x%x\n  t*: 1: %u [0: 0]\n", i + 9, bytes);
	len += (size_t)snprintf(many + len, room - len, "\nMAPPED_LIBRARIES:\nSITES:\n");
	for (unsigned i = 0; i < HEAP_COUNTS_MAX; i++)
		len += (size_t)snprintf(many + len, room - len, "0x5 1 1 a.c\n");
	assert_in_range(len, 0, room - 1);
	struct heap_text *h;
	assert_int_equal(heap_text_read(&h, many), 0);
	*whole = many;
	return h;
}

TEST(as_many_sites_as_a_file_may_say)
{
	char *whole[2];
	struct heap_text *a = crowded_profile(10, &whole[0]), *b = crowded_profile(90, &whole[1]);
	struct heap_diff d;
	assert_int_equal(b->site_count, HEAP_COUNTS_MAX);
	assert_int_equal(heap_diff_make(&d, a, b), 0);
	assert_int_equal(d.count, HEAP_STACKS_MAX);
	assert_true(d.growth[0].is_made_again); // no site grew
	heap_diff_free(&d);
	heap_text_free(a);
	heap_text_free(b);
	free(whole[0]);
	free(whole[1]);
}
