// SPDX-License-Identifier: BSD-3-Clause
#include "corpus.h"

#include <string.h>

uint64_t corpus_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

// `n` letters that follow from `bits`, four bits each.
static char *letters(char *out, uint64_t bits, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		*out++ = (char)('a' + (bits >> 4 * i & 15));
	return out;
}

// `first` and `second` stand around the label's end that is at the same place in all names.
static void name_make(uint32_t id, uint64_t bits, char first, char second, struct corpus_name *out)
{
	char *p = letters(out->text, id, 8);
	p = letters(p, bits, 2);
	*p++ = first;
	if (second)
		*p++ = second;
	p = letters(p, bits >> 8, second ? 4 : 5);
	memcpy(p, ".test", 6);
}

void corpus_cached(uint32_t id, struct corpus_name *out)
{
	name_make(id, corpus_mix(id), '.', 0, out);
}

void corpus_listed(uint32_t id, struct corpus_name *out)
{
	name_make(id, corpus_mix(id + (UINT64_C(1) << 32)), id % 2 ? '.' : 'z', 'q', out);
}

void corpus_missing(uint32_t id, struct corpus_name *out)
{
	name_make(id, corpus_mix(id + (UINT64_C(2) << 32)), '.', 'r', out);
}

void corpus_answer(uint32_t id, uint8_t answer[CORPUS_ANSWER_LEN])
{
	static const uint8_t head[12] = {
		0xc0, 0x0c, 0, 1, 0, 1, 0, 0, CORPUS_TTL_S >> 8, CORPUS_TTL_S & 0xff, 0, 4};
	for (unsigned i = 0; i < CORPUS_ANSWERS; i++) {
		uint8_t *rr = answer + (size_t)CORPUS_RR_LEN * i;
		uint32_t address = (uint32_t)corpus_mix(id + i);
		memcpy(rr, head, sizeof(head));
		rr[12] = (uint8_t)(address >> 24);
		rr[13] = (uint8_t)(address >> 16);
		rr[14] = (uint8_t)(address >> 8);
		rr[15] = (uint8_t)address;
	}
}
