// SPDX-License-Identifier: BSD-3-Clause
#include "pattern_positions.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The cost of a class, an alternative or an escape in a scan, beside characters that stand for
// themselves and cost nothing: each is a state that a name may keep alive. So is each copy of a
// repeat, and one without an end keeps all behind it alive.
// Where a pattern has many of them, they multiply.
enum { PRICE_CHOICE = 1, PRICE_OPTIONAL = 2, PRICE_REPEAT = 8, PRICE_FEW = 12, PRICE_MANY = 3 };

// Repeats without an end within each other: libhs takes twice the time for each, and no name needs
// more.
enum { LOOPS_MAX = 4 };

struct amount {
	uint64_t positions, price;
	unsigned loops; // how deep
};

struct count {
	struct amount sum[PATTERN_DEPTH_MAX]; // the sum of each group that is open
	unsigned depth;
	struct amount last; // what a repeat would repeat
};

static const char *behind(const char *text, const char *end)
{
	const char *at = strstr(text, end);
	return at ? at + strlen(end) : text + strlen(text);
}

static void add(struct count *c, uint64_t positions, uint64_t price)
{
	c->last = (struct amount){.positions = positions, .price = price};
	c->sum[c->depth].positions += positions;
	c->sum[c->depth].price += price;
}

// Repeats the last position without an end. False: too deep.
static bool loop(struct count *c)
{
	unsigned *all = &c->sum[c->depth].loops;
	if (++c->last.loops > *all)
		*all = c->last.loops;
	return *all <= LOOPS_MAX;
}

// Behind a backslash. A repeat behind what stands for nothing repeats what is in front of that.
// NULL: a letter or digit that escapes what this reader does not know. `\c` is one of these: it
// takes the character behind it, even a bracket or a backslash, and no name has the control
// character that it stands for.
static const char *escape_skip(struct count *c, const char *text)
{
	static const char known[] = "abdefghknoprstvwxzABDEGHKNPQRSVWXZ0123456789";

	if (isalnum((unsigned char)*text) && !strchr(known, *text))
		return NULL;
	if (*text == 'E')
		return text + 1;
	if (*text == 'Q') {
		const char *end = behind(text, "\\E");
		const size_t len =
			strlen(end) ? (size_t)(end - text) - 3 : (size_t)(end - text) - 1;
		c->sum[c->depth].positions += len;
		c->last = len ? (struct amount){.positions = 1} : c->last;
		return end;
	}
	add(c, 1, isalnum((unsigned char)*text) ? PRICE_CHOICE : 0);
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
// NULL: `\c` is in it, which takes a bracket that seems to close it.
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
		else if (text[0] == '\\' && text[1] == 'c')
			return NULL;
		else if (text[0] == '\\' && text[1])
			text += 2;
		else
			text++;
	}
	return *text ? text + 1 : text;
}

// Behind the brace. One that is no repeat is itself a character. NULL: repeats are too deep.
static const char *repeat_read(struct count *c, const char *text)
{
	static const char digits[] = "0123456789";
	const size_t len = strspn(text, digits);
	const bool is_range = text[len] == ',';
	const char *second = text + len + is_range;
	const char *end = is_range ? second + strspn(second, digits) : second;
	if (len == 0 || *end != '}') {
		add(c, 1, 0);
		return text;
	}
	c->sum[c->depth].price += PRICE_REPEAT;
	const uint64_t least = strtoul(text, NULL, 10);
	const uint64_t most = end > second ? strtoul(second, NULL, 10) : least;
	const uint64_t times = most > least ? most : least;
	if (times > 1) {
		const uint64_t more = times > UINT16_MAX ? UINT16_MAX : times - 1;
		const uint64_t copy = c->last.price + PRICE_OPTIONAL;
		c->sum[c->depth].positions += c->last.positions * more;
		c->sum[c->depth].price += copy * more;
		c->last.positions *= more + 1;
		c->last.price += copy * more;
	}
	return is_range && end == second && !loop(c) ? NULL : end + 1;
}

// False: the groups are too deep, ignore blanks, or are no group but switch libhs to another
// reading of the whole. Comments and flags stand for nothing.
static bool group_open(struct count *c, const char **text)
{
	if (**text == '*')
		return false;
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
	c->sum[++c->depth] = (struct amount){0};
	return true;
}

static void group_close(struct count *c)
{
	if (c->depth > 0) {
		const struct amount inner = c->sum[c->depth--];
		add(c, inner.positions + 1, inner.price); // libhs repeats an empty group, too
		c->last.loops = inner.loops;
		if (inner.loops > c->sum[c->depth].loops)
			c->sum[c->depth].loops = inner.loops;
	}
}

// One step, from `text` on; NULL: groups or repeats are too deep, or something is not known.
static const char *step(struct count *c, const char *text)
{
	const char one = *text++;

	if (one == '(')
		return group_open(c, &text) ? text : NULL;
	if (one == '\\' && *text)
		return escape_skip(c, text);
	if (one == '[') {
		add(c, 1, PRICE_CHOICE);
		return class_skip(text);
	}
	if (one == '{')
		return repeat_read(c, text);
	if (one == ')')
		group_close(c);
	else if (strchr("*+?", one))
		c->sum[c->depth].price += one == '?' ? PRICE_OPTIONAL : PRICE_REPEAT;
	else
		add(c, 1, one == '.' || one == '|' ? PRICE_CHOICE : 0);
	return strchr("*+", one) && !loop(c) ? NULL : text;
}

// False: positions are more than max, or cannot be counted.
static bool count_all(const char *text, unsigned max, struct amount *out)
{
	struct count c = {.last = {.positions = 1}};

	if (strpbrk(text, "\r\n"))
		return false;
	while (text && *text) {
		text = step(&c, text);
		if (c.sum[c.depth].positions > max)
			text = NULL;
	}
	if (!text)
		return false;
	while (c.depth > 0)
		group_close(&c);
	*out = c.sum[0];
	return out->positions <= max;
}

unsigned pattern_positions(const char *text, unsigned max)
{
	struct amount all;
	return count_all(text, max, &all) ? (unsigned)all.positions : max + 1;
}

void pattern_trim(char *text)
{
	const size_t anchor = *text == '^', len = strlen(text);
	const size_t front = strncmp(text + anchor, ".*", 2) == 0 ? anchor + 2 : 0;
	const size_t end = len - (len > 0 && text[len - 1] == '$');
	const size_t left = end >= 3 && strncmp(text + end - 2, ".*", 2) == 0 ? end - 2 : len;

	if (strstr(text, "\\Q"))
		return;
	if (left > front && left < len && text[left - 1] != '\\')
		text[left] = '\0';
	if (front && text[front] && !strchr("*+?{$|)", text[front]))
		memmove(text, text + front, strlen(text + front) + 1);
}

unsigned pattern_price(const char *text, size_t len, unsigned max)
{
	char trimmed[PATTERN_PRICED_LEN_MAX + 1];
	struct amount all;

	if (len > PATTERN_PRICED_LEN_MAX)
		return max + 1;
	memcpy(trimmed, text, len);
	trimmed[len] = '\0';
	pattern_trim(trimmed);
	if (!count_all(trimmed, PATTERN_PRICED_MAX, &all))
		return max + 1;
	if (all.price > PRICE_FEW)
		all.price = PRICE_FEW + PRICE_MANY * (all.price - PRICE_FEW);
	return all.price > max ? max + 1 : (unsigned)all.price;
}
