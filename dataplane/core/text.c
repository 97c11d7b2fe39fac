// SPDX-License-Identifier: BSD-3-Clause

#include <stdio.h>
#include <weir/text.h>

enum { ESCAPED_MAX = 4 }; // octets of the longest form of one octet

char *text_escape(const char *text, char *out, size_t cap)
{
	size_t n = 0;
	for (; *text && n + ESCAPED_MAX < cap; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= 0x20 && c < 0x7f)
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, cap - n, "\\x%02x", c);
	}
	out[n] = '\0';
	return out;
}
