// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// mremap(2) that fails as the kernel's does where it finds no memory: before it has unmapped what
// is at the new address, or after that. In one source of a program.

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum { MOVES, REFUSES, LOSES } remapping;

// In place of libc's: as the kernel does where it finds no memory, before it has unmapped what is
// at the new address, or after that.
void *mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	void *to = va_arg(args, void *);
	va_end(args);
	if (remapping == MOVES)
		return (void *)syscall(SYS_mremap, old, old_size, size, flags, to);
	if (remapping == LOSES)
		munmap(to, size);
	errno = ENOMEM;
	return MAP_FAILED;
}
