// SPDX-License-Identifier: BSD-3-Clause
#include "heap_meter.h"

struct heap_meter heap_meter_begin(void)
{
	return (struct heap_meter){heap_thread_read(), heap_own_here};
}

// Allocated and freed in this section, without what sites counted. It is added to the sites' count,
// so that a section around this one does not count it again.
static struct heap_own rest(const struct heap_meter *m)
{
	const struct heap_thread now = heap_thread_read();
	struct heap_own *own = &heap_own_here;
	if (now.got == 0)
		return (struct heap_own){0}; // there is no jemalloc
	const struct heap_own out = {.made = now.got - m->thread.got - (own->made - m->own.made),
		.freed = now.given - m->thread.given - (own->freed - m->own.freed)};
	own->made += out.made;
	own->freed += out.freed;
	return out;
}

int64_t heap_meter_end(const struct heap_meter *m, enum heap_library library)
{
	const struct heap_own of = rest(m);
	struct heap_site *site = heap_site_library(library);

	atomic_fetch_add_explicit(&site->made, of.made > 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&site->made_bytes, of.made, memory_order_relaxed);
	atomic_fetch_add_explicit(&site->bytes, of.made - of.freed, memory_order_relaxed);
	return (int64_t)(of.made - of.freed);
}

void heap_meter_skip(const struct heap_meter *m)
{
	(void)rest(m);
}
