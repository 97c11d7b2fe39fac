// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/base/json.h"
#include "tests/unit/unit.h"

static struct json_in *read_text(const char *text)
{
	char why[JSON_IN_WHY_MAX] = "";
	struct json_in *v = json_in_read(text, strlen(text), why);
	if (!v)
		fail_msg("%s: %s", text, why);
	return v;
}

TEST(test_values)
{
	struct json_in *v =
		read_text("{\"a\": \"x\", \"b\": -7, \"c\": true, \"d\": [1, {\"e\": false}], "
			  "\"f\": null, \"g\": 1.5}");
	assert_int_equal(json_in_kind(v), JSON_IN_OBJECT);
	assert_int_equal(json_in_kind(json_in_get(v, "a")), JSON_IN_TEXT);
	assert_string_equal(json_in_text(json_in_get(v, "a")), "x");
	assert_int_equal(json_in_kind(json_in_get(v, "b")), JSON_IN_NUMBER);
	assert_int_equal(json_in_number(json_in_get(v, "b")), -7);
	assert_int_equal(json_in_kind(json_in_get(v, "c")), JSON_IN_FLAG);
	assert_true(json_in_flag(json_in_get(v, "c")));
	const struct json_in *list = json_in_get(v, "d");
	assert_int_equal(json_in_kind(list), JSON_IN_LIST);
	assert_int_equal(json_in_count(list), 2);
	assert_int_equal(json_in_number(json_in_at(list, 0)), 1);
	assert_false(json_in_flag(json_in_get(json_in_at(list, 1), "e")));
	assert_null(json_in_at(list, 2));
	assert_int_equal(json_in_kind(json_in_get(v, "f")), JSON_IN_NONE);
	assert_int_equal(json_in_kind(json_in_get(v, "g")), JSON_IN_OTHER);
	assert_int_equal(json_in_kind(json_in_get(v, "none")), JSON_IN_NONE);
	json_in_free(v);
}

// A value of another kind than the function's.
TEST(test_other_kinds)
{
	struct json_in *v = read_text("[1]");
	assert_string_equal(json_in_text(v), "");
	assert_string_equal(json_in_text(NULL), "");
	assert_int_equal(json_in_number(v), 0);
	assert_false(json_in_flag(v));
	assert_null(json_in_get(v, "a"));
	assert_int_equal(json_in_count(json_in_at(v, 0)), 0);
	assert_int_equal(json_in_count(NULL), 0);
	json_in_free(v);
	json_in_free(NULL);
}

static bool is_a(const void *arg, const char *key)
{
	assert_null(arg);
	return strcmp(key, "a") == 0;
}

TEST(test_other_key)
{
	struct json_in *v = read_text("{\"a\": 1, \"b\": 2}"), *a = read_text("{\"a\": 1}");
	assert_string_equal(json_in_other(v, is_a, NULL), "b");
	assert_null(json_in_other(a, is_a, NULL));
	json_in_free(v);
	json_in_free(a);
}

TEST(test_refused)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {{"", 0}, {"{", 1}, {"{}x", 3}, {"{\"a\": 1, \"a\": 2}", 16}, {"\"a\0b\"", 5},
		{"\"\\u0000\"", 8}, {"\"\xff\"", 3}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char why[JSON_IN_WHY_MAX] = "";
		assert_null(json_in_read(bad[i].text, bad[i].len, why));
		assert_memory_equal(why, "line ", 5);
	}
	static char deep[60000];
	char why[JSON_IN_WHY_MAX];
	memset(deep, '[', sizeof(deep));
	assert_null(json_in_read(deep, sizeof(deep), why));
}
