// SPDX-License-Identifier: BSD-3-Clause

#include "term_text.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>
#include <weir/text.h>

enum { ESCAPED = 4 }; // bytes of one escape

// Format characters of Unicode (Cf) and line separators: they change the direction of text, or are
// invisible. Libraries disagree on whether these are printable.
static const struct {
	uint32_t first, last;
} unseen[] = {
	{0xad, 0xad},
	{0x34f, 0x34f},
	{0x600, 0x605},
	{0x61c, 0x61c},
	{0x6dd, 0x6dd},
	{0x70f, 0x70f},
	{0x890, 0x891},
	{0x8e2, 0x8e2},
	{0x115f, 0x1160},
	{0x17b4, 0x17b5},
	{0x180b, 0x180f},
	{0x200b, 0x200f},
	{0x2028, 0x202e},
	{0x2060, 0x206f},
	{0x3164, 0x3164},
	{0xfe00, 0xfe0f},
	{0xfeff, 0xfeff},
	{0xffa0, 0xffa0},
	{0xfff0, 0xfffb},
	{0x110bd, 0x110bd},
	{0x110cd, 0x110cd},
	{0x13430, 0x1343f},
	{0x1bca0, 0x1bca3},
	{0x1d173, 0x1d17a},
	{0xe0000, 0xe0fff},
};

void term_text_init(void)
{
	(void)setlocale(LC_CTYPE, "");
}

static bool is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool is_shown(wchar_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(unseen); i++)
		if ((uint32_t)c >= unseen[i].first && (uint32_t)c <= unseen[i].last)
			return false;
	return iswprint((wint_t)c) && wcwidth(c) >= 0;
}

// The length of the character at the start of the text; 0: the terminal must not get it.
static size_t shown_len(const char *text, wchar_t *c)
{
	mbstate_t state = {0};
	*c = (unsigned char)*text;
	if (*text >= 0x20 && *text < 0x7f)
		return 1;
	size_t len = is_utf8() ? mbrtowc(c, text, strlen(text), &state) : (size_t)-1;
	return len <= MB_LEN_MAX && is_shown(*c) ? len : 0;
}

char *term_text(const char *text, char *out, size_t cap)
{
	size_t n = 0;
	wchar_t c;
	while (*text && n + ESCAPED < cap) {
		size_t len = shown_len(text, &c);
		char one[2] = {*text, '\0'}, escaped[ESCAPED + 1];
		if (len > 0) {
			memcpy(out + n, text, len);
		} else {
			text_escape(one, escaped, sizeof(escaped));
			memcpy(out + n, escaped, ESCAPED);
		}
		n += len > 0 ? len : ESCAPED;
		text += len > 0 ? len : 1;
	}
	out[n] = '\0';
	return out;
}

size_t term_width(const char *text)
{
	size_t width = 0, len;
	wchar_t c;
	for (; *text && (len = shown_len(text, &c)) > 0; text += len)
		width += len == 1 ? 1 : (size_t)wcwidth(c);
	return width;
}

size_t term_cut(const char *text, size_t cap)
{
	size_t n = 0, len;
	wchar_t c;
	while (text[n] && (len = shown_len(text + n, &c)) > 0 && n + len <= cap)
		n += len;
	return n;
}

size_t term_cut_width(const char *text, size_t columns)
{
	size_t n = 0, width = 0, len;
	wchar_t c;
	while (text[n] && (len = shown_len(text + n, &c)) > 0) {
		width += len == 1 ? 1 : (size_t)wcwidth(c);
		if (width > columns)
			break;
		n += len;
	}
	return n;
}

size_t term_columns(void)
{
	const char *text = getenv("COLUMNS");
	struct winsize size = {0};
	if (!isatty(STDOUT_FILENO))
		return 0;
	unsigned long columns = text && *text >= '1' && *text <= '9' ? strtoul(text, NULL, 10) : 0;
	if (columns == 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		columns = size.ws_col;
	return columns;
}

const char *term_color(enum term_color color)
{
	static const char *const codes[] = {"\033[0m", "\033[31m", "\033[33m"};
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	const bool is_dumb = !term || !*term || strcmp(term, "dumb") == 0;
	return (no && *no) || is_dumb || !isatty(STDOUT_FILENO) ? "" : codes[color];
}
