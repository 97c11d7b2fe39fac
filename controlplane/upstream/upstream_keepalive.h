// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keepalive option of EDNS (RFC 7828) as a client of upstream servers: asked for in a query
// over TCP, read in a reply. No state; a reply of any content is walked once, never past its end.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UPSTREAM_KEEPALIVE_LEN = 4 }; // of the option in a query

// `msg` ends with an OPT that has options of `options` bytes, behind which there is room. The new
// length.
size_t upstream_keepalive_ask(uint8_t *msg, size_t len, unsigned options);
// Does the reply say how long? In units of 100 ms; 0: not at all.
bool upstream_keepalive_told(const uint8_t *msg, size_t len, uint16_t *units);
