// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/base/json.h"
#include "tests/unit/unit.h"

TEST(test_document)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "text", "a\"\n\\");
	json_out_text(o, root, "bytes", "\xff\xfe");
	json_out_count(o, root, "large", UINT64_MAX);
	json_out_signed(o, root, "negative", -1);
	json_out_bool(o, root, "yes", true);
	struct json_node *list = json_out_array(o, root, "list");
	json_out_count(o, list, NULL, 1);
	json_out_bool(o, json_out_object(o, list, NULL), "no", false);
	char *text = json_out_finish(o);
	assert_string_equal(text, "{\"text\":\"a\\\"\\n\\\\\",\"bytes\":\"\\\\xff\\\\xfe\","
				  "\"large\":9223372036854775807,\"negative\":-1,\"yes\":true,"
				  "\"list\":[1,{\"no\":false}]}");
	free(text);
}

TEST(test_counts_of_fields)
{
	const struct {
		uint64_t large;
		unsigned small;
		uint8_t byte;
	} from = {UINT64_MAX, 7, 255};
	struct json_out *o = json_out_new();
	if (o)
		JSON_COUNTS(o, json_out_root(o), &from, byte);
	JSON_COUNTS(o, json_out_root(o), &from, small, large);
	char *text = json_out_finish(o);
	assert_string_equal(text, "{\"byte\":255,\"small\":7,\"large\":9223372036854775807}");
	free(text);
}

// One part that failed fails the whole, and what hangs below it is dropped.
TEST(test_failure)
{
	struct json_out *o = json_out_new();
	json_out_count(o, json_out_object(o, NULL, "lost"), "n", 1);
	assert_null(json_out_finish(o));
	assert_null(json_out_root(NULL));
	json_out_bool(NULL, NULL, "x", true);
	assert_null(json_out_finish(NULL));
}

TEST(test_error)
{
	char *text = json_out_error("no such %s", "name");
	assert_string_equal(text, "{\"error\":\"no such name\"}");
	free(text);
}
