// SPDX-License-Identifier: BSD-3-Clause
#include "rule_arena.h"

#include <errno.h>
#include <sys/mman.h>

int rule_arena_new(struct rule_arena *a, size_t size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	*a = (struct rule_arena){.base = base, .size = size};
	return 0;
}

void rule_arena_free(struct rule_arena *a)
{
	if (a->map)
		munmap(a->map, a->map_size);
	else if (a->base)
		munmap(a->base, a->size);
	*a = (struct rule_arena){0};
}
