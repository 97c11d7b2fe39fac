// SPDX-License-Identifier: BSD-3-Clause

#include "rte_site.h"

#undef rte_malloc_socket
#undef rte_zmalloc_socket
#undef rte_free

static void *take(struct heap_site *s, void *p)
{
	size_t usable;
	return p && rte_malloc_validate(p, &usable) == 0 ? heap_mark(s, p, usable) : p;
}

void *rte_site_malloc(struct heap_site *s, const char *type, size_t n, unsigned align, int socket)
{
	return n > SIZE_MAX - HEAP_MARK
		       ? NULL
		       : take(s, rte_malloc_socket(type, n + HEAP_MARK, align, socket));
}

void *rte_site_zmalloc(struct heap_site *s, const char *type, size_t n, unsigned align, int socket)
{
	return n > SIZE_MAX - HEAP_MARK
		       ? NULL
		       : take(s, rte_zmalloc_socket(type, n + HEAP_MARK, align, socket));
}

void *rte_site_calloc(
	struct heap_site *s, const char *type, size_t count, size_t n, unsigned align, int socket)
{
	size_t size;
	return __builtin_mul_overflow(count, n, &size)
		       ? NULL
		       : rte_site_zmalloc(s, type, size, align, socket);
}

static void settle(void *p)
{
	size_t usable;
	if (p && rte_malloc_validate(p, &usable) == 0)
		heap_unmark(p, usable);
}

void rte_site_free(void *p)
{
	settle(p);
	rte_free(p);
}
