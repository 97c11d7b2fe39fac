// SPDX-License-Identifier: BSD-3-Clause
#include "pattern_positions.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct count {
	uint64_t sum[PATTERN_DEPTH_MAX]; // of each group that is open
	unsigned depth;
	uint64_t last; // of what a repeat would repeat
};

static const char *behind(const char *text, const char *end)
{
	const char *at = strstr(text, end);
	return at ? at + strlen(end) : text + strlen(text);
}

static void add(struct count *c, uint64_t positions)
{
	c->last = positions;
	c->sum[c->depth] += positions;
}

// Behind a backslash. A repeat behind what stands for nothing repeats what is in front of that.
static const char *escape_skip(struct count *c, const char *text)
{
	if (*text == 'E')
		return text + 1;
	if (*text == 'Q') {
		const char *end = behind(text, "\\E");
		const size_t len =
			strlen(end) ? (size_t)(end - text) - 3 : (size_t)(end - text) - 1;
		c->sum[c->depth] += len;
		c->last = len ? 1 : c->last;
		return end;
	}
	add(c, 1);
	if (strchr("xpPgkNo", *text) && text[1] == '{')
		return behind(text, "}");
	return text + 1;
}

// Behind "[:name:]" in a class; else NULL.
static const char *class_name_skip(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	if (strncmp(text, "[:", 2) != 0)
		return NULL;
	text += 2;
	text += *text == '^';
	const size_t len = strspn(text, letters);
	return len && strncmp(text + len, ":]", 2) == 0 ? text + len + 2 : NULL;
}

// Behind the bracket that opens a class: a bracket that closes it is a member in the first place.
static const char *class_skip(const char *text)
{
	text += *text == '^';
	text += *text == ']';
	while (*text && *text != ']') {
		const char *name = class_name_skip(text);
		if (name)
			text = name;
		else if (text[0] == '\\' && text[1] == 'Q')
			text = behind(text, "\\E");
		else if (text[0] == '\\' && text[1])
			text += 2;
		else
			text++;
	}
	return *text ? text + 1 : text;
}

// Behind the brace. One that is no repeat is itself a character.
static const char *repeat_read(struct count *c, const char *text)
{
	static const char digits[] = "0123456789";
	const size_t len = strspn(text, digits);
	const bool is_range = text[len] == ',';
	const char *second = text + len + is_range;
	const char *end = is_range ? second + strspn(second, digits) : second;
	if (len == 0 || *end != '}') {
		add(c, 1);
		return text;
	}
	const uint64_t least = strtoul(text, NULL, 10);
	const uint64_t most = end > second ? strtoul(second, NULL, 10) : least;
	const uint64_t times = most > least ? most : least;
	if (times > 1) {
		const uint64_t more = times > UINT16_MAX ? UINT16_MAX : times - 1;
		c->sum[c->depth] += c->last * more;
		c->last *= more + 1;
	}
	return end + 1;
}

// False: the groups are too deep, or ignore blanks. Comments and flags stand for nothing.
static bool group_open(struct count *c, const char **text)
{
	if (strncmp(*text, "?#", 2) == 0) {
		*text = behind(*text, ")");
		return true;
	}
	if (**text == '?') {
		const char *flags = *text + 1, *end = flags + strspn(flags, "imsxJU-^");
		if (memchr(flags, 'x', (size_t)(end - flags)))
			return false;
		if (*end == ')') {
			*text = end + 1;
			return true;
		}
	}
	if (c->depth + 1 == PATTERN_DEPTH_MAX)
		return false;
	c->sum[++c->depth] = 0;
	return true;
}

static void group_close(struct count *c)
{
	if (c->depth > 0) {
		const uint64_t inner = c->sum[c->depth--];
		add(c, inner + 1); // libhs repeats an empty group, too
	}
}

// One step, from `text` on; NULL: too deep.
static const char *step(struct count *c, const char *text)
{
	const char one = *text++;

	if (one == '(')
		return group_open(c, &text) ? text : NULL;
	if (one == '\\' && *text)
		return escape_skip(c, text);
	if (one == '[') {
		add(c, 1);
		return class_skip(text);
	}
	if (one == '{')
		return repeat_read(c, text);
	if (one == ')')
		group_close(c);
	else if (!strchr("*+?", one))
		add(c, 1);
	return text;
}

unsigned pattern_positions(const char *text, unsigned max)
{
	struct count c = {.last = 1};

	if (strpbrk(text, "\r\n"))
		return max + 1;
	while (text && *text) {
		text = step(&c, text);
		if (c.sum[c.depth] > max)
			text = NULL;
	}
	if (!text)
		return max + 1;
	while (c.depth > 0)
		group_close(&c);
	return c.sum[0] > max ? max + 1 : (unsigned)c.sum[0];
}
