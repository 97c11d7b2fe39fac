// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keepalive option of EDNS (RFC 7828): a client sends it in a query over TCP, and replies say
// how long its connection may be silent.

#include "frontend.h"

// Has the query, of any content, an OPT with the option? A length other than 0 counts too, as what
// a client says there means nothing.
bool tcp_keepalive_asked(const uint8_t *msg, size_t len);

// Puts the option into the reply's OPT, if it has one. `idle_ms` is capped at 6553.5 s.
void tcp_keepalive_tell(struct frontend_reply *reply, unsigned idle_ms);
