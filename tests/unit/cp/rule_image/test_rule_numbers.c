// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/rule_image/rule_build.h"
#include "controlplane/rule_image/rule_numbers.h"
#include "listgen.h"
#include "rule_fixture.h"

static void title_of(char out[RULE_TITLE_MAX], unsigned i)
{
	rule_title_make(out, text_from("list %u", i));
}

static int number(struct rule_numbers *n, unsigned source, unsigned title, enum rule_class is)
{
	char text[RULE_TITLE_MAX];
	struct rule_kind kind = rule_kind_of(is);
	title_of(text, title);
	return rule_numbers_of(n, source, text, &kind);
}

// Lists that stay keep their number; a new one never gets that of a list that just left.
TEST(test_numbers_stay)
{
	static struct rule_numbers a, b;
	rule_numbers_init(&a, NULL, 0);
	assert_int_equal(number(&a, 0, 0, RULE_CLASS_OPERATOR_ALLOW), RULE_LIST_ALLOW);
	assert_int_equal(number(&a, 1, 1, RULE_CLASS_OPERATOR_DENY), RULE_LIST_DENY);
	assert_int_equal(number(&a, 1, 1, RULE_CLASS_BLOCK), 2);
	assert_int_equal(number(&a, 2, 2, RULE_CLASS_BLOCK), 3);
	assert_int_equal(number(&a, 2, 2, RULE_CLASS_ALLOW), 4);
	assert_int_equal(number(&a, 2, 2, RULE_CLASS_BLOCK), 3);
	assert_int_equal(number(&a, 3, 3, RULE_CLASS_BLOCK), 5);
	assert_int_equal(rule_numbers_end(&a), 6);
	assert_int_equal(rule_numbers_needed(&a), 6);

	// List 2 is gone, 3 moved up, 4 is new.
	rule_numbers_init(&b, a.list, rule_numbers_end(&a));
	assert_int_equal(number(&b, 2, 3, RULE_CLASS_BLOCK), 5);
	assert_int_equal(number(&b, 3, 4, RULE_CLASS_BLOCK), 6);
	assert_int_equal(number(&b, 0, 0, RULE_CLASS_OPERATOR_ALLOW), RULE_LIST_ALLOW);
	assert_int_equal(rule_numbers_resting(&b), 3);
	assert_int_equal(rule_numbers_needed(&b), 7);

	// One image later its numbers are free.
	rule_numbers_init(&a, b.list, rule_numbers_end(&b));
	assert_int_equal(number(&a, 2, 9, RULE_CLASS_BLOCK), 2);
	assert_int_equal(number(&a, 3, 4, RULE_CLASS_BLOCK), 6);
	rule_numbers_free(&a);
	rule_numbers_free(&b);
}

// Sources with one title and kind are still two lists.
TEST(test_same_titles)
{
	static struct rule_numbers a, b;
	rule_numbers_init(&a, NULL, 0);
	assert_int_equal(number(&a, 2, 7, RULE_CLASS_BLOCK), 2);
	assert_int_equal(number(&a, 3, 7, RULE_CLASS_BLOCK), 3);
	rule_numbers_init(&b, a.list, rule_numbers_end(&a));
	assert_int_equal(number(&b, 2, 7, RULE_CLASS_BLOCK), 2);
	assert_int_equal(number(&b, 3, 7, RULE_CLASS_BLOCK), 3);
	rule_numbers_free(&a);
	rule_numbers_free(&b);
}

TEST(test_too_many)
{
	static struct rule_numbers a, b;
	rule_numbers_init(&a, NULL, 0);
	for (unsigned i = 2; i < 200; i++)
		assert_int_equal(number(&a, i, i, RULE_CLASS_BLOCK), i);
	// 100 of them stay, 100 are new: 58 numbers are free, and 98 rest.
	rule_numbers_init(&b, a.list, rule_numbers_end(&a));
	unsigned refused = 0;
	for (unsigned again = 0; again < 2; again++) // asking twice counts once
		for (unsigned i = 100; i < 300; i++)
			refused += number(&b, i, i, RULE_CLASS_BLOCK) == -E2BIG;
	assert_int_equal(refused, 2 * 44);
	assert_int_equal(rule_numbers_resting(&b), 98);
	assert_int_equal(rule_numbers_needed(&b), 300);
	rule_numbers_free(&a);
	rule_numbers_free(&b);
}

// A list made of odd rules costs only these.
TEST(test_kinds_of_a_source)
{
	static struct rule_numbers n;
	char title[RULE_TITLE_MAX];
	struct rule_kind kind = rule_kind_of(RULE_CLASS_BLOCK);
	rule_numbers_init(&n, NULL, 0);
	title_of(title, 1);
	kind.types.count = 1;
	for (unsigned i = 0; i < 100; i++) {
		kind.types.type[0] = (uint16_t)i;
		int got = rule_numbers_of(&n, 4, title, &kind);
		assert_int_equal(got, i < RULE_SOURCE_KINDS_MAX ? (int)i + 2 : -ENOSPC);
	}
	kind.types.type[0] = 3;
	assert_int_equal(rule_numbers_of(&n, 4, title, &kind), 5);
	assert_int_equal(number(&n, 5, 2, RULE_CLASS_BLOCK), RULE_SOURCE_KINDS_MAX + 2);
	assert_int_equal(rule_numbers_needed(&n), RULE_SOURCE_KINDS_MAX + 3);
	rule_numbers_free(&n);
}

// The builder asks the image before.
TEST(test_images_in_a_row)
{
	struct rule_arena a, c;
	struct rule_reader r;
	struct rule_builder *b = fixture_builder();
	struct keyhash_secret secret = fixture_secret();
	char why[128];
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(rule_builder_source(b, i == 2 ? "two" : i == 3 ? "three" : ""), 0);
		if (i >= 2)
			assert_int_equal(fixture_add(b, RULE_CLASS_BLOCK, "a.example"), 0);
	}
	fixture_finish(b, &a);
	assert_int_equal(rule_reader_init(&r, a.base, a.size, true, why), 0);
	assert_int_equal(rule_builder_new(&secret, r.lists, r.list_count, &b), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(rule_builder_source(b, i == 2 ? "three" : i == 3 ? "new" : ""), 0);
		if (i >= 2)
			assert_int_equal(fixture_add(b, RULE_CLASS_BLOCK, "a.example"), 0);
	}
	rule_arena_free(&a); // the builder has what it needs of it
	fixture_finish(b, &c);
	assert_int_equal(rule_reader_init(&r, c.base, c.size, true, why), 0);
	assert_int_equal(r.list_count, 5);
	assert_null(rule_list_info(&r, 2));
	assert_string_equal(rule_list_info(&r, 3)->title, "three");
	assert_string_equal(rule_list_info(&r, 4)->title, "new");
	rule_arena_free(&c);
}

// Numbers of lists that left the image rest.

static struct rule_rest rest;
static struct rule_list_info image[RULE_LISTS_MAX], lists[RULE_LISTS_MAX];

static int begin(void **)
{
	memset(&rest, 0, sizeof(rest));
	memset(image, 0, sizeof(image));
	memset(lists, 0xff, sizeof(lists));
	return 0;
}

static void put(unsigned number, const char *title)
{
	image[number] = (struct rule_list_info){.kind.covers = RULE_COVERS_ALL};
	strcpy(image[number].title, title);
}

static void expect(unsigned count, uint64_t now_ms, unsigned want_count)
{
	memcpy(lists, image, count * sizeof(*lists));
	assert_int_equal(rule_rest_add(&rest, lists, count, now_ms), want_count);
}

TEST_WITH(test_a_minute, begin, NULL)
{
	put(2, "ads");
	put(5, "old");
	rule_rest_note(&rest, image, 6, 1000);
	put(2, "ads, renamed"); // in an image without number 5
	expect(3, 1000, 6);
	assert_string_equal(lists[2].title, "ads, renamed");
	assert_string_equal(lists[5].title, "old");
	assert_int_equal(lists[4].kind.covers, 0);
	expect(3, 1000 + RULE_REST_MS - 1, 6);
	expect(3, 1000 + RULE_REST_MS, 3);
	assert_int_equal(lists[5].kind.covers, 0);
}

// Later images without the list do not end its rest, and one with it begins the rest again.
TEST_WITH(test_many_images, begin, NULL)
{
	put(5, "old");
	rule_rest_note(&rest, image, 6, 1000);
	rule_rest_note(&rest, image, 3, 2000);
	rule_rest_note(&rest, image, 3, 3000);
	expect(3, 4000, 6);
	rule_rest_note(&rest, image, 6, 5000);
	expect(3, 5000 + RULE_REST_MS - 1, 6);
}

TEST_WITH(test_no_list_is_refused_for_a_rest, begin, NULL)
{
	for (unsigned i = RULE_LIST_FIRST; i < 100; i++)
		put(i, "old");
	rule_rest_note(&rest, image, 100, 1000);
	for (unsigned i = 0; i < RULE_REST_NUMBERS_MAX - 98; i++)
		put(100 + i, "new");
	memset(image, 0, 100 * sizeof(*image));
	expect(130, 1000, 130);
	assert_true(lists[2].kind.covers);
	put(130, "one more");
	expect(131, 1000, 131);
	assert_false(lists[2].kind.covers);
	assert_true(lists[100].kind.covers);
}
