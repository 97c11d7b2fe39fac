// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_rig.h"

#include "tests/unit/unit.h"

#include <malloc.h>

static char folder[64], spool[80], url[64];
struct fake_clickhouse server, second;
char second_url[64];
struct querylog_rig rig;
struct clickhouse *sink;
struct clickhouse_settings settings;
struct clickhouse_status status;
uint64_t fed_rows, fed_weight;

void sink_open(void)
{
	settings.run++;
	assert_int_equal(clickhouse_open(&sink, &settings), 0);
}

void sink_close(void)
{
	clickhouse_close(sink);
	sink = NULL;
}

int64_t in_2026(void)
{
	return 1795219200; // 2026-11-21 00:00
}

int clickhouse_rig_open(void **)
{
	snprintf(folder, sizeof(folder), "/tmp/weir-clickhouse-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(spool, sizeof(spool), "%s/spool", folder);
	server = (struct fake_clickhouse){.has_table = true, .may_create = true, .seed = 1};
	fake_clickhouse_start(&server);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", server.http.port);
	querylog_rig_open(&rig, 3);
	rig.time_us = 1700000000000000;
	fed_rows = fed_weight = 0;
	settings = (struct clickhouse_settings){.client = {.urls = {url},
							.user = "weir",
							.password = "secret",
							.ask_ms = 3000,
							.insert_ms = 3000},
		.schema = {.database = "weir", .table = "queries", .hours = 168},
		.box = "a'box",
		.instance = "0123456789abcdef",
		.folder = spool,
		.spool_max_bytes = 64 << 20,
		.flush_ms = 20,
		.run = 1,
		.retry_min_ms = 5,
		.retry_max_ms = 20,
		.settle_ms = 10,
		.tidy_ms = 20,
		.stop_ms = 10000};
	return 0;
}

int clickhouse_rig_close(void **)
{
	sink_close();
	querylog_rig_close(&rig);
	fake_clickhouse_stop(&server);
	return folder_remove(folder, "");
}

int clickhouse_rig_open_two(void **state)
{
	const int rc = clickhouse_rig_open(state);
	second = (struct fake_clickhouse){.has_table = true, .may_create = true, .seed = 2};
	fake_clickhouse_start(&second);
	snprintf(second_url, sizeof(second_url), "http://127.0.0.1:%u", second.http.port);
	settings.client.urls[1] = second_url;
	settings.hold_ms = NEVER_MS;
	return rc;
}

int clickhouse_rig_close_two(void **state)
{
	sink_close();
	fake_clickhouse_stop(&second);
	return clickhouse_rig_close(state);
}

void feed(unsigned batches, unsigned rows)
{
	struct querylog_sink s = clickhouse_sink(sink);
	for (unsigned i = 0; i < batches; i++) {
		const struct querylog_batch *b = querylog_rig_batch(&rig, rows);
		WAIT_FOR(s.fold(s.arg, b, 0));
		fed_rows += b->count;
		fed_weight += b->weight;
		querylog_release(b);
	}
}

bool all_sent(void)
{
	return status.sender.rows == fed_rows;
}

void send_all(unsigned batches, unsigned rows)
{
	feed(batches, rows);
	until(all_sent);
}

void expect_sent_once(void)
{
	until(all_sent);
	expect_each_once();
}

void feed_once(unsigned batches, unsigned rows)
{
	feed(batches, rows);
	expect_sent_once();
}

bool is_up(void)
{
	return status.sender.is_up;
}

bool is_failing(void)
{
	return status.sender.is_failing;
}

bool is_failing_and_spooled(void)
{
	return status.sender.is_failing && !status.open_rows && !status.outbox.chunks
	       && status.taken_rows == fed_rows;
}

void fault_set(enum fake_fault fault)
{
	server_set(&server, fault, fault);
}

size_t heap_used(void)
{
	struct querylog_pool_counts pool;
	struct mallinfo2 m = mallinfo2();
	querylog_pool_counts(rig.pool, &pool);
	size_t used = m.uordblks + m.hblkhd, known = pool.bytes + status.buffer_bytes;
	return used > known ? used - known : 0;
}

static size_t heap_at_first;

static bool heap_is_flat(void)
{
	enum { SLACK = 256 * 1024 }; // a chunk of these tests, and libcurl's buffers
	return status.buffer_bytes <= CLICKHOUSE_RAW_MAX && heap_used() <= heap_at_first + SLACK;
}

void expect_flat_heap(unsigned cycle)
{
	if (cycle == 0)
		heap_at_first = heap_used();
	until(heap_is_flat);
}

uint64_t rows_taken(void)
{
	pthread_mutex_lock(&server.lock);
	const uint64_t rows = server.rows;
	pthread_mutex_unlock(&server.lock);
	return rows;
}

void expect_each_once(void)
{
	for (unsigned i = 0; i < server.chunks; i++)
		for (unsigned k = 0; k < i; k++)
			assert_false(server.chunk[i].run == server.chunk[k].run
				     && server.chunk[i].number == server.chunk[k].number);
	assert_int_equal(server.rows, fed_rows);
	assert_int_equal(server.weight, fed_weight);
	assert_int_equal(server.hours_mixed, 0);
}
