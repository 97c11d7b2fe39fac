// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which of `entries` in the configuration name the name of the question: for their reasons and
// their ends, which the rule image does not have.

#include "why.h"

// Those in effect that are everyone's or of the client's group: at the name or above it, or a
// pattern that a hit has. Once the hits are there, before why_steps.
void why_entries_find(struct why *w, const struct config *c);
