// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Servers that the board no longer sends queries to through the port stay in the image for
// ROUTE_PAST_MS, so that replies in flight are heard. The image has more than the board then, which
// is no harm: nothing asks them. A server whose source address is no longer that of its IP version
// is not kept. Service loop.

#include <stdbool.h>
#include <stdint.h>
#include <weir/hops.h>

enum { ROUTE_PAST_MS = 8000 }; // as long as workers hear replies (asked_ports.h)

struct route_past {
	struct hops_image image;              // the one before, with those that were kept in it
	uint64_t leaves_ms[HOPS_SERVERS_MAX]; // of each of its servers; 0: not kept
};

// Adds to an image, not sealed, what must stay, and remembers it. Is it another one than before?
bool route_past_keep(struct route_past *p, struct hops_image *image, uint64_t now_ms);
