// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Who fills the miss ring of one worker, so that not everybody suffers when it gets full.
//
// A ring that fills tells that the control plane is behind, mostly for a flood: of names below one
// zone, or from a few clients. From half full on each miss is counted under its client (an IPv4
// address or an IPv6 /64) and under the last three and two labels above its name; from three
// quarters on, who has more than a sixteenth of what was counted is refused, and the last quarter
// is left to the others. What one client or a lower zone is to blame for does not count for the
// zones above, so a flood below victim.co.uk does not make co.uk one. Who forges each address and
// each zone cannot be told from others; then all have what the ring can take.
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
	FAIRNESS_LEAST = 256, // below that many nobody is checked
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
