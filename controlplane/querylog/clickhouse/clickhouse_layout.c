// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_layout.h"

#include "clickhouse_columns.h"

#include <errno.h>
#include <string.h>

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

// A comma behind each; the last one's is no harm.
#define X(name, type, is_word) #name " " type ","
const char clickhouse_layout_own[] = CLICKHOUSE_COLUMN_LIST(X);
#undef X
static_assert(sizeof(clickhouse_layout_own) <= CLICKHOUSE_LAYOUT_MAX);

// This never changes: such files may lie anywhere.
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
static unsigned find(const struct clickhouse_layout *l, const char *name)
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
	if (find(l, l->column[l->count].name) < l->count) // twice
		return false;
	l->count++;
	return true;
}

static bool has(const struct clickhouse_layout *l, const char *name, enum clickhouse_type type)
{
	unsigned i = find(l, name);
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
	if (!has(&l, "time", CLICKHOUSE_TIME) || !has(&l, "box", CLICKHOUSE_STRING)
		|| !has(&l, "run", CLICKHOUSE_UINT64) || !has(&l, "chunk", CLICKHOUSE_UINT64)
		|| !has(&l, "weight", CLICKHOUSE_UINT64))
		return -EINVAL;
	l.chunk = find(&l, "chunk");
	l.weight = find(&l, "weight");
	*out = l;
	return 0;
}

// Of a string: as LEB128, of which more than five bytes are no length.
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
