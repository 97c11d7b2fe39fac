// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Options of EDNS that belong to a connection. Keepalive (RFC 7828): a client sends it in a query
// over TCP, and replies say how long its connection may be silent. Padding (RFC 7830): a client
// that sends it over TLS gets replies in blocks of TCP_PADDING_BLOCK bytes (RFC 8467).

#include "frontend.h"

enum {
	TCP_OPTION_KEEPALIVE = 1,
	TCP_OPTION_PADDING = 2,
	TCP_PADDING_BLOCK = 468,
};

// Which of the two has the OPT of the query, of any content? A length other than 0 counts too, as
// what a client says there means nothing.
unsigned tcp_options_of(const uint8_t *msg, size_t len);

// Puts the option into the reply's OPT, if it has one. `idle_ms` is capped at 6553.5 s.
void tcp_keepalive_tell(struct frontend_reply *reply, unsigned idle_ms);

// The bytes that padding adds to the reply; 0: it has no OPT, or no room.
unsigned tcp_padding_of(const struct frontend_reply *reply);
// Pads a copy of the reply, with room for so many bytes behind it.
void tcp_padding_put(uint8_t *msg, const struct frontend_reply *reply, unsigned pad);
