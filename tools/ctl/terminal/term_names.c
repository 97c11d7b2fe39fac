// SPDX-License-Identifier: BSD-3-Clause
#include "term_names.h"

#include "term_text.h"

#include <idn2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_HERE = 253, TEXT_MAX_HERE = 4096 };
static const char name_bytes[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*";

// Finds the U-labels of a name. False: it is shown as it is.
static bool name_read(const char *text, size_t len, char out[TEXT_MAX_HERE])
{
	char name[NAME_MAX_HERE + 1], *unicode = NULL, *ascii = NULL;
	if (len > NAME_MAX_HERE)
		return false;
	memcpy(name, text, len);
	name[len] = '\0';
	const bool is_good =
		strcasestr(name, "xn--") && idn2_to_unicode_8z8z(name, &unicode, 0) == IDN2_OK
		&& idn2_to_ascii_8z(unicode, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL)
			   == IDN2_OK
		&& strcmp(ascii, name) == 0 && strcmp(unicode, name) != 0
		&& strcmp(term_text(unicode, out, TEXT_MAX_HERE), unicode) == 0;
	idn2_free(unicode);
	idn2_free(ascii);
	return is_good;
}

// Is it the beginning or the end of the text, or a byte beside which a word of prose stands?
static bool is_edge(char c)
{
	return !c || strchr(" ,;()\"'", c);
}

// Writes the text with the U-labels of its names.
static void names_write(const char *text, FILE *out)
{
	char unicode[TEXT_MAX_HERE], before = '\0';
	while (*text) {
		size_t run = strspn(text, name_bytes), len = run;
		while (len > 0 && text[len - 1] == '.')
			len--;
		if (len > 0 && is_edge(before) && is_edge(text[run])
			&& name_read(text, len, unicode))
			fprintf(out, "%s (%.*s)", unicode, (int)len, text);
		else
			len = run > 0 ? run : 1, fwrite(text, 1, len, out);
		before = text[len - 1];
		text += len;
	}
}

char *term_names(const char *text, char *out, size_t cap)
{
	char shown[TEXT_MAX_HERE];
	FILE *f = strcasestr(text, "xn--") && isatty(STDOUT_FILENO)
			  ? fmemopen(shown, sizeof(shown), "w")
			  : NULL;
	if (!f)
		return term_text(text, out, cap);
	names_write(text, f);
	const bool is_whole = ftell(f) < (long)sizeof(shown) - 1;
	return term_text(fclose(f) == 0 && is_whole ? shown : text, out, cap);
}
