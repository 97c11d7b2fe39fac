// SPDX-License-Identifier: BSD-3-Clause
#include "config_anchors.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char blanks[] = " \t\r";
static const char state_is[] = ";;state=";

enum { STATE_VALID = '2', STATE_MISSING = '3' };

struct word {
	const char *at;
	size_t len;
};

static struct word word_next(const char **at, const char *end)
{
	while (*at < end && strchr(blanks, **at))
		(*at)++;
	struct word w = {.at = *at};
	while (*at < end && !strchr(blanks, **at))
		(*at)++;
	w.len = (size_t)(*at - w.at);
	return w;
}

static bool word_is(const struct word *w, const char *text)
{
	return w->len == strlen(text) && memcmp(w->at, text, w->len) == 0;
}

static bool word_is_number(const struct word *w)
{
	return w->len > 0 && strspn(w->at, "0123456789") >= w->len;
}

// The state behind the record that ends at `record_end`; 0: none.
static char state_of(const char *record_end, const char *line_end)
{
	const char *s = strstr(record_end, state_is);
	return s && s + sizeof(state_is) - 1 < line_end ? s[sizeof(state_is) - 1] : 0;
}

// A record without its TTL, which is that of the zone's latest answer. False: it is no key.
static bool key_write(const char *at, const char *end, char **out)
{
	struct word owner = word_next(&at, end), w = word_next(&at, end);
	if (word_is_number(&w))
		w = word_next(&at, end);
	if (owner.len == 0 || !word_is(&w, "IN"))
		return false;
	w = word_next(&at, end);
	if (!word_is(&w, "DNSKEY"))
		return false;
	memcpy(*out, owner.at, owner.len);
	*out += owner.len;
	memcpy(*out, " IN DNSKEY", 10);
	*out += 10;
	unsigned words = 0;
	for (w = word_next(&at, end); w.len > 0; w = word_next(&at, end), words++) {
		*(*out)++ = ' ';
		memcpy(*out, w.at, w.len);
		*out += w.len;
	}
	*(*out)++ = '\n';
	return words >= 4; // flags, protocol, algorithm, key
}

// 1: it is a trust anchor, 0: it is none, -EBADMSG.
static int line_read(const char *line, const char *line_end, char **out)
{
	const char *record_end = memchr(line, ';', (size_t)(line_end - line));
	const char *at = line;
	char *const begin = *out;
	if (!record_end)
		record_end = line_end;
	if (word_next(&at, record_end).len == 0)
		return 0; // a comment
	const char state = state_of(record_end, line_end);
	if (!state || !key_write(line, record_end, out))
		return -EBADMSG;
	if (state == STATE_VALID || state == STATE_MISSING)
		return 1;
	*out = begin;
	return 0;
}

bool config_anchors_are_kept(const char *text)
{
	return strstr(text, state_is) != NULL;
}

int config_anchors_valid(const char *text, char *out)
{
	int count = 0;
	while (*text) {
		const char *end = text + strcspn(text, "\n");
		int rc = line_read(text, end, &out);
		if (rc < 0)
			return rc;
		count += rc;
		text = *end ? end + 1 : end;
	}
	*out = '\0';
	return count;
}
