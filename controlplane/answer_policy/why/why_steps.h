// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The explanation in words, one step for each stage of a decision, in order; and the headline.
// Printable ASCII. Pure.

#include "why.h"

// Of a checked struct why: fills in its steps and headline.
void why_steps(struct why *w);

// "list ads: ||tracker.example^ (line 4711)"; without a known line the name and what is covered.
char *why_hit_text(const struct why *w, unsigned hit, char out[WHY_TEXT_MAX]);
// The text for the hit's state.
const char *why_state_text(const struct why_hit *h);
