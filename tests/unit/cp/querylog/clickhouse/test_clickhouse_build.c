// SPDX-License-Identifier: BSD-3-Clause
// The buffer of rows: it grows with a chunk and is given back, bit by bit or when nobody asks.

#include "controlplane/base/growth.h"
#include "controlplane/querylog/clickhouse/clickhouse_build.h"
#include "controlplane/querylog/clickhouse/clickhouse_pack.h"
#include "tests/unit/unit.h"

enum { FLUSH_MS = 1000, LARGE = 1500, START_MS = 50000 };

static struct clickhouse_builder builder;

FIXTURE_OF(setup, clickhouse_builder_open(&builder, 1, FLUSH_MS))

FIXTURE(teardown, clickhouse_builder_close(&builder))

static struct querylog_text text(const char *t, size_t len)
{
	return (struct querylog_text){t, (uint16_t)len};
}

// Rows of a little over 1,000 bytes.
static void fill(unsigned rows, uint64_t now_ms)
{
	static char name[1000];
	memset(name, 'x', sizeof(name));
	const struct querylog_text none = text("", 0);
	const struct querylog_row row = {.time_us = 1700000000000000,
		.weight = 1,
		.qname = text(name, sizeof(name)),
		.client = none,
		.client_name = none,
		.group = none,
		.verdict = none,
		.list = none,
		.upstream = none,
		.transport = QUERYLOG_TCP,
		.tier = QUERYLOG_TIER_RULES};
	for (unsigned i = 0; i < rows; i++)
		assert_int_equal(clickhouse_builder_add(&builder, "box", &row, now_ms), 0);
}

static void seal(unsigned rows, uint64_t now_ms)
{
	struct clickhouse_spooled what;
	void *body;
	assert_int_equal(
		clickhouse_builder_seal(&builder, CLICKHOUSE_GZIP, now_ms, &what, &body), 0);
	assert_int_equal(what.rows, rows);
	free(body);
}

TEST_WITH(a_large_chunk_grows_it, setup, teardown)
{
	assert_int_equal(builder.cap, CLICKHOUSE_RAW_MIN);
	fill(LARGE, START_MS);
	assert_int_equal(builder.cap, 4 * CLICKHOUSE_RAW_MIN);
	assert_int_equal(builder.grown, 2);
	assert_int_equal(builder.cap_most, builder.cap);
	seal(LARGE, START_MS);
	assert_int_equal(builder.cap, 4 * CLICKHOUSE_RAW_MIN); // the next one may be as large
}

TEST_WITH(small_chunks_halve_it, setup, teardown)
{
	uint64_t now_ms = START_MS;
	fill(LARGE, now_ms);
	seal(LARGE, now_ms);
	for (unsigned halved = 0; builder.cap > CLICKHOUSE_RAW_MIN; halved++) {
		const size_t cap = builder.cap;
		// The large one is among the first so many.
		for (unsigned i = 0; builder.cap == cap && i < 2 * CLICKHOUSE_SHRINK_AFTER; i++) {
			fill(1, ++now_ms);
			seal(1, now_ms);
		}
		assert_int_equal(builder.cap, cap / 2);
		assert_int_equal(builder.shrunk, halved + 1);
	}
}

TEST_WITH(idle_it_is_as_at_the_start, setup, teardown)
{
	fill(LARGE, START_MS);
	clickhouse_builder_idle(&builder, START_MS + GROWTH_IDLE_MS);
	assert_int_equal(builder.cap, 4 * CLICKHOUSE_RAW_MIN); // a chunk is open
	seal(LARGE, START_MS + 1);
	clickhouse_builder_idle(&builder, START_MS + GROWTH_IDLE_MS - 1);
	assert_int_equal(builder.cap, 4 * CLICKHOUSE_RAW_MIN);
	clickhouse_builder_idle(&builder, START_MS + GROWTH_IDLE_MS);
	assert_int_equal(builder.cap, CLICKHOUSE_RAW_MIN);
	assert_int_equal(builder.shrunk, 1);
	fill(LARGE, START_MS + 2 * GROWTH_IDLE_MS); // and it goes on
	seal(LARGE, START_MS + 2 * GROWTH_IDLE_MS);
}
