// SPDX-License-Identifier: BSD-3-Clause
//
// Rows as RowBinary, byte by byte, and compressed bodies that unpack to the same.

#include "controlplane/querylog/clickhouse/clickhouse_pack.h"
#include "controlplane/querylog/clickhouse/clickhouse_row.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/unit.h"

#include <zlib.h>
#include <zstd.h>

enum { ROW_MAX = 4096, BODY_MAX = 1 << 20 };

static const struct clickhouse_chunk chunk = {0x0102030405060708, 9};

static struct querylog_row row_plain(void)
{
	return (struct querylog_row){.time_us = 1700000000000123,
		.weight = 7,
		.qname = querylog_rig_text("a.example."),
		.client = querylog_rig_text("192.0.2.1"),
		.client_name = querylog_rig_text(""),
		.group = querylog_rig_text("kids"),
		.verdict = querylog_rig_text("blocked"),
		.list = querylog_rig_text("ads"),
		.upstream = querylog_rig_text(""),
		.dataplane_us = 5,
		.total_us = 6,
		.qtype = 28,
		.qclass = 1,
		.rcode = 3,
		.ede = 15,
		.client_port = 0x1234,
		.query_len = 40,
		.reply_len = 56,
		.transport = QUERYLOG_TCP,
		.tier = QUERYLOG_TIER_RULES,
		.validation = QUERYLOG_BOGUS,
		.is_answered = true,
		.is_blocked = true};
}

static size_t row_text_len(const struct querylog_row *row)
{
	return strlen(querylog_transport_names[row->transport])
	       + strlen(querylog_tier_names[row->tier])
	       + strlen(querylog_validation_names[row->validation]) + row->qname.len
	       + row->client.len + row->client_name.len + row->group.len + row->verdict.len
	       + row->list.len + row->upstream.len;
}

TEST(test_a_row_byte_by_byte)
{
	struct querylog_row row = row_plain();
	row.transport = QUERYLOG_UDP;
	uint8_t out[ROW_MAX];
	const char expected[] = "\x00\xf1\x53\x65\x7b\x00\x00\x00"
				"\x03"
				"box"
				"\x08\x07\x06\x05\x04\x03\x02\x01"
				"\x09\x00\x00\x00\x00\x00\x00\x00"
				"\x07\x00\x00\x00\x00\x00\x00\x00"
				"\x09"
				"192.0.2.1"
				"\x34\x12"
				"\x00"
				"\x04"
				"kids"
				"\x0a"
				"a.example."
				"\x1c\x00\x01\x00";
	ssize_t n = clickhouse_row_put(out, sizeof(out), "box", &chunk, &row);
	assert_true(n > (ssize_t)sizeof(expected) - 1);
	assert_memory_equal(out, expected, sizeof(expected) - 1);
	const char end[] = "\x01\x01\x03\x00\x0f\x00\x00\x00\x05\x00\x00\x00\x06\x00\x00\x00"
			   "\x28\x00\x38\x00"
			   "\x05"
			   "bogus";
	assert_memory_equal(out + n - (sizeof(end) - 1), end, sizeof(end) - 1);
}

TEST(test_no_ede_is_minus_one)
{
	struct querylog_row row = row_plain();
	uint8_t out[ROW_MAX];
	row.ede = QUERYLOG_NO_EDE;
	ssize_t n = clickhouse_row_put(out, sizeof(out), "box", &chunk, &row);
	assert_true(n > 22);
	assert_memory_equal(out + n - 22, "\xff\xff\xff\xff", 4);
}

TEST(test_a_long_name_has_a_length_of_two_bytes)
{
	char name[QUERYLOG_NAME_MAX];
	struct querylog_row row = row_plain();
	uint8_t out[ROW_MAX];
	memset(name, 'x', sizeof(name));
	row.qname = (struct querylog_text){name, 1000};
	ssize_t n = clickhouse_row_put(out, sizeof(out), "", &chunk, &row);
	assert_true(n > 1000);
	const uint8_t *at = memchr(out, 0xe8, (size_t)n); // 1000 is 0x68 + 7 * 128
	assert_non_null(at);
	assert_int_equal(at[1], 7);
	assert_memory_equal(at + 2, name, 1000);
}

TEST(test_no_byte_behind_what_a_row_may_take)
{
	struct querylog_row row = row_plain();
	size_t max = clickhouse_row_max("box", &row);
	uint8_t *out = malloc(max);
	assert_non_null(out);
	assert_int_equal(clickhouse_row_put(out, max - 1, "box", &chunk, &row), -ENOSPC);
	assert_true(clickhouse_row_put(out, max, "box", &chunk, &row) > 0);
	free(out);
}

// Its length is that of its parts: a column left out or written twice would show.
TEST(test_rows_of_every_kind)
{
	enum { FIXED = 4 + 4 + 8 * 3 + 2 + 2 + 2 + 1 + 1 + 2 + 4 + 4 + 4 + 2 + 2, TEXTS = 11 };
	struct querylog_rig rig;
	querylog_rig_open(&rig, 7);
	for (unsigned k = 0; k < 8; k++) {
		const struct querylog_batch *b = querylog_rig_batch(&rig, QUERYLOG_ROWS_MAX);
		for (unsigned i = 0; i < b->count; i++) {
			uint8_t out[ROW_MAX];
			const struct querylog_row *r = &b->row[i];
			ssize_t n = clickhouse_row_put(out, sizeof(out), "box", &chunk, r);
			size_t least = FIXED + TEXTS + 3 + row_text_len(r);
			assert_in_range(n, least, least + 3); // longer lengths of up to 3 texts
			assert_true((size_t)n <= clickhouse_row_max("box", r));
		}
		querylog_release(b);
	}
	querylog_rig_close(&rig);
}

static size_t unpack(enum clickhouse_coding coding, void *from, size_t len, void *out, size_t cap)
{
	if (coding == CLICKHOUSE_ZSTD)
		return ZSTD_decompress(out, cap, from, len);
	z_stream z = {
		.next_in = from, .avail_in = (uInt)len, .next_out = out, .avail_out = (uInt)cap};
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(inflateEnd(&z), Z_OK);
	return cap - z.avail_out;
}

TEST(test_bodies_come_out_again)
{
	static const size_t lens[] = {0, 1, 1000, 65536, BODY_MAX};
	struct clickhouse_packer *p;
	uint8_t *plain = malloc(BODY_MAX), *back = malloc(BODY_MAX);
	assert_non_null(plain);
	assert_non_null(back);
	for (size_t i = 0; i < BODY_MAX; i++)
		plain[i] = (uint8_t)(i * i >> 7);
	assert_int_equal(clickhouse_packer_open(&p), 0);
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (unsigned coding = 0; coding < CLICKHOUSE_CODINGS; coding++) {
			size_t cap = clickhouse_pack_max(lens[i]);
			uint8_t *out = malloc(cap);
			assert_non_null(out);
			ssize_t n = clickhouse_pack(p, coding, plain, lens[i], out, cap);
			assert_true(n > 0);
			assert_int_equal(unpack(coding, out, (size_t)n, back, BODY_MAX), lens[i]);
			assert_memory_equal(plain, back, lens[i]);
			free(out);
		}
	clickhouse_packer_close(p);
	free(plain);
	free(back);
}

TEST(test_no_room_is_said)
{
	struct clickhouse_packer *p;
	uint8_t plain[1000], out[8];
	for (unsigned i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 167 >> 2);
	assert_int_equal(clickhouse_packer_open(&p), 0);
	for (unsigned coding = 0; coding < CLICKHOUSE_CODINGS; coding++)
		assert_int_equal(clickhouse_pack(p, coding, plain, sizeof(plain), out, sizeof(out)),
			-ENOSPC);
	clickhouse_packer_close(p);
}
