// SPDX-License-Identifier: BSD-3-Clause

// Does the time of a check say anything about a secret? As dudect does it (Reparaz, Balasch and
// Verbauwhede, "Dude, is my code constant time?", 2017): texts of two classes in random order, the
// time of each check, Welch's t of the two. The checks are the product's: tokens_check with a full
// table, and the comparison below it. |t| under 4.5: no difference is seen; over 10: there is one.
// The slowest twentieth is left out, as a check that was interrupted says nothing.
//
// Fails where a check of the product is over 10, or where a comparison that ends at the first
// difference, measured in the same way, is not: then the measurement sees nothing.
//
// usage: bench_secrets [-n CHECKS of each pair of classes]

#include "bench_row.h"
#include "controlplane/access/tokens.h"
#include "controlplane/tls/tls_crypto.h"
#include "cycles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL = 512, TEXT_MAX = 72, PREFIX = 5, CHECKS = 500000 };
static const double seen_t = 4.5, certain_t = 10;

static struct tokens tokens;
static char good[TOKEN_TEXT_LEN + 1]; // the first of the table
static char pool[2][POOL][TEXT_MAX];
static volatile unsigned sink;

static uint64_t draw(void)
{
	static uint64_t state = 88172645463325252;
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static bool tokens_fill(void)
{
	char text[TOKEN_TEXT_LEN + 1];
	for (unsigned i = 0; i < TOKENS_MAX; i++) {
		struct token wanted = {.role = CONTROL_READ};
		snprintf(wanted.name, sizeof(wanted.name), "token%u", i);
		if (tokens_make(&tokens, &wanted, 1, i ? text : good) < 0)
			return false;
	}
	return true;
}

// Class 0: tokens that are right up to `right` bytes; class 1: tokens that are random.
static void pool_of_tokens(unsigned right)
{
	for (unsigned i = 0; i < 2 * POOL; i++) {
		char *text = pool[i % 2][i / 2];
		memcpy(text, good, sizeof(good));
		for (unsigned at = i % 2 ? PREFIX : right; at < TOKEN_TEXT_LEN; at++)
			text[at] = "0123456789abcdef"[draw() >> 20 & 15];
		if (strcmp(text, good) == 0)
			text[TOKEN_TEXT_LEN - 1] ^= 1;
	}
}

// Digests that differ from the first one in the table in the last byte, or in all from the first.
static void pool_of_digests(void)
{
	for (unsigned i = 0; i < 2 * POOL; i++) {
		char *digest = pool[i % 2][i / 2];
		memcpy(digest, tokens.token[0].digest, TOKEN_DIGEST_LEN);
		for (unsigned at = i % 2 ? 0 : TOKEN_DIGEST_LEN - 1; at < TOKEN_DIGEST_LEN; at++)
			digest[at] ^= (char)(1 + draw() % 255);
	}
}

static void check_token(const char *text)
{
	struct token *k;
	sink += tokens_check(&tokens, text, 2, &k);
}

static void check_digest(const char *digest)
{
	sink += tls_secret_same((const uint8_t *)digest, tokens.token[0].digest, TOKEN_DIGEST_LEN);
}

// What the product does not do.
static void check_early(const char *digest)
{
	unsigned same = 0;
	while (same < TOKEN_DIGEST_LEN && (uint8_t)digest[same] == tokens.token[0].digest[same])
		sink = ++same;
}

struct times {
	unsigned n;
	float *cycles, *sorted;
	uint8_t *of;
};

static void times_take(const struct times *t, void (*check)(const char *text))
{
	static char text[TEXT_MAX]; // both classes at one place
	for (unsigned i = 0; i < t->n; i++) {
		const uint64_t drawn = draw();
		t->of[i] = drawn >> 30 & 1;
		memcpy(text, pool[t->of[i]][drawn >> 40 & (POOL - 1)], TEXT_MAX);
		cycles_fence();
		const uint64_t start = cycles_now();
		cycles_fence();
		check(text);
		cycles_fence();
		t->cycles[i] = (float)(cycles_now() - start);
	}
}

static int by_value(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

static double welch(const struct times *t)
{
	double n[2] = {0}, mean[2] = {0}, squares[2] = {0};
	memcpy(t->sorted, t->cycles, t->n * sizeof(*t->sorted));
	qsort(t->sorted, t->n, sizeof(*t->sorted), by_value);
	const float most = t->sorted[t->n / 20 * 19];
	for (unsigned i = 0; i < t->n; i++) {
		const unsigned c = t->of[i];
		if (t->cycles[i] > most)
			continue;
		const double away = (double)t->cycles[i] - mean[c];
		mean[c] += away / ++n[c];
		squares[c] += away * ((double)t->cycles[i] - mean[c]);
	}
	double error = 0;
	for (unsigned c = 0; c < 2; c++)
		error += squares[c] / (n[c] - 1) / n[c];
	return error > 0 ? fabs(mean[0] - mean[1]) / sqrt(error) : 0;
}

static double pair(const struct times *t, const char *name, void (*check)(const char *text))
{
	times_take(t, check);
	const double found = welch(t);
	bench_say("timing", name, "t", found, "Welch's t", check == check_early ? 0 : seen_t);
	return found;
}

int main(int argc, char **argv)
{
	struct times t = {.n = CHECKS};
	if (argc == 3 && strcmp(argv[1], "-n") == 0)
		t.n = (unsigned)strtoul(argv[2], NULL, 10);
	t.cycles = calloc(t.n, sizeof(*t.cycles));
	t.sorted = calloc(t.n, sizeof(*t.sorted));
	t.of = calloc(t.n, sizeof(*t.of));
	if (!t.cycles || !t.sorted || !t.of || t.n < 1000 || !tokens_fill())
		return EXIT_FAILURE;
	double most = 0;
	pool_of_tokens((PREFIX + TOKEN_TEXT_LEN) / 2);
	most = fmax(most, pair(&t, "token, half of it right", check_token));
	pool_of_tokens(TOKEN_TEXT_LEN - 1);
	most = fmax(most, pair(&t, "token, all but the last byte right", check_token));
	pool_of_digests();
	most = fmax(most, pair(&t, "digest, all but the last byte right", check_digest));
	const double early = pair(&t, "a comparison that ends early", check_early);
	free(t.cycles);
	free(t.sorted);
	free(t.of);
	return most < certain_t && early > certain_t ? EXIT_SUCCESS : EXIT_FAILURE;
}
