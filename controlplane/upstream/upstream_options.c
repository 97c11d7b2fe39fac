// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_options.h"

#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>
#include <weir/dns_query.h>

enum {
	OPTION_KEEPALIVE = 11,
	OPTION_PADDING = 12,
	OPTION_HEAD_LEN = 4,
	RDLENGTH_LEN = 2,
	UNITS_LEN = 2,
};

static void option_add(uint8_t *msg, size_t len, unsigned options, unsigned code, unsigned size)
{
	put_u16(msg + len - options - RDLENGTH_LEN, (uint16_t)(options + OPTION_HEAD_LEN + size));
	put_u16(msg + len, (uint16_t)code);
	put_u16(msg + len + 2, (uint16_t)size);
}

size_t upstream_options_keep(uint8_t *msg, size_t len, unsigned options)
{
	option_add(msg, len, options, OPTION_KEEPALIVE, 0);
	return len + OPTION_HEAD_LEN;
}

size_t upstream_options_pad(uint8_t *msg, size_t len, unsigned options)
{
	size_t bare = len + OPTION_HEAD_LEN;
	unsigned pad = (unsigned)(-bare % UPSTREAM_PADDING_BLOCK);

	option_add(msg, len, options, OPTION_PADDING, pad);
	memset(msg + bare, 0, pad);
	return bare + pad;
}

static bool option_find(const uint8_t *rdata, size_t len, uint16_t *units)
{
	struct rd r = rd_init(rdata, len);

	while (rd_left(&r) >= OPTION_HEAD_LEN) {
		uint16_t code = rd_u16(&r), size = rd_u16(&r);
		const uint8_t *data = rd_bytes(&r, size);
		if (!data || code != OPTION_KEEPALIVE)
			continue;
		if (size == UNITS_LEN)
			*units = get_u16(data);
		return size == UNITS_LEN;
	}
	return false;
}

bool upstream_options_kept(const uint8_t *msg, size_t len, uint16_t *units)
{
	const uint8_t *rdata = dns_reply_options(msg, len, &len);
	return rdata && option_find(rdata, len, units);
}
