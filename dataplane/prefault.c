// SPDX-License-Identifier: BSD-3-Clause
#include "prefault.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14; not in every glibc
#endif

enum { PAGE = 4096 };

extern char __data_start[], _end[]; // of the linker: .data and .bss, behind what RELRO protects

void prefault_data(void)
{
	const uintptr_t from = (uintptr_t)__data_start & ~(uintptr_t)(PAGE - 1);

	// An older kernel refuses: then pages come at their first write, as in any other program.
	(void)madvise((void *)from, (uintptr_t)_end - from, MADV_POPULATE_WRITE);
}

__attribute__((noinline)) void prefault_stack(void)
{
	uint8_t below[PREFAULT_STACK];
	volatile uint8_t *at = below;

	// Else clang gives a place of its own to each byte that is written.
	__asm__ volatile("" : "+r"(at) : : "memory");
	for (size_t page = 0; page < sizeof(below); page += PAGE)
		at[page] = 0;
}
