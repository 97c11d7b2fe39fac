// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_options.h"

#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>
#include <weir/dns_query.h>

enum {
	OPTION_KEEPALIVE = 11,
	OPTION_PADDING = 12,
	OPTION_LEN = 6, // code, length, time-out in units of 100 ms
	OPTION_HEAD_LEN = 4,
	OPT_RDLEN_AT = 9,
};

static unsigned options_known(const uint8_t *rdata, size_t len)
{
	struct rd r = rd_init(rdata, len);
	unsigned known = 0;

	for (unsigned n = 0; n < DNS_QUERY_OPTIONS_MAX && rd_left(&r) >= OPTION_HEAD_LEN; n++) {
		const unsigned code = rd_u16(&r);
		known |= code == OPTION_KEEPALIVE ? TCP_OPTION_KEEPALIVE
			 : code == OPTION_PADDING ? TCP_OPTION_PADDING
						  : 0;
		rd_skip(&r, rd_u16(&r));
	}
	return known;
}

unsigned tcp_options_of(const uint8_t *msg, size_t len)
{
	if (len < DNS_HEADER_LEN)
		return 0;
	struct rd r = rd_init(msg, len);
	// Most queries end with the question. Others than those with one question and nothing
	// before the additional section are not answered by more than a FORMERR.
	unsigned additional = get_u16(msg + 10);
	if (get_u16(msg + 4) != 1 || get_u32(msg + 6) != 0 || additional > DNS_QUERY_ADDITIONAL_MAX)
		return 0;
	rd_skip(&r, DNS_HEADER_LEN);
	dns_name_skip(&r);
	rd_skip(&r, 4);
	const uint8_t *rdata = dns_options_find(&r, additional, &len);
	return rdata ? options_known(rdata, len) : 0;
}

void tcp_keepalive_tell(struct frontend_reply *reply, unsigned idle_ms)
{
	static_assert((int)OPTION_LEN <= (int)REPLY_TAILROOM);
	uint8_t *rdlen = reply->msg + reply->opt + OPT_RDLEN_AT;
	uint8_t *at = reply->msg + reply->len;
	unsigned units = idle_ms / 100;

	if (!reply->opt || reply->len + (unsigned)OPTION_LEN > (unsigned)DNS_MESSAGE_MAX)
		return;
	put_u16(at, OPTION_KEEPALIVE);
	put_u16(at + 2, 2);
	put_u16(at + 4, (uint16_t)(units < UINT16_MAX ? units : UINT16_MAX));
	put_u16(rdlen, (uint16_t)(get_u16(rdlen) + OPTION_LEN));
	reply->len += OPTION_LEN;
}

unsigned tcp_padding_of(const struct frontend_reply *reply)
{
	const unsigned bare = reply->len + (unsigned)OPTION_HEAD_LEN;
	const unsigned whole =
		(bare + TCP_PADDING_BLOCK - 1) / TCP_PADDING_BLOCK * TCP_PADDING_BLOCK;

	return reply->opt && whole <= DNS_MESSAGE_MAX ? whole - reply->len : 0;
}

void tcp_padding_put(uint8_t *msg, const struct frontend_reply *reply, unsigned pad)
{
	uint8_t *rdlen = msg + reply->opt + OPT_RDLEN_AT, *at = msg + reply->len;

	put_u16(at, OPTION_PADDING);
	put_u16(at + 2, (uint16_t)(pad - OPTION_HEAD_LEN));
	memset(at + OPTION_HEAD_LEN, 0, pad - OPTION_HEAD_LEN);
	put_u16(rdlen, (uint16_t)(get_u16(rdlen) + pad));
}
