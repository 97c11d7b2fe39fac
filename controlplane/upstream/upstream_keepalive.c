// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_keepalive.h"

#include <weir/bytes.h>
#include <weir/dns_proto.h>
#include <weir/dns_query.h>

enum { OPTION_KEEPALIVE = 11, TOLD_LEN = 2, OPTION_HEAD_LEN = 4 };

size_t upstream_keepalive_ask(uint8_t *msg, size_t len, unsigned options)
{
	put_u16(msg + len - options - 2, (uint16_t)(options + UPSTREAM_KEEPALIVE_LEN)); // RDLENGTH
	put_u16(msg + len, OPTION_KEEPALIVE);
	put_u16(msg + len + 2, 0);
	return len + UPSTREAM_KEEPALIVE_LEN;
}

static bool option_find(const uint8_t *rdata, size_t len, uint16_t *units)
{
	struct rd r = rd_init(rdata, len);

	while (rd_left(&r) >= OPTION_HEAD_LEN) {
		uint16_t code = rd_u16(&r), size = rd_u16(&r);
		const uint8_t *data = rd_bytes(&r, size);
		if (!data || code != OPTION_KEEPALIVE)
			continue;
		if (size == TOLD_LEN)
			*units = get_u16(data);
		return size == TOLD_LEN;
	}
	return false;
}

bool upstream_keepalive_told(const uint8_t *msg, size_t len, uint16_t *units)
{
	const uint8_t *rdata = dns_reply_options(msg, len, &len);
	return rdata && option_find(rdata, len, units);
}
