// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_cut.h"

#include "clickhouse_number.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

enum { RAW_MAX = CLICKHOUSE_PACK_RAW_MAX };

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
	uint8_t *raw = heap_malloc(RAW_MAX);
	if (!raw)
		return -ENOMEM;
	ssize_t len = clickhouse_unpack(
		(enum clickhouse_coding)what->coding, body, what->bytes, raw, RAW_MAX);
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
	uint8_t *raw = heap_malloc(RAW_MAX);
	if (!raw)
		return -ENOMEM;
	ssize_t len = clickhouse_unpack(
		(enum clickhouse_coding)what->coding, body, what->bytes, raw, RAW_MAX);
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
