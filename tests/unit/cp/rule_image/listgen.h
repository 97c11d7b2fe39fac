// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Made-up domain names with the label structure of real block lists, for tests and benchmarks: 60 %
// two labels, a third three, the rest up to ten; one name in five under a few hundred crowded
// parents. Deterministic in the seed. Names may repeat, as they do in lists.

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LISTGEN_NAME_MAX = 200 };

struct listgen {
	uint64_t state;
};

static inline uint64_t listgen_next(struct listgen *g)
{
	g->state ^= g->state >> 12;
	g->state ^= g->state << 25;
	g->state ^= g->state >> 27;
	return g->state * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

static inline size_t listgen_word(struct listgen *g, char *out)
{
	static const char syllable[][4] = {"an", "ber", "co", "da", "el", "fi", "go", "ha", "jo",
		"ka", "li", "mo", "ne", "or", "pa", "qui", "ro", "sa", "te", "ul", "ve", "wa", "xi",
		"zo", "ad", "pix", "cdn", "log", "bet", "win", "net", "pro"};
	size_t n = 0;
	for (uint64_t k = 2 + listgen_next(g) % 3; k > 0; k--)
		n += (size_t)sprintf(out + n, "%s", syllable[listgen_next(g) % 32]);
	if (listgen_next(g) % 100 < 30)
		n += (size_t)sprintf(out + n, "%u", (unsigned)(listgen_next(g) % 10000));
	return n;
}

static inline void listgen_name(struct listgen *g, char out[LISTGEN_NAME_MAX])
{
	static const char tld[][8] = {"com", "com", "com", "com", "net", "net", "org", "fr", "info",
		"de", "io", "com.br", "ru", "xyz", "co.uk", "top"};
	uint64_t z = listgen_next(g) % 100;
	unsigned labels = z < 60   ? 1
			  : z < 92 ? 2
			  : z < 98 ? 3
				   : 4 + (unsigned)(listgen_next(g) % 6);
	size_t n = 0;
	if (listgen_next(g) % 5 == 0) {
		struct listgen parent = {.state = 1 + listgen_next(g) % 400};
		n = listgen_word(g, out);
		out[n++] = '.';
		for (int i = 0; i < 8; i++) // a small seed needs some turns to spread
			(void)listgen_next(&parent);
		n += listgen_word(&parent, out + n);
		labels = 0;
	}
	for (; labels > 0; labels--) {
		n += listgen_word(g, out + n);
		if (labels > 1)
			out[n++] = '.';
	}
	sprintf(out + n, ".%s", tld[listgen_next(g) % 16]);
}
