// SPDX-License-Identifier: BSD-3-Clause
// Masks secrets of a YAML text scalar by scalar, and in its comments line by line; a text that is
// no YAML only line by line. A blotted text has no comments, and its masks are texts that pass
// every check.

#include "core/config/config_override.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/config/versions.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>

#define MASK "***"

// Who knows the path of a webhook's URL can post to it. The data plane reads the secrets of cookies
// in any case.
enum { IS_SECRET = 1, IS_WEBHOOK = 2, IS_COOKIE = 4 };

struct mask {
	const char *text;
	size_t read; // bytes of the text that were read
	char *out;
	size_t n;
	bool is_blot; // false: for readers
	unsigned blots;
};

static void copy(struct mask *m, const char *text, size_t len)
{
	memcpy(m->out + m->n, text, len);
	m->n += len;
}

// Writes a mask. Blots have numbers, as the values of some keys must differ; `before` and `behind`
// are around the blot of a whole scalar.
static void mask_put(struct mask *m, const char *before, const char *behind)
{
	char text[64];
	if (!m->is_blot) {
		copy(m, MASK, strlen(MASK));
		return;
	}
	const int n = snprintf(text, sizeof(text), "%sblot%u%s", before, ++m->blots, behind);
	copy(m, text, (size_t)n);
}

static const char *find(const char *p, const char *end, const char *what)
{
	return p < end ? memmem(p, (size_t)(end - p), what, strlen(what)) : NULL;
}

// Copies a URL from after its "://" up to the "://" of a URL that follows it, or to `end`, with
// masks for user and password, and for the query (`has_path`) or the path and query. A password may
// have bytes that end an authority, and nothing tells where a query ends. Returns the end of its
// text.
static const char *url_copy(struct mask *m, const char *p, const char *end, bool has_path)
{
	const char *host_end = p, *user = NULL;
	bool has_password = false;
	while (host_end < end && !strchr("/?#", *host_end))
		has_password |= *host_end++ == ':';
	for (const char *at = p; at < (has_password ? end : host_end); at++)
		user = *at == '@' ? at : user;
	if (user) {
		mask_put(m, "", "");
		p = user;
	}
	const char *query = p;
	while (query < end && !strchr(has_path ? "?#" : "/?#", *query))
		query++;
	const char *next = find(p, query, "://");
	query = next ? next : query;
	copy(m, p, (size_t)(query - p));
	if (next || query == end)
		return query;
	copy(m, has_path ? "?" : "/", 1);
	mask_put(m, "", "");
	return end;
}

// Does the URL's scheme, up to `end`, mean the name of a server before '@', and no query?
static bool has_server_name(const char *begin, const char *end)
{
	static const char scheme[] = "axfr+tls";
	const size_t len = strlen(scheme);
	return (size_t)(end - begin) >= len && memcmp(end - len, scheme, len) == 0;
}

static void urls_copy(struct mask *m, const char *p, const char *end, bool has_path)
{
	const char *url = find(p, end, "://");
	while (url && !(m->is_blot && has_server_name(p, url))) {
		copy(m, p, (size_t)(url + 3 - p));
		p = url_copy(m, url + 3, end, has_path);
		url = find(p, end, "://");
	}
	copy(m, p, (size_t)(end - p));
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
	if (strcmp(key, "secrets") == 0)
		return IS_COOKIE;
	return ends_secret(key, key + strlen(key)) ? IS_SECRET : 0;
}

// The byte after the colon of the line's first key that names a secret; NULL: the line has no such
// key.
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

// Masks any text line by line: a secret extends to the end of its line, and over lines below that
// have more indentation or are items.
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

static void comments_drop(struct mask *m, const char *p, const char *end)
{
	bool is_comment = false;
	for (; p < end; p++) {
		is_comment = *p != '\n' && (is_comment || *p == '#');
		if (!is_comment)
			copy(m, p, 1);
	}
}

// Copies the text before a scalar, whose comments may have secrets.
static void between_copy(struct mask *m, size_t to)
{
	const char *p = m->text + m->read, *end = m->text + to;
	const char *comment = memchr(p, '#', (size_t)(end - p));
	m->read = to;
	copy(m, p, (size_t)((comment ? comment : end) - p));
	if (comment && m->is_blot)
		comments_drop(m, comment, end);
	else if (comment)
		lines_copy(m, comment, end);
}

static void scalar_copy(void *arg, const struct config_scalar *s)
{
	struct mask *m = arg;
	const char *begin = m->text + s->begin, *end = m->text + s->end;
	if (s->begin < m->read || s->end < s->begin) // an empty scalar
		return;
	between_copy(m, s->begin);
	while (end > begin && strchr(" \t\r\n", end[-1])) // the end of a block scalar
		end--;
	const bool is_hidden = *begin == '"' && strstr(s->value, "://")
			       && memchr(begin, '\\', (size_t)(end - begin));
	const bool is_quoted = end > begin + 1 && (*begin == '"' || *begin == '\'');
	const bool is_secret = s->marks & (m->is_blot ? IS_SECRET : IS_SECRET | IS_COOKIE);
	if (is_secret || is_hidden) {
		const bool is_url = is_hidden && !is_secret;
		if (end > begin)
			mask_put(m, is_url ? "https://" : "\"", is_url ? ".invalid/" : "\"");
	} else {
		urls_copy(m, begin, end - is_quoted, !(s->marks & IS_WEBHOOK));
		copy(m, end - is_quoted, is_quoted);
	}
	m->read = (size_t)(end - m->text);
}

// Masks a text; NULL: no memory. `blots`: counts the blots; NULL: masks it for readers.
static char *mask(const char *text, size_t len, unsigned *blots)
{
	// Room for all masks: one of up to 14 bytes replaces two or more, with the bytes before it;
	// one of a whole URL, up to 28 bytes, replaces seven or more.
	struct mask m = {.text = text, .is_blot = blots, .out = heap_malloc(8 * len + 64)};
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
	if (blots)
		*blots += m.blots;
	return m.out;
}

char *config_mask(const char *text, size_t len)
{
	return mask(text, len, NULL);
}

char *config_mask_value(const char *path, const char *value)
{
	const struct config_field *keys = config_schema;
	bool is_known = true, is_secret = false;
	for (const char *at = path; is_known && *at;) {
		struct config_path_step step;
		at = config_path_next(at, keys, &step);
		is_known = at && step.field;
		is_secret = is_secret || marks_of(step.key);
		keys = is_known ? step.field->keys : NULL;
	}
	return is_known && !is_secret ? config_mask(value, strlen(value)) : heap_strdup(MASK);
}

static int text_blot(struct config_text *t, unsigned *blots)
{
	if (!t->bytes)
		return 0;
	char *text = mask(t->bytes, t->len, blots);
	char *kept = text ? heap_strdup(text) : NULL;
	heap_free(text);
	if (!kept)
		return -ENOMEM;
	FREE_AND_NULL(t->bytes);
	t->bytes = kept;
	t->len = strlen(kept);
	return 0;
}

int config_bundle_blot(const struct config_bundle *b, struct config_bundle *out, unsigned *blots)
{
	*blots = 0;
	int rc = config_bundle_copy(b, out);
	if (rc == 0)
		rc = text_blot(&out->main, blots);
	if (rc == 0)
		rc = text_blot(&out->shared, blots);
	if (rc == 0)
		rc = text_blot(&out->managed, blots);
	for (unsigned i = 0; rc == 0 && i < out->included_count; i++)
		rc = text_blot(&out->included[i], blots);
	if (rc < 0)
		config_bundle_free(out);
	return rc;
}
