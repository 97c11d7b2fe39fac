// SPDX-License-Identifier: BSD-3-Clause
#include <ctype.h>
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

char *text_quote(const char *text, char out[TEXT_QUOTE_MAX])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./:,=@%+";
	static const char quote[] = "'\\''";
	enum { QUOTE_LEN = sizeof(quote) - 1 };
	size_t len = 0;
	if (*text && strspn(text, plain) == strlen(text) && strlen(text) < TEXT_QUOTE_MAX) {
		strcpy(out, text);
		return out;
	}
	out[len++] = '\'';
	for (; *text && len < TEXT_QUOTE_MAX - QUOTE_LEN - 2; text++) {
		if (*text == '\'') {
			memcpy(out + len, quote, QUOTE_LEN);
			len += QUOTE_LEN;
		} else {
			out[len++] = *text;
		}
	}
	out[len++] = '\'';
	out[len] = '\0';
	return out;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

// Letters to insert, leave out, replace or swap with the next one until `a` is `b`, ignoring letter
// case (optimal string alignment).
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned row[3][TEXT_NEAR_MAX + 1];
	unsigned *before = row[0], *last = row[1], *now = row[2];
	for (size_t j = 0; j <= b_len; j++)
		last[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned cost = !same(a[i - 1], b[j - 1]);
			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + cost);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		unsigned *oldest = before;
		before = last;
		last = now;
		now = oldest;
	}
	return last[b_len];
}

void text_near_begin(struct text_near *n, const char *word)
{
	*n = (struct text_near){.word = word, .len = strlen(word)};
	// One letter in three may be wrong, and one of the shortest words.
	n->most = n->len < 6 ? 1 : n->len < 12 ? 2 : 3;
	if (n->len == 0 || n->len > TEXT_NEAR_MAX)
		n->most = 0;
}

void text_near_try(struct text_near *n, const char *candidate)
{
	size_t len = strlen(candidate);
	if (n->most == 0 || len == 0 || len > TEXT_NEAR_MAX)
		return;
	unsigned d = distance(n->word, n->len, candidate, len);
	if (d > n->most || (n->best && d >= n->distance))
		return;
	n->best = candidate;
	n->distance = d;
}
