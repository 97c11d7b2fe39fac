// SPDX-License-Identifier: BSD-3-Clause
#include "heap_caller.h"

#include "heap_symbol.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unwind.h>

enum { FRAMES_MAX = 32, CALLERS = 2, PROBES = 16, SLOT_BITS = 9 };
static_assert(HEAP_CALLERS_MAX == 1 << SLOT_BITS);

struct caller {
	_Atomic uint64_t key; // 0: free; written last
	enum heap_library library;
	uintptr_t at[CALLERS]; // starts of functions, the inner one first; 0: not found
};

static struct caller caller[HEAP_CALLERS_MAX];
static struct heap_site caller_site[HEAP_CALLERS_MAX];
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

struct walk {
	unsigned frames, found;
	bool in_library; // the hooks of this program lie before that
	uintptr_t at[CALLERS];
};

static _Unwind_Reason_Code walk_step(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	if (!heap_symbol_is_ours(_Unwind_GetIP(context)))
		w->in_library = true;
	else if (w->in_library)
		w->at[w->found++] = _Unwind_GetRegionStart(context);
	return ++w->frames == FRAMES_MAX || w->found == CALLERS ? _URC_END_OF_STACK
								: _URC_NO_REASON;
}

static uint64_t key_of(enum heap_library library, const uintptr_t at[CALLERS])
{
	uint64_t x = (uint64_t)library + 1;
	for (unsigned i = 0; i < CALLERS; i++) {
		x = (x ^ at[i]) * 0x9e3779b97f4a7c15;
		x ^= x >> 32;
	}
	return x | 1;
}

static void make(struct caller *c, uint64_t key, enum heap_library library, const char *name,
	const uintptr_t at[CALLERS])
{
	caller_site[c - caller].file = name;
	c->library = library;
	memcpy(c->at, at, sizeof(c->at));
	atomic_store_explicit(&c->key, key, memory_order_release);
}

struct heap_site *heap_caller_find(enum heap_library library, const char *name)
{
	struct walk w = {0};
	_Unwind_Backtrace(walk_step, &w);
	if (!w.found)
		return NULL;
	const uint64_t key = key_of(library, w.at);
	for (unsigned i = 0; i < PROBES; i++) {
		struct caller *c = &caller[((key >> (64 - SLOT_BITS)) + i) % HEAP_CALLERS_MAX];
		uint64_t there = atomic_load_explicit(&c->key, memory_order_acquire);
		if (!there) {
			pthread_mutex_lock(&making);
			there = atomic_load_explicit(&c->key, memory_order_relaxed);
			if (!there)
				make(c, there = key, library, name, w.at);
			pthread_mutex_unlock(&making);
		}
		if (there == key)
			return &caller_site[c - caller];
	}
	return NULL;
}

struct heap_site *heap_caller_at(uint64_t number)
{
	return atomic_load_explicit(&caller[number].key, memory_order_acquire)
		       ? &caller_site[number]
		       : NULL;
}

uint64_t heap_caller_number(const struct heap_site *s)
{
	return s >= caller_site && s < caller_site + HEAP_CALLERS_MAX ? (uint64_t)(s - caller_site)
								      : UINT64_MAX;
}

enum heap_library heap_caller_library(uint64_t number)
{
	return caller[number].library;
}

bool heap_caller_name(const struct heap_site *s, char out[HEAP_CALLER_NAME])
{
	const uint64_t number = heap_caller_number(s);
	if (number == UINT64_MAX)
		return false;
	int n = snprintf(out, HEAP_CALLER_NAME, "%s", s->file);
	for (unsigned i = 0; i < CALLERS && caller[number].at[i]; i++) {
		char name[HEAP_SYMBOL_NAME];
		heap_symbol_name(caller[number].at[i], name);
		n += snprintf(out + n, (size_t)(HEAP_CALLER_NAME - n), " < %s", name);
	}
	return true;
}
