// SPDX-License-Identifier: BSD-3-Clause
#include "url_fields.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

static int digit(char c)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(hex, c) : NULL;
	return at ? (int)((at - hex) % 16) : -1;
}

// Decodes in place, and adds a NUL. False: the text has a zero byte, which would end it early.
static bool decode(char *text, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i] == '+' ? ' ' : text[i];
		if (c == '%' && len - i > 2 && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
			c = (char)(digit(text[i + 1]) << 4 | digit(text[i + 2]));
			i += 2;
		}
		if (!c)
			return false;
		text[n++] = c;
	}
	text[n] = '\0';
	return true;
}

// Reads one field. `text` has room for a NUL.
static int field_read(struct url_fields *out, char *text, size_t len)
{
	char *equals = memchr(text, '=', len);
	if (!equals || out->count == URL_FIELDS_MAX)
		return equals ? -E2BIG : -EINVAL;
	const size_t name_len = (size_t)(equals - text);
	if (!decode(equals + 1, len - name_len - 1) || !decode(text, name_len) || !*text)
		return -EINVAL;
	const bool is_twice = url_fields_get(out, text);
	out->field[out->count++] = (struct url_field){text, equals + 1};
	return is_twice ? -EEXIST : 0;
}

int url_fields_read(struct url_fields *out, const char *text, size_t len)
{
	int rc = 0;
	*out = (struct url_fields){.text = heap_malloc(len + 1), .len = len};
	if (!out->text)
		return -ENOMEM;
	memcpy(out->text, text, len);
	out->text[len] = '\0';
	for (size_t at = 0; rc == 0 && at < len;) {
		char *from = out->text + at, *end = memchr(from, '&', len - at);
		const size_t n = end ? (size_t)(end - from) : len - at;
		rc = field_read(out, from, n);
		at += n + 1;
	}
	return rc;
}

const char *url_fields_get(const struct url_fields *f, const char *name)
{
	for (unsigned i = 0; i < f->count; i++)
		if (strcmp(f->field[i].name, name) == 0)
			return f->field[i].value;
	return NULL;
}

bool url_field_is_of(const char *names, const char *kind, const char *name)
{
	const size_t kind_len = strlen(kind), len = strchr(name, ':') ? 0 : strlen(name);
	for (const char *at = names; len && at && *at;) {
		const size_t n = strcspn(at, " !");
		if (n > kind_len && memcmp(at, kind, kind_len) == 0
			&& ((n == kind_len + len && memcmp(at + kind_len, name, len) == 0)
				|| (n == kind_len + 1 && at[kind_len] == '*')))
			return true;
		at += n + strspn(at + n, " !");
	}
	return false;
}

const char *url_fields_other(const struct url_fields *f, const char *names, const char *kind)
{
	for (unsigned i = 0; i < f->count; i++)
		if (!url_field_is_of(names, kind, f->field[i].name))
			return f->field[i].name;
	return NULL;
}

const char *url_fields_missing(const struct url_fields *f, const char *names)
{
	for (const char *at = names; at && *at;) {
		const size_t n = strcspn(at, " !");
		bool has = at[n] != '!';
		for (unsigned i = 0; !has && i < f->count; i++)
			has = strlen(f->field[i].name) == n && memcmp(f->field[i].name, at, n) == 0;
		if (!has)
			return at;
		at += n + strspn(at + n, " !");
	}
	return NULL;
}

void url_fields_end(struct url_fields *f)
{
	if (f->text)
		explicit_bzero(f->text, f->len);
	FREE_AND_NULL(f->text);
	*f = (struct url_fields){0};
}
