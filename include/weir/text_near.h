// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// "did you mean": finds the known word whose spelling is nearest to an unknown one. Pure; costs the
// product of both lengths for each word tried.

#include "attr.h"

#include <stddef.h>

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
