// SPDX-License-Identifier: BSD-3-Clause
#include "nat64.h"

#include <string.h>

enum { IPV4_LEN = 4, IPV6_LEN = 16, UNUSED_BYTE = 8 };

// The place of byte `i` of an IPv4 address. Byte 8 is not used.
static unsigned place(const struct ip_address *prefix, unsigned i)
{
	unsigned at = prefix->prefix_len / 8 + i;
	return prefix->prefix_len <= 64 && at >= UNUSED_BYTE ? at + 1 : at;
}

void nat64_embed(const struct ip_address *prefix, const uint8_t ipv4[4], uint8_t out[16])
{
	memset(out, 0, IPV6_LEN);
	memcpy(out, prefix->bytes, prefix->prefix_len / 8);
	for (unsigned i = 0; i < IPV4_LEN; i++)
		out[place(prefix, i)] = ipv4[i];
}

bool nat64_extract(const struct ip_address *prefix, const uint8_t ipv6[16], uint8_t out[4])
{
	uint8_t made[IPV6_LEN];

	for (unsigned i = 0; i < IPV4_LEN; i++)
		out[i] = ipv6[place(prefix, i)];
	nat64_embed(prefix, out, made);
	return memcmp(ipv6, made, IPV6_LEN) == 0;
}
