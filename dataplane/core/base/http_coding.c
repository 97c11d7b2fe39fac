// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>
#include <strings.h>
#include <weir/http_coding.h>

struct span {
	const char *at;
	size_t len;
};

// The value of the field `name`, without the spaces around it. False: the line is another's.
static bool value_of(const char *line, size_t len, const char *name, struct span *out)
{
	const size_t name_len = strlen(name);
	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return false;
	const char *from = line + name_len + 1, *end = line + len;
	while (from < end && (unsigned char)*from <= ' ')
		from++;
	while (end > from && (unsigned char)end[-1] <= ' ')
		end--;
	*out = (struct span){from, (size_t)(end - from)};
	return true;
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
		|| says(&s, "identity") || says(&s, "none")) // as libcurl takes it
		return true;
	const bool is_second = c->is_packed;
	c->is_packed = true;
	return !is_second && (says(&s, "gzip") || says(&s, "x-gzip"));
}
