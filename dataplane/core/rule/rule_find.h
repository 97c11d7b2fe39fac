// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the parts of the decision share: sets of lists, the table behind the bloom filter, and the
// decision of a name that only plain block lists have. No state; any thread; on the packet path.

#include <weir/rule_probe.h>

static inline uint64_t any_of(const struct rule_set *s)
{
	return s->lists[0] | s->lists[1] | s->lists[2] | s->lists[3];
}

static inline unsigned lowest(const struct rule_set *s)
{
	for (unsigned w = 0; w < 3; w++)
		if (s->lists[w])
			return w * 64 + (unsigned)__builtin_ctzll(s->lists[w]);
	return 192 + (unsigned)__builtin_ctzll(s->lists[3]);
}

static inline uint64_t mask(struct rule_set *s, const uint64_t with[4])
{
	for (unsigned w = 0; w < 4; w++)
		s->lists[w] &= with[w];
	return any_of(s);
}

static inline unsigned matching_slots(const struct rule_bucket *b, uint64_t hash)
{
	unsigned slots = 0;
	for (unsigned i = 0; i < RULE_BUCKET_SLOTS; i++)
		slots |= (unsigned)(b->fingerprint[i] == hash) << i;
	return slots;
}

// Loads a number exactly once, so that the value checked is the value used.
static inline unsigned load_once(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

// The union of the sets of the name's entries, masked by the group; nothing: no such name. A walk
// that a broken image makes too long stays inside the table, which has RULE_WALK_MAX buckets behind
// the last home.
static inline void find_set(const struct rule_reader *r, uint64_t hash,
	const uint64_t group_lists[4], struct rule_set *out)
{
	const struct rule_bucket *b = &r->table[rule_slot_of(hash, r->table_homes)];
	unsigned walk = load_once(&b->walk);
	const struct rule_bucket *last = b + (walk < RULE_WALK_MAX ? walk : RULE_WALK_MAX);
	*out = (struct rule_set){{0}};
	for (; b <= last; b++) {
		unsigned more = 1;
		for (unsigned slots = matching_slots(b, hash); slots; slots &= slots - 1) {
			unsigned slot = (unsigned)__builtin_ctz(slots),
				 set = load_once(&b->set[slot]);
			if (unlikely_(set >= r->set_count))
				return;
			for (unsigned w = 0; w < 4; w++)
				out->lists[w] |= r->sets[set].lists[w] & group_lists[w];
			more = b->more >> slot & 1;
		}
		if (likely_(!more))
			return;
	}
}

// Labels of the suffix of a probe with this index.
static inline unsigned probe_labels(const struct rule_probe *p, unsigned index)
{
	uint64_t depths = p->depths;
	while (index--)
		depths &= depths - 1;
	return (unsigned)__builtin_ctzll(depths);
}

// find_set for a candidate, without the lists of globs of which none fits.
static inline void find_rules(const struct rule_reader *r, const struct rule_probe *p,
	unsigned index, const struct dns_name *name, const uint64_t group_lists[4],
	struct rule_set *out)
{
	find_set(r, p->hash[index], group_lists, out);
	if (unlikely_(r->glob_homes))
		rule_keep_globs(r, out, name, probe_labels(p, index), p->hash[index]);
}

// A rule of plain block lists alone.
static inline struct rule_decision plain_decision(const struct rule_set *s, unsigned index)
{
	return (struct rule_decision){
		.action = RULE_BLOCK,
		.reply = RULE_REPLY_GROUP,
		.list = (uint8_t)lowest(s),
		.rule_class = RULE_CLASS_BLOCK,
		.index = (uint8_t)index,
		.matched = 1,
	};
}

// Is a set that find_rules gave one of plain lists alone, globs that fit included?
static inline bool is_plain(const struct rule_reader *r, const struct rule_set *s)
{
	uint64_t odd = 0;
	for (unsigned w = 0; w < 4; w++)
		odd |= s->lists[w] & ~r->simple[w];
	return likely_(!odd);
}

// Candidates come farthest first; from the back, the first of a rank is the nearest of it.
static inline unsigned nearest(uint64_t candidates)
{
	return 63 - (unsigned)__builtin_clzll(candidates);
}

// The decision where some name has a rule of another kind (rule_weigh.c). Of the packet path, too.
struct rule_decision rule_probe_weigh(const struct rule_reader *r, const struct rule_probe *p,
	const struct dns_name *name, uint16_t qtype, const uint64_t group_lists[4]);
