// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Pieces of configuration into the text of `weirctl setup`, as far as weir's parser takes the
// result.

#include "setup.h"

struct setup_piece {
	const char *section, *key;
	const char *lines; // of setup_text_put()
};

// Puts all pieces in, reads the result, and asks `is_so` whether it means what the answer said: an
// included file may have more of the same key. False with a sentence, and the text stays.
ATTR_MUST_CHECK bool setup_change(struct setup *s, const struct setup_piece *piece, unsigned count,
	bool (*is_so)(const struct setup *s, const struct config *c), char why[SETUP_WHY_MAX]);
