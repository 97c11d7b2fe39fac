// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_choose.h"

// More than twice the sends to any server.
enum { RANK_DOWN = 16 };

static unsigned rank_of(const struct upstream_known *k)
{
	return k->down * RANK_DOWN + k->sends * 2 + k->avoid;
}

// The eligible ones of the lowest rank, as bits.
static uint32_t best_rank(const struct upstream_known *known, unsigned count)
{
	uint32_t best = 0;
	unsigned rank = UINT32_MAX;

	for (unsigned i = 0; i < count; i++) {
		if (!known[i].eligible || rank_of(&known[i]) > rank)
			continue;
		if (rank_of(&known[i]) < rank)
			best = 0;
		rank = rank_of(&known[i]);
		best |= 1u << i;
	}
	return best;
}

static uint64_t latency_of(const struct upstream_known *k)
{
	if (k->latency_us == 0)
		return 0;
	return k->latency_us < UPSTREAM_LATENCY_FLOOR_US ? UPSTREAM_LATENCY_FLOOR_US
							 : k->latency_us;
}

// Is a / weight of a less than b / weight of b?
static bool is_less(uint64_t a, unsigned a_weight, uint64_t b, unsigned b_weight)
{
	return a * b_weight < b * a_weight;
}

static bool is_quicker(const struct upstream_known *a, const struct upstream_known *b)
{
	return is_less(latency_of(a), a->weight, latency_of(b), b->weight);
}

static bool has_fewer(const struct upstream_known *a, const struct upstream_known *b)
{
	uint64_t x = a->under_way + UINT64_C(1), y = b->under_way + UINT64_C(1);

	if (x * b->weight == y * a->weight)
		return is_quicker(a, b);
	return is_less(x, a->weight, y, b->weight);
}

static int first_by(const struct upstream_known *known, uint32_t of,
	bool (*before)(const struct upstream_known *a, const struct upstream_known *b))
{
	int best = __builtin_ctz(of);

	for (of &= of - 1; of; of &= of - 1) {
		int i = __builtin_ctz(of);
		if (before(&known[i], &known[best]))
			best = i;
	}
	return best;
}

// The quickest; or by the draw any other one.
static int quickest(const struct upstream_known *known, uint32_t of, unsigned draw)
{
	int best = first_by(known, of, is_quicker);

	of &= ~(1u << best);
	if (!of || draw % UPSTREAM_PROBE_SHARE != 0)
		return best;
	draw /= UPSTREAM_PROBE_SHARE;
	for (unsigned skip = draw % (unsigned)__builtin_popcount(of); skip > 0; skip--)
		of &= of - 1;
	return __builtin_ctz(of);
}

// Each is owed its weight with each query; the one that is owed most gets it and pays the sum.
static int next_turn(const struct upstream_known *known, uint32_t of, struct upstream_turn *turn)
{
	int best = -1;
	int32_t sum = 0;

	for (; of; of &= of - 1) {
		int i = __builtin_ctz(of);
		int32_t weight = (int32_t)known[i].weight;
		turn->owed[i] += weight;
		sum += weight;
		if (best < 0 || turn->owed[i] > turn->owed[best])
			best = i;
	}
	turn->owed[best] -= sum;
	return best;
}

int upstream_choose(enum upstream_policy policy, const struct upstream_known *known, unsigned count,
	struct upstream_turn *turn, uint16_t draw)
{
	uint32_t best = best_rank(known, count);

	if (!best)
		return -1;
	switch (policy) {
	case UPSTREAM_LATENCY:
		return quickest(known, best, draw);
	case UPSTREAM_LEAST:
		return first_by(known, best, has_fewer);
	case UPSTREAM_ROUND_ROBIN:
		return next_turn(known, best, turn);
	case UPSTREAM_FAILOVER:
		break;
	}
	return __builtin_ctz(best);
}
