// SPDX-License-Identifier: BSD-3-Clause

#include "rte_site.h"

static void *take(struct heap_site *s, void *p)
{
	size_t usable;
	return p && rte_malloc_validate(p, &usable) == 0 ? heap_mark(s, p, usable) : p;
}

void *rte_site_zmalloc_socket_at(
	struct heap_site *s, const char *type, size_t n, unsigned align, int socket)
{
	return n > SIZE_MAX - HEAP_MARK
		       ? NULL
		       : take(s, rte_zmalloc_socket(type, n + HEAP_MARK, align, socket));
}

void rte_site_free(void *p)
{
	size_t usable;
	if (p && rte_malloc_validate(p, &usable) == 0)
		heap_unmark(p, usable);
	rte_free(p);
}
