// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_macs.h"

#include <string.h>

void querylog_macs_open(struct querylog_macs *m)
{
	frontend_neighbours_open(&m->neighbours);
}

void querylog_macs_close(struct querylog_macs *m)
{
	frontend_neighbours_close(&m->neighbours);
}

void querylog_macs_beat(struct querylog_macs *m, uint64_t now_ms)
{
	const struct frontend_neighbours *n = &m->neighbours;
	atomic_store_explicit(&m->used, n->used, memory_order_relaxed);
	atomic_store_explicit(&m->evicted, n->evicted, memory_order_relaxed);
	atomic_store_explicit(&m->refused, n->refused, memory_order_relaxed);
	atomic_store_explicit(
		&m->oldest_ms, frontend_neighbours_age(n, now_ms), memory_order_relaxed);
}

bool querylog_macs_find(struct querylog_macs *m, unsigned version, const uint8_t address[16],
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC])
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	const struct sockaddr *sa =
		version == 4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
	return frontend_neighbour_mac(&m->neighbours, sa, m->now_ms, mac);
}
