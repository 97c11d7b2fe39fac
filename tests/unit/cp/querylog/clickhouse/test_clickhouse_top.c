// SPDX-License-Identifier: BSD-3-Clause
//
// The top lists of all boxes, read back: the statements, what the server may reply, and how long
// the reader waits.

#include "controlplane/querylog/clickhouse/clickhouse_top.h"
#include "tests/unit/cp/http/fake_post.h"
#include "tests/unit/unit.h"

static struct fake_post server;
static char url[64], first[4096], statements[CLICKHOUSE_TOPS_COUNT][2048];
static unsigned asked;
static int status;
static const char *reply_text;
static struct clickhouse_client_settings settings;
static struct clickhouse_top top;
static const struct clickhouse_top_wanted wanted = {"weir", "queries", 3600, 7};

static int answer(void *, const struct fake_post_request *r, char reply[1024])
{
	if (asked < CLICKHOUSE_TOPS_COUNT)
		snprintf(statements[asked], sizeof(statements[0]), "%.*s", (int)r->len,
			(const char *)r->body);
	if (asked++ == 1)
		snprintf(first, sizeof(first), "%s\n%.*s", r->head, (int)r->len,
			(const char *)r->body);
	snprintf(reply, 1024, "%s", reply_text);
	return status;
}

static int start(void **)
{
	server = (struct fake_post){.answer = answer};
	fake_post_start(&server);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.port);
	settings = (struct clickhouse_client_settings){
		.urls = {url}, .user = "weir", .password = "secret", .ask_ms = 300};
	asked = 0;
	status = 200;
	reply_text = "{\"data\":[{\"item\":\"a.test\",\"name\":\"ads\",\"queries\":\"5000000000\","
		     "\"refused\":7,\"boxes\":[\"box1\",\"box2\"],\"of_boxes\":[\"3\",2]},{},7]}";
	return 0;
}

static int stop(void **)
{
	clickhouse_top_free(&top);
	fake_post_stop(&server);
	return 0;
}

TEST_WITH(lists_are_read_from_the_table, start, stop)
{
	struct clickhouse_top_item item;
	assert_int_equal(clickhouse_top_read(&settings, &wanted, &top), 0);
	assert_int_equal(asked, CLICKHOUSE_TOPS_COUNT);
	assert_non_null(strstr(first, "/?max_execution_time="));
	assert_non_null(strstr(first, "now() - 3600"));
	assert_non_null(strstr(first, "LIMIT 7 FORMAT JSON"));
	assert_non_null(strstr(first, "FROM `weir`.`queries`"));
	assert_true(clickhouse_top_item(&top, CLICKHOUSE_TOP_blocked, 0, &item));
	assert_string_equal(item.text, "a.test");
	assert_string_equal(item.name, "ads");
	assert_int_equal(item.queries, 5000000000);
	assert_int_equal(item.blocked, 7);
	assert_int_equal(item.boxes, 2);
	assert_string_equal(item.by[1].box, "box2");
	assert_int_equal(item.by[0].queries, 3);
	assert_int_equal(item.by[1].queries, 2);
}

// Rows `unlogged` have no name and no client: they count for their box, and are no item of a list.
TEST_WITH(unlogged_queries_are_no_name_and_no_client, start, stop)
{
	assert_int_equal(clickhouse_top_read(&settings, &wanted, &top), 0);
	assert_null(strstr(statements[CLICKHOUSE_TOP_boxes], "!= ''"));
	assert_non_null(strstr(statements[CLICKHOUSE_TOP_names], " AND qname != '' GROUP BY"));
	assert_non_null(strstr(statements[CLICKHOUSE_TOP_clients], " AND client != '' GROUP BY"));
	assert_non_null(strstr(
		statements[CLICKHOUSE_TOP_blocked], " AND blocked = 1 AND qname != '' GROUP BY"));
}

// A row that is no object, or lacks fields, is an item without them; no row ends the list.
TEST_WITH(a_foreign_row_is_harmless, start, stop)
{
	struct clickhouse_top_item item;
	assert_int_equal(clickhouse_top_read(&settings, &wanted, &top), 0);
	for (unsigned i = 1; i < 3; i++) {
		assert_true(clickhouse_top_item(&top, CLICKHOUSE_TOP_names, i, &item));
		assert_string_equal(item.text, "");
		assert_int_equal(item.queries, 0);
		assert_int_equal(item.boxes, 0);
	}
	assert_false(clickhouse_top_item(&top, CLICKHOUSE_TOP_names, 3, &item));
}

TEST_WITH(an_error_is_a_sentence, start, stop)
{
	static const struct {
		int status;
		const char *reply, *why;
	} bad[] = {{500, "Code: 62, e.displayText() = DB::Exception: Syntax error",
			   "code 62: Syntax error"},
		{200, "Code: 62. DB::Exception: Syntax error", "code 62: Syntax error"},
		{200, "1", "the reply is no JSON of ClickHouse"},
		{200, "{\"data\":[{\"item\":", "the reply is no JSON of ClickHouse"},
		{200, "{\"data\":{}}", "the reply is no JSON of ClickHouse"}};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		status = bad[i].status;
		reply_text = bad[i].reply;
		assert_int_equal(clickhouse_top_read(&settings, &wanted, &top), -EIO);
		assert_string_equal(top.why, bad[i].why);
		clickhouse_top_free(&top);
	}
}

// All statements share one deadline, and *stop ends the wait.
TEST_WITH(a_silent_server_is_left, start, stop)
{
	static _Atomic bool ends = true;
	status = FAKE_POST_SILENT;
	const uint64_t from_ms = clock_mono_ms();
	assert_int_equal(clickhouse_top_read(&settings, &wanted, &top), -EIO);
	assert_true(clock_mono_ms() - from_ms < 3000);
	settings.post.stop = &ends;
	assert_int_equal(clickhouse_top_read(&settings, &wanted, &top), -ECANCELED);
}

// The reader goes on with the next URL after one that fails.
TEST_WITH(another_server_is_asked, start, stop)
{
	settings.urls[0] = "http://127.0.0.1:1";
	settings.urls[1] = url;
	settings.ask_ms = 5000;
	assert_int_equal(clickhouse_top_read(&settings, &wanted, &top), 0);
}
