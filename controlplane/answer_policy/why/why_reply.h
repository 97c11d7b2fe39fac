// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Fills in the reply to the client when a rule decides: the rule's own, else that of its group. For
// a checked struct why; empty where the question is resolved. Pure.

#include "why.h"

#include <weir/dns_reply.h>

// The name of an Extended DNS Error (RFC 8914 4) that such a reply has, or a bogus answer; else "".
const char *why_ede_text(int ede);

void why_reply(struct why *w, const struct dns_block *group);
