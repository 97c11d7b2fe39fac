// SPDX-License-Identifier: BSD-3-Clause

// Which rule decides: the table behind the bloom filter, the sets, and the order of precedence.

#include <string.h>
#include <weir/rule_probe.h>

static inline unsigned matching_slots(const struct rule_bucket *b, uint64_t hash)
{
	unsigned slots = 0;
	for (unsigned i = 0; i < RULE_BUCKET_SLOTS; i++)
		slots |= (unsigned)(b->fingerprint[i] == hash) << i;
	return slots;
}

// What is checked must be what is used, so these are loaded once, whatever the compiler would
// rather do.
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

void rule_probe_reach(const struct rule_reader *r, const struct rule_probe *p)
{
	for (uint64_t left = p->candidates; left; left &= left - 1) {
		uint64_t hash = p->hash[__builtin_ctzll(left)];
		const struct rule_bucket *b = &r->table[rule_slot_of(hash, r->table_homes)];
		// Rarely two lines away, and hardly ever more.
		unsigned away = matching_slots(b, hash) ? 0 : load_once(&b->walk) > 0;
		__builtin_prefetch(b + away);
	}
}

enum rule_rank { RANK_NONE, RANK_BLOCK_LIST, RANK_ALLOW_LIST, RANK_OPERATOR };

static inline enum rule_rank set_rank(const struct rule_reader *r, const struct rule_set *s)
{
	const uint64_t operators = 1U << RULE_LIST_ALLOW | 1U << RULE_LIST_DENY;
	uint64_t any = 0, allow = 0;
	for (unsigned w = 0; w < 4; w++) {
		any |= s->lists[w];
		allow |= s->lists[w] & r->allow_lists[w];
	}
	if (s->lists[0] & operators)
		return RANK_OPERATOR;
	return allow ? RANK_ALLOW_LIST : any ? RANK_BLOCK_LIST : RANK_NONE;
}

// The suffix that decides, if any does.
struct choice {
	enum rule_action action;
	bool matched;
	unsigned index;
};

// No struct of lists leaves this function: copied out in other widths than it was written in, it
// stalled the core.
static inline struct choice choose(
	const struct rule_reader *r, const struct rule_probe *p, const uint64_t group_lists[4])
{
	struct choice c = {.action = RULE_PASS};
	enum rule_rank best = RANK_NONE;
	// Candidates come farthest first; from the back, the first of a rank is the nearest of it.
	for (uint64_t left = p->candidates; left && best != RANK_OPERATOR;) {
		struct rule_set s;
		unsigned i = 63 - (unsigned)__builtin_clzll(left);
		left ^= UINT64_C(1) << i;
		find_set(r, p->hash[i], group_lists, &s);
		enum rule_rank rank = set_rank(r, &s);
		if (rank <= best)
			continue;
		best = rank;
		bool deny = rank == RANK_OPERATOR ? !(s.lists[0] & 1U << RULE_LIST_ALLOW)
						  : rank == RANK_BLOCK_LIST;
		c = (struct choice){
			.action = deny ? RULE_BLOCK : RULE_PASS, .matched = true, .index = i};
	}
	return c;
}

enum rule_action rule_probe_decide(
	const struct rule_reader *r, const struct rule_probe *p, const uint64_t group_lists[4])
{
	return choose(r, p, group_lists).action;
}

static void label_offsets(const struct dns_name *name, uint8_t label_off[DNS_LABELS_MAX])
{
	for (unsigned i = 0, off = 0; i < name->labels; i++) {
		label_off[i] = (uint8_t)off;
		off += name->wire[off] + 1U;
	}
}

// Labels of the suffix of a probe with this index.
static unsigned probe_labels(const struct rule_reader *r, unsigned index)
{
	uint64_t depths = r->depths;
	while (index--)
		depths &= depths - 1;
	return (unsigned)__builtin_ctzll(depths);
}

void rule_decide(const struct rule_reader *r, const struct dns_name *name,
	const uint64_t group_lists[4], struct rule_verdict *out)
{
	uint8_t label_off[DNS_LABELS_MAX];
	struct rule_probe p;
	label_offsets(name, label_off);
	rule_probe_suffixes(r, name, label_off, &p);
	rule_probe_bloom(r, &p);
	struct choice c = choose(r, &p, group_lists);
	out->action = c.action;
	out->matched = c.matched;
	if (!c.matched)
		return;
	out->labels = (uint8_t)probe_labels(r, c.index);
	find_set(r, p.hash[c.index], group_lists, &out->set);
}

struct dns_name rule_verdict_name(const struct rule_verdict *v, const struct dns_name *name)
{
	struct dns_name rule = {.labels = v->labels};
	unsigned off = 0;
	for (unsigned i = v->labels; i < name->labels; i++)
		off += name->wire[off] + 1U;
	rule.len = (uint8_t)(name->len - off);
	memcpy(rule.wire, name->wire + off, rule.len);
	return rule;
}
