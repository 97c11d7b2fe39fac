// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the cached answer to the question leads to: the names of its CNAMEs and its addresses become
// names and addresses of the explanation. Only what L0 has under the view that the client's
// question is looked up in; records that are cut off are left out. Pure.

#include "answer_policy/why/why.h"
#include "resolver/resolver.h"

void why_cached(struct why *w, const struct cache_look *look);
