// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A data plane with one worker that asks for names that no cache has, and takes the answers: the
// worker's end of the rings of each resolver, in shared memory as ever. One thread calls.
//
// Each resolver has at most querier.window questions in flight. Names lie in 4,096 zones and come
// from 4,096 clients, so the shipped bounds of zones and clients hold and are never met.

#include "tests/unit/cp/shm/fake_dataplane.h"

#include <stdbool.h>
#include <stdint.h>
#include <weir/l0_table.h>
#include <weir/shm_msg.h>
#include <weir/shm_region.h>
#include <weir/shm_ring.h>

struct querier_rings {              // of one resolver
	struct region region, half; // half: the control plane's
	struct ring_producer misses;
	struct ring_consumer answers;
	uint64_t asked, answered;
	uint64_t late;  // SERVFAIL: this machine stood still for seconds
	uint64_t wrong; // not the address that the upstream gave
};

struct querier {
	const struct l0_reader *l0; // says which resolver a name is of
	unsigned resolvers, window;
	uint64_t incarnation, serial;
	int lock_fd, link_fd;
	struct fake_bells bells; // those of a worker, then the gongs
	struct querier_rings of[SHM_RESOLVERS_MAX];
};

// `a` has its first three fields. False: `why`.
bool querier_open(struct querier *a, const struct shm_paths *paths, char why[SHM_WHY_MAX]);
void querier_close(struct querier *a);
// Takes answers, and asks until the resolvers of the mask have their window. False: nothing to do.
bool querier_turn(struct querier *a, uint32_t mask);
uint64_t querier_in_flight(const struct querier *a);
