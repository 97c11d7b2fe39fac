// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Text that came from outside, on its way to a log or a terminal.

#include "attr.h"

#include <stddef.h>

// Bytes outside 0x20..0x7e as \xNN, cut before the first that does not fit; NUL-terminated.
// Returns `out`, which holds `cap` bytes, at least 1. `text` is NUL-terminated. Pure.
char *text_escape(const char *text, char *out, size_t cap) ATTR_NONNULL;
// text_escape, but characters of well-formed UTF-8 (RFC 3629) that are no control characters stay:
// for names that an operator gave, on their way into a log.
char *text_name(const char *text, char *out, size_t cap) ATTR_NONNULL;

enum { TEXT_QUOTE_MAX = 1024 };

// Quotes a text as one word of a POSIX shell, for commands that weir proposes. Plain words are
// copied, others get single quotes. A word that does not fit is cut inside its quotes. Returns
// `out`. Pure.
char *text_quote(const char *text, char out[TEXT_QUOTE_MAX]) ATTR_NONNULL;
// Quotes into an array that lives until the end of the enclosing block.
#define TEXT_QUOTE(text) text_quote((text), (char[TEXT_QUOTE_MAX]){""})

// "did you mean": finds the known word whose spelling is nearest to an unknown one. Pure; costs the
// product of both lengths for each word tried.

enum { TEXT_NEAR_MAX = 64 }; // longer words are near to nothing

struct text_near {
	const char *word;
	size_t len;
	unsigned most;    // letters that may differ
	const char *best; // one of those that were tried, or NULL
	unsigned distance;
};

void text_near_begin(struct text_near *n, const char *word) ATTR_NONNULL;
// The first one tried wins among equals. `candidate` must live as long as `n->best` is used.
void text_near_try(struct text_near *n, const char *candidate) ATTR_NONNULL;
