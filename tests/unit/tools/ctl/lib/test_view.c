// SPDX-License-Identifier: BSD-3-Clause
// What weirctl status says of the sinks of the log.

#include "printed.h"
#include "tools/ctl/lib/view.h"

// What `print` writes on stdout of such a document.
static const char *printed_by(void (*print)(const struct json_node *), const char *json)
{
	struct json_doc *doc = json_doc_parse(json, strlen(json));
	assert_non_null(doc);
	printed_begin();
	print(json_doc_root(doc));
	json_doc_free(doc);
	return printed_end();
}

static const char *printed(const char *json)
{
	return printed_by(view_print_clickhouse, json);
}

TEST(test_clickhouse)
{
	assert_string_equal(printed("{}"), ""); // no log
	assert_string_equal(printed("{\"state\": \"up\", \"rows\": 5000}"),
		"clickhouse      up, 5,000 rows sent, 0 B in 0 files wait on disk\n");
	assert_string_equal(
		printed("{\"state\": \"up\", \"unspooled_halves\": 2, \"waits_for_disk\": true}"),
		"clickhouse      up, 0 rows sent, 0 B in 0 files wait on disk, 2 half files "
		"not written to disk, cannot write to the spool\n");
}

TEST(test_several_urls)
{
	assert_string_equal(printed("{\"state\": \"up\", \"url\": \"http://b:8123/\","
				    " \"url_number\": 2, \"urls\": 3, \"uncertain_rows\": 1200,"
				    " \"uncertain_weight\": 1300}"),
		"clickhouse      up, 0 rows sent, 0 B in 0 files wait on disk, at http://b:8123/"
		" (2 of 3), possible overcount: 1,200 rows (1,300 queries)\n");
	assert_string_equal(printed("{\"state\": \"up\", \"url\": \"http://a/\", \"urls\": 1}"),
		"clickhouse      up, 0 rows sent, 0 B in 0 files wait on disk\n");
}

TEST(test_nothing_is_dropped)
{
	assert_string_equal(printed("{\"state\": \"up\", \"tidy_why\": \"code 497: weir: Not enough"
				    " privileges\", \"table_limits\": {\"same_name\": 1}}"),
		"clickhouse      up, 0 rows sent, 0 B in 0 files wait on disk, ANOTHER BOX HAS THE"
		" SAME NAME (query_log.box), could not drop expired partitions: code 497: weir: "
		"Not enough"
		" privileges\n");
}

// Rows in memory are not "0 B", and a try that is due is not "in 0 ms".
TEST(test_a_server_that_is_away)
{
	assert_string_equal(
		printed("{\"state\": \"failing\", \"held_rows\": 12000, \"why\": \"insert: cannot"
			" connect: Connection refused\", \"retry_in_ms\": 2500}"),
		"clickhouse      failing, 0 rows sent, 0 B in 0 files wait on disk, 12,000 rows in"
		" memory (insert: cannot connect: Connection refused; next try in 2.5 s)\n");
	assert_string_equal(
		printed_by(view_print_store,
			"{\"state\": \"failing\", \"why\": \"/x: No space left on device\"}"),
		"query store     failing, 0 B in 0 files of at most 0 B (/x: No space left on "
		"device;"
		" next try now)\n");
}

TEST(test_what_is_lost)
{
	assert_string_equal(printed_by(view_print_log, "{}"), "");
	assert_string_equal(
		printed_by(view_print_log, "{\"sinks\": [{\"name\": \"store\", \"lost_rows\": "
					   "10435, \"lost_weight\": 20000},"
					   " {\"name\": \"top\"}, {\"name\": \"clickhouse\", "
					   "\"lost_by_kill_rows\": 700,"
					   " \"lost_by_kill_weight\": 900}]}"),
		"query log       store LOST 10,435 rows (20,000 queries)\n"
		"query log       clickhouse lost up to 700 rows (900 queries) when the previous "
		"control plane was killed\n");
}
