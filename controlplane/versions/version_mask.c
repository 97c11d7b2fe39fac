// SPDX-License-Identifier: BSD-3-Clause
#include "version_mask.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MASK "***"

// What ends a URL in YAML, whichever way it is quoted.
static bool is_end(char c)
{
	return !c || strchr(" \t\r\n\"'<>,]}", c) != NULL;
}

struct mask {
	char *out;
	size_t n;
};

static void copy(struct mask *m, const char *text, size_t len)
{
	memcpy(m->out + m->n, text, len);
	m->n += len;
}

// A URL behind its "://": without what stands before '@' in its authority, and behind '?'. Returns
// how much of it was read.
static size_t url_copy(struct mask *m, const char *p, const char *end)
{
	size_t len = 0, user = 0, host_end, query;
	while (p + len < end && !is_end(p[len]))
		len++;
	host_end = 0;
	while (host_end < len && !strchr("/?#", p[host_end]))
		host_end++;
	for (size_t i = 0; i < host_end; i++)
		user = p[i] == '@' ? i : user;
	if (user)
		copy(m, MASK, strlen(MASK));
	query = user;
	while (query < len && p[query] != '?' && p[query] != '#')
		query++;
	copy(m, p + user, query - user);
	if (query < len && len - query > strlen(MASK))
		copy(m, "?" MASK, 1 + strlen(MASK));
	return len;
}

// Does the key that ends here name a secret?
static bool is_secret_key(const char *begin, const char *colon)
{
	static const char *const words[] = {"password", "secret", "token"};
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const size_t len = strlen(words[i]);
		if ((size_t)(colon - begin) >= len && memcmp(colon - len, words[i], len) == 0)
			return true;
	}
	return false;
}

// The blanks, and a mask for the value if it is one that stands there. Returns how much was read.
static size_t value_copy(struct mask *m, const char *p, const char *end)
{
	size_t blanks = 0, len = 0;
	while (p + blanks < end && (p[blanks] == ' ' || p[blanks] == '\t'))
		blanks++;
	const char *value = p + blanks;
	while (value + len < end && !strchr("\r\n,}#", value[len]))
		len++;
	copy(m, p, blanks);
	if (len < strlen(MASK))
		return blanks;
	copy(m, MASK, strlen(MASK));
	return blanks + len;
}

char *version_mask(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	// A mask is no longer than what it hides, but for a user of one or two bytes.
	struct mask m = {.out = malloc(2 * len + 1)};
	if (!m.out)
		return NULL;
	while (p < end) {
		if (end - p >= 3 && memcmp(p, "://", 3) == 0) {
			copy(&m, p, 3);
			p += 3;
			p += url_copy(&m, p, end);
		} else if (*p == ':' && is_secret_key(text, p)) {
			copy(&m, p++, 1);
			p += value_copy(&m, p, end);
		} else {
			copy(&m, p++, 1);
		}
	}
	m.out[m.n] = '\0';
	return m.out;
}
