// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// MAC addresses of clients, for those that the configuration names by them. Records have none, so
// this asks the kernel (frontend_neighbour.h, with its table and bounds), which learns them from
// ARP and neighbour discovery, as workers pass both to it. A client behind a router has none.
//
// Log thread only, but for the counts. Costs nothing while no client has a name by MAC.

#include "base/frontend_neighbour.h"

#include <stdatomic.h>

struct querylog_macs {
	uint64_t now_ms; // of this look at the rings
	struct frontend_neighbours neighbours;
	_Atomic uint64_t used, evicted, refused, oldest_ms; // for other threads
};

void querylog_macs_open(struct querylog_macs *m); // zeroed
void querylog_macs_close(struct querylog_macs *m);
// Each second: counts for other threads.
void querylog_macs_beat(struct querylog_macs *m, uint64_t now_ms);
// Of an address as in a record; the rest of `mac` is zeros. False: none is known.
bool querylog_macs_find(struct querylog_macs *m, unsigned version, const uint8_t address[16],
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC]);
