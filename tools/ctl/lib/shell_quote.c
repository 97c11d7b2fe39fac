// SPDX-License-Identifier: BSD-3-Clause
#include "shell_quote.h"

#include <stdio.h>
#include <string.h>

char *shell_quote(const char *text, char out[SHELL_QUOTE_MAX])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./:,=@%+";
	static const char quote[] = "'\\''";
	enum { QUOTE_LEN = sizeof(quote) - 1 };
	size_t len = 0;
	if (*text && strspn(text, plain) == strlen(text) && strlen(text) < SHELL_QUOTE_MAX) {
		strcpy(out, text);
		return out;
	}
	out[len++] = '\'';
	for (; *text && len < SHELL_QUOTE_MAX - QUOTE_LEN - 2; text++) {
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
