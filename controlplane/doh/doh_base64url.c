// SPDX-License-Identifier: BSD-3-Clause
#include "doh_base64url.h"

static int digit_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

bool doh_base64url(const uint8_t *text, size_t n, uint8_t *out, size_t *len)
{
	uint32_t bits = 0;
	unsigned have = 0;

	*len = 0;
	if (n % 4 == 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		int digit = digit_of(text[i]);
		if (digit < 0)
			return false;
		bits = (bits << 6 | (unsigned)digit) & 0xffff;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		out[(*len)++] = (uint8_t)(bits >> have);
	}
	return (bits & ((1u << have) - 1)) == 0;
}
