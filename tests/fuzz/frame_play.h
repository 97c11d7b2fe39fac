// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's frame through worker_turn and all stages, on rings in place of wires: with cached,
// stale, blocked and absent names, cookies, NSID and balancers. One frame brings one reply at most;
// that and its way back are checked by the oracles, and it is counted once. One of an upstream
// server to a port from which a query left (servers_image.h) may bring a message for the resolver.

#include "tests/dp/harness.h"

enum { FRAME_PLAY_MIN = 15, FRAME_PLAY_MOST = 1600 }; // shorter ones no driver gives

// Balancers, whose messages begin with a PROXY header, and that with these bytes.
#define FRAME_PLAY_BALANCER4 "198.18.0.77"
#define FRAME_PLAY_BALANCER6 "fd53::77"
enum { FRAME_PLAY_SIGNATURE = 12 };
extern const uint8_t frame_play_signature[FRAME_PLAY_SIGNATURE];

struct harness *frame_play_begin(void); // before the first one: EAL, tables, what is cached
void frame_play(const uint8_t *frame, size_t len, bool is_chained);
