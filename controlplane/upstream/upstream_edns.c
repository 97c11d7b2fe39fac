// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_edns.h"

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

enum { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2, FIXED_LEN = 4 };

struct ip_address upstream_subnet_cut(unsigned version, const uint8_t *address, unsigned bits)
{
	const unsigned all = version == 6 ? 128 : 32;
	struct ip_address out = {.version = version == 6 ? 6 : 4};

	out.prefix_len = (uint8_t)(bits < all ? bits : all);
	memcpy(out.bytes, address, (out.prefix_len + 7u) / 8);
	if (out.prefix_len % 8)
		out.bytes[out.prefix_len / 8] &= (uint8_t)(0xff00 >> out.prefix_len % 8);
	return out;
}

static unsigned address_len(const struct ip_address *subnet)
{
	return (subnet->prefix_len + 7u) / 8;
}

unsigned upstream_subnet_len(const struct ip_address *subnet)
{
	return subnet->version ? OPTION_HEAD_LEN + FIXED_LEN + address_len(subnet) : 0;
}

static uint16_t family_of(const struct ip_address *subnet)
{
	return subnet->version == 6 ? FAMILY_IPV6 : FAMILY_IPV4;
}

size_t upstream_subnet_add(uint8_t *msg, size_t len, const struct ip_address *subnet)
{
	const unsigned n = address_len(subnet);
	uint8_t *option = msg + len;

	put_u16(msg + len - 2, (uint16_t)upstream_subnet_len(subnet)); // RDLENGTH
	put_u16(option, DNS_EDNS_OPTION_SUBNET);
	put_u16(option + 2, (uint16_t)(FIXED_LEN + n));
	put_u16(option + 4, family_of(subnet));
	option[6] = subnet->prefix_len;
	option[7] = 0; // scope (6)
	memcpy(option + OPTION_HEAD_LEN + FIXED_LEN, subnet->bytes, n);
	return len + upstream_subnet_len(subnet);
}

// One option, of `size` bytes.
static bool option_scope(
	const uint8_t *data, size_t size, const struct ip_address *subnet, int *scope)
{
	const unsigned n = address_len(subnet);

	if (size != FIXED_LEN + n || get_u16(data) != family_of(subnet)
		|| data[2] != subnet->prefix_len || memcmp(data + FIXED_LEN, subnet->bytes, n) != 0)
		return false;
	*scope = data[3] < subnet->prefix_len ? data[3] : subnet->prefix_len;
	return true;
}

bool upstream_subnet_scope(
	const uint8_t *msg, size_t len, const struct ip_address *subnet, int *scope)
{
	*scope = UPSTREAM_NO_SCOPE;
	size_t rdata_len = 0;
	const uint8_t *rdata = dns_reply_options(msg, len, &rdata_len);
	struct rd r = rd_init(rdata, rdata ? rdata_len : 0);

	while (rd_left(&r) >= OPTION_HEAD_LEN) {
		uint16_t code = rd_u16(&r), size = rd_u16(&r);
		const uint8_t *data = rd_bytes(&r, size);
		if (code != DNS_EDNS_OPTION_SUBNET)
			continue;
		if (!data || *scope != UPSTREAM_NO_SCOPE
			|| !option_scope(data, size, subnet, scope))
			return false;
	}
	return true;
}
