// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Options of EDNS in queries to upstream servers: keepalive (RFC 7828) over TCP, asked for in a
// query and read in a reply, and padding (RFC 7830) over TLS and HTTPS, so that the length of a
// query tells little of its name. No state; a reply of any content is walked once, never past its
// end.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	UPSTREAM_KEEPALIVE_LEN = 4,   // of the option in a query
	UPSTREAM_PADDING_BLOCK = 128, // queries are multiples of this (RFC 8467 4.1)
	UPSTREAM_PADDING_MAX = 4 + UPSTREAM_PADDING_BLOCK - 1,
};

// For both, `msg` ends with an OPT that has options of `options` bytes, behind which there is room.
// The new length.
size_t upstream_options_keep(uint8_t *msg, size_t len, unsigned options);
size_t upstream_options_pad(uint8_t *msg, size_t len, unsigned options);
// Does the reply say how long the connection may be idle? In units of 100 ms; 0: not at all.
bool upstream_options_kept(const uint8_t *msg, size_t len, uint16_t *units);
