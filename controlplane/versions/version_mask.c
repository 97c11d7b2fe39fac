// SPDX-License-Identifier: BSD-3-Clause
// What is YAML is masked by its scalars, and its comments by lines; what is not, by lines alone.
#include "version_mask.h"

#include <stdbool.h>
#include <string.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>

#define MASK "***"

// The path of a webhook's URL is what lets its bearer post.
enum { IS_SECRET = 1, IS_WEBHOOK = 2 };

struct mask {
	const char *text;
	size_t read; // of the text
	char *out;
	size_t n;
};

static void copy(struct mask *m, const char *text, size_t len)
{
	memcpy(m->out + m->n, text, len);
	m->n += len;
}

static const char *find(const char *p, const char *end, const char *what)
{
	return p < end ? memmem(p, (size_t)(end - p), what, strlen(what)) : NULL;
}

// The URL behind its "://", up to the end: without what stands before '@', and behind '?', or its
// path. A password may have the bytes that end an authority.
static void url_copy(struct mask *m, const char *p, const char *end, bool has_path)
{
	const char *host_end = p, *user = NULL;
	bool has_password = false;
	while (host_end < end && !strchr("/?#", *host_end))
		has_password |= *host_end++ == ':';
	for (const char *at = p; at < (has_password ? end : host_end); at++)
		user = *at == '@' ? at : user;
	if (user) {
		copy(m, MASK, strlen(MASK));
		p = user;
	}
	const char *query = p;
	while (query < end && !strchr(has_path ? "?#" : "/?#", *query))
		query++;
	copy(m, p, (size_t)(query - p));
	if (query < end)
		copy(m, has_path ? "?" MASK : "/" MASK, 1 + strlen(MASK));
}

// `p` to `end`, in which a URL goes to the end.
static void urls_copy(struct mask *m, const char *p, const char *end, bool has_path)
{
	const char *url = find(p, end, "://");
	const char *behind = url ? url + 3 : end;
	copy(m, p, (size_t)(behind - p));
	if (url)
		url_copy(m, behind, end, has_path);
}

static bool ends_secret(const char *begin, const char *end)
{
	static const char *const words[] = {"password", "secret", "secrets", "token", "webhooks"};
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const size_t len = strlen(words[i]);
		if ((size_t)(end - begin) >= len && memcmp(end - len, words[i], len) == 0)
			return true;
	}
	return false;
}

static unsigned marks_of(const char *key)
{
	if (strcmp(key, "webhooks") == 0)
		return IS_WEBHOOK;
	return ends_secret(key, key + strlen(key)) ? IS_SECRET : 0;
}

// Behind the colon of the first key of the line that names a secret; NULL: none.
static const char *line_secret(const char *line, const char *end)
{
	for (const char *p = line; p < end; p++) {
		const char *key = p;
		while (key > line && strchr(" \t\"'", key[-1]))
			key--;
		if (*p == ':' && ends_secret(line, key))
			return p + 1;
	}
	return NULL;
}

// Line by line, whatever it is: a secret goes to the end of its line, and over the lines below that
// are further in or items.
static void lines_copy(struct mask *m, const char *p, const char *end)
{
	bool is_below = false;
	size_t of_key = 0;
	while (p < end) {
		const char *next = memchr(p, '\n', (size_t)(end - p));
		const char *line_end = next ? next : end;
		size_t in = 0;
		while (p + in < line_end && strchr(" \t#\r", p[in]))
			in++;
		const bool is_blank = p + in == line_end;
		is_below = is_below && (is_blank || in > of_key || p[in] == '-' || p[in] == ']');
		const char *secret = is_below ? p + in : line_secret(p, line_end);
		if (!is_below && secret) {
			is_below = true;
			of_key = in;
		}
		if (!secret) {
			urls_copy(m, p, line_end, true);
		} else {
			urls_copy(m, p, secret, true);
			if (secret < line_end)
				copy(m, MASK, strlen(MASK));
		}
		p = next ? next + 1 : end;
		if (next)
			copy(m, "\n", 1);
	}
}

// What stands before a scalar: comments may name secrets.
static void between_copy(struct mask *m, size_t to)
{
	const char *p = m->text + m->read, *end = m->text + to;
	const char *comment = memchr(p, '#', (size_t)(end - p));
	copy(m, p, (size_t)((comment ? comment : end) - p));
	if (comment)
		lines_copy(m, comment, end);
	m->read = to;
}

static void scalar_copy(void *arg, const struct config_scalar *s)
{
	struct mask *m = arg;
	const char *begin = m->text + s->begin, *end = m->text + s->end;
	if (s->begin < m->read || s->end < s->begin) // an empty one
		return;
	between_copy(m, s->begin);
	while (end > begin && strchr(" \t\r\n", end[-1])) // of a block
		end--;
	const bool is_hidden = *begin == '"' && strstr(s->value, "://")
			       && memchr(begin, '\\', (size_t)(end - begin));
	const bool is_quoted = end > begin + 1 && (*begin == '"' || *begin == '\'');
	if (s->marks & IS_SECRET || is_hidden) {
		if (end > begin)
			copy(m, MASK, strlen(MASK));
	} else {
		urls_copy(m, begin, end - is_quoted, !(s->marks & IS_WEBHOOK));
		copy(m, end - is_quoted, is_quoted);
	}
	m->read = (size_t)(end - m->text);
}

char *version_mask(const char *text, size_t len)
{
	// A mask may be two bytes longer than what it hides, and hides one byte at least.
	struct mask m = {.text = text, .out = heap_malloc(4 * len + 8)};
	if (!m.out)
		return NULL;
	const struct config_scalars_to to = {marks_of, scalar_copy, &m};
	if (config_scalars(text, len, &to) == 0) {
		between_copy(&m, len);
	} else {
		m.n = 0;
		lines_copy(&m, text, text + len);
	}
	m.out[m.n] = '\0';
	return m.out;
}
