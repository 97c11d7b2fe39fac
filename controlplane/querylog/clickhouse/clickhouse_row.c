// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_row.h"

#include <errno.h>
#include <string.h>

// Integers of a row in all, and the lengths of its strings: three bytes each hold 2 Mi.
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
