// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a lookup of a host name has found (upstream_lookup.h): the addresses of a reply, and which
// of them a server gets. Pure, but for upstream_found_take, which asks the kernel for routes: it
// connects a UDP socket to each address, which sends nothing.

#include "route/host_board.h"

#include <weir/config.h>
#include <weir/dns_answer.h>

enum { UPSTREAM_FOUND_MAX = 64 }; // addresses of a reply; more are ignored

struct upstream_found {
	unsigned count;
	uint32_t ttl_s; // the least, where there is an address
	struct ip_address address[UPSTREAM_FOUND_MAX];
};

// The addresses in the answer to a question for A or AAAA.
void upstream_found_read(struct upstream_found *f, uint16_t type, const struct dns_answer *answer);
// The addresses of both families from now on; of a family that has no answer those of before stay.
// Where no address can be used nothing changes. How many were found that may be used.
unsigned upstream_found_take(struct host_state *h, const struct config *config,
	const struct upstream_found *v4, const struct upstream_found *v6, bool has_v4, bool has_v6);
