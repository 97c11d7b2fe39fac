// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names and answers by number, for benchmarks: what fills a cache or a block list and what asks for
// it agree without a file between them.
//
// Names are 23 bytes on the wire. Cached and missing ones have three labels; listed ones two or
// three in turn, and share no suffix with the others but the last label. An answer is four A
// records whose addresses follow from the number, compressed to the question.

#include <stdint.h>

enum { CORPUS_ANSWERS = 4, CORPUS_RR_LEN = 16, CORPUS_TTL_S = 3600 };
enum { CORPUS_ANSWER_LEN = CORPUS_ANSWERS * CORPUS_RR_LEN };

struct corpus_name {
	char text[32];
};

uint64_t corpus_mix(uint64_t x); // splitmix64's finalizer: a draw from a counter

void corpus_cached(uint32_t id, struct corpus_name *out);
void corpus_listed(uint32_t id, struct corpus_name *out);
void corpus_missing(uint32_t id, struct corpus_name *out);
void corpus_answer(uint32_t id, uint8_t answer[CORPUS_ANSWER_LEN]); // to cached and missing ones
