// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The kernel's pages of memory: 4 KiB on x86-64; on arm64 4, 16 or 64 KiB, as the kernel was
// built. Asked where it is needed, because one package serves all of them; a load, no system call.

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <weir/attr.h>

ATTR_INLINE size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

// The next lower and the next higher multiple, or the same.
ATTR_INLINE uintptr_t page_down(uintptr_t at)
{
	return at & ~((uintptr_t)page_size() - 1);
}

ATTR_INLINE uintptr_t page_up(uintptr_t at)
{
	return page_down(at + page_size() - 1);
}

// A transparent huge page takes the place of all pages of one table, whose entries have 8 bytes: of
// 2 MiB, 32 MiB or 512 MiB.
ATTR_INLINE size_t page_huge(void)
{
	return page_size() * (page_size() / 8);
}
