// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Padding of queries (RFC 7830), so that their length tells little of the name. No state.

#include <stddef.h>
#include <stdint.h>

// Queries are multiples of this (RFC 8467 4.1).
enum { UPSTREAM_PADDING_BLOCK = 128, UPSTREAM_PADDING_MAX = 4 + UPSTREAM_PADDING_BLOCK - 1 };

// `msg` ends with an OPT that has options of `options` bytes, behind which there is room. The new
// length.
size_t upstream_padding_add(uint8_t *msg, size_t len, unsigned options);
