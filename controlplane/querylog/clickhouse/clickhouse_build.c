// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_build.h"

#include "base/growth.h"

#include <errno.h>
#include <weir/heap_site.h>

enum { FILLED_FAST_MS = 1000 };
#define HOUR_US UINT64_C(3600000000)

static int raw_resize(struct clickhouse_builder *b, size_t cap)
{
	uint8_t *raw = heap_realloc(b->raw, cap);
	if (!raw)
		return -ENOMEM;
	if (b->cap)
		*(cap > b->cap ? &b->grown : &b->shrunk) += 1;
	b->raw = raw;
	b->cap = cap;
	if (cap > b->cap_most)
		b->cap_most = cap;
	return 0;
}

int clickhouse_builder_open(struct clickhouse_builder *b, uint64_t run, unsigned flush_ms)
{
	*b = (struct clickhouse_builder){.chunk = {run, 1},
		.flush_ms = flush_ms,
		.wanted_rows = CLICKHOUSE_ROWS_MIN,
		.rows_max = CLICKHOUSE_ROWS_MAX};
	int rc = raw_resize(b, CLICKHOUSE_RAW_MIN);
	if (rc == 0)
		rc = clickhouse_packer_open(&b->packer);
	if (rc)
		clickhouse_builder_close(b);
	return rc;
}

void clickhouse_builder_close(struct clickhouse_builder *b)
{
	clickhouse_packer_close(b->packer);
	FREE_AND_NULL(b->raw);
	b->packer = NULL;
}

uint32_t clickhouse_row_hour(const struct querylog_row *row)
{
	return (uint32_t)(row->time_us / HOUR_US);
}

int clickhouse_builder_add(struct clickhouse_builder *b, const char *box,
	const struct querylog_row *row, uint64_t now_ms)
{
	uint32_t hour = clickhouse_row_hour(row);
	size_t max = clickhouse_row_max(box, row);
	if (b->rows && (hour != b->hour || b->rows >= b->wanted_rows || b->rows >= b->rows_max))
		return -EAGAIN;
	if (b->len + max > b->cap) {
		if (b->cap >= CLICKHOUSE_RAW_MAX)
			return -EAGAIN;
		int rc = raw_resize(b, b->cap * 2);
		if (rc)
			return rc;
	}
	ssize_t n = clickhouse_row_put(b->raw + b->len, b->cap - b->len, box, &b->chunk, row);
	if (n < 0)
		return (int)n;
	if (!b->rows) {
		b->hour = hour;
		b->began_ms = now_ms;
	}
	b->len += (size_t)n;
	b->used_ms = now_ms;
	b->rows++;
	b->weight += row->weight;
	return 0;
}

bool clickhouse_builder_is_due(const struct clickhouse_builder *b, uint64_t now_ms)
{
	return b->rows && now_ms >= b->began_ms + b->flush_ms; // which may be later than now_ms
}

static void open_again(struct clickhouse_builder *b)
{
	b->chunk.number++;
	b->rows = 0;
	b->weight = b->len = 0;
}

static void size_adapt(struct clickhouse_builder *b, uint64_t now_ms)
{
	uint64_t took_ms = now_ms - b->began_ms;
	if (b->rows >= b->wanted_rows) {
		if (took_ms < FILLED_FAST_MS && b->wanted_rows < CLICKHOUSE_ROWS_MAX)
			b->wanted_rows *= 2;
	} else if (took_ms >= b->flush_ms && b->wanted_rows > CLICKHOUSE_ROWS_MIN) {
		b->wanted_rows /= 2;
	}
	if (b->wanted_rows < CLICKHOUSE_ROWS_MIN)
		b->wanted_rows = CLICKHOUSE_ROWS_MIN;
	if (b->wanted_rows > b->rows_max)
		b->wanted_rows = b->rows_max;
}

// When it cannot shrink it stays as it is.
static void raw_adapt(struct clickhouse_builder *b)
{
	if (b->len > b->needed)
		b->needed = b->len;
	if (++b->needed_chunks < CLICKHOUSE_SHRINK_AFTER)
		return;
	if (b->needed < b->cap / 4 && b->cap > CLICKHOUSE_RAW_MIN)
		(void)!raw_resize(b, b->cap / 2);
	b->needed = b->needed_chunks = 0;
}

void clickhouse_builder_idle(struct clickhouse_builder *b, uint64_t now_ms)
{
	uint64_t idle_ms = now_ms > b->used_ms ? now_ms - b->used_ms : 0;
	if (!b->rows && growth_is_over(b->cap, CLICKHOUSE_RAW_MIN, idle_ms))
		(void)!raw_resize(b, CLICKHOUSE_RAW_MIN);
}

int clickhouse_builder_seal(struct clickhouse_builder *b, enum clickhouse_coding coding,
	uint64_t now_ms, struct clickhouse_spooled *what, void **body)
{
	if (!b->rows)
		return -ENOENT;
	size_t cap = clickhouse_pack_max(b->len);
	uint8_t *packed = heap_malloc(cap);
	if (!packed)
		return -ENOMEM;
	ssize_t n = clickhouse_pack(b->packer, coding, b->raw, b->len, packed, cap);
	if (n < 0) {
		heap_free(packed);
		return -EIO;
	}
	uint8_t *fitting = heap_realloc(packed, (size_t)n);
	*what = (struct clickhouse_spooled){.chunk = b->chunk,
		.rows = b->rows,
		.coding = coding,
		.hour = b->hour,
		.weight = b->weight,
		.bytes = (uint64_t)n};
	*body = fitting ? fitting : packed;
	b->rows_in_all += b->rows;
	b->raw_bytes += b->len;
	b->packed_bytes += (uint64_t)n;
	raw_adapt(b);
	size_adapt(b, now_ms);
	open_again(b);
	return 0;
}

void clickhouse_builder_drop(struct clickhouse_builder *b, uint64_t *rows, uint64_t *weight)
{
	*rows = b->rows;
	*weight = b->weight;
	open_again(b);
}
