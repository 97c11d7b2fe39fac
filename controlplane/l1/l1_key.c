// SPDX-License-Identifier: BSD-3-Clause
#include "l1_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>
#include <weir/dns_name.h>

enum { ROOM_BEHIND_NAME = sizeof(":65535:65535:do:cd:v0123456789abcdef") };
static_assert(CONFIG_NAMESPACE_MAX + 1 + 4 * DNS_NAME_MAX + ROOM_BEHIND_NAME <= L1_KEY_MAX);

static bool is_plain(uint8_t c)
{
	return c > 0x20 && c < 0x7f && !strchr(".\\:*?[]{}", c);
}

static char *byte_write(char *p, uint8_t c)
{
	if (is_plain(c))
		*p++ = (char)c;
	else if (c == '.' || c == '\\')
		*p++ = '\\', *p++ = (char)c;
	else
		p += sprintf(p, "\\%03u", c);
	return p;
}

// Writes at most four bytes for each byte of the name.
static char *name_write(char *p, const uint8_t *wire, size_t len)
{
	if (len == 1)
		*p++ = '.';
	for (size_t at = 0; at < len && wire[at]; at += 1u + wire[at]) {
		if (at > 0)
			*p++ = '.';
		for (unsigned i = 1; i <= wire[at]; i++)
			p = byte_write(p, wire[at + i]);
	}
	return p;
}

static char *prefix_write(char *p, const char *space)
{
	return p + sprintf(p, "%.*s:", CONFIG_NAMESPACE_MAX, space);
}

void l1_key_write(
	const char *space, const struct l0_key *key, uint64_t view_hash, struct l1_key *out)
{
	char *p = prefix_write(out->text, space);
	p = name_write(p, key->name, key->name_len);
	p += sprintf(p, ":%u:%u", key->qtype, key->qclass);
	if (key->flags & L0_KEY_DO)
		p = stpcpy(p, ":do");
	if (key->flags & L0_KEY_CD)
		p = stpcpy(p, ":cd");
	if (view_hash)
		p += sprintf(p, ":v%016" PRIx64, view_hash);
	out->len = (uint16_t)(p - out->text);
}

static bool number_take(const char **p, uint16_t *out)
{
	if (*(*p)++ != ':' || **p < '0' || **p > '9')
		return false;
	char *end;
	unsigned long value = strtoul(*p, &end, 10);
	*p = end;
	*out = (uint16_t)value;
	return value <= UINT16_MAX;
}

static bool word_take(const char **p, const char *word)
{
	size_t n = strlen(word);
	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

// Lenient: l1_key_parse rejects a key that l1_key_write would write differently.
static bool parts_take(const char *space, const char *p, struct l1_key_parts *out)
{
	if (!word_take(&p, space) || !word_take(&p, ":"))
		return false;
	const char *colon = strchr(p, ':');
	if (!colon || dns_name_from_text(p, (size_t)(colon - p), &out->name) < 0)
		return false;
	p = colon;
	if (!number_take(&p, &out->qtype) || !number_take(&p, &out->qclass))
		return false;
	out->flags = word_take(&p, ":do") ? L0_KEY_DO : 0;
	out->flags |= word_take(&p, ":cd") ? L0_KEY_CD : 0;
	out->view_hash = word_take(&p, ":v") ? strtoull(p, NULL, 16) : 0;
	return true;
}

bool l1_key_parse(const char *space, const char *text, size_t len, struct l1_key_parts *out)
{
	struct l1_key given, again;
	if (len >= sizeof(given.text) || memchr(text, 0, len))
		return false;
	memcpy(given.text, text, len);
	given.text[len] = 0;
	if (!parts_take(space, given.text, out))
		return false;
	const struct l0_key key = {
		.name = out->name.wire,
		.name_len = out->name.len,
		.flags = out->flags,
		.qtype = out->qtype,
		.qclass = out->qclass,
	};
	l1_key_write(space, &key, out->view_hash, &again);
	return again.len == len && memcmp(again.text, text, len) == 0;
}

void l1_key_pattern(const char *space, const struct dns_name *name, bool below, struct l1_key *out)
{
	char plain[4 * DNS_NAME_MAX + 1], *end = name_write(plain, name->wire, name->len);
	char *p = prefix_write(out->text, space), *last = out->text + L1_KEY_MAX - sizeof("\\\\:*");
	const char *from = below && name->len == 1 ? end : plain;
	if (below)
		*p++ = '*';
	// A backslash in a pattern escapes the next byte, so each backslash is doubled.
	for (; from < end && p < last; from++) {
		if (*from == '\\')
			*p++ = '\\';
		*p++ = *from;
	}
	// A pattern without room for the whole name matches more keys than it should.
	p = stpcpy(p, from < end ? "*" : ":*");
	out->len = (uint16_t)(p - out->text);
}
