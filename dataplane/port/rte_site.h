// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// DPDK's memory by allocation site, as heap_site.h has malloc's.
//
// The build puts this header in front of the files that link DPDK, before heap_site.h: of 24.11
// rte_malloc.h has attributes that are named after malloc. There it replaces rte_malloc and
// its relatives by calls that name function, file and line, so that what weir takes of DPDK's
// memory is not mistaken for what drivers take. A block carries its site in its last eight bytes.
// These sites belong to no account of the heap (`outside`). A block keeps its size: the compiler
// refuses rte_realloc. Any thread; not on the packet path.

#include <rte_malloc.h>

#include <weir/heap_site.h>

void *rte_site_malloc(struct heap_site *s, const char *type, size_t n, unsigned align, int socket);
void *rte_site_zmalloc(struct heap_site *s, const char *type, size_t n, unsigned align, int socket);
void *rte_site_calloc(
	struct heap_site *s, const char *type, size_t count, size_t n, unsigned align, int socket);
void rte_site_free(void *p); // also of a block without a site

#ifdef WEIR_HEAP_SITES
#define rte_malloc(t, n, a)              rte_site_malloc(HEAP_SITE_OF(1), t, n, a, SOCKET_ID_ANY)
#define rte_zmalloc(t, n, a)             rte_site_zmalloc(HEAP_SITE_OF(1), t, n, a, SOCKET_ID_ANY)
#define rte_calloc(t, c, n, a)           rte_site_calloc(HEAP_SITE_OF(1), t, c, n, a, SOCKET_ID_ANY)
#define rte_malloc_socket(t, n, a, s)    rte_site_malloc(HEAP_SITE_OF(1), t, n, a, s)
#define rte_zmalloc_socket(t, n, a, s)   rte_site_zmalloc(HEAP_SITE_OF(1), t, n, a, s)
#define rte_calloc_socket(t, c, n, a, s) rte_site_calloc(HEAP_SITE_OF(1), t, c, n, a, s)
#define rte_free(p)                      rte_site_free(p)
#pragma GCC poison rte_realloc rte_realloc_socket
#endif
