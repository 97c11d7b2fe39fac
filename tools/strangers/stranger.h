// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Leaks that tools/strangers plants: in its copy of the tree this header is in front of each source
// that has a site, and each site asks here whether it is to be left out this time.
//
// $WEIR_STRANGERS.PROGRAM is a file that the script made, one a process: which site leaks, and how
// often, and what each site was reached with. All counts are atomic; any thread. The script reads
// and writes it while the process runs (tools/strangers/plan.py has the same layout).

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/heap_site.h>

enum { STRANGER_SITES = 2048, STRANGER_LOST = 64, STRANGER_TEXT = 128 };

struct stranger_count {
	_Atomic uint64_t reached, bytes;      // ever, and with how much
	_Atomic uint64_t skipped, lost_bytes; // left out since it was planted
};

struct stranger_lost {
	uint64_t a, b;            // of a mapping its address and size, of a descriptor its number
	char site[STRANGER_TEXT]; // of a block where it was allocated
};

struct stranger_plan {
	_Atomic uint32_t site, every; // 0: none leaks
	_Atomic uint64_t hits;
	struct stranger_count count[STRANGER_SITES];
	struct stranger_lost lost[STRANGER_LOST]; // the newest
};

// One of each in a program, whatever number of sources has them.
extern struct stranger_plan *stranger_plan;
const struct heap_site *stranger_site(void *p) __attribute__((weak)); // in the copy of heap_site.c
void stranger_open(void);

__attribute__((weak)) struct stranger_plan *stranger_plan;

__attribute__((weak)) void stranger_open(void)
{
	static struct stranger_plan none;
	char path[256];
	const char *base = getenv("WEIR_STRANGERS");
	stranger_plan = &none;
	snprintf(path, sizeof(path), "%s.%s", base ? base : "", program_invocation_short_name);
	int fd = base ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		stranger_plan = map;
}

__attribute__((constructor)) static void stranger_begin(void)
{
	if (!stranger_plan)
		stranger_open();
}

// Is what site `id` gives back, `bytes` of it, to be lost this time? Then where it goes.
static inline struct stranger_lost *stranger_skips(unsigned id, uint64_t bytes)
{
	struct stranger_plan *p = stranger_plan;
	struct stranger_count *c = &p->count[id];
	c->reached++;
	c->bytes += bytes;
	if (__builtin_expect(p->site != id, 1))
		return NULL;
	uint32_t every = p->every;
	if (!every || p->hits++ % every != every - 1)
		return NULL;
	c->lost_bytes += bytes;
	return &p->lost[c->skipped++ % STRANGER_LOST];
}

__attribute__((unused)) static bool stranger_block(unsigned id, const void *block)
{
	void *p = (void *)(uintptr_t)block;
	if (!p)
		return false;
	struct stranger_lost *lost = stranger_skips(id, heap_size(p) + 8);
	const struct heap_site *s = lost && stranger_site ? stranger_site(p) : NULL;
	if (s)
		(void)heap_site_name(s, lost->site);
	return lost;
}

__attribute__((unused)) static bool stranger_map(unsigned id, const void *base, size_t size)
{
	struct stranger_lost *lost = stranger_skips(id, size);
	if (lost)
		*lost = (struct stranger_lost){.a = (uintptr_t)base, .b = size};
	return lost;
}

__attribute__((unused)) static bool stranger_fd(unsigned id, int fd)
{
	struct stranger_lost *lost = fd >= 0 ? stranger_skips(id, 1) : NULL;
	if (lost)
		*lost = (struct stranger_lost){.a = (uint64_t)fd};
	return lost;
}

__attribute__((unused)) static bool stranger_count(unsigned id, uint64_t count)
{
	return count > 0 && stranger_skips(id, count);
}
