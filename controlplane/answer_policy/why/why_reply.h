// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the client is told when a rule decides: the rule's own reply, else that of its group. Of a
// checked struct why; where the question is resolved nothing is filled in. Pure.

#include "why.h"

#include <weir/dns_reply.h>

void why_reply(struct why *w, const struct dns_block *group);
