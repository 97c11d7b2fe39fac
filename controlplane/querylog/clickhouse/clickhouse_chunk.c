// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_chunk.h"

#include "base/growth.h"

#include <errno.h>
#include <string.h>
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
	return b->rows && now_ms >= b->began_ms + b->flush_ms; // began_ms may be later than now_ms
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

// Halves the buffer when the last chunks needed little of it; without memory it stays as it is.
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

static void number_put(uint8_t *at, uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(number >> 8 * i);
}

// Gives each row the number of its half. *cut: where the second half begins.
static int rows_number(const struct clickhouse_layout *l, uint8_t *raw, size_t len,
	struct clickhouse_half half[2], size_t *cut)
{
	struct rd r = rd_init(raw, len);
	for (unsigned k = 0; k < 2; k++) {
		*cut = k ? *cut : 0;
		for (uint32_t i = 0; i < half[k].what.rows; i++) {
			size_t chunk_at;
			uint64_t weight;
			if (!clickhouse_layout_row(l, &r, &chunk_at, &weight))
				return -EBADMSG;
			number_put(raw + chunk_at, half[k].what.chunk.number);
			half[k].what.weight += weight;
		}
		if (k == 0)
			*cut = r.pos;
	}
	return rd_left(&r) == 0 ? 0 : -EBADMSG;
}

static int pack(
	struct clickhouse_packer *p, const uint8_t *raw, size_t len, struct clickhouse_half *half)
{
	size_t cap = clickhouse_pack_max(len);
	void *body = heap_malloc(cap);
	if (!body)
		return -ENOMEM;
	ssize_t n =
		clickhouse_pack(p, (enum clickhouse_coding)half->what.coding, raw, len, body, cap);
	if (n < 0) {
		heap_free(body);
		return -EIO;
	}
	void *fitting = heap_realloc(body, (size_t)n);
	half->body = fitting ? fitting : body;
	half->what.bytes = (uint32_t)n;
	return 0;
}

static int raw_cut(struct clickhouse_packer *p, const struct clickhouse_layout *l,
	const struct clickhouse_spooled *what, const void *body, struct clickhouse_half half[2])
{
	size_t cut = 0;
	uint8_t *raw = heap_malloc(CLICKHOUSE_PACK_RAW_MAX);
	if (!raw)
		return -ENOMEM;
	ssize_t len = clickhouse_unpack((enum clickhouse_coding)what->coding, body, what->bytes,
		raw, CLICKHOUSE_PACK_RAW_MAX);
	int rc = len == -ENOMEM ? -ENOMEM
		 : len < 0      ? -EBADMSG
				: rows_number(l, raw, (size_t)len, half, &cut);
	if (rc == 0 && half[0].what.weight + half[1].what.weight != what->weight)
		rc = -EBADMSG;
	if (rc == 0)
		rc = pack(p, raw, cut, &half[0]);
	if (rc == 0)
		rc = pack(p, raw + cut, (size_t)len - cut, &half[1]);
	heap_free(raw);
	return rc;
}

static int raw_recode(struct clickhouse_packer *p, const struct clickhouse_spooled *what,
	const void *body, struct clickhouse_half *to)
{
	uint8_t *raw = heap_malloc(CLICKHOUSE_PACK_RAW_MAX);
	if (!raw)
		return -ENOMEM;
	ssize_t len = clickhouse_unpack((enum clickhouse_coding)what->coding, body, what->bytes,
		raw, CLICKHOUSE_PACK_RAW_MAX);
	int rc = len == -ENOMEM ? -ENOMEM : len < 0 ? -EBADMSG : pack(p, raw, (size_t)len, to);
	heap_free(raw);
	return rc;
}

int clickhouse_recode(struct clickhouse_spooled *what, void **body, enum clickhouse_coding coding)
{
	struct clickhouse_half to = {.what = *what};
	struct clickhouse_packer *packer;
	int rc = clickhouse_packer_open(&packer);
	if (rc)
		return rc;
	to.what.coding = coding;
	rc = raw_recode(packer, what, *body, &to);
	clickhouse_packer_close(packer);
	if (rc)
		return rc;
	FREE_AND_NULL(*body);
	*body = to.body;
	*what = to.what;
	return 0;
}

int clickhouse_cut(const char *columns, const struct clickhouse_spooled *what, const void *body,
	struct clickhouse_half half[2])
{
	struct clickhouse_layout layout;
	struct clickhouse_packer *packer;
	if (what->rows < 2)
		return -EINVAL;
	if (!columns)
		columns = clickhouse_layout_own;
	if (clickhouse_layout_read(columns, strlen(columns), &layout) < 0)
		return -EBADMSG;
	struct clickhouse_half made[2] = {{.body = NULL}, {.body = NULL}};
	for (unsigned k = 0; k < 2; k++) {
		made[k].what = (struct clickhouse_spooled){.coding = what->coding,
			.hour = what->hour,
			.rows = k ? what->rows - what->rows / 2 : what->rows / 2,
			.chunk = {what->chunk.run, clickhouse_number_half(what->chunk.number, k)}};
		if (!made[k].what.chunk.number)
			return -E2BIG;
	}
	int rc = clickhouse_packer_open(&packer);
	if (rc)
		return rc;
	rc = raw_cut(packer, &layout, what, body, made);
	clickhouse_packer_close(packer);
	if (rc) {
		FREE_AND_NULL(made[0].body);
		FREE_AND_NULL(made[1].body);
		return rc;
	}
	memcpy(half, made, sizeof(made));
	return 0;
}
