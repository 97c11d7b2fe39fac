// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rebinding protection as a source of rules: the prefixes of addresses that no public name should
// have, and the names below which they are welcome (EXCEPT; answer_policy.h). A copy, independent
// of the configuration's life: it is read on a helper thread.

#include "lists/list_rule.h"

#define REBINDING_TITLE "rebinding" // no list of the configuration may have this name

struct rebinding_source;

// *out is NULL where the protection is off. -ENOMEM.
ATTR_MUST_CHECK int rebinding_source_new(const struct config *c, struct rebinding_source **out);
void rebinding_source_free(struct rebinding_source *s); // NULL is fine

// `source` is the source; stops with what `take` returns if it is not 0.
int rebinding_source_rules(void *source, list_rule_take take, void *take_arg);
