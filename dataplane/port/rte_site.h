// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// DPDK's memory by allocation site, as heap_site.h has the heap's.
//
// The data plane takes DPDK's memory by rte_site_zmalloc_socket alone (tools/lint), which names
// function, file and line of the call, so that what weir takes is not mistaken for what drivers
// take. A block carries its site in its last eight bytes. These sites belong to no account of the
// heap (`outside`). A block keeps its size. Any thread; not on the packet path.

#include <rte_malloc.h>

#include <weir/heap_site.h>

void *rte_site_zmalloc_socket_at(
	struct heap_site *s, const char *type, size_t n, unsigned align, int socket);
void rte_site_free(void *p); // takes a block without a site, too

#define rte_site_zmalloc_socket(type, n, align, socket) \
	rte_site_zmalloc_socket_at(HEAP_SITE_OF(1), type, n, align, socket)
