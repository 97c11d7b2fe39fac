// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>
#include <strings.h>
#include <weir/http_coding.h>

struct span {
	const char *at;
	size_t len;
};

const char *http_header_value(const char *line, size_t len, const char *name, size_t *value_len)
{
	size_t from = strlen(name);

	if (len <= from || line[from] != ':' || strncasecmp(line, name, from) != 0)
		return NULL;
	for (from++; from < len && (line[from] == ' ' || line[from] == '\t'); from++)
		;
	while (len > from && (unsigned char)line[len - 1] <= ' ')
		len--;
	*value_len = len - from;
	return line + from;
}

static bool value_of(const char *line, size_t len, const char *name, struct span *out)
{
	out->at = http_header_value(line, len, name, &out->len);
	return out->at;
}

static bool says(const struct span *s, const char *word)
{
	return s->len == strlen(word) && strncasecmp(s->at, word, s->len) == 0;
}

bool http_coding_may(struct http_coding *c, const char *line, size_t len, bool takes_gzip)
{
	struct span s;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		c->is_packed = false;
	if (value_of(line, len, "Transfer-Encoding", &s))
		return says(&s, "chunked") || says(&s, "identity");
	if (!takes_gzip || !value_of(line, len, "Content-Encoding", &s) || s.len == 0
		|| says(&s, "identity") || says(&s, "none")) // libcurl takes both for no coding
		return true;
	const bool is_second = c->is_packed;
	c->is_packed = true;
	return !is_second && (says(&s, "gzip") || says(&s, "x-gzip"));
}
