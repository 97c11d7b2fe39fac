// SPDX-License-Identifier: BSD-3-Clause

#include "http_request.h"

#include <string.h>
#include <strings.h>

struct line {
	const char *text;
	size_t len;
};

// The next line without its CRLF (a lone LF will do), or false.
static bool line_take(struct line *rest, struct line *out)
{
	const char *end = memchr(rest->text, '\n', rest->len);
	if (!end)
		return false;
	size_t len = (size_t)(end - rest->text);
	*out = (struct line){rest->text, len > 0 && end[-1] == '\r' ? len - 1 : len};
	rest->text += len + 1;
	rest->len -= len + 1;
	return true;
}

static bool line_starts(const struct line *l, const char *word)
{
	size_t n = strlen(word);
	return l->len >= n && memcmp(l->text, word, n) == 0;
}

static unsigned target_parse(struct line text, struct http_head *out)
{
	if (text.len == 0 || text.text[0] != '/')
		return 400;
	if (text.len >= sizeof out->target)
		return 414;
	for (size_t i = 0; i < text.len; i++) {
		if (text.text[i] <= 0x20 || text.text[i] >= 0x7f)
			return 400;
		// Decoded it would end a C string early.
		if (i + 2 < text.len && memcmp(text.text + i, "%00", 3) == 0)
			return 400;
	}
	memcpy(out->target, text.text, text.len);
	out->target[text.len] = '\0';
	return 200;
}

// "GET /status?x=y HTTP/1.1"
static unsigned request_line_parse(const struct line *l, struct http_head *out)
{
	size_t method = 0;
	out->post = line_starts(l, "POST ");
	if (out->post)
		method = 5;
	else if (line_starts(l, "GET "))
		method = 4;
	else
		return memchr(l->text, ' ', l->len) ? 405 : 400;

	struct line rest = {l->text + method, l->len - method};
	const char *space = memchr(rest.text, ' ', rest.len);
	if (!space)
		return 400;
	struct line target = {rest.text, (size_t)(space - rest.text)};
	struct line version = {space + 1, rest.len - target.len - 1};
	if (version.len != 8 || !line_starts(&version, "HTTP/"))
		return 400;
	if (!line_starts(&version, "HTTP/1."))
		return 505;
	return target_parse(target, out);
}

static unsigned content_length_parse(struct line value, size_t body_max, size_t *out)
{
	size_t total = 0, digits = 0;
	for (; value.len > 0 && value.text[0] == ' '; value.text++)
		value.len--;
	for (; digits < value.len; digits++) {
		char c = value.text[digits];
		if (c < '0' || c > '9')
			break;
		total = total * 10 + (size_t)(c - '0');
		if (total > body_max)
			return 413;
	}
	if (digits == 0 || digits != value.len)
		return 400;
	*out = total;
	return 200;
}

static unsigned header_parse(
	const struct line *l, size_t body_max, struct http_head *out, bool *has_length)
{
	const char *colon = memchr(l->text, ':', l->len);
	if (!colon || colon == l->text)
		return 400;
	size_t name_len = (size_t)(colon - l->text);
	struct line value = {colon + 1, l->len - name_len - 1};
	if (name_len == 17 && strncasecmp(l->text, "Transfer-Encoding", 17) == 0)
		return 501;
	if (name_len != 14 || strncasecmp(l->text, "Content-Length", 14) != 0)
		return 200;
	if (*has_length)
		return 400;
	*has_length = true;
	return content_length_parse(value, body_max, &out->body_len);
}

// Offset behind the empty line that ends the head, or 0.
static size_t head_end(const char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] != '\n')
			continue;
		if (text[i + 1] == '\n')
			return i + 2;
		if (i + 2 < len && text[i + 1] == '\r' && text[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

unsigned http_head_parse(
	const char *text, size_t len, size_t head_max, size_t body_max, struct http_head *out)
{
	size_t end = head_end(text, len < head_max ? len : head_max);
	if (end == 0)
		return len >= head_max ? 431 : 0;

	struct line rest = {text, end}, line;
	bool has_length = false;
	out->head_len = end;
	out->body_len = 0;
	unsigned status = line_take(&rest, &line) ? request_line_parse(&line, out) : 400;
	while (status == 200 && line_take(&rest, &line) && line.len > 0)
		status = header_parse(&line, body_max, out, &has_length);
	return status;
}
