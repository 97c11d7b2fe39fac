// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/lists/list_rest.h"
#include "tests/unit/unit.h"

static struct list_rest rest;
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
	assert_int_equal(list_rest_add(&rest, lists, count, now_ms), want_count);
}

TEST_WITH(test_a_minute, begin, NULL)
{
	put(2, "ads");
	put(5, "old");
	list_rest_note(&rest, image, 6, 1000);
	put(2, "ads, renamed"); // in an image without number 5
	expect(3, 1000, 6);
	assert_string_equal(lists[2].title, "ads, renamed");
	assert_string_equal(lists[5].title, "old");
	assert_int_equal(lists[4].kind.covers, 0);
	expect(3, 1000 + LIST_REST_MS - 1, 6);
	expect(3, 1000 + LIST_REST_MS, 3);
	assert_int_equal(lists[5].kind.covers, 0);
}

// Later images without the list do not end its rest, and one with it begins the rest again.
TEST_WITH(test_many_images, begin, NULL)
{
	put(5, "old");
	list_rest_note(&rest, image, 6, 1000);
	list_rest_note(&rest, image, 3, 2000);
	list_rest_note(&rest, image, 3, 3000);
	expect(3, 4000, 6);
	list_rest_note(&rest, image, 6, 5000);
	expect(3, 5000 + LIST_REST_MS - 1, 6);
}

TEST_WITH(test_no_list_is_refused_for_a_rest, begin, NULL)
{
	for (unsigned i = RULE_LIST_FIRST; i < 100; i++)
		put(i, "old");
	list_rest_note(&rest, image, 100, 1000);
	for (unsigned i = 0; i < LIST_REST_NUMBERS_MAX - 98; i++)
		put(100 + i, "new");
	memset(image, 0, 100 * sizeof(*image));
	expect(130, 1000, 130);
	assert_true(lists[2].kind.covers);
	put(130, "one more");
	expect(131, 1000, 131);
	assert_false(lists[2].kind.covers);
	assert_true(lists[100].kind.covers);
}
