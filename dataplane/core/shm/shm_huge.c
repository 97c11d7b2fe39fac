// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/page.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 // Linux 6.1; not in glibc 2.36
#endif

enum { MAKE_MOST_MS = 1000, MAKE_BYTES = 2 << 20, MAKE_MS = 6 };

void *shm_huge_map(int fd, size_t size, int prot, int flags)
{
	const size_t huge = page_huge();
	if (size < huge)
		return mmap(NULL, size, prot, flags, fd, 0);
	uint8_t *room = mmap(
		NULL, size + huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return MAP_FAILED;
	size_t before = -(uintptr_t)room & (huge - 1);
	uint8_t *base = mmap(room + before, size, prot, flags | MAP_FIXED, fd, 0);
	if (base == MAP_FAILED) {
		munmap(room, size + huge);
		return MAP_FAILED;
	}
	// Unmaps the rest on both sides. Whole pages, because the mapping began with one.
	const size_t end = page_up(size);
	if (before)
		munmap(room, before);
	munmap(base + end, huge - before - (end - size));
	return base;
}

void shm_huge_begin(struct shm_huge *h, int fd, size_t size)
{
	*h = (struct shm_huge){.fd = fd, .size = size};
	if (size < page_huge() || ftruncate(fd, (off_t)size) < 0)
		return;
	void *m = shm_huge_map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED);
	h->base = m == MAP_FAILED ? NULL : m;
	h->until_ms =
		clock_ms_of(CLOCK_THREAD_CPUTIME_ID) + MAKE_MOST_MS + size / MAKE_BYTES * MAKE_MS;
	h->late_ms = clock_mono_ms() + SHM_HUGE_MOST_MS;
}

// Written, not stored: where the file system is full that is an error, and no SIGBUS.
static bool make_one(const struct shm_huge *h)
{
	return clock_ms_of(CLOCK_THREAD_CPUTIME_ID) < h->until_ms && clock_mono_ms() < h->late_ms
	       && pwrite(h->fd, "", 1, (off_t)h->made) == 1
	       && madvise(h->base + h->made, page_huge(), MADV_COLLAPSE) == 0;
}

void shm_huge_make(struct shm_huge *h, size_t end)
{
	while (h->base && h->made < end && h->size - h->made >= page_huge()) {
		if (make_one(h))
			h->made += page_huge();
		else
			shm_huge_end(h);
	}
}

void shm_huge_end(struct shm_huge *h)
{
	if (h->base)
		munmap(h->base, h->size);
	h->base = NULL;
}
