// SPDX-License-Identifier: BSD-3-Clause
//
// Chunks as they are built, and cut in two.

#include "controlplane/base/growth.h"
#include "controlplane/querylog/clickhouse/clickhouse_chunk.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/unit.h"

static struct querylog_rig rig;
static struct clickhouse_builder builder;

static int setup(void **)
{
	querylog_rig_open(&rig, 7);
	rig.time_us = 1700000000000000;
	return clickhouse_builder_open(&builder, 5, 1000);
}

static int teardown(void **)
{
	clickhouse_builder_close(&builder);
	querylog_rig_close(&rig);
	return 0;
}

static void *chunk_make(
	unsigned rows, enum clickhouse_coding coding, struct clickhouse_spooled *what)
{
	const struct querylog_batch *b = querylog_rig_batch(&rig, rows);
	void *body;
	for (unsigned i = 0; i < rows; i++)
		assert_int_equal(clickhouse_builder_add(&builder, "box", &b->row[i], 1), 0);
	querylog_release(b);
	assert_int_equal(clickhouse_builder_seal(&builder, coding, 2, what, &body), 0);
	unit_at_end(free, body);
	return body;
}

// Unpacks a half and takes the numbers of its rows out again: what is left.
static size_t raw_of(const struct clickhouse_half *h, uint8_t *out, size_t cap)
{
	static struct clickhouse_layout l;
	uint64_t weight = 0, w;
	size_t at;
	assert_int_equal(
		clickhouse_layout_read(clickhouse_layout_own, strlen(clickhouse_layout_own), &l),
		0);
	ssize_t n = clickhouse_unpack(
		(enum clickhouse_coding)h->what.coding, h->body, h->what.bytes, out, cap);
	assert_true(n > 0);
	struct rd r = rd_init(out, (size_t)n);
	for (unsigned i = 0; i < h->what.rows; i++) {
		uint64_t number;
		assert_true(clickhouse_layout_row(&l, &r, &at, &w));
		memcpy(&number, out + at, sizeof(number));
		assert_true(number == h->what.chunk.number);
		memset(out + at, 0, sizeof(number));
		weight += w;
	}
	assert_int_equal(rd_left(&r), 0);
	assert_true(weight == h->what.weight);
	return (size_t)n;
}

static void halves_of(enum clickhouse_coding coding, unsigned rows)
{
	enum { CAP = 1 << 20 };
	struct clickhouse_spooled what;
	struct clickhouse_half half[2], whole = {.body = chunk_make(rows, coding, &what)};
	uint8_t *all = malloc(CAP), *both = malloc(CAP);
	assert_true(all && both);
	whole.what = what;
	assert_int_equal(clickhouse_cut(NULL, &what, whole.body, half), 0);
	size_t len = raw_of(&whole, all, CAP), at = 0;
	for (unsigned i = 0; i < 2; i++) {
		assert_true(
			half[i].what.chunk.number == clickhouse_number_half(what.chunk.number, i));
		assert_true(half[i].what.chunk.run == 5);
		assert_int_equal(half[i].what.hour, what.hour);
		assert_int_equal(half[i].what.coding, coding);
		at += raw_of(&half[i], both + at, CAP - at);
	}
	assert_int_equal(half[0].what.rows, rows / 2);
	assert_int_equal(half[0].what.rows + half[1].what.rows, rows);
	assert_true(half[0].what.weight + half[1].what.weight == what.weight);
	assert_int_equal(at, len);
	assert_memory_equal(all, both, len);
	free(all);
	free(both);
	free(half[0].body);
	free(half[1].body);
}

TEST_WITH(test_halves_are_the_whole, setup, teardown)
{
	halves_of(CLICKHOUSE_GZIP, 2);
	halves_of(CLICKHOUSE_GZIP, 1999);
	halves_of(CLICKHOUSE_ZSTD, 3);
	halves_of(CLICKHOUSE_ZSTD, 2000);
}

TEST_WITH(test_a_row_alone_is_not_cut, setup, teardown)
{
	struct clickhouse_spooled what;
	struct clickhouse_half half[2];
	void *body = chunk_make(1, CLICKHOUSE_ZSTD, &what);
	assert_int_equal(clickhouse_cut(NULL, &what, body, half), -EINVAL);
}

// A file's body may be anything, whatever its head says.
TEST_WITH(test_a_body_that_is_not_what_it_says, setup, teardown)
{
	struct clickhouse_spooled what, other;
	struct clickhouse_half half[2];
	for (unsigned coding = 0; coding < CLICKHOUSE_CODINGS; coding++) {
		uint8_t *body = chunk_make(100, (enum clickhouse_coding)coding, &what);
		other = what;
		other.rows++;
		assert_int_equal(clickhouse_cut(NULL, &other, body, half), -EBADMSG);
		other.rows -= 2;
		assert_int_equal(clickhouse_cut(NULL, &other, body, half), -EBADMSG);
		other = what;
		other.weight++;
		assert_int_equal(clickhouse_cut(NULL, &other, body, half), -EBADMSG);
		other = what;
		other.bytes /= 2;
		assert_int_equal(clickhouse_cut(NULL, &other, body, half), -EBADMSG);
		other = what;
		other.coding = !coding;
		assert_int_equal(clickhouse_cut(NULL, &other, body, half), -EBADMSG);
		assert_int_equal(clickhouse_cut("time DateTime('UTC'),box String,run UInt64,"
						"chunk UInt64,weight UInt64,",
					 &what, body, half),
			-EBADMSG);
	}
}

// A little that unpacks to more than any chunk has.
TEST_WITH(test_a_body_that_swells, setup, teardown)
{
	struct clickhouse_packer *packer;
	struct clickhouse_half half[2];
	const size_t len = CLICKHOUSE_PACK_RAW_MAX + 1;
	uint8_t *raw = calloc(1, len), *body = malloc(clickhouse_pack_max(len));
	assert_true(raw && body);
	assert_int_equal(clickhouse_packer_open(&packer), 0);
	for (unsigned coding = 0; coding < CLICKHOUSE_CODINGS; coding++) {
		ssize_t n = clickhouse_pack(packer, (enum clickhouse_coding)coding, raw, len, body,
			clickhouse_pack_max(len));
		assert_true(n > 0 && n < 1 << 20);
		assert_int_equal(clickhouse_unpack((enum clickhouse_coding)coding, body, (size_t)n,
					 raw, CLICKHOUSE_PACK_RAW_MAX),
			-ENOSPC);
		const struct clickhouse_spooled what = {.rows = 1000,
			.weight = 1000,
			.chunk = {1, 1},
			.bytes = (uint32_t)n,
			.coding = coding};
		assert_int_equal(clickhouse_cut(NULL, &what, body, half), -EBADMSG);
		memset(raw, 0, len);
	}
	clickhouse_packer_close(packer);
	free(raw);
	free(body);
}

TEST_WITH(test_numbers_of_pieces, setup, teardown)
{
	const uint64_t first = clickhouse_number_half(7, 0), second = clickhouse_number_half(7, 1),
		       third = clickhouse_number_half(first, 1);
	const uint64_t in_order[] = {6, 7, first, clickhouse_number_half(first, 0), third, second,
		clickhouse_number_half(second, 0), 8};
	for (unsigned i = 0; i < ARRAY_LEN(in_order); i++)
		for (unsigned k = 0; k < ARRAY_LEN(in_order); k++) {
			int order = clickhouse_number_order(in_order[i], in_order[k]);
			assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
		}
	assert_false(clickhouse_number_is_piece(7));
	assert_true(clickhouse_number_is_piece(first));
	assert_int_equal(clickhouse_number_base(third), 7);
	assert_true(clickhouse_number_has(7, third));
	assert_true(clickhouse_number_has(first, third));
	assert_false(clickhouse_number_has(second, third));
	assert_false(clickhouse_number_has(third, first));
	assert_false(clickhouse_number_has(7, 7));
	assert_false(clickhouse_number_has(8, first));
}

// As deep as 65,536 rows go, and not for ever.
TEST_WITH(test_pieces_of_pieces, setup, teardown)
{
	uint64_t number = 1;
	unsigned depth = 0;
	for (uint64_t half; (half = clickhouse_number_half(number, 1)); depth++) {
		assert_true(clickhouse_number_has(number, half));
		assert_true(clickhouse_number_order(number, half) < 0);
		number = half;
	}
	assert_int_equal(depth, CLICKHOUSE_PLACE_BITS - 1);
	assert_true(1u << depth >= CLICKHOUSE_ROWS_MAX);
	struct clickhouse_spooled what;
	struct clickhouse_half half[2];
	void *body = chunk_make(2, CLICKHOUSE_ZSTD, &what);
	what.chunk.number = number;
	assert_int_equal(clickhouse_cut(NULL, &what, body, half), -E2BIG);
}

enum { FLUSH_MS = 1000, LARGE = 1500, START_MS = 50000 };

FIXTURE_OF(builder_setup, clickhouse_builder_open(&builder, 1, FLUSH_MS))

FIXTURE(builder_teardown, clickhouse_builder_close(&builder))

static struct querylog_text text_of(const char *t, size_t len)
{
	return (struct querylog_text){t, (uint16_t)len};
}

// Rows of a little over 1,000 bytes.
static void builder_fill(unsigned rows, uint64_t now_ms)
{
	static char name[1000];
	memset(name, 'x', sizeof(name));
	const struct querylog_text none = text_of("", 0);
	const struct querylog_row row = {.time_us = 1700000000000000,
		.weight = 1,
		.qname = text_of(name, sizeof(name)),
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

static void builder_seal(unsigned rows, uint64_t now_ms)
{
	struct clickhouse_spooled what;
	void *body;
	assert_int_equal(
		clickhouse_builder_seal(&builder, CLICKHOUSE_GZIP, now_ms, &what, &body), 0);
	assert_int_equal(what.rows, rows);
	free(body);
}

TEST_WITH(a_large_chunk_grows_it, builder_setup, builder_teardown)
{
	assert_int_equal(builder.cap, CLICKHOUSE_RAW_MIN);
	builder_fill(LARGE, START_MS);
	assert_int_equal(builder.cap, 4 * CLICKHOUSE_RAW_MIN);
	assert_int_equal(builder.grown, 2);
	assert_int_equal(builder.cap_most, builder.cap);
	builder_seal(LARGE, START_MS);
	assert_int_equal(builder.cap, 4 * CLICKHOUSE_RAW_MIN); // the next one may be as large
}

TEST_WITH(small_chunks_halve_it, builder_setup, builder_teardown)
{
	uint64_t now_ms = START_MS;
	builder_fill(LARGE, now_ms);
	builder_seal(LARGE, now_ms);
	for (unsigned halved = 0; builder.cap > CLICKHOUSE_RAW_MIN; halved++) {
		const size_t cap = builder.cap;
		// The large one is among the first so many.
		for (unsigned i = 0; builder.cap == cap && i < 2 * CLICKHOUSE_SHRINK_AFTER; i++) {
			builder_fill(1, ++now_ms);
			builder_seal(1, now_ms);
		}
		assert_int_equal(builder.cap, cap / 2);
		assert_int_equal(builder.shrunk, halved + 1);
	}
}

TEST_WITH(idle_it_is_as_at_the_start, builder_setup, builder_teardown)
{
	builder_fill(LARGE, START_MS);
	clickhouse_builder_idle(&builder, START_MS + GROWTH_IDLE_MS);
	assert_int_equal(builder.cap, 4 * CLICKHOUSE_RAW_MIN); // a chunk is open
	builder_seal(LARGE, START_MS + 1);
	clickhouse_builder_idle(&builder, START_MS + GROWTH_IDLE_MS - 1);
	assert_int_equal(builder.cap, 4 * CLICKHOUSE_RAW_MIN);
	clickhouse_builder_idle(&builder, START_MS + GROWTH_IDLE_MS);
	assert_int_equal(builder.cap, CLICKHOUSE_RAW_MIN);
	assert_int_equal(builder.shrunk, 1);
	builder_fill(LARGE, START_MS + 2 * GROWTH_IDLE_MS); // and it goes on
	builder_seal(LARGE, START_MS + 2 * GROWTH_IDLE_MS);
}
