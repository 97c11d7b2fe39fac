// SPDX-License-Identifier: BSD-3-Clause

#include <endian.h>
#include <string.h>
#include <weir/dns_reply.h>

// The sum does not depend on the order of the octets in a word as long as it is the same for all
// (RFC 1071 2.B), so the words are added as the machine loads them and only the result is turned.
//
// Eight octets an addition, the carries kept in the upper half: for the short messages of DNS that
// beats vectors, whose setting up costs more than the sum.
uint16_t csum_partial(const void *p, size_t len)
{
	const uint8_t *b = p;
	unsigned __int128 wide = 0;
	uint64_t w = 0;
	size_t left = len;
	for (; left >= 8; b += 8, left -= 8) {
		memcpy(&w, b, sizeof w);
		wide += w;
	}
	if (left && len >= 8) {
		// The last eight octets, less those that are in the sum already.
		memcpy(&w, b + left - 8, sizeof w);
		wide += w >> (64 - 8 * left);
	} else if (left) {
		uint8_t last[8] = {0};
		for (size_t i = 0; i < left; i++)
			last[i] = b[i];
		memcpy(&w, last, sizeof w);
		wide += w;
	}

	uint64_t low = (uint64_t)wide, sum = (low & UINT32_MAX) + (low >> 32);
	sum += (uint64_t)(wide >> 64);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return be16toh((uint16_t)sum);
}
