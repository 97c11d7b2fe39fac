// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the stress programs share: a check that ends the program, a bounded wait, random numbers
// that are cheap and the same in each run.

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(cond)                                                                \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                   \
		}                                                                  \
	} while (0)

enum { STRESS_WAIT_MS = 20000 };

static inline uint64_t stress_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// xorshift64
static inline uint64_t stress_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

// `--operations N` in place of rounds: the writer goes on until it and its readers have done that
// many together, 1e8 for the long form. 0: not given.
static inline uint64_t stress_operations(int argc, char **argv)
{
	return argc == 3 && strcmp(argv[1], "--operations") == 0 ? strtoull(argv[2], NULL, 10) : 0;
}

static inline uint64_t stress_rounds(int argc, char **argv)
{
	if (stress_operations(argc, argv))
		return UINT32_MAX - 1;
	uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	CHECK(rounds > 0);
	return rounds;
}

// The same where a round is so many operations, and all is done by rounds.
static inline uint64_t stress_rounds_of(int argc, char **argv, uint64_t operations_a_round)
{
	uint64_t operations = stress_operations(argc, argv);
	return operations ? (operations + operations_a_round - 1) / operations_a_round
			  : stress_rounds(argc, argv);
}
