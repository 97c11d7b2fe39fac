// SPDX-License-Identifier: BSD-3-Clause
//
// Two servers behind two URLs: what expires at the one that is not in use.

#include "clickhouse_rig.h"
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
