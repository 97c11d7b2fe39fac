// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The client's subnet (RFC 7871) in queries to a fake server, and in its replies.

#include "fake_upstream.h"

#include <assert.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>

static inline size_t question_end(const uint8_t *q, size_t len)
{
	size_t i = DNS_HEADER_LEN;
	while (i < len && q[i] != 0)
		i += q[i] + 1u;
	return i + 5 <= len ? i + 5 : 0;
}

// The data of the query's option with a client's subnet, *size bytes; NULL: it has none.
static inline const uint8_t *subnet_of(const uint8_t *q, size_t len, size_t *size)
{
	size_t end = question_end(q, len), at = end + DNS_OPT_FIXED_LEN;
	if (end == 0 || get_u16(q + 10) == 0)
		return NULL;
	while (at + 4 <= len && get_u16(q + at) != DNS_EDNS_OPTION_SUBNET)
		at += 4u + get_u16(q + at + 2);
	if (at + 4 > len)
		return NULL;
	*size = get_u16(q + at + 2);
	assert(*size >= 4 && *size <= FAKE_SUBNET_MAX && at + 4 + *size <= len);
	return q + at + 4;
}

// The same with the scope, in an OPT.
static inline void subnet_make(
	struct wr *w, const struct fake_upstream *f, const uint8_t *subnet, size_t size)
{
	uint8_t data[FAKE_SUBNET_MAX];
	const uint8_t *change = f->subnet_change;
	memcpy(data, subnet, size);
	data[3] = (uint8_t)(f->scope_more - 1);
	for (size_t i = 0; change && i < size; i++)
		data[i] ^= change[i];
	wr_u8(w, 0);
	wr_u16(w, DNS_TYPE_OPT);
	wr_u16(w, 1232);
	wr_u32(w, 0);
	wr_u16(w, (uint16_t)(4 + size));
	wr_u16(w, DNS_EDNS_OPTION_SUBNET);
	wr_u16(w, (uint16_t)size);
	wr_bytes(w, data, size);
}

static inline void subnet_remember(struct fake_upstream *f, const uint8_t *q, size_t len)
{
	size_t size;
	const uint8_t *subnet = subnet_of(q, len, &size);
	f->subnet_len = subnet ? (unsigned)size : 0;
	if (!subnet)
		return;
	memcpy(f->subnet, subnet, size);
	f->subnet_queries++;
}
