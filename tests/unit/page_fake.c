// SPDX-License-Identifier: BSD-3-Clause
#include "page_fake.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static size_t fake;
static unsigned refusals;

void page_fake(size_t size)
{
	fake = size;
	refusals = 0;
}

unsigned page_fake_refusals(void)
{
	return refusals;
}

static size_t size_now(void)
{
	return fake ? fake : getauxval(AT_PAGESZ);
}

static size_t whole(size_t len)
{
	return (len + size_now() - 1) / size_now() * size_now();
}

static bool is_refused(const void *at)
{
	const bool is = (uintptr_t)at % size_now() != 0;
	refusals += is;
	if (is)
		errno = EINVAL;
	return is;
}

static void *map(void *at, size_t len, int prot, int flags, int fd, off_t from)
{
	return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, from);
}

long sysconf(int name)
{
	static long (*libc_sysconf)(int);
	if (name == _SC_PAGESIZE)
		return (long)size_now();
	if (!libc_sysconf)
		*(void **)(void *)&libc_sysconf = dlsym(RTLD_NEXT, "sysconf");
	return libc_sysconf(name);
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t from)
{
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return is_refused(at) ? MAP_FAILED : map(at, whole(len), prot, flags, fd, from);
	const size_t size = whole(len), spare = size_now();
	uint8_t *room = map(
		NULL, size + spare, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return MAP_FAILED;
	uint8_t *base = room + (-(uintptr_t)room & (spare - 1));
	void *m = map(base, size, prot, flags | MAP_FIXED, fd, from);
	const int saved = errno;
	if (m == MAP_FAILED)
		(void)syscall(SYS_munmap, base, size);
	if (base > room)
		(void)syscall(SYS_munmap, room, base - room);
	if (base < room + spare)
		(void)syscall(SYS_munmap, base + size, room + spare - base);
	errno = saved;
	return m;
}

int munmap(void *at, size_t len)
{
	return is_refused(at) ? -1 : (int)syscall(SYS_munmap, at, whole(len));
}

int mprotect(void *at, size_t len, int prot)
{
	return is_refused(at) ? -1 : (int)syscall(SYS_mprotect, at, whole(len), prot);
}

int madvise(void *at, size_t len, int advice)
{
	return is_refused(at) ? -1 : (int)syscall(SYS_madvise, at, whole(len), advice);
}

// A byte for each page, which is there as soon as one of the kernel's own pages in it is.
int mincore(void *at, size_t len, unsigned char *in)
{
	enum { REAL_MOST = 16 }; // pages of 4 KiB in one of 64 KiB
	unsigned char real[REAL_MOST];
	if (is_refused(at))
		return -1;
	for (size_t i = 0; i < whole(len) / size_now(); i++) {
		const size_t count = size_now() / getauxval(AT_PAGESZ);
		uint8_t *const page = (uint8_t *)at + i * size_now();
		if (count > REAL_MOST || syscall(SYS_mincore, page, size_now(), real) < 0)
			return -1;
		in[i] = 0;
		for (size_t k = 0; k < count; k++)
			in[i] |= real[k] & 1;
	}
	return 0;
}

void *mremap(void *at, size_t len, size_t new_len, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	void *to = flags & MREMAP_FIXED ? va_arg(more, void *) : NULL;
	va_end(more);
	if (is_refused(at) || is_refused(to))
		return MAP_FAILED;
	return (void *)syscall(SYS_mremap, at, whole(len), whole(new_len), flags, to);
}
