// SPDX-License-Identifier: BSD-3-Clause

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <weir/text.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

// Letters to insert, leave out, replace or swap with the next one until `a` is `b`, ignoring letter
// case (optimal string alignment).
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned row[3][TEXT_NEAR_MAX + 1];
	unsigned *before = row[0], *last = row[1], *now = row[2];
	for (size_t j = 0; j <= b_len; j++)
		last[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned cost = !same(a[i - 1], b[j - 1]);
			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + cost);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		unsigned *oldest = before;
		before = last;
		last = now;
		now = oldest;
	}
	return last[b_len];
}

void text_near_begin(struct text_near *n, const char *word)
{
	*n = (struct text_near){.word = word, .len = strlen(word)};
	// One letter in three may be wrong, and one of the shortest words.
	n->most = n->len < 6 ? 1 : n->len < 12 ? 2 : 3;
	if (n->len == 0 || n->len > TEXT_NEAR_MAX)
		n->most = 0;
}

void text_near_try(struct text_near *n, const char *candidate)
{
	size_t len = strlen(candidate);
	if (n->most == 0 || len == 0 || len > TEXT_NEAR_MAX)
		return;
	unsigned d = distance(n->word, n->len, candidate, len);
	if (d > n->most || (n->best && d >= n->distance))
		return;
	n->best = candidate;
	n->distance = d;
}
