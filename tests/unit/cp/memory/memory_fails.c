// SPDX-License-Identifier: BSD-3-Clause
#include "memory_fails.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static __thread struct {
	bool counts, ever;
	unsigned long asked, fails;
	long left;
} now;

void memory_fails_at(unsigned long n, bool ever)
{
	now.asked = 0;
	now.left = 0;
	now.fails = n;
	now.ever = ever;
	now.counts = true;
}

unsigned long memory_fails_end(void)
{
	now.counts = false;
	return now.asked;
}

long memory_fails_left(void)
{
	return now.left;
}

static bool fails(void)
{
	if (!now.counts)
		return false;
	now.asked++;
	if (!now.fails || (now.ever ? now.asked < now.fails : now.asked != now.fails))
		return false;
	errno = ENOMEM;
	return true;
}

static void *made(void *p)
{
	now.left += p && now.counts;
	return p;
}

void *malloc(size_t n)
{
	return fails() ? NULL : made(__libc_malloc(n));
}

void *calloc(size_t count, size_t n)
{
	return fails() ? NULL : made(__libc_calloc(count, n));
}

void *realloc(void *p, size_t n)
{
	if (fails())
		return NULL;
	void *bigger = __libc_realloc(p, n);
	return p ? bigger : made(bigger);
}

void free(void *p)
{
	now.left -= p && now.counts;
	__libc_free(p);
}
