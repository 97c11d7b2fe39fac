// SPDX-License-Identifier: BSD-3-Clause
#include "answer_rank.h"

#include <string.h>

static struct rule_set set_and(const struct rule_set *s, const uint64_t lists[4])
{
	struct rule_set out;
	for (unsigned w = 0; w < 4; w++)
		out.lists[w] = s->lists[w] & lists[w];
	return out;
}

static bool set_meets(const struct rule_set *a, const struct rule_set *b)
{
	uint64_t any = 0;
	for (unsigned w = 0; w < 4; w++)
		any |= a->lists[w] & b->lists[w];
	return any != 0;
}

static bool set_has(const uint64_t lists[4], unsigned list)
{
	return lists[list / 64] >> list % 64 & 1;
}

static void set_put(struct rule_set *s, unsigned list, bool in)
{
	uint64_t bit = UINT64_C(1) << list % 64;
	s->lists[list / 64] = in ? s->lists[list / 64] | bit : s->lists[list / 64] & ~bit;
}

// For each list of a set.
#define SET_EACH(list, s)                                                                   \
	for (unsigned w_ = 0; w_ < 4; w_++)                                                 \
		for (uint64_t left_ = (s)->lists[w_], list;                                 \
			left_ && (list = 64 * w_ + (unsigned)__builtin_ctzll(left_), true); \
			left_ &= left_ - 1)

static bool is_guard(const struct rule_list_info *allow, const struct rule_list_info *block)
{
	return allow->source == block->source
	       && (allow->kind.client[0] == '\0'
		       || strncmp(allow->kind.client, block->kind.client, RULE_CLIENT_MAX) == 0);
}

void answer_rank_init(struct answer_rank *k, const struct rule_reader *image)
{
	static const uint8_t allowing[] = {RULE_CLASS_LOCAL, RULE_CLASS_OPERATOR_ALLOW,
		RULE_CLASS_IMPORTANT_ALLOW, RULE_CLASS_ALLOW, RULE_CLASS_EXCEPT,
		RULE_CLASS_UNREWRITE};

	memset(k, 0, sizeof(*k));
	k->image = image;
	memcpy(k->of_class, image->of_class, sizeof(k->of_class));
	for (unsigned i = 0; i < ARRAY_LEN(allowing); i++)
		for (unsigned w = 0; w < 4; w++)
			k->allowing[w] |= k->of_class[allowing[i]][w];
	for (unsigned b = 0; b < RULE_LISTS_MAX; b++) {
		const struct rule_list_info *block = rule_list_info(image, b);
		for (unsigned a = 0; block && a < RULE_LISTS_MAX; a++) {
			const struct rule_list_info *other = rule_list_info(image, a);
			if (other && set_has(k->allowing, a) && is_guard(other, block))
				set_put(&k->guard[b], a, true);
			if (other && image->way[a].source < image->way[b].source)
				set_put(&k->earlier[b], a, true);
			if (other && image->way[a].source == image->way[b].source)
				set_put(&k->beside[b], a, true);
		}
	}
}

// Groups of `block` without one of `unless`. Entries for everyone are in each group's mask in which
// anything is.
static void clause_add(const struct answer_rank *k, const struct rule_set *block,
	const struct rule_set *unless, struct answer_match *out)
{
	struct rule_set left = *block;

	if (set_has(unless->lists, RULE_LIST_ALLOW))
		return;
	SET_EACH(list, block)
	{
		if (set_meets(&k->guard[list], unless))
			set_put(&left, (unsigned)list, false);
	}
	answer_match_add(out, &left, unless);
}

// What takes a block of each rank away.
struct unless {
	struct rule_set operators; // operator's allow rules and local data
	struct rule_set important; // besides, important allow rules
	struct rule_set lists;     // besides, allow rules of lists
	struct rule_set all;       // besides, those of policy zones
	struct rule_set names;     // the rules by name among `all`
	struct rule_set rewrites;  // exceptions for rewrites
};

static void unless_join(const struct answer_rank *k, const struct rule_set *lists, struct unless *u)
{
	struct rule_set s = set_and(lists, k->of_class[RULE_CLASS_OPERATOR_ALLOW]);
	struct rule_set local = set_and(lists, k->of_class[RULE_CLASS_LOCAL]);
	answer_set_join(&s, &local);
	answer_set_join(&u->operators, &s);
	struct rule_set more = set_and(lists, k->of_class[RULE_CLASS_IMPORTANT_ALLOW]);
	answer_set_join(&s, &more);
	answer_set_join(&u->important, &s);
	more = set_and(lists, k->of_class[RULE_CLASS_ALLOW]);
	answer_set_join(&s, &more);
	answer_set_join(&u->all, &s);
	for (unsigned w = 0; w < 4; w++)
		u->lists.lists[w] |= s.lists[w] & ~(more.lists[w] & k->image->zones[w]);
	more = set_and(lists, k->of_class[RULE_CLASS_UNREWRITE]);
	answer_set_join(&u->rewrites, &more);
}

// Adds the exceptions that take the rewrites of a list back.
static void takers_add(const struct answer_rank *k, const struct rule_set *exceptions,
	unsigned list, struct rule_set *unless)
{
	SET_EACH(taker, exceptions)
	{
		if (set_has(k->image->takes[taker], list))
			set_put(unless, (unsigned)taker, true);
	}
}

// A clause for `block`, and one for each of its lists whose rewrites an exception takes back.
static void blocks_add(const struct answer_rank *k, const struct rule_set *block,
	const struct rule_set *unless, const struct unless *u, struct answer_match *out)
{
	struct rule_set left = *block;

	SET_EACH(list, block)
	{
		struct rule_set one = {{0}}, more = *unless;
		set_put(&one, (unsigned)list, true);
		takers_add(k, &u->rewrites, (unsigned)list, &more);
		if (memcmp(&more, unless, sizeof(more)) == 0)
			continue;
		clause_add(k, &one, &more, out);
		set_put(&left, (unsigned)list, false);
	}
	clause_add(k, &left, unless, out);
}

// The operator's rules: the nearest decides, allow before deny at one name. Local data decides
// wherever it is.
static void operators_add(const struct answer_rank *k, const struct rule_match *match,
	unsigned count, struct answer_match *out)
{
	struct rule_set nearer = {{0}};

	for (unsigned i = 0; i < count; i++) {
		struct rule_set local = set_and(&match[i].set, k->of_class[RULE_CLASS_LOCAL]);
		answer_set_join(&nearer, &local);
	}
	for (unsigned i = 0; i < count; i++) {
		struct rule_set s = set_and(&match[i].set, k->of_class[RULE_CLASS_OPERATOR_ALLOW]);
		answer_set_join(&nearer, &s);
		s = set_and(&match[i].set, k->of_class[RULE_CLASS_OPERATOR_DENY]);
		clause_add(k, &s, &nearer, out);
	}
}

// A policy zone's block but for what passes by a zone before it, or by itself at that name or a
// nearer one. `passes`: lists of zones that let the name or one above it pass, `nearer`: those of
// them at that name or a nearer one.
static void zone_add(const struct answer_rank *k, const struct rule_set *passes,
	const struct rule_set *nearer, unsigned list, const struct unless *u,
	struct answer_match *out)
{
	struct rule_set one = {{0}}, unless = u->lists;
	const struct rule_set before = set_and(passes, k->earlier[list].lists);
	const struct rule_set itself = set_and(nearer, k->beside[list].lists);

	answer_set_join(&unless, &before);
	answer_set_join(&unless, &itself);
	set_put(&one, list, true);
	clause_add(k, &one, &unless, out);
}

static struct rule_set zones_at(
	const struct answer_rank *k, const struct rule_match *match, enum rule_class of)
{
	const struct rule_set s = set_and(&match->set, k->image->zones);
	return set_and(&s, k->of_class[of]);
}

// Each zone's block counts at the nearest name alone: farther ones pass in more groups. So the work
// grows with the names and the lists, not with their product.
static void zones_add(const struct answer_rank *k, const struct rule_match *match, unsigned count,
	const struct unless *u, struct answer_match *out)
{
	struct rule_set passes = {{0}}, nearer = {{0}}, seen = {{0}};

	for (unsigned i = 0; i < count; i++) {
		const struct rule_set pass = zones_at(k, &match[i], RULE_CLASS_ALLOW);
		answer_set_join(&passes, &pass);
	}
	for (unsigned i = 0; i < count; i++) {
		const struct rule_set pass = zones_at(k, &match[i], RULE_CLASS_ALLOW);
		struct rule_set block = zones_at(k, &match[i], RULE_CLASS_BLOCK);
		answer_set_join(&nearer, &pass);
		for (unsigned w = 0; w < 4; w++)
			block.lists[w] &= ~seen.lists[w];
		answer_set_join(&seen, &block);
		SET_EACH(zone, &block)
		{
			zone_add(k, &passes, &nearer, (unsigned)zone, u, out);
		}
	}
}

static void lists_add(const struct answer_rank *k, const struct rule_match *match, unsigned count,
	const struct unless *u, struct answer_match *out)
{
	struct rule_set all = {{0}};

	for (unsigned i = 0; i < count; i++)
		answer_set_join(&all, &match[i].set);
	struct rule_set s = set_and(&all, k->of_class[RULE_CLASS_IMPORTANT_BLOCK]);
	blocks_add(k, &s, &u->important, u, out);
	zones_add(k, match, count, u, out);
	s = set_and(&all, k->of_class[RULE_CLASS_BLOCK]);
	for (unsigned w = 0; w < 4; w++)
		s.lists[w] &= ~k->image->zones[w];
	blocks_add(k, &s, &u->all, u, out);
}

// A pattern is a rule at the root: of its class the farthest, but its class decides. The operator's
// patterns leave what a list allows by name, as Pi-hole's expressions do.
static void patterns_add(const struct answer_rank *k, const struct rule_set *patterns,
	const struct unless *u, struct answer_match *out)
{
	struct rule_set s = set_and(patterns, k->of_class[RULE_CLASS_OPERATOR_DENY]);
	struct rule_set spared = u->operators;
	answer_set_join(&spared, &u->names);
	clause_add(k, &s, &spared, out);
	s = set_and(patterns, k->of_class[RULE_CLASS_IMPORTANT_BLOCK]);
	blocks_add(k, &s, &u->important, u, out);
	s = set_and(patterns, k->of_class[RULE_CLASS_BLOCK]);
	blocks_add(k, &s, &u->all, u, out);
}

static struct unless unless_of(const struct answer_rank *k, const struct rule_match *match,
	unsigned count, const struct rule_set *patterns)
{
	struct unless u = {0};

	for (unsigned i = 0; i < count; i++)
		unless_join(k, &match[i].set, &u);
	u.names = u.all;
	unless_join(k, patterns, &u);
	return u;
}

void answer_rank_name(const struct answer_rank *k, const struct rule_match *match, unsigned count,
	const struct rule_set *patterns, struct answer_match *out)
{
	const struct unless u = unless_of(k, match, count, patterns);

	operators_add(k, match, count, out);
	patterns_add(k, patterns, &u, out);
	lists_add(k, match, count, &u, out);
}

void answer_rank_patterns(const struct answer_rank *k, const struct rule_match *match,
	unsigned count, const struct rule_set *patterns, struct answer_match *out)
{
	const struct unless u = unless_of(k, match, count, patterns);

	patterns_add(k, patterns, &u, out);
}

void answer_rank_taken(const struct answer_rank *k, const struct rule_match *match, unsigned count,
	struct rule_set *taken)
{
	struct rule_set excepts = {{0}};

	*taken = (struct rule_set){{0}};
	for (unsigned i = 0; i < count; i++) {
		const struct rule_set e = set_and(&match[i].set, k->image->except[0]);
		answer_set_join(&excepts, &e);
	}
	SET_EACH(except, &excepts)
	{
		const struct rule_list_info *info = rule_list_info(k->image, (unsigned)except);
		for (unsigned w = 0; w < 4 && info->kind.zone == RULE_ZONE_NONE; w++)
			taken->lists[w] |= k->image->takes[except][w];
	}
}

void answer_rank_address(
	const struct answer_rank *k, const struct rule_set *lists, struct answer_match *out)
{
	static const struct rule_set none;
	const struct rule_match at_root = {.set = *lists};

	answer_rank_name(k, &at_root, 1, &none, out);
}
