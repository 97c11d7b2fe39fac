// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_file.h"

#include <errno.h>
#include <string.h>
#include <weir/keyhash.h>

static const uint8_t magic[8] = {'w', 'e', 'i', 'r', 'r', 'o', 'w', 's'};
enum {
	VERSION = 1,
	SUM = 8,
	FIXED = 8 + 2 + 1 + 1 + 4 + 3 * 8 + 2 * 4 + 2 * 8, // in front of the texts
};

static void put_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

static uint64_t get_u64(struct rd *r)
{
	uint64_t high = rd_u32(r);
	return high << 32 | rd_u32(r);
}

static void put_text(struct wr *w, const char *text)
{
	size_t len = strlen(text);
	wr_u16(w, (uint16_t)len);
	wr_bytes(w, text, len);
}

// False: it does not fit, or has a NUL within.
static bool get_text(struct rd *r, char *out, size_t cap)
{
	size_t len = rd_u16(r);
	const uint8_t *at = rd_bytes(r, len);
	if (!at || len >= cap || memchr(at, '\0', len))
		return false;
	memcpy(out, at, len);
	out[len] = '\0';
	return true;
}

uint32_t clickhouse_file_head_bytes(const struct clickhouse_origin *origin)
{
	return (uint32_t)(FIXED + 2 + strlen(origin->box) + 2 + strlen(origin->columns) + SUM);
}

size_t clickhouse_file_head(uint8_t out[CLICKHOUSE_FILE_HEAD_MAX],
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body)
{
	struct wr w = wr_init(out, CLICKHOUSE_FILE_HEAD_MAX);
	wr_bytes(&w, magic, sizeof(magic));
	wr_u32(&w, VERSION << 16 | what->coding << 8);
	wr_u32(&w, clickhouse_file_head_bytes(origin));
	put_u64(&w, what->chunk.run);
	put_u64(&w, what->chunk.number);
	put_u64(&w, what->weight);
	wr_u32(&w, what->hour);
	wr_u32(&w, what->rows);
	put_u64(&w, what->bytes);
	put_u64(&w, contenthash(body, what->bytes));
	put_text(&w, origin->box);
	put_text(&w, origin->columns);
	if (!wr_ok(&w) || w.pos + SUM > CLICKHOUSE_FILE_HEAD_MAX)
		return 0;
	uint64_t sum = contenthash(out, w.pos);
	put_u64(&w, sum);
	return w.pos;
}

// Reads a file of a build without heads: its name is all that is known.
static int bare_read(const uint8_t *at, size_t len, const struct clickhouse_spooled *named,
	struct clickhouse_origin *origin, size_t *body_at, size_t *body_len)
{
	static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	bool fits = named->coding == CLICKHOUSE_GZIP
			    ? len > sizeof(gzip) && memcmp(at, gzip, sizeof(gzip)) == 0
			    : len > sizeof(zstd) && memcmp(at, zstd, sizeof(zstd)) == 0;
	if (!fits || len > CLICKHOUSE_FILE_BODY_MAX)
		return -EBADMSG;
	origin->box[0] = '\0';
	strcpy(origin->columns, clickhouse_layout_first);
	*body_at = 0;
	*body_len = len;
	return 0;
}

static bool is_as_named(struct rd *r, const struct clickhouse_spooled *named)
{
	bool same = get_u64(r) == named->chunk.run;
	same &= get_u64(r) == named->chunk.number;
	same &= get_u64(r) == named->weight;
	same &= rd_u32(r) == named->hour;
	same &= rd_u32(r) == named->rows;
	return same;
}

// Reads the head behind magic and version.
static int head_read(struct rd *r, const struct clickhouse_spooled *named,
	struct clickhouse_origin *origin, size_t *head_len, uint64_t *body_len, uint64_t *body_sum)
{
	struct clickhouse_layout layout;
	bool same = rd_u8(r) == named->coding;
	rd_skip(r, 1);
	*head_len = rd_u32(r);
	same &= is_as_named(r, named);
	*body_len = get_u64(r);
	*body_sum = get_u64(r);
	if (!get_text(r, origin->box, sizeof(origin->box))
		|| !get_text(r, origin->columns, sizeof(origin->columns)))
		return -EBADMSG;
	size_t at = r->pos;
	uint64_t sum = get_u64(r);
	if (!rd_ok(r) || !same || *head_len != r->pos || sum != contenthash(r->base, at))
		return -EBADMSG;
	return clickhouse_layout_read(origin->columns, strlen(origin->columns), &layout) == 0
		       ? 0
		       : -EPROTONOSUPPORT;
}

int clickhouse_file_read(const void *bytes, size_t len, const struct clickhouse_spooled *named,
	struct clickhouse_origin *origin, size_t *body_at, size_t *body_len)
{
	struct rd r = rd_init(bytes, len);
	const uint8_t *begin = rd_bytes(&r, sizeof(magic));
	if (!begin || memcmp(begin, magic, sizeof(magic)) != 0)
		return bare_read(bytes, len, named, origin, body_at, body_len);
	if (rd_u16(&r) != VERSION)
		return rd_ok(&r) ? -EPROTONOSUPPORT : -EBADMSG;
	size_t head_len;
	uint64_t said, sum;
	int rc = head_read(&r, named, origin, &head_len, &said, &sum);
	if (rc)
		return rc;
	if (said != rd_left(&r) || said == 0 || said > CLICKHOUSE_FILE_BODY_MAX
		|| sum != contenthash(r.base + head_len, said))
		return -EBADMSG;
	*body_at = head_len;
	*body_len = said;
	return 0;
}
