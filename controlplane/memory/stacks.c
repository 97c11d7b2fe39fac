// SPDX-License-Identifier: BSD-3-Clause
#include "stacks.h"

#include <string.h>
#include <unwind.h>

enum { EMPTY, BUSY, READY };
enum { PROBES = 32 };

struct walk {
	void **frame;
	unsigned depth;
	const void *after;
	bool with_it, has_found;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	void *at = (void *)_Unwind_GetIP(context); // NOLINT
	if (!at)
		return _URC_END_OF_STACK;
	if (!w->has_found && at == w->after) {
		w->has_found = true;
		w->depth = 0;
		if (!w->with_it)
			return _URC_NO_REASON;
	}
	// Until `after` is found, these may be all that there is.
	if (w->depth < STACK_DEPTH_MAX)
		w->frame[w->depth++] = at;
	return w->depth == STACK_DEPTH_MAX && w->has_found ? _URC_END_OF_STACK : _URC_NO_REASON;
}

unsigned stack_take(void *frame[STACK_DEPTH_MAX], const void *after, bool with_it)
{
	struct walk w = {.frame = frame, .after = after, .with_it = with_it};
	_Unwind_Backtrace(on_frame, &w);
	return w.depth;
}

// The unwinder sets up its tables at its first use.
void stack_prepare(void)
{
	void *frame[STACK_DEPTH_MAX];
	(void)stack_take(frame, NULL, false);
}

static uint64_t hash_of(void *const frame[], unsigned depth)
{
	uint64_t hash = depth;
	for (unsigned i = 0; i < depth; i++)
		hash = (hash ^ (uint64_t)(uintptr_t)frame[i]) * 0x9e3779b97f4a7c15,
		hash ^= hash >> 32;
	return hash;
}

static bool is_equal(const struct stack *s, void *const frame[], unsigned depth, uint64_t hash)
{
	return s->hash == hash && s->depth == depth
	       && memcmp(s->frame, frame, depth * sizeof(*frame)) == 0;
}

static bool slot_take(struct stack *s, void *const frame[], unsigned depth, uint64_t hash)
{
	unsigned state = EMPTY;
	if (!atomic_compare_exchange_strong(&s->state, &state, BUSY))
		return false;
	s->hash = hash;
	s->depth = depth;
	memcpy(s->frame, frame, depth * sizeof(*frame));
	atomic_store_explicit(&s->state, READY, memory_order_release);
	return true;
}

// A stack that another thread adds at this moment may have two places: readers add them up.
void stacks_add(struct stacks *t, void *const frame[], unsigned depth, uint64_t bytes)
{
	const uint64_t hash = hash_of(frame, depth);
	for (unsigned i = 0; i < PROBES; i++) {
		struct stack *s = &t->stack[(hash + i) % STACKS_MAX];
		unsigned state = atomic_load_explicit(&s->state, memory_order_acquire);
		bool is_new = state == EMPTY && slot_take(s, frame, depth, hash);
		if (!is_new && (state != READY || !is_equal(s, frame, depth, hash)))
			continue;
		atomic_fetch_add_explicit(&t->used, is_new, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->bytes, bytes, memory_order_relaxed);
		return;
	}
	atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
}

const struct stack *stacks_at(const struct stacks *t, unsigned i)
{
	const struct stack *s = &t->stack[i];
	return atomic_load_explicit(&s->state, memory_order_acquire) == READY ? s : NULL;
}

void stacks_count(const struct stacks *t, uint64_t *used, uint64_t *lost)
{
	*used = atomic_load_explicit(&t->used, memory_order_relaxed);
	*lost = atomic_load_explicit(&t->lost, memory_order_relaxed);
}
