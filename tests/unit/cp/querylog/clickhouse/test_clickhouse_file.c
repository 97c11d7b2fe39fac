// SPDX-License-Identifier: BSD-3-Clause
// Heads of spool files, and the columns that they name.

#include "controlplane/querylog/clickhouse/clickhouse_outbox.h"
#include "tests/unit/unit.h"

#include <weir/keyhash.h>

enum { BODY = 300, SUM = 8 };

static const char need[] = "time DateTime('UTC'),box String,run UInt64,chunk UInt64,weight UInt64,";

static const struct clickhouse_spooled chunk = {.chunk = {UINT64_C(0x1122334455667788), 99},
	.weight = UINT64_C(0x99aabbccddeeff00),
	.rows = 10,
	.hour = 480000,
	.bytes = BODY,
	.coding = CLICKHOUSE_ZSTD};
static struct clickhouse_origin origin, seen;
static uint8_t file[CLICKHOUSE_FILE_HEAD_MAX + BODY];
static size_t head, len, body_at, body_len;

static int setup(void **)
{
	uint8_t body[BODY];
	for (unsigned i = 0; i < BODY; i++)
		body[i] = (uint8_t)i;
	strcpy(origin.box, "it's a \\ box");
	strcpy(origin.columns, clickhouse_layout_own);
	head = clickhouse_file_head(file, &chunk, &origin, body);
	memcpy(file + head, body, BODY);
	len = head + BODY;
	return head == clickhouse_file_head_bytes(&origin) ? 0 : -1;
}

static int parse(void)
{
	return clickhouse_file_read(file, len, &chunk, &seen, &body_at, &body_len);
}

// After a change of the head, so that it is whole.
static void head_sign(void)
{
	uint64_t sum = contenthash(file, head - SUM);
	put_u32(file + head - SUM, (uint32_t)(sum >> 32));
	put_u32(file + head - SUM + 4, (uint32_t)sum);
}

TEST_WITH(test_what_was_written_is_read, setup, NULL)
{
	assert_int_equal(parse(), 0);
	assert_string_equal(seen.box, origin.box);
	assert_string_equal(seen.columns, origin.columns);
	assert_int_equal(body_at, head);
	assert_int_equal(body_len, BODY);
}

TEST_WITH(test_every_cut_and_every_changed_byte_is_refused, setup, NULL)
{
	size_t whole = len;
	for (len = 0; len < whole; len++)
		assert_true(parse() < 0);
	for (size_t i = 0; i < whole; i++) {
		file[i] ^= 0x40;
		assert_true(parse() < 0);
		file[i] ^= 0x40;
	}
	assert_int_equal(parse(), 0);
}

TEST_WITH(test_it_must_be_what_its_name_says, setup, NULL)
{
	for (unsigned i = 0; i < 6; i++) {
		struct clickhouse_spooled other = chunk;
		*(uint64_t *[]){&other.chunk.run, &other.chunk.number, &other.weight}[i % 3] +=
			i < 3;
		*(uint32_t *[]){&other.rows, &other.hour, &other.coding}[i % 3] -= i >= 3;
		assert_int_equal(
			clickhouse_file_read(file, len, &other, &seen, &body_at, &body_len),
			-EBADMSG);
	}
}

// A later build's file is whole, and not for this build.
TEST_WITH(test_another_version_is_another_error, setup, NULL)
{
	file[9] = 2;
	head_sign();
	assert_int_equal(parse(), -EPROTONOSUPPORT);
}

TEST_WITH(test_columns_that_are_not_known, setup, NULL)
{
	char *at = memmem(file, head, "UInt8", 5);
	assert_non_null(at);
	memcpy(at, "UInt9", 5);
	head_sign();
	assert_int_equal(parse(), -EPROTONOSUPPORT);
}

TEST_WITH(test_a_length_of_its_own_is_not_believed, setup, NULL)
{
	const size_t box_at = 8 + 2 + 2 + 4 + 24 + 8 + 16;
	assert_int_equal(get_u16(file + box_at), strlen(origin.box));
	put_u16(file + box_at, UINT16_MAX);
	head_sign();
	assert_int_equal(parse(), -EBADMSG);
	put_u16(file + box_at, (uint16_t)strlen(origin.box));
	file[box_at + 2] = '\0'; // a text within which it ends
	head_sign();
	assert_int_equal(parse(), -EBADMSG);
}

TEST_WITH(test_a_body_without_a_head, setup, NULL)
{
	static const uint8_t gzip[] = {0x1f, 0x8b, 8}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0};
	struct clickhouse_spooled what = chunk;
	assert_int_equal(
		clickhouse_file_read(zstd, sizeof(zstd), &what, &seen, &body_at, &body_len), 0);
	assert_string_equal(seen.box, "");
	assert_string_equal(seen.columns, clickhouse_layout_first);
	assert_int_equal(body_at, 0);
	assert_int_equal(body_len, sizeof(zstd));
	assert_int_equal(
		clickhouse_file_read(gzip, sizeof(gzip), &what, &seen, &body_at, &body_len),
		-EBADMSG);
	what.coding = CLICKHOUSE_GZIP;
	assert_int_equal(
		clickhouse_file_read(gzip, sizeof(gzip), &what, &seen, &body_at, &body_len), 0);
}

static int layout(const char *text, struct clickhouse_layout *out)
{
	return clickhouse_layout_read(text, strlen(text), out);
}

TEST_WITH(test_layouts, setup, NULL)
{
	static struct clickhouse_layout l;
	static const char *const bad[] = {"", "time DateTime('UTC')", "time,", "a UInt8,",
		"time DateTime('UTC'),box String,run UInt64,chunk UInt64,",
		"time UInt32,box String,run UInt64,chunk UInt64,weight UInt64,"};
	static const char *const more[] = {"a UInt8", "a UInt8,,", "a UInt8,a UInt8,", "1a UInt8,",
		"a UInt128,", "a` UInt8,", "a') UInt8,", " UInt8,", "a  UInt8,", "box String,",
		"a234567890123456789012345678901x UInt8,"};
	char text[256];
	assert_int_equal(layout(clickhouse_layout_own, &l), 0);
	assert_int_equal(l.count, 27);
	assert_int_equal(layout(clickhouse_layout_first, &l), 0);
	assert_int_equal(l.count, 26);
	assert_string_equal(l.column[l.weight].name, "weight");
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(layout(bad[i], &l), -EINVAL);
	for (unsigned i = 0; i < ARRAY_LEN(more); i++) {
		snprintf(text, sizeof(text), "%s%s", need, more[i]);
		assert_int_equal(layout(text, &l), -EINVAL);
	}
	assert_int_equal(layout(need, &l), 0);
}

TEST_WITH(test_too_many_columns, setup, NULL)
{
	static struct clickhouse_layout l;
	char text[CLICKHOUSE_LAYOUT_MAX];
	size_t at = (size_t)snprintf(text, sizeof(text), "%s", need);
	for (unsigned i = 5; i < CLICKHOUSE_COLUMNS_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "c%u Int32,", i);
	assert_int_equal(layout(text, &l), 0);
	snprintf(text + at, sizeof(text) - at, "more Int32,");
	assert_int_equal(layout(text, &l), -EINVAL);
}

TEST_WITH(test_rows_end_with_their_bytes, setup, NULL)
{
	static struct clickhouse_layout l;
	uint8_t row[64] = {0};
	size_t chunk_at;
	uint64_t weight;
	assert_int_equal(layout(need, &l), 0);
	row[4] = 3; // of box
	row[4 + 4 + 8] = 7;
	row[4 + 4 + 16] = 9;
	for (size_t n = 0; n < 32; n++) {
		struct rd r = rd_init(row, n);
		assert_false(clickhouse_layout_row(&l, &r, &chunk_at, &weight));
	}
	struct rd r = rd_init(row, 33);
	assert_true(clickhouse_layout_row(&l, &r, &chunk_at, &weight));
	assert_int_equal(r.pos, 32);
	assert_int_equal(chunk_at, 16);
	assert_int_equal(weight, 9);
	// Lengths without an end, and beyond all there is.
	memset(row + 4, 0xff, 8);
	r = rd_init(row, sizeof(row));
	assert_false(clickhouse_layout_row(&l, &r, &chunk_at, &weight));
}
