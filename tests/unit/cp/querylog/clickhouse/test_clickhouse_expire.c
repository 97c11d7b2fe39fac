// SPDX-License-Identifier: BSD-3-Clause
//
// Two servers behind two URLs: what expires at the one that is not in use.

#include "clickhouse_rig.h"
#include "controlplane/querylog/clickhouse/clickhouse_schema.h"
#include "tests/unit/unit.h"

static atomic_uint statements; // at the second server
static unsigned statement_ms;  // that each of them takes
static atomic_uint at_first;   // statements at the first one

static void first_asked(const char *)
{
	at_first++;
}

static void second_asked(const char *)
{
	statements++;
	usleep(statement_ms * 1000);
}

static int setup(void **state)
{
	const int rc = clickhouse_rig_open_two(state);
	second.may_create = false;
	server.on_statement = first_asked;
	second.on_statement = second_asked;
	settings.tidy_ms = 1;
	statements = statement_ms = 0;
	return rc;
}

static bool has_dropped_there(void)
{
	return second.drops == 1;
}

// Rows that a failover left at a server expire there, though it is not in use.
TEST_WITH(test_the_other_server_drops_its_own, setup, clickhouse_rig_close_two)
{
	settings.unix_s = in_2026;
	strcpy(second.parts, "20261113\t1000\t5000\n20261121\t3000\t5000\n");
	strcpy(second.newest, "1795219260\t20261121\n1795219260\t20261120\n"
			      "1795219260\t20261119\n1795219260\t20261113\n");
	sink_open();
	until(has_dropped_there);
	send_all(1, 100);
	assert_int_equal(status.sender.url_at, 1);
	assert_int_equal(status.sender.failovers, 0);
}

// An unreachable server that is not in use is no failure.
TEST_WITH(test_the_other_server_is_away, setup, clickhouse_rig_close_two)
{
	second.is_down = true;
	sink_open();
	send_all(1, 100);
	WAIT_FOR(second.http.requests >= 1);
	send_all(1, 100);
	assert_int_equal(status.sender.url_at, 1);
	assert_int_equal(status.sender.failures, 0);
	assert_int_equal(status.sender.tidy_failures, 0);
	assert_false(status.sender.is_failing);
}

static bool is_refused(void)
{
	return *status.sender.tidy_why;
}

static bool is_well(void)
{
	return !*status.sender.tidy_why;
}

static void says(const char *why)
{
	clickhouse_status(sink, &status);
	assert_non_null(strstr(status.sender.tidy_why, second_url));
	assert_non_null(strstr(status.sender.tidy_why, why));
}

static void expect_refused_there(const char *why)
{
	sink_open();
	until(is_refused);
	const unsigned from = at_first;
	WAIT_FOR(at_first >= from + 5, says(why)); // the server in use is tidied meanwhile
	assert_true(status.sender.tidy_failures > 0);
	assert_false(status.sender.is_failing);
}

// The status has what the other server refuses, with its URL, until that server itself does it.
TEST_WITH(test_the_other_server_refuses, setup, clickhouse_rig_close_two)
{
	second.limits_code = 497;
	expect_refused_there("code 497: said 497");
	server_set(&second, limits_code, 0);
	until(is_well);
}

TEST_WITH(test_the_other_server_refuses_the_schema, setup, clickhouse_rig_close_two)
{
	second.has_table = false;
	expect_refused_there("code 60: said 60");
}

// A whole visit takes no longer than one statement may.
TEST_WITH(test_a_visit_has_an_end, setup, clickhouse_rig_close_two)
{
	settings.client.ask_ms = 300;
	statement_ms = 100;
	sink_open();
	WAIT_FOR(statements >= 4); // the second visit, as the first had three
	pthread_mutex_lock(&second.lock);
	assert_string_equal(second.last_newest, "");
	pthread_mutex_unlock(&second.lock);
}

// Chunks are packed for the server that gets them, also during a visit.
TEST_WITH(test_the_coding_is_of_the_server_in_use, setup, clickhouse_rig_close_two)
{
	second.version = "24.8.1.2";
	statement_ms = 50;
	sink_open();
	WAIT_FOR(statements >= 10, send_all(1, 10));
	assert_int_equal(status.sender.recoded_chunks, 0);
}

static uint64_t chunks_before;

static bool has_sent_one(void)
{
	return status.sender.chunks > chunks_before;
}

static void one_more_chunk(void)
{
	chunks_before = status.sender.chunks;
	until(has_sent_one);
}

TEST_WITH(test_chunks_go_before_a_visit, setup, clickhouse_rig_close_two)
{
	SINK_OPEN(late_ms, 200);
	WAIT_FOR(status.outbox.chunks >= 10, feed(1, 10); clickhouse_status(sink, &status));
	one_more_chunk(); // a visit that ran has ended
	unsigned asked = statements;
	for (unsigned i = 0; i < 5; i++)
		one_more_chunk();
	assert_true(status.outbox.chunks > 0);
	assert_int_equal(statements, asked);
}

// Partitions of the future, and a table that takes too many bytes.

// 2026-11-21 00:01
#define NOW_S 1795219260
#define NOW   "1795219260"

enum { DAY_S = 86400 };

static struct clickhouse_schema schema;

static void tidy(bool steady, uint64_t max_bytes)
{
	struct clickhouse_client *c;
	struct clickhouse_answer a;
	uint64_t mono_ms = clock_mono_ms();
	schema = (struct clickhouse_schema){.settings = settings.schema,
		.box = "box",
		.limits = {.are_known = true, .hours = 48, .max_bytes = max_bytes},
		.limits_at_ms = UINT64_MAX,
		.retention = {.has_looked = steady,
			.offset_s = NOW_S - (int64_t)(mono_ms / 1000),
			.since_ms = mono_ms - 2 * UINT64_C(1000) * DAY_S}};
	server.drops = 0;
	assert_int_equal(clickhouse_client_open(&c, &settings.client), 0);
	assert_int_equal(clickhouse_schema_tidy(&schema, c, NOW_S, &a), CLICKHOUSE_DONE);
	clickhouse_client_close(c);
}

// 5000 bytes in all: 2000 of the future.
static int tidy_setup(void **state)
{
	int ret = clickhouse_rig_open(state);
	strcpy(server.newest, NOW "\t20261121\n" NOW "\t20261120\n");
	strcpy(server.parts, "20261120\t1000\t5000\n20261121\t2000\t5000\n");
	strcpy(server.future, "20271120\t1000\t5000\n20271121\t1000\t5000\n");
	return ret;
}

TEST_WITH(test_the_future_goes_first_for_size, tidy_setup, clickhouse_rig_close)
{
	tidy(true, 5000);
	assert_int_equal(server.drops, 0);
	strcpy(server.parts, "20261120\t1000\t4000\n20261121\t2000\t4000\n"); // of then
	tidy(true, 4500);
	assert_int_equal(server.drops, 1);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20271120"));
}

// The last one of the future is no newest: it goes too, and the newest of the present stays.
TEST_WITH(test_all_of_the_future_may_go, tidy_setup, clickhouse_rig_close)
{
	strcpy(server.parts, "20261121\t3000\t3000\n");
	tidy(true, 3000);
	assert_int_equal(server.drops, 2);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20271121"));
	tidy(true, 1);
	assert_int_equal(server.drops, 2);
	assert_int_equal(schema.bytes, 3000);
}

// With no partition of the present, those of the future still go for size.
TEST_WITH(test_a_table_of_the_future_alone, tidy_setup, clickhouse_rig_close)
{
	server.newest[0] = '\0';
	strcpy(server.parts, "");
	strcpy(server.future, "20271120\t1000\t2000\n20271121\t1000\t2000\n");
	tidy(true, 1000);
	assert_int_equal(server.drops, 1);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20271120"));
	tidy(false, 1000); // by a clock that has not proved itself
	assert_int_equal(server.drops, 0);
	tidy(true, 0);
	assert_int_equal(server.drops, 0);
}

TEST_WITH(
	test_a_clock_that_is_not_steady_drops_none_of_the_future, tidy_setup, clickhouse_rig_close)
{
	tidy(false, 3000);
	assert_int_equal(server.drops, 1);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20261120"));
}

// 48 partitions of the future would fill the reply: they are not asked for. A server whose clock
// is behind says so in the same reply: the earlier clock counts.
TEST_WITH(test_the_newest_is_of_the_present, tidy_setup, clickhouse_rig_close)
{
	tidy(false, 0);
	assert_non_null(strstr(server.last_newest, "partition <= '2026112101'"));
	strcpy(server.newest, "1795132860\t20261121\n1795132860\t20261120\n");
	strcpy(server.parts, "20261120\t1000\t5000\n");
	tidy(false, 1);
	assert_int_equal(server.drops, 0);
}
