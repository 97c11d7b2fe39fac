// SPDX-License-Identifier: BSD-3-Clause
#include "pin_text.h"

#include <string.h>

void pin_text(const uint8_t pin[PIN_LEN], char out[PIN_TEXT_MAX])
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char prefix[] = "sha256//";
	memcpy(out, prefix, sizeof(prefix));
	out += sizeof(prefix) - 1;
	for (unsigned i = 0; i < PIN_LEN; i += 3) {
		const unsigned left = PIN_LEN - i;
		const uint32_t three = (uint32_t)pin[i] << 16
				       | (left > 1 ? (uint32_t)pin[i + 1] << 8 : 0)
				       | (left > 2 ? pin[i + 2] : 0);
		*out++ = digit[three >> 18];
		*out++ = digit[three >> 12 & 63];
		*out++ = left > 1 ? digit[three >> 6 & 63] : '=';
		*out++ = left > 2 ? digit[three & 63] : '=';
	}
	*out = '\0';
}
