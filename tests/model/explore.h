// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Breadth-first search over every state that a small model can reach.
//
// A model is one flat struct and a function that takes one step of it. A step is chosen by number:
// who moves, which of the values that a weak load may return it gets, and whether it dies there.
// All numbers are tried in all states. A state is known again by a 64-bit hash of its bytes (at
// some million states a collision, which would hide a state, has a chance below one in a
// million), so models zero what no longer matters. Memory: 24 bytes for each state ever met, and
// two generations of whole states.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum step_result { STEP_DISABLED /* and the state untouched */, STEP_DONE, STEP_BAD };

struct step {
	const char *label; // which line of the product this was
	const char *bad;   // with STEP_BAD: which promise was broken
	bool is_crash;     // a state that only a crash can leave has stopped
};

static inline enum step_result bad(struct step *s, const char *why)
{
	s->bad = why;
	return STEP_BAD;
}

struct model {
	size_t size; // of a state, a multiple of 8
	unsigned choices;
	void (*init)(void *state);
	enum step_result (*step)(void *state, unsigned choice, struct step *s);
	// No step leads on: NULL when all that was promised has happened, else what has not.
	const char *(*stopped)(const void *state);
	// In any state: NULL, or the promise that does not hold in it. May be NULL.
	const char *(*holds)(const void *state);
};

struct explored {
	uint64_t states, transitions;
	const char *bad; // NULL: every promise held everywhere
};

// `trace`: print the steps that lead to what is bad, shortest first found.
struct explored explore(const struct model *m, bool trace);

// What a program of this folder is: the model as the code is, which must hold, then once with each
// mutation, which must not. With an argument: that mutation alone, and how it comes to grief.
// Returns the exit status.
struct mutation {
	const char *name, *what;
};
int explore_main(int argc, char **argv, const char *title, const struct model *m,
	const struct mutation *mutations, unsigned count, unsigned *active);
