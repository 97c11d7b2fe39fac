// SPDX-License-Identifier: BSD-3-Clause

// A file of ClickHouse's spool, and what is done with one that is accepted: its columns are named
// in a statement, its rows read, cut in two and packed otherwise, its head written again. The head
// of the input is what the name says of it; sums are put right, so that a mutation gets behind
// them.

#include "controlplane/querylog/clickhouse/clickhouse_outbox.h"
#include "fuzz.h"

#include <weir/keyhash.h>

enum { NAME = 41, HEAD_SUM = 8, LENGTH_AT = 12, BODY_SUM_AT = 56, SUMS = 1 };

static void put_u64(uint8_t *at, uint64_t v)
{
	put_u32(at, (uint32_t)(v >> 32));
	put_u32(at + 4, (uint32_t)v);
}

static void sums_put(uint8_t *file, size_t len)
{
	if (len < BODY_SUM_AT + 8)
		return;
	size_t head = get_u32(file + LENGTH_AT);
	if (head < BODY_SUM_AT + 8 + HEAD_SUM || head > len)
		return;
	put_u64(file + BODY_SUM_AT, contenthash(file + head, len - head));
	put_u64(file + head - HEAD_SUM, contenthash(file, head - HEAD_SUM));
}

static uint64_t take(struct rd *r)
{
	uint64_t high = rd_u32(r);
	return high << 32 | rd_u32(r);
}

// To make and free them each time would cost more than all the rest.
static uint8_t rows[2][CLICKHOUSE_PACK_RAW_MAX];

// The rows as they are packed; < 0: they are not what the name says.
static ssize_t rows_of(const struct clickhouse_spooled *what, const void *body, uint8_t *raw)
{
	return clickhouse_unpack((enum clickhouse_coding)what->coding, body, what->bytes, raw,
		CLICKHOUSE_PACK_RAW_MAX);
}

static void check_half(const struct clickhouse_layout *l, const struct clickhouse_half *h)
{
	uint8_t *raw = rows[0];
	ssize_t n = rows_of(&h->what, h->body, raw);
	FUZZ_CHECK(n > 0);
	struct rd r = rd_init(raw, (size_t)n);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < h->what.rows; i++) {
		size_t at;
		uint64_t weight, number;
		FUZZ_CHECK(clickhouse_layout_row(l, &r, &at, &weight));
		memcpy(&number, raw + at, sizeof(number));
		FUZZ_CHECK(number == h->what.chunk.number);
		sum += weight;
	}
	FUZZ_CHECK(rd_left(&r) == 0 && sum == h->what.weight);
}

static void cut(const struct clickhouse_origin *o, const struct clickhouse_spooled *what,
	const uint8_t *body)
{
	static struct clickhouse_layout l;
	struct clickhouse_half half[2];
	FUZZ_CHECK(clickhouse_layout_read(o->columns, strlen(o->columns), &l) == 0);
	for (unsigned i = 0; i < l.count; i++)
		FUZZ_CHECK(!strpbrk(l.column[i].name, "'`\"\\(), ") && l.column[i].name[0]);
	FUZZ_CHECK(clickhouse_cut("id", what, body, half) == (what->rows < 2 ? -EINVAL : -EBADMSG));
	// NULL stands for the columns of this build.
	bool is_own = strcmp(o->columns, clickhouse_layout_own) == 0;
	if (clickhouse_cut(is_own ? NULL : o->columns, what, body, half) < 0)
		return;
	FUZZ_CHECK(half[0].what.rows + half[1].what.rows == what->rows);
	FUZZ_CHECK(half[0].what.weight + half[1].what.weight == what->weight);
	for (unsigned i = 0; i < 2; i++) {
		FUZZ_CHECK(clickhouse_number_has(what->chunk.number, half[i].what.chunk.number));
		check_half(&l, &half[i]);
		free(half[i].body);
	}
}

static void recode(struct clickhouse_spooled what, const void *from)
{
	void *body = malloc(what.bytes);
	FUZZ_CHECK(body);
	memcpy(body, from, what.bytes);
	ssize_t len = rows_of(&what, from, rows[0]);
	enum clickhouse_coding other =
		what.coding == CLICKHOUSE_GZIP ? CLICKHOUSE_ZSTD : CLICKHOUSE_GZIP;
	const struct clickhouse_spooled was = what;
	int ret = clickhouse_recode(&what, &body, other);
	FUZZ_CHECK(ret == (len < 0 ? -EBADMSG : 0));
	FUZZ_CHECK(what.coding == (uint32_t)(ret ? was.coding : other));
	FUZZ_CHECK(ret == 0 || memcmp(&what, &was, sizeof(what)) == 0);
	FUZZ_CHECK(rows_of(&what, body, rows[1]) == len);
	FUZZ_CHECK(len <= 0 || memcmp(rows[0], rows[1], (size_t)len) == 0);
	free(body);
}

// What was read of a file, written and read again.
static void head_again(const struct clickhouse_origin *o, const struct clickhouse_spooled *what,
	const uint8_t *body)
{
	static struct clickhouse_origin again;
	uint8_t *file = malloc(CLICKHOUSE_FILE_HEAD_MAX + (size_t)what->bytes);
	FUZZ_CHECK(file);
	size_t head = clickhouse_file_head(file, what, o, body), at, body_len;
	FUZZ_CHECK(head == clickhouse_file_head_bytes(o) && head <= CLICKHOUSE_FILE_HEAD_MAX);
	memcpy(file + head, body, what->bytes);
	FUZZ_CHECK(
		clickhouse_file_read(file, head + what->bytes, what, &again, &at, &body_len) == 0);
	FUZZ_CHECK(at == head && body_len == what->bytes);
	FUZZ_CHECK(strcmp(again.box, o->box) == 0 && strcmp(again.columns, o->columns) == 0);
	free(file);
}

FUZZ_BODY(data, len)
{
	static struct clickhouse_origin origin;
	if (len < NAME + 1)
		return 0;
	struct rd r = rd_init(data, len);
	uint8_t how = rd_u8(&r);
	struct clickhouse_spooled named = {.chunk.run = take(&r)};
	named.chunk.number = take(&r);
	named.weight = take(&r);
	named.hour = rd_u32(&r);
	named.rows = rd_u32(&r);
	rd_skip(&r, NAME - 1 - 32);
	named.coding = rd_u8(&r) % CLICKHOUSE_CODINGS;
	size_t n = rd_left(&r), at = SIZE_MAX, body_len = SIZE_MAX;
	uint8_t *file = malloc(n + 1);
	FUZZ_CHECK(file);
	memcpy(file, data + r.pos, n);
	if (how & SUMS)
		sums_put(file, n);
	uint8_t *exact = malloc(n ? n : 1);
	FUZZ_CHECK(exact);
	memcpy(exact, file, n);
	free(file);
	if (clickhouse_file_read(exact, n, &named, &origin, &at, &body_len) == 0) {
		FUZZ_CHECK(at <= n && body_len == n - at && body_len > 0);
		FUZZ_CHECK(strlen(origin.box) < sizeof(origin.box));
		named.bytes = (uint32_t)body_len;
		cut(&origin, &named, exact + at);
		recode(named, exact + at);
		head_again(&origin, &named, exact + at);
	}
	free(exact);
	return 0;
}
