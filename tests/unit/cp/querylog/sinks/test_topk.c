// SPDX-License-Identifier: BSD-3-Clause
// Heavy hitters: counts against exact ones, over streams made to defeat a table of fixed size.

#include "controlplane/querylog/sinks/topk.h"
#include "tests/unit/unit.h"

enum { CAP = 256, TEXTS = 20000, STREAM = 300000 };

static const uint64_t key[2] = {7, 11};
static uint64_t seed;
static uint64_t truth[TEXTS];
static struct topk_item room[2 * CAP], top[2 * CAP];

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void put(struct topk *s, unsigned i, uint64_t weight)
{
	char text[32];
	size_t len = (size_t)snprintf(text, sizeof(text), "n%u.example.", i);
	truth[i] += weight;
	topk_add(s, topk_hash(key, text, len), text, len, weight);
}

// Every text with more than a share of 1 / CAP is there, and no count is off by more than that;
// an entry with more than 100 / CAP of all is counted to 1 %.
static void promise_check(const struct topk *now, const struct topk *before, unsigned caps)
{
	uint64_t total = 0;
	unsigned heavy = 0, found = 0;
	for (unsigned i = 0; i < TEXTS; i++)
		total += truth[i];
	for (unsigned i = 0; i < TEXTS; i++)
		heavy += truth[i] > total / CAP;
	unsigned n = topk_best(now, before, room, top, caps);
	for (unsigned k = 0; k < n; k++) {
		uint64_t is = truth[strtoul(top[k].text + 1, NULL, 10)];
		assert_true(top[k].count >= is);
		assert_true(top[k].count - top[k].error <= is);
		assert_true(top[k].error <= total / CAP);
		if (is > 100 * (total / CAP))
			assert_true((top[k].count - is) * 100 <= is);
		found += is > total / CAP;
	}
	assert_int_equal(found, heavy);
}

static int setup(void **)
{
	seed = 88172645463325252;
	memset(truth, 0, sizeof(truth));
	return 0;
}

// Two heavy ones, and a tail that pushes each entry out all the time.
TEST_WITH(test_against_a_flat_tail, setup, NULL)
{
	struct topk *s;
	assert_int_equal(topk_open(&s, CAP, 64), 0);
	for (unsigned i = 0; i < STREAM; i++) {
		unsigned kind = (unsigned)(draw() % 100);
		put(s,
			kind < 42   ? 0
			: kind < 84 ? 1
				    : 2 + (unsigned)(draw() % (TEXTS - 2)),
			1 + draw() % 4);
	}
	promise_check(s, NULL, CAP);
	assert_int_equal(topk_used(s), CAP);
	assert_true(
		strcmp(top[0].text, "n0.example.") == 0 || strcmp(top[0].text, "n1.example.") == 0);
	topk_free(s);
}

// Names as clients query them: the k-th as often as 1 / k. The ten largest, to 1 %, in order.
TEST_WITH(test_of_names_as_they_come, setup, NULL)
{
	struct topk *s;
	double sum = 0, at[2000];
	for (unsigned i = 0; i < ARRAY_LEN(at); i++)
		at[i] = sum += 1.0 / (i + 1);
	assert_int_equal(topk_open(&s, CAP, 64), 0);
	for (unsigned i = 0; i < STREAM; i++) {
		double x = (double)(draw() % 1000000) / 1000000 * sum;
		unsigned k = 0;
		while (at[k] < x)
			k++;
		put(s, k, 1);
	}
	promise_check(s, NULL, CAP);
	for (unsigned k = 0; k < 10; k++) {
		uint64_t is = truth[strtoul(top[k].text + 1, NULL, 10)];
		assert_true((top[k].count - is) * 100 <= is);
		assert_int_equal(strtoul(top[k].text + 1, NULL, 10), k);
	}
	topk_free(s);
}

// Large weights, and one that comes last, after all others have been there.
TEST_WITH(test_weights, setup, NULL)
{
	struct topk *s;
	assert_int_equal(topk_open(&s, CAP, 64), 0);
	for (unsigned i = 0; i < STREAM / 10; i++)
		put(s, (unsigned)(draw() % TEXTS), 1 + draw() % 1000);
	put(s, 5, UINT64_C(1) << 40);
	promise_check(s, NULL, CAP);
	assert_string_equal(top[0].text, "n5.example.");
	topk_free(s);
}

// Two periods are as good as one: what one of them forgot is in its error.
TEST_WITH(test_two_as_one, setup, NULL)
{
	struct topk *a, *b;
	assert_int_equal(topk_open(&a, CAP, 64), 0);
	assert_int_equal(topk_open(&b, CAP, 64), 0);
	for (unsigned i = 0; i < STREAM; i++) {
		unsigned other = 3 + (unsigned)(draw() % (TEXTS - 3));
		put(i % 3 ? a : b, draw() % 2 ? 0 : other, 1);
		if (i % 3 == 0)
			put(b, draw() % 2 ? 1 : other, 1);
	}
	promise_check(a, b, 2 * CAP);
	assert_string_equal(top[0].text, "n0.example.");
	assert_string_equal(top[1].text, "n1.example.");
	topk_free(a);
	topk_free(b);
}

TEST_WITH(test_clear_and_long_texts, setup, NULL)
{
	struct topk *s;
	static const char same[] = "0123456789abcdef", longer[] = "0123456789abcdeX";
	assert_int_equal(topk_open(&s, 4, 8), 0);
	size_t bytes = topk_bytes(s);
	for (unsigned i = 0; i < 3; i++)
		topk_add(s, topk_hash(key, same, 16), same, 16, 1);
	topk_add(s, topk_hash(key, longer, 16), longer, 16, 1);
	assert_int_equal(topk_best(s, NULL, room, top, 9), 2);
	assert_string_equal(top[0].text, "0123456");
	assert_int_equal(top[0].count, 3);
	assert_int_equal(top[1].count, 1);
	topk_clear(s);
	assert_int_equal(topk_best(s, NULL, room, top, 9), 0);
	topk_add(s, topk_hash(key, "", 0), "", 0, 2);
	assert_int_equal(topk_best(s, NULL, room, top, 9), 1);
	assert_int_equal(topk_bytes(s), bytes);
	topk_free(s);
	assert_int_equal(topk_open(&s, TOPK_CAP_MAX, 8), -EINVAL);
}
