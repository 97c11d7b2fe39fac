// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Call stacks, and a table that adds up equal ones: for the profiles of profile.h. Both may be used
// in a signal handler: libgcc's unwinder finds frames without a lock (_dl_find_object) once
// stack_prepare has been called, and the table has no lock.

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { STACK_DEPTH_MAX = 48, STACKS_MAX = 4096 };

struct stack {
	_Atomic unsigned state; // enum in stacks.c
	unsigned depth;
	uint64_t hash;
	_Atomic uint64_t count, bytes;
	void *frame[STACK_DEPTH_MAX]; // innermost first
};

struct stacks {                      // all zero: empty; 1.7 MiB
	_Atomic uint64_t used, lost; // lost: samples without room
	struct stack stack[STACKS_MAX];
};

void stack_prepare(void);
// The caller's stack from the frame on that returns to `after`, or that runs at it; without such a
// frame all of it. Returns its depth, with frames over STACK_DEPTH_MAX left out.
unsigned stack_take(void *frame[STACK_DEPTH_MAX], const void *after, bool with_it);
void stacks_add(struct stacks *t, void *const frame[], unsigned depth, uint64_t bytes);
// NULL: place `i` is empty, or a thread adds a stack there at this moment.
const struct stack *stacks_at(const struct stacks *t, unsigned i);
void stacks_count(const struct stacks *t, uint64_t *used, uint64_t *lost);
