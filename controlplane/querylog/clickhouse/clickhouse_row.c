// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_row.h"

#include <errno.h>
#include <string.h>

// Bytes of all integers of a row; number of its strings; bytes of the length of a string: three
// hold 2 Mi.
enum { FIXED_MAX = 80, TEXTS = 12, LENGTH_MAX = 3 };

static uint8_t *u16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
	return at + 2;
}

static uint8_t *u32(uint8_t *at, uint32_t v)
{
	return u16(u16(at, (uint16_t)v), (uint16_t)(v >> 16));
}

static uint8_t *u64(uint8_t *at, uint64_t v)
{
	return u32(u32(at, (uint32_t)v), (uint32_t)(v >> 32));
}

static uint8_t *bytes(uint8_t *at, const char *text, size_t len)
{
	size_t left = len;
	for (; left >= 0x80; left >>= 7)
		*at++ = (uint8_t)(left | 0x80);
	*at++ = (uint8_t)left;
	memcpy(at, text, len);
	return at + len;
}

static uint8_t *text(uint8_t *at, struct querylog_text t)
{
	return bytes(at, t.at, t.len);
}

static uint8_t *name(uint8_t *at, const char *const *names, unsigned count, unsigned i)
{
	const char *n = i < count ? names[i] : "";
	return bytes(at, n, strlen(n));
}

enum { ENUM_NAME_MAX = 32, BOX_MAX = UINT16_MAX };

size_t clickhouse_row_max(const char *box, const struct querylog_row *row)
{
	return FIXED_MAX + TEXTS * LENGTH_MAX + 3 * ENUM_NAME_MAX + strlen(box) + row->client.len
	       + row->client_name.len + row->group.len + row->qname.len + row->verdict.len
	       + row->list.len + row->upstream.len;
}

ssize_t clickhouse_row_put(uint8_t *out, size_t cap, const char *box,
	const struct clickhouse_chunk *chunk, const struct querylog_row *row)
{
	size_t box_len = strlen(box);
	if (box_len > BOX_MAX || cap < clickhouse_row_max(box, row))
		return -ENOSPC;
	uint8_t *at = u32(out, (uint32_t)(row->time_us / 1000000));
	at = u32(at, (uint32_t)(row->time_us % 1000000));
	at = bytes(at, box, box_len);
	at = u64(u64(u64(at, chunk->run), chunk->number), row->weight);
	at = u16(text(at, row->client), row->client_port);
	at = text(text(text(at, row->client_name), row->group), row->qname);
	at = u16(u16(at, row->qtype), row->qclass);
	at = name(at, querylog_transport_names, QUERYLOG_TRANSPORTS, row->transport);
	at = text(at, row->verdict);
	at = name(at, querylog_tier_names, QUERYLOG_TIERS, row->tier);
	at = text(text(at, row->list), row->upstream);
	*at++ = row->is_answered;
	*at++ = row->is_blocked;
	at = u16(at, row->rcode);
	at = u32(at, row->ede == QUERYLOG_NO_EDE ? UINT32_MAX : row->ede);
	at = u32(u32(at, row->dataplane_us), row->total_us);
	at = u16(u16(at, row->query_len), row->reply_len);
	at = name(at, querylog_validation_names, QUERYLOG_VALIDATIONS, row->validation);
	return at - out;
}

const char *const clickhouse_type_names[CLICKHOUSE_TYPES] = {
	[CLICKHOUSE_UINT8] = "UInt8",
	[CLICKHOUSE_UINT16] = "UInt16",
	[CLICKHOUSE_UINT32] = "UInt32",
	[CLICKHOUSE_UINT64] = "UInt64",
	[CLICKHOUSE_INT32] = "Int32",
	[CLICKHOUSE_TIME] = "DateTime('UTC')",
	[CLICKHOUSE_STRING] = "String",
};

static const unsigned bytes_of[CLICKHOUSE_TYPES] = {
	[CLICKHOUSE_UINT8] = 1,
	[CLICKHOUSE_UINT16] = 2,
	[CLICKHOUSE_UINT32] = 4,
	[CLICKHOUSE_UINT64] = 8,
	[CLICKHOUSE_INT32] = 4,
	[CLICKHOUSE_TIME] = 4,
};

// A comma stands behind each column; the last comma does no harm.
#define X(name, type, is_word) #name " " type ","
const char clickhouse_layout_own[] = CLICKHOUSE_COLUMN_LIST(X);
#undef X
static_assert(sizeof(clickhouse_layout_own) <= CLICKHOUSE_LAYOUT_MAX);

// This never changes: a spool may still have files of the first builds.
const char clickhouse_layout_first[] =
	"time DateTime('UTC'),time_us UInt32,box String,run UInt64,chunk UInt64,weight UInt64,"
	"client String,client_port UInt16,client_name String,client_group String,qname String,"
	"qtype UInt16,qclass UInt16,transport String,verdict String,tier String,list String,"
	"upstream String,answered UInt8,blocked UInt8,rcode UInt16,ede Int32,dataplane_us UInt32,"
	"total_us UInt32,query_len UInt16,reply_len UInt16,";

static bool is_identifier(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return len > 0;
}

static bool type_read(const char *text, size_t len, enum clickhouse_type *out)
{
	for (unsigned i = 0; i < CLICKHOUSE_TYPES; i++)
		if (len == strlen(clickhouse_type_names[i])
			&& memcmp(text, clickhouse_type_names[i], len) == 0) {
			*out = (enum clickhouse_type)i;
			return true;
		}
	return false;
}

// The column of that name; l->count: no such column.
static unsigned column_find(const struct clickhouse_layout *l, const char *name)
{
	unsigned i = 0;
	while (i < l->count && strcmp(l->column[i].name, name) != 0)
		i++;
	return i;
}

static bool column_read(struct clickhouse_layout *l, const char *text, size_t len)
{
	const char *space = memchr(text, ' ', len);
	if (!space || l->count == CLICKHOUSE_COLUMNS_MAX)
		return false;
	size_t name_len = (size_t)(space - text);
	enum clickhouse_type type;
	if (name_len >= CLICKHOUSE_COLUMN_NAME_MAX || !is_identifier(text, name_len)
		|| !type_read(space + 1, len - name_len - 1, &type))
		return false;
	memcpy(l->column[l->count].name, text, name_len);
	l->column[l->count].name[name_len] = '\0';
	l->column[l->count].type = type;
	if (column_find(l, l->column[l->count].name) < l->count) // the name is there twice
		return false;
	l->count++;
	return true;
}

static bool column_has(
	const struct clickhouse_layout *l, const char *name, enum clickhouse_type type)
{
	unsigned i = column_find(l, name);
	return i < l->count && l->column[i].type == type;
}

int clickhouse_layout_read(const char *text, size_t len, struct clickhouse_layout *out)
{
	struct clickhouse_layout l = {0};
	while (len > 0) {
		const char *comma = memchr(text, ',', len);
		if (!comma || !column_read(&l, text, (size_t)(comma - text)))
			return -EINVAL;
		len -= (size_t)(comma + 1 - text);
		text = comma + 1;
	}
	if (!column_has(&l, "time", CLICKHOUSE_TIME) || !column_has(&l, "box", CLICKHOUSE_STRING)
		|| !column_has(&l, "run", CLICKHOUSE_UINT64)
		|| !column_has(&l, "chunk", CLICKHOUSE_UINT64)
		|| !column_has(&l, "weight", CLICKHOUSE_UINT64))
		return -EINVAL;
	l.chunk = column_find(&l, "chunk");
	l.weight = column_find(&l, "weight");
	*out = l;
	return 0;
}

// Reads the length of a string, as LEB128, of which more than five bytes are no length.
static uint64_t length_read(struct rd *r)
{
	uint64_t len = 0;
	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t byte = rd_u8(r);
		len |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return len;
	}
	r->bad = true;
	return 0;
}

static uint64_t u64_read(struct rd *r)
{
	const uint8_t *at = rd_bytes(r, 8);
	uint64_t v = 0;
	for (unsigned i = 0; at && i < 8; i++)
		v |= (uint64_t)at[i] << 8 * i;
	return v;
}

bool clickhouse_layout_row(
	const struct clickhouse_layout *l, struct rd *r, size_t *chunk_at, uint64_t *weight)
{
	size_t at = 0;
	uint64_t w = 0;
	for (unsigned i = 0; i < l->count; i++) {
		enum clickhouse_type type = l->column[i].type;
		if (i == l->chunk)
			at = r->pos;
		if (i == l->weight)
			w = u64_read(r);
		else
			rd_skip(r, type == CLICKHOUSE_STRING ? length_read(r) : bytes_of[type]);
	}
	if (!rd_ok(r))
		return false;
	*chunk_at = at;
	*weight = w;
	return true;
}
