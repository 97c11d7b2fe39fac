// SPDX-License-Identifier: BSD-3-Clause
// Sentences and tables of JSON.

#include "printed.h"
#include "tools/ctl/lib/say.h"
#include "tools/ctl/lib/table_cell.h"

static const char json[] =
	"{\"text\": \"a\\u0007b\", \"none\": \"\", \"n\": 1234567, \"zero\": 0, \"less\": -1, "
	"\"on\": "
	"true, \"off\": false, \"list\": [{\"name\": \"x\", \"n\": 1}, {\"n\": 2000}, {}], "
	"\"items\": [\"p\", \"q\"]}";
static struct json_doc *doc;
static const struct json_node *root;

static const char *said(const char *text)
{
	printed_begin();
	say(root, text);
	return printed_end();
}

TEST(test_forms)
{
	assert_string_equal(said(""), "");
	assert_string_equal(said("no key, 50 %s\n"), "no key, 50 %s\n");
	assert_string_equal(said("{n} is {text}, {none}."), " is a\\x07b, .");
	assert_string_equal(said("{text:q} {n:q} {none:q}"), "'a\\x07b' '' ''");
	assert_string_equal(said("{n:u} {n:n} {n:b} {n:t} {n:s}"),
		"1234567 1,234,567 1.2 MiB 20 min 34 s 14 d 6 h");
	assert_string_equal(said("{gone}|{gone:u}|{less:n}|{zero:b}"), "|0|0|0 B");
}

TEST(test_conditions)
{
	static const char *const yes[] = {"text", "n", "on"};
	static const char *const no[] = {"none", "zero", "less", "off", "gone", "list"};
	for (unsigned i = 0; i < ARRAY_LEN(yes); i++) {
		printed_begin();
		assert_true(say_if(root, yes[i], "{n:u}"));
		assert_string_equal(printed_end(), "1234567");
	}
	for (unsigned i = 0; i < ARRAY_LEN(no); i++) {
		printed_begin();
		assert_false(say_if(root, no[i], "{n:u}"));
		assert_string_equal(printed_end(), "");
	}
}

TEST(test_lists)
{
	static const struct cell_column columns[] = {{"name", "name", cell_text},
		{">n", "n", cell_count}, {">as bytes", "n", cell_bytes},
		{"items", "i", cell_items}};
	const struct json_node *list = json_get(root, "list");
	printed_begin();
	say_each(list, "{name}={n:n};");
	assert_string_equal(printed_end(), "x=1;=2,000;=0;");
	printed_begin();
	cell_rows_print(list, columns, ARRAY_LEN(columns));
	assert_string_equal(printed_end(), "  name       n   as bytes   items\n"
					   "  x          1        1 B   -\n"
					   "         2,000    2.0 KiB   -\n"
					   "             0        0 B   -\n");
}

TEST(test_counters)
{
	static const struct cell_counter counters[] = {{"n", "of these"}, {"gone", "of those"}};
	static const char *const keys[] = {"zero", "n"};
	printed_begin();
	cell_counters_print(root, counters, ARRAY_LEN(counters));
	cell_keys_print("what", root, keys, ARRAY_LEN(keys));
	assert_string_equal(printed_end(), "  1,234,567   of these\n"
					   "          0   of those\n"
					   "  what       total\n"
					   "  n      1,234,567\n");
}

static int setup(void **)
{
	doc = json_doc_parse(json, strlen(json));
	root = json_doc_root(doc);
	return doc ? 0 : -1;
}

FIXTURE(teardown, json_doc_free(doc))

TEST_GROUP(setup, teardown)
