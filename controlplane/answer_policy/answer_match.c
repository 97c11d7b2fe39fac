// SPDX-License-Identifier: BSD-3-Clause
#include "answer_match.h"

#include <string.h>

static bool set_meets(const struct rule_set *s, const uint64_t lists[4])
{
	uint64_t any = 0;
	for (unsigned w = 0; w < 4; w++)
		any |= s->lists[w] & lists[w];
	return any != 0;
}

static void set_less(struct rule_set *from, const struct rule_set *s)
{
	for (unsigned w = 0; w < 4; w++)
		from->lists[w] &= ~s->lists[w];
}

static bool set_equal(const struct rule_set *a, const struct rule_set *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

// The unconditional clause, which is the first if there is one.
static struct answer_policy_clause *unconditional(struct answer_match *f)
{
	return f->count && answer_set_empty(&f->clause[0].unless) ? &f->clause[0] : NULL;
}

// An unconditional block needs no condition.
static void simplify(struct answer_match *f)
{
	unsigned kept = 1;
	if (!unconditional(f))
		return;
	for (unsigned i = 1; i < f->count; i++) {
		set_less(&f->clause[i].block, &f->clause[0].block);
		if (!answer_set_empty(&f->clause[i].block))
			f->clause[kept++] = f->clause[i];
	}
	f->count = kept;
}

static void insert(
	struct answer_match *f, const struct rule_set *block, const struct rule_set *unless)
{
	unsigned at = answer_set_empty(unless) ? 0 : f->count;
	memmove(&f->clause[at + 1], &f->clause[at], (f->count - at) * sizeof(f->clause[0]));
	f->clause[at] = (struct answer_policy_clause){.block = *block, .unless = *unless};
	f->count++;
}

// Makes room: the last clause and the new one lose their conditions.
static void overflow(struct answer_match *f, const struct rule_set *block)
{
	static const struct rule_set none;
	struct rule_set joined = f->clause[--f->count].block;
	answer_set_join(&joined, block);
	if (unconditional(f))
		answer_set_join(&f->clause[0].block, &joined);
	else
		insert(f, &joined, &none);
}

void answer_match_add(
	struct answer_match *f, const struct rule_set *block, const struct rule_set *unless)
{
	unsigned i = 0;

	if (answer_set_empty(block))
		return;
	while (i < f->count && !set_equal(&f->clause[i].unless, unless))
		i++;
	if (i < f->count)
		answer_set_join(&f->clause[i].block, block);
	else if (f->count < ANSWER_POLICY_CLAUSES_MAX)
		insert(f, block, unless);
	else
		overflow(f, block);
	simplify(f);
}

bool answer_match_lists(
	const struct answer_match *f, const uint64_t group_lists[4], struct rule_set *out)
{
	*out = (struct rule_set){{0}};
	for (unsigned i = 0; i < f->count; i++)
		if (!set_meets(&f->clause[i].unless, group_lists))
			answer_set_join(out, &f->clause[i].block);
	for (unsigned w = 0; w < 4; w++)
		out->lists[w] &= group_lists[w];
	return !answer_set_empty(out);
}

bool answer_match_has(const struct answer_match *f, unsigned list, const uint64_t group_lists[4])
{
	bool has = false;
	for (unsigned i = 0; i < f->count && !has; i++)
		has = rule_mask_has(&f->clause[i].block, list)
		      && !set_meets(&f->clause[i].unless, group_lists);
	return has;
}

bool answer_match_mask(const struct answer_match *f, struct rule_set *mask)
{
	*mask = (struct rule_set){{0}};
	if (f->count == 0)
		return true;
	*mask = f->clause[0].block;
	answer_set_join(mask, &f->clause[0].unless);
	mask->lists[0] |= f->typed ? RULE_MASK_TYPED : 0;
	return f->count == 1;
}

void answer_match_of_mask(
	const struct rule_set *mask, const uint64_t allowing[4], struct answer_match *out)
{
	struct rule_set unless, block = *mask;

	*out = (struct answer_match){.typed = mask->lists[0] & RULE_MASK_TYPED};
	block.lists[0] &= ~RULE_MASK_TYPED;
	for (unsigned w = 0; w < 4; w++)
		unless.lists[w] = block.lists[w] & allowing[w];
	set_less(&block, &unless);
	answer_match_add(out, &block, &unless);
}
