// SPDX-License-Identifier: BSD-3-Clause
#include "prefault.h"

#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <weir/page.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14; not in every glibc
#endif

extern char __data_start[], _end[]; // from the linker: .data and .bss after the RELRO pages

void prefault_data(void)
{
	const uintptr_t from = page_down((uintptr_t)__data_start);

	// An older kernel refuses: then pages are allocated at their first write, as in any
	// program.
	(void)madvise((void *)from, (uintptr_t)_end - from, MADV_POPULATE_WRITE);
}

__attribute__((noinline)) void prefault_stack(void)
{
	uint8_t below[PREFAULT_STACK];
	volatile uint8_t *at = below;
	const size_t step = page_size();

	// This prevents clang from giving each written byte a place of its own.
	__asm__ volatile("" : "+r"(at) : : "memory");
	for (size_t page = 0; page < sizeof(below); page += step)
		at[page] = 0;
}

// Locks the code of one object, a library or the program; drivers are libraries.
static int code_lock(struct dl_phdr_info *object, size_t size, void *arg)
{
	(void)size, (void)arg;
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		if (part->p_type == PT_LOAD && part->p_flags & PF_X)
			(void)mlock(
				(const void *)(object->dlpi_addr + part->p_vaddr), part->p_memsz);
	}
	return 0;
}

int prefault_lock(void)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit is;
	if (setrlimit(RLIMIT_MEMLOCK, &all) < 0
		&& (getrlimit(RLIMIT_MEMLOCK, &is) < 0 || is.rlim_cur != RLIM_INFINITY))
		return -EPERM;
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return -errno;
	(void)dl_iterate_phdr(code_lock, NULL);
	return 0;
}
