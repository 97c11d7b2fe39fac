// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <weir/base64.h>

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

int base64_read(const char *text, size_t len, uint8_t *out, size_t max)
{
	uint32_t bits = 0;
	unsigned have = 0, padding = 0;
	size_t n = 0;

	if (len == 0 || len % 4 != 0)
		return -EINVAL;
	while (padding < 2 && text[len - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < len - padding; i++) {
		int digit = base64_digit(text[i]);
		if (digit < 0)
			return -EINVAL;
		bits = bits << 6 | (unsigned)digit;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == max)
			return -EINVAL;
		out[n++] = (uint8_t)(bits >> have);
	}
	// The last digit may have bits too many, which are zero.
	return bits & ((1u << have) - 1) ? -EINVAL : (int)n;
}
