// SPDX-License-Identifier: BSD-3-Clause
// Fields of queries and forms: one value for a name, for all readers.

#include "controlplane/base/url_fields.h"
#include "tests/unit/unit.h"

static struct url_fields fields;

static int read_now(const char *text)
{
	url_fields_end(&fields);
	return url_fields_read(&fields, text, strlen(text));
}

static void end(void *)
{
	url_fields_end(&fields);
}

TEST(test_values)
{
	unit_at_end(end, NULL);
	assert_int_equal(read_now(""), 0);
	assert_int_equal(fields.count, 0);
	assert_null(url_fields_get(&fields, ""));
	assert_int_equal(read_now("a=1&b=&c=x%3d%26%2B+y=z&d=%&e=%4&f=%zz&%67=%67&"), 0);
	assert_int_equal(fields.count, 7);
	assert_string_equal(url_fields_get(&fields, "a"), "1");
	assert_string_equal(url_fields_get(&fields, "b"), "");
	assert_string_equal(url_fields_get(&fields, "c"), "x=&+ y=z");
	assert_string_equal(url_fields_get(&fields, "d"), "%");
	assert_string_equal(url_fields_get(&fields, "e"), "%4");
	assert_string_equal(url_fields_get(&fields, "f"), "%zz");
	assert_string_equal(url_fields_get(&fields, "g"), "g");
	assert_null(url_fields_get(&fields, "h"));
	assert_null(url_fields_get(&fields, "A"));
}

TEST(test_bad)
{
	static const char *const bad[] = {
		"a", "&", "a=1&&b=2", "=1", "a=1&b", "a=%00", "%00=a", "a%00b=1"};
	unit_at_end(end, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(read_now(bad[i]), -EINVAL);
	url_fields_end(&fields);
	assert_int_equal(url_fields_read(&fields, "a=\0b", 4), -EINVAL);
	assert_int_equal(read_now("a=1&b=2&%61=3"), -EEXIST);
	assert_string_equal(fields.field[fields.count - 1].name, "a");
	assert_int_equal(read_now("a=1&A=2"), 0);
}

TEST(test_most)
{
	char text[8 * (URL_FIELDS_MAX + 2)] = "";
	unit_at_end(end, NULL);
	for (unsigned i = 0; i < URL_FIELDS_MAX; i++)
		snprintf(text + strlen(text), 8, "f%u=&", i);
	assert_int_equal(read_now(text), 0);
	assert_int_equal(fields.count, URL_FIELDS_MAX);
	strcat(text, "more=");
	assert_int_equal(read_now(text), -E2BIG);
}

TEST(test_names)
{
	static const char names[] = "name! group form:password";
	unit_at_end(end, NULL);
	assert_true(url_field_is_of(names, "", "group"));
	assert_true(url_field_is_of(names, "form:", "password"));
	assert_false(url_field_is_of(names, "form:", "other"));
	assert_true(url_field_is_of("name form:a form:*", "form:", "other"));
	assert_false(url_field_is_of("name form:a form:*", "", "other"));
	assert_false(url_field_is_of("name form:a form:*", "form:", "form:other"));
	assert_false(url_field_is_of(names, "", "password"));
	assert_false(url_field_is_of(names, "", "form:password"));
	assert_false(url_field_is_of(names, "", "nam"));
	assert_false(url_field_is_of(names, "", "name group"));
	assert_false(url_field_is_of(names, "", ""));
	assert_false(url_field_is_of(NULL, "", "name"));
	assert_int_equal(read_now("name=1&Group=2&group=3"), 0);
	assert_string_equal(url_fields_other(&fields, names, ""), "Group");
	assert_int_equal(read_now("name=1&group=3"), 0);
	assert_null(url_fields_other(&fields, names, ""));
	assert_null(url_fields_missing(&fields, names));
	assert_null(url_fields_missing(&fields, NULL));
	assert_string_equal(url_fields_missing(&fields, "group! nam! name!"), "nam! name!");
	assert_int_equal(read_now("name%21=1"), 0);
	assert_string_equal(url_fields_other(&fields, names, ""), "name!");
	assert_string_equal(url_fields_missing(&fields, names), names);
}
