// SPDX-License-Identifier: BSD-3-Clause

#include "import_write_yaml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <weir/text.h>

// No YAML reader takes it for anything but a text: a name or an address.
static bool is_plain(const char *text)
{
	return isalpha((unsigned char)*text) && strchr(text, '.')
	       && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
			  == strlen(text);
}

void import_write_text(FILE *out, const char *text)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	putc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			putc('\'', out);
		putc(*text, out);
	}
	putc('\'', out);
}

void import_write_note(FILE *out, const char *note)
{
	char text[400];
	if (note)
		fprintf(out, "  # %s", text_escape(note, text, sizeof(text)));
	putc('\n', out);
}

void import_write_items(
	FILE *out, unsigned indent, const char *key, const struct import_items *items)
{
	if (items->count == 0)
		return;
	fprintf(out, "%*s%s:\n", (int)indent, "", key);
	for (unsigned i = 0; i < items->count; i++) {
		fprintf(out, "%*s- ", (int)indent, "");
		import_write_text(out, items->item[i].text);
		import_write_note(out, items->item[i].note);
	}
}

void import_write_flow(FILE *out, const struct import_items *items)
{
	putc('[', out);
	for (unsigned i = 0; i < items->count; i++) {
		if (i)
			fputs(", ", out);
		import_write_text(out, items->item[i].text);
	}
	putc(']', out);
}
