// SPDX-License-Identifier: BSD-3-Clause
#include "audit_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>
#include <weir/url.h>

enum { AUDIT_NAME_MAX = 128, AUDIT_VALUE_MAX = 4096, AUDIT_YAML_MAX = 512 };

static const char secret_mark[] = "weir_", hex[] = "0123456789abcdefABCDEF";

static unsigned digit(char c)
{
	const unsigned at = (unsigned)(strchr(hex, c) - hex);
	return at < 16 ? at : at - 6;
}

// Decodes `len` bytes of a URL as far as they fit.
static void decode(const char *text, size_t len, char *out, size_t cap)
{
	size_t n = 0, i = 0;
	while (i < len && n + 1 < cap) {
		const bool is_coded = text[i] == '%' && i + 2 < len && text[i + 1]
				      && strchr(hex, text[i + 1]) && text[i + 2]
				      && strchr(hex, text[i + 2]);
		const unsigned c = is_coded ? digit(text[i + 1]) << 4 | digit(text[i + 2])
					    : (unsigned char)text[i];
		out[n++] = (char)(c ? c : '?');
		i += is_coded ? 3 : 1;
	}
	out[n] = '\0';
}

static void blot(char *text)
{
	for (char *at = text; (at = strstr(at, secret_mark));) {
		at += sizeof(secret_mark) - 1;
		memset(at, '*', strspn(at, hex));
	}
}

static void clean(char *text)
{
	blot(text);
	for (char *at = text; *at; at++)
		if (*at < 0x20 || *at > 0x7e || *at == '"' || *at == '\\')
			*at = '?';
}

char *audit_text(const char *text, char *out, size_t cap)
{
	snprintf(out, cap, "%s", text);
	clean(out);
	return out;
}

char *audit_path(const char *path, char *out, size_t cap)
{
	decode(path, strlen(path), out, cap);
	clean(out);
	return out;
}

// Codes characters that an entry may not have or that would read as another parameter. False: it
// does not fit.
static bool put(char *out, size_t cap, const char *text)
{
	size_t at = strlen(out);
	for (; *text && at + 4 < cap; text++) {
		const unsigned c = (unsigned char)*text;
		if (c < 0x20 || c > 0x7e || strchr("&%\"\\", *text))
			at += (size_t)snprintf(out + at, cap - at, "%%%02X", c);
		else
			out[at++] = *text;
	}
	out[at] = '\0';
	return *text == '\0';
}

// A change of the configuration, or of the key at `path`: its begin, masked. False: it does not
// fit.
static bool yaml_put(char *out, size_t cap, const char *path, const char *yaml)
{
	char shown[AUDIT_YAML_MAX];
	char *masked = config_mask_value(path ? path : "", yaml);
	snprintf(shown, sizeof(shown), "%s", masked ? masked : "");
	if (masked && strlen(masked) >= sizeof(shown))
		memcpy(shown + sizeof(shown) - sizeof("..."), "...", sizeof("..."));
	heap_free(masked);
	blot(shown);
	return put(out, cap, "=") && put(out, cap, shown);
}

// A value as it is, but for its secrets: only the URL of a list may have a password. False: it
// does not fit.
static bool value_put(char *out, size_t cap, const char *name, const char *value)
{
	char shown[AUDIT_VALUE_MAX];
	const bool is_url = strcmp(name, "place") == 0 && strstr(value, "://");
	const char *text = is_url ? url_shown(value, shown, sizeof(shown)) : value;
	const size_t len = strlen(text), kept = len < sizeof(shown) ? len : sizeof(shown) - 1;
	memmove(shown, text, kept);
	shown[kept] = '\0';
	blot(shown);
	return put(out, cap, "=") && put(out, cap, shown) && kept == len;
}

bool audit_query(const struct url_fields *query, const char *names, char *out, size_t cap)
{
	bool fits = true;
	out[0] = '\0';
	for (unsigned i = 0; fits && i < query->count; i++) {
		char name[AUDIT_NAME_MAX];
		fits = strlen(query->field[i].name) < sizeof(name);
		snprintf(name, sizeof(name), "%s", query->field[i].name);
		blot(name);
		const size_t at = strlen(out);
		if (i && at + 1 < cap)
			memcpy(out + at, "&", 2);
		fits = put(out, cap, name) && fits;
		const char *value = query->field[i].value;
		if (!url_field_is_of(names, "", query->field[i].name))
			continue;
		fits = (strcmp(name, "yaml") == 0
				       ? yaml_put(out, cap, url_fields_get(query, "path"), value)
				       : value_put(out, cap, name, value))
		       && fits;
	}
	return fits;
}
