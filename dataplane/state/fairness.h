// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Finds the clients and zones that fill the miss ring of a worker, so that the others keep a share
// when it gets full.
//
// A ring fills when the control plane is behind, mostly because of a flood: of names below one
// zone, or from a few clients. From half full on each miss is counted under its client (an IPv4
// address or an IPv6 /64) and under the last three and two labels above its name; from three
// quarters on, a client or zone with more than a sixteenth of the count is refused, and the others
// have the last quarter. Misses counted for one client or a lower zone do not count for the zones
// above, so a flood below victim.co.uk is not one of co.uk. A flood with forged addresses and zones
// throughout cannot be recognised; then all share the ring.
//
// Counts are a sketch (weir/sketch.h); they are halved when the sum is FAIRNESS_SUM,
// and forgotten after a second in which the ring was less than half full. 16 KiB, worker-private,
// no cost as long as the ring is less than half full, then some 30 ns a miss.

#include <stdbool.h>
#include <stdint.h>
#include <weir/dns_name.h>
#include <weir/keyhash.h>

enum {
	FAIRNESS_BITS = 11,
	FAIRNESS_SUM = 8192,
	FAIRNESS_LEAST = 256, // no checks below this many
	FAIRNESS_PART = 16,
	FAIRNESS_PAUSE_MS = 1000
};

struct fairness {
	uint64_t last_ms;
	uint32_t sum;
	uint32_t cell[2 << FAIRNESS_BITS];
};

struct fairness_client {
	uint8_t ip_version;
	const uint8_t *address;
	const struct dns_name *name;
};

// Counts one more miss. True: its client or its zone has more than its part.
bool fairness_ask(struct fairness *c, const struct keyhash_secret *secret,
	const struct fairness_client *who, uint64_t now_ms);
