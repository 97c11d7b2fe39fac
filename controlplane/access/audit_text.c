// SPDX-License-Identifier: BSD-3-Clause
#include "audit_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <weir/url.h>

enum { PARAM_MAX = 512 };

static const char secret_mark[] = "weir_", hex[] = "0123456789abcdefABCDEF";

static unsigned digit(char c)
{
	const unsigned at = (unsigned)(strchr(hex, c) - hex);
	return at < 16 ? at : at - 6;
}

// Decodes `len` bytes of a URL. False: they do not fit, and are cut.
static bool decode(const char *text, size_t len, char *out, size_t cap)
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
	return i == len;
}

static void clean(char *text)
{
	for (char *at = text; (at = strstr(at, secret_mark));) {
		at += sizeof(secret_mark) - 1;
		memset(at, '*', strspn(at, hex));
	}
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
	(void)decode(path, strlen(path), out, cap);
	clean(out);
	return out;
}

// One of a form (form:NAME) is no parameter of a query.
static bool is_named(const char *names, const char *name)
{
	const size_t len = strchr(name, ':') ? 0 : strlen(name);
	for (const char *at = names; at && *at;) {
		const size_t n = strcspn(at, " ");
		if (n && n == len && memcmp(at, name, n) == 0)
			return true;
		at += n + strspn(at + n, " ");
	}
	return false;
}

// What would read as another parameter is coded again.
static size_t put(char *out, size_t cap, size_t at, const char *text)
{
	for (; *text && at + 4 < cap; text++)
		if (*text == '&' || *text == '%')
			at += (size_t)snprintf(out + at, cap - at, "%%%02X", (unsigned)*text);
		else
			out[at++] = *text;
	out[at] = '\0';
	return at;
}

static size_t param_put(
	const char *param, size_t len, const char *names, char *out, size_t cap, size_t at)
{
	char name[PARAM_MAX], value[PARAM_MAX], shown[PARAM_MAX];
	const char *equals = memchr(param, '=', len);
	const size_t name_len = equals ? (size_t)(equals - param) : len;
	const bool is_whole =
		decode(param, name_len, name, sizeof(name))
		&& (!equals || decode(equals + 1, len - name_len - 1, value, sizeof(value)));
	const bool is_shown = is_whole && equals && is_named(names, name);
	clean(name);
	at = put(out, cap, at, name);
	if (!is_shown)
		return at;
	at = put(out, cap, at, "=");
	const char *text = strstr(value, "://") ? url_shown(value, shown, sizeof(shown)) : value;
	memmove(value, text, strlen(text) + 1);
	clean(value);
	return put(out, cap, at, value);
}

char *audit_query(const char *query, const char *names, char *out, size_t cap)
{
	size_t at = 0;
	out[0] = '\0';
	while (*query) {
		const size_t len = strcspn(query, "&");
		if (at && at + 2 < cap) {
			out[at++] = '&';
			out[at] = '\0';
		}
		at = param_put(query, len, names, out, cap, at);
		query += len + (query[len] == '&');
	}
	return out;
}
