// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A piece of a list's text: not NUL-terminated, of unchecked bytes. For the parser's own files.

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { LIST_LINE_MAX = 4096 }; // bytes of a line, and of a record of a zone

struct list_text {
	const char *at;
	size_t len;
};

#define LIST_TEXT(literal) ((struct list_text){literal, sizeof(literal) - 1})

static inline bool list_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static inline struct list_text list_text_trim(struct list_text t)
{
	while (t.len && list_is_blank(t.at[0]))
		t.at++, t.len--;
	while (t.len && list_is_blank(t.at[t.len - 1]))
		t.len--;
	return t;
}

static inline bool list_text_is(struct list_text t, struct list_text other)
{
	return t.len == other.len && strncasecmp(t.at, other.at, t.len) == 0;
}

static inline bool list_text_starts(struct list_text t, struct list_text with)
{
	return t.len >= with.len && memcmp(t.at, with.at, with.len) == 0;
}

static inline bool list_text_has(struct list_text t, struct list_text what)
{
	return t.at && memmem(t.at, t.len, what.at, what.len);
}

// Is one of the bytes of `set`, a string, in it?
static inline bool list_text_has_any(struct list_text t, const char *set)
{
	for (; t.len && *set; set++)
		if (memchr(t.at, *set, t.len))
			return true;
	return false;
}

// The text without its first `bytes`.
static inline struct list_text list_text_skip(struct list_text t, size_t bytes)
{
	return (struct list_text){t.at + bytes, t.len - bytes};
}

// Cuts *rest at the first `at` and returns the part before it, or all of *rest if it has no `at`.
// If nothing is left, *rest has len 0 and at NULL.
static inline struct list_text list_text_cut(struct list_text *rest, char at)
{
	struct list_text piece = *rest;
	const char *found = piece.len ? memchr(piece.at, at, piece.len) : NULL;
	if (found) {
		piece.len = (size_t)(found - piece.at);
		*rest = list_text_skip(*rest, piece.len + 1);
	} else {
		*rest = (struct list_text){0};
	}
	return piece;
}

// Takes the next word off *rest; one of len 0 ends.
static inline struct list_text list_text_word(struct list_text *rest)
{
	struct list_text t = *rest;
	while (t.len && list_is_blank(t.at[0]))
		t.at++, t.len--;
	size_t len = 0;
	while (len < t.len && !list_is_blank(t.at[len]))
		len++;
	*rest = list_text_skip(t, len);
	t.len = len;
	return t;
}
