// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The explanation in words: the reply to the client, one step for each stage of a decision, in
// order, and the headline. Printable ASCII. Pure.

#include "why.h"

#include <weir/dns_reply.h>

// Fills in the reply to the client when a rule decides: the rule's own, else that of its group. For
// a checked struct why; empty where the question is resolved.
void why_reply(struct why *w, const struct dns_block *group);

// Fills in the steps and the headline of a checked struct why.
void why_steps(struct why *w);

// "list ads: ||tracker.example^ (line 4711)"; without a known line the name and what is covered.
char *why_hit_text(const struct why *w, unsigned hit, char out[WHY_TEXT_MAX]);
// The text for the hit's state.
const char *why_state_text(const struct why_hit *h);
