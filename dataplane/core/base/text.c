// SPDX-License-Identifier: BSD-3-Clause

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weir/text.h>

enum { ESCAPED_MAX = 4 }; // bytes of the longest form of one byte

static size_t byte_escape(char *out, size_t cap, unsigned char c)
{
	return (size_t)snprintf(out, cap, "\\x%02x", c);
}

char *text_escape(const char *text, char *out, size_t cap)
{
	size_t n = 0;
	for (; *text && n + ESCAPED_MAX < cap; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= 0x20 && c < 0x7f)
			out[n++] = (char)c;
		else
			n += byte_escape(out + n, cap - n, c);
	}
	out[n] = '\0';
	return out;
}

// Length in bytes of the multibyte character at the start of the text; 0: it is not well-formed, or
// a control character.
static size_t utf8_len(const unsigned char *p)
{
	size_t len = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
		     : p[0] >= 0xe0 && p[0] <= 0xef ? 3
		     : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
						    : 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80) // the end of the text as well
			return 0;
	bool is_bad = (p[0] == 0xc2 && p[1] < 0xa0)      // U+0080 to U+009F
		      || (p[0] == 0xe0 && p[1] < 0xa0)   // longer than need be
		      || (p[0] == 0xed && p[1] >= 0xa0)  // surrogates
		      || (p[0] == 0xf0 && p[1] < 0x90)   // longer than need be
		      || (p[0] == 0xf4 && p[1] >= 0x90); // above U+10FFFF
	return is_bad ? 0 : len;
}

char *text_name(const char *text, char *out, size_t cap)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;
	while (*p && n + ESCAPED_MAX < cap) {
		size_t len = *p >= 0x20 && *p < 0x7f ? 1 : utf8_len(p);
		if (len > 0)
			memcpy(out + n, p, len);
		n += len > 0 ? len : byte_escape(out + n, cap - n, *p);
		p += len > 0 ? len : 1;
	}
	out[n] = '\0';
	return out;
}
