// SPDX-License-Identifier: BSD-3-Clause

#include <endian.h>
#include <string.h>
#include <weir/dns_reply.h>

// The sum does not depend on the order of the octets in a word as long as it is the same for all
// (RFC 1071 2.B), so the words are added as the machine loads them and only the result is turned.
uint16_t csum_partial(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint64_t sum = 0;
	for (; len >= 8; b += 8, len -= 8) {
		uint64_t w;
		memcpy(&w, b, sizeof w);
		sum += (w & UINT32_MAX) + (w >> 32);
	}
	if (len & 4) {
		uint32_t w;
		memcpy(&w, b, sizeof w);
		sum += w;
		b += 4;
	}
	uint8_t last[4] = {0};
	if (len & 2)
		memcpy(last, b, 2);
	if (len & 1)
		last[2] = b[len & 2];
	uint32_t w;
	memcpy(&w, last, sizeof w);
	sum += w;

	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return be16toh((uint16_t)sum);
}
