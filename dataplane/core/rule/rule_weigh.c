// SPDX-License-Identifier: BSD-3-Clause

// Which rule decides: the order of precedence among all kinds of rules.

#include "rule_find.h"

#include <string.h>

// Classes in the order in which they decide, and the rank of each: of equal rank the nearest
// decides, and at one name the first of these. Policy zones come before the last.
static const uint8_t order[] = {RULE_CLASS_LOCAL, RULE_CLASS_OPERATOR_ALLOW,
	RULE_CLASS_OPERATOR_DENY, RULE_CLASS_IMPORTANT_ALLOW, RULE_CLASS_IMPORTANT_BLOCK,
	RULE_CLASS_ALLOW, RULE_CLASS_BLOCK};
enum { RANK_BLOCK = 1, RANK_ZONE = 2, RANK_IMPORTANT = 4, RANK_LOCAL = 7 };
static const uint8_t rank_of[RULE_CLASSES] = {
	[RULE_CLASS_LOCAL] = RANK_LOCAL,
	[RULE_CLASS_OPERATOR_ALLOW] = 6,
	[RULE_CLASS_OPERATOR_DENY] = 6,
	[RULE_CLASS_IMPORTANT_ALLOW] = 5,
	[RULE_CLASS_IMPORTANT_BLOCK] = RANK_IMPORTANT,
	[RULE_CLASS_ALLOW] = 3,
	[RULE_CLASS_BLOCK] = RANK_BLOCK,
};

// What a rule has decided so far. `set`: the lists that have it; not written where all are plain.
struct chosen {
	struct rule_decision d;
	struct rule_set set;
};

// A decision on its way, nearest name first.
struct choice {
	struct chosen by_rank, by_zone;
	unsigned rank;        // by_rank's; 0 without one
	unsigned zone_source; // by_zone's; RULE_SOURCES_MAX without one
	unsigned typed; // highest rank of a rule for some types that covers the name; 0 without one
	bool safe;
	uint8_t safe_index, safe_list;
	bool has_excepts;
	struct rule_set excepts; // lists of class EXCEPT that were met
	struct rule_set back;    // lists whose rewrites are taken back; where r->unrewrites
};

static unsigned lowest_order(const struct rule_reader *r, const struct rule_set *s)
{
	unsigned first = RULE_LISTS_MAX;
	for (unsigned w = 0; w < 4; w++)
		for (uint64_t left = s->lists[w]; left; left &= left - 1) {
			unsigned list = w * 64 + (unsigned)__builtin_ctzll(left);
			if (first == RULE_LISTS_MAX || r->way[list].order < r->way[first].order)
				first = list;
		}
	return first;
}

// Which of these lists, one at least, decides where they hold one name in one class: one with a
// reply of its own, that of the source that stands first; in one source a rule for one group of
// clients, then by the reply (rule_image.c), then one for some types. With none of these, the
// lowest number.
static unsigned first_list(const struct rule_reader *r, const struct rule_set *s)
{
	struct rule_set own = *s;
	return mask(&own, r->replies) ? lowest_order(r, &own) : lowest(s);
}

unsigned rule_first_list(const struct rule_reader *r, const struct rule_set *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
		struct rule_set of = *s, zones;
		if (!mask(&of, r->of_class[order[i]]))
			continue;
		zones = of;
		return mask(&zones, r->zones) ? lowest_order(r, &zones) : first_list(r, &of);
	}
	return RULE_LIST_DENY;
}

void rule_keep_types(const struct rule_reader *r, struct rule_set *s, uint16_t qtype)
{
	for (unsigned w = 0; w < 4; w++)
		for (uint64_t left = s->lists[w] & r->typed[w]; left; left &= left - 1) {
			unsigned list = w * 64 + (unsigned)__builtin_ctzll(left);
			if (!rule_types_fit(&r->way[list].types, qtype))
				s->lists[w] ^= left & -left;
		}
}

bool rule_has_typed(const struct rule_reader *r, const struct rule_set *s)
{
	const uint64_t *local = r->of_class[RULE_CLASS_LOCAL], *safe = r->of_class[RULE_CLASS_SAFE];
	uint64_t any = 0;
	for (unsigned w = 0; w < 4; w++)
		any |= s->lists[w] & r->typed[w] & ~local[w] & ~safe[w];
	return any;
}

// The lists whose entry at that name covers the question's name, globs aside.
static void keep_covering(const struct rule_reader *r, struct rule_set *s, bool self)
{
	mask(s, self ? r->covers_self : r->covers_below);
}

static void keep_match(
	const struct rule_reader *r, struct rule_match *m, const struct dns_name *name)
{
	keep_covering(r, &m->set, m->labels == name->labels);
	rule_keep_globs(r, &m->set, name, m->labels, m->hash);
}

// The highest rank among the lists for some types, local data aside.
static unsigned typed_rank(const struct rule_reader *r, const struct rule_set *s)
{
	if (likely_(!rule_has_typed(r, s)))
		return 0;
	struct rule_set typed = *s, of;
	mask(&typed, r->typed);
	of = typed;
	unsigned rank = mask(&of, r->zones) ? RANK_ZONE : 0;
	of = typed;
	if (mask(&of, r->of_class[RULE_CLASS_UNREWRITE]))
		rank = RANK_IMPORTANT;
	for (unsigned w = 0; w < 4; w++)
		typed.lists[w] &= ~r->zones[w];
	for (unsigned i = 1; i < ARRAY_LEN(order) && rank_of[order[i]] > rank; i++) {
		of = typed;
		if (mask(&of, r->of_class[order[i]]))
			rank = rank_of[order[i]];
	}
	return rank;
}

static bool same_lists(const uint64_t a[4], const uint64_t b[4])
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]));
}

// List by list: of lists that no name has together, as for a group that lacks one of them.
static __attribute__((noinline)) void add_taken(
	const struct rule_reader *r, const struct rule_set *lists, uint64_t away[4])
{
	memset(away, 0, 4 * sizeof(*away));
	for (unsigned w = 0; w < 4; w++)
		for (uint64_t left = lists->lists[w]; left; left &= left - 1) {
			const uint64_t *takes = r->takes[w * 64 + (unsigned)__builtin_ctzll(left)];
			for (unsigned k = 0; k < 4; k++)
				away[k] |= takes[k];
		}
}

// Leaves out the rules that exceptions at nearer names take away from this one.
static void take_away(
	const struct rule_reader *r, const struct choice *c, struct rule_set *s, unsigned labels)
{
	const uint64_t *here = r->except[labels <= RULE_LABELS_MAX ? labels : 0];
	struct rule_set of = c->excepts;
	uint64_t added[4];
	for (unsigned w = 0; w < 4; w++)
		of.lists[w] &= here[w] | r->except[0][w];
	if (!any_of(&of))
		return;
	const struct rule_away *known = &r->away[rule_away_slot(of.lists)];
	const uint64_t *away = known->away;
	if (unlikely_(!same_lists(known->of, of.lists))) {
		add_taken(r, &of, added);
		away = added;
	}
	for (unsigned w = 0; w < 4; w++)
		s->lists[w] &= ~away[w];
}

static uint8_t action_of(uint8_t rule_class, uint8_t reply)
{
	static const uint8_t of_reply[RULE_REPLIES] = {
		[RULE_REPLY_GROUP] = RULE_BLOCK,
		[RULE_REPLY_NXDOMAIN] = RULE_BLOCK,
		[RULE_REPLY_NODATA] = RULE_BLOCK,
		[RULE_REPLY_NULL] = RULE_BLOCK,
		[RULE_REPLY_REFUSED] = RULE_BLOCK,
		[RULE_REPLY_DROP] = RULE_DROP,
		[RULE_REPLY_DATA] = RULE_DATA,
		[RULE_REPLY_RESOLVE] = RULE_RESOLVE,
		[RULE_REPLY_SERVFAIL] = RULE_BLOCK,
	};
	const unsigned allows = 1U << RULE_CLASS_ALLOW | 1U << RULE_CLASS_IMPORTANT_ALLOW
				| 1U << RULE_CLASS_OPERATOR_ALLOW;
	return allows >> rule_class & 1 ? RULE_PASS : of_reply[reply];
}

// `s`: of the class alone.
static void take(const struct rule_reader *r, struct chosen *c, uint8_t rule_class,
	const struct rule_set *s, unsigned index)
{
	unsigned list = first_list(r, s);
	c->set = *s;
	c->d = (struct rule_decision){
		.action = action_of(rule_class, r->way[list].reply),
		.reply = r->way[list].reply,
		.list = (uint8_t)list,
		.rule_class = rule_class,
		.index = (uint8_t)index,
		.matched = 1,
	};
}

// The first zone decides, so one that comes before all at nearer names does instead of them.
static void weigh_zones(
	const struct rule_reader *r, struct choice *c, const struct rule_set *zones, unsigned index)
{
	struct rule_set of = {{0}}, allows;
	unsigned first = c->zone_source;
	for (unsigned w = 0; w < 4; w++)
		for (uint64_t left = zones->lists[w]; left; left &= left - 1) {
			unsigned list = w * 64 + (unsigned)__builtin_ctzll(left);
			if (r->way[list].source < first) {
				first = r->way[list].source;
				of = (struct rule_set){{0}};
			}
			if (r->way[list].source == first)
				of.lists[w] |= left & -left;
		}
	if (first == c->zone_source)
		return;
	c->zone_source = first;
	allows = of;
	bool allow = mask(&allows, r->of_class[RULE_CLASS_ALLOW]);
	take(r, &c->by_zone, allow ? RULE_CLASS_ALLOW : RULE_CLASS_BLOCK, allow ? &allows : &of,
		index);
}

// A name whose lists are not all plain block lists.
static __attribute__((noinline)) void weigh(const struct rule_reader *r, struct choice *c,
	const struct rule_probe *p, struct rule_set s, unsigned index, bool self, uint16_t qtype)
{
	keep_covering(r, &s, self);
	const unsigned typed = typed_rank(r, &s);
	c->typed = typed > c->typed ? typed : c->typed;
	rule_keep_types(r, &s, qtype);
	if (unlikely_(c->has_excepts))
		take_away(r, c, &s, probe_labels(p, index));
	for (unsigned w = 0; w < 4 && unlikely_(r->unrewrites); w++)
		s.lists[w] &= ~c->back.lists[w];
	if (!any_of(&s))
		return;
	struct rule_set of = s;
	if (!c->safe && mask(&of, r->of_class[RULE_CLASS_SAFE])) {
		c->safe = true;
		c->safe_index = (uint8_t)index;
		c->safe_list = (uint8_t)lowest(&of);
	}
	of = s;
	if (mask(&of, r->zones)) {
		weigh_zones(r, c, &of, index);
		for (unsigned w = 0; w < 4; w++)
			s.lists[w] &= ~of.lists[w];
	}
	for (unsigned i = 0; i < ARRAY_LEN(order) && rank_of[order[i]] > c->rank; i++) {
		of = s;
		if (mask(&of, r->of_class[order[i]])) {
			take(r, &c->by_rank, order[i], &of, index);
			c->rank = rank_of[order[i]];
		}
	}
	of = s;
	if (mask(&of, r->of_class[RULE_CLASS_EXCEPT])) {
		c->has_excepts = true;
		for (unsigned w = 0; w < 4; w++)
			c->excepts.lists[w] |= of.lists[w];
	}
}

static bool is_self(const struct rule_probe *p, unsigned index, unsigned labels)
{
	return index + 1 == p->count && p->depths >> labels & 1;
}

// The exceptions for rewrites may be farther away than what they take back.
static __attribute__((noinline)) void find_back(const struct rule_reader *r, struct choice *c,
	const struct rule_probe *p, const struct dns_name *name, uint16_t qtype,
	const uint64_t group_lists[4], unsigned labels)
{
	struct rule_set of = {{0}};
	for (uint64_t left = p->candidates; left;) {
		struct rule_set s;
		const unsigned i = nearest(left);
		left ^= UINT64_C(1) << i;
		find_rules(r, p, i, name, group_lists, &s);
		keep_covering(r, &s, is_self(p, i, labels));
		rule_keep_types(r, &s, qtype);
		mask(&s, r->of_class[RULE_CLASS_UNREWRITE]);
		for (unsigned w = 0; w < 4; w++)
			of.lists[w] |= s.lists[w];
	}
	add_taken(r, &of, c->back.lists);
}

static const struct chosen *choose(const struct rule_reader *r, const struct rule_probe *p,
	const struct dns_name *name, uint16_t qtype, const uint64_t group_lists[4],
	struct choice *c)
{
	const unsigned labels = name->labels < 63 ? name->labels : 63;
	c->by_rank.d = (struct rule_decision){.action = RULE_PASS};
	c->rank = c->typed = 0;
	c->zone_source = RULE_SOURCES_MAX;
	c->safe = c->has_excepts = false;
	c->excepts = (struct rule_set){{0}};
	if (unlikely_(r->unrewrites))
		find_back(r, c, p, name, qtype, group_lists, labels);
	for (uint64_t left = p->candidates; left && c->rank < RANK_LOCAL;) {
		struct rule_set s;
		unsigned i = nearest(left);
		left ^= UINT64_C(1) << i;
		find_rules(r, p, i, name, group_lists, &s);
		if (!any_of(&s))
			continue;
		if (!is_plain(r, &s)) {
			weigh(r, c, p, s, i, is_self(p, i, labels), qtype);
		} else if (c->rank < RANK_BLOCK) {
			c->rank = RANK_BLOCK;
			c->by_rank.d = plain_decision(&s, i);
		}
	}
	bool zone = c->zone_source < RULE_SOURCES_MAX && c->rank < RANK_ZONE;
	struct chosen *made = zone ? &c->by_zone : &c->by_rank;
	made->d.allowed = made->d.matched & (made->d.action == RULE_PASS);
	made->d.safe = c->safe;
	made->d.typed = c->typed && c->typed >= (zone ? RANK_ZONE : c->rank);
	return made;
}

struct rule_decision rule_probe_weigh(const struct rule_reader *r, const struct rule_probe *p,
	const struct dns_name *name, uint16_t qtype, const uint64_t group_lists[4])
{
	struct choice c;
	return choose(r, p, name, qtype, group_lists, &c)->d;
}

static void probe(const struct rule_reader *r, const struct dns_name *name, struct rule_probe *p)
{
	uint8_t label_off[DNS_LABELS_MAX];
	for (unsigned i = 0, off = 0; i < name->labels; i++) {
		label_off[i] = (uint8_t)off;
		off += name->wire[off] + 1U;
	}
	rule_probe_suffixes(r, name, label_off, p);
	rule_probe_bloom(r, p);
}

void rule_decide(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype,
	const uint64_t group_lists[4], struct rule_verdict *out)
{
	struct rule_probe p;
	struct choice c;
	struct rule_verdict v = {0};
	probe(r, name, &p);
	if (unlikely_(r->glob_homes))
		rule_probe_globs(r, name, &p);
	c.by_rank.set = (struct rule_set){{0}};
	const struct chosen *made = choose(r, &p, name, qtype, group_lists, &c);
	v.d = made->d;
	if (v.d.matched) {
		v.labels = (uint8_t)probe_labels(&p, v.d.index);
		v.hash = p.hash[v.d.index];
		v.set = made->set;
		if (!any_of(&v.set))
			find_rules(r, &p, v.d.index, name, group_lists, &v.set);
	}
	if (v.d.safe) {
		v.safe_labels = (uint8_t)probe_labels(&p, c.safe_index);
		v.safe_list = c.safe_list;
		v.safe_hash = p.hash[c.safe_index];
	}
	*out = v;
}

unsigned rule_holders(const struct rule_reader *r, const struct dns_name *name,
	struct rule_match out[RULE_LABELS_MAX])
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct rule_probe p;
	unsigned n = 0;
	probe(r, name, &p);
	for (uint64_t left = p.candidates; left;) {
		unsigned i = 63 - (unsigned)__builtin_clzll(left);
		struct rule_match m = {.hash = p.hash[i], .labels = (uint8_t)probe_labels(&p, i)};
		left ^= UINT64_C(1) << i;
		find_set(r, p.hash[i], all, &m.set);
		if (any_of(&m.set))
			out[n++] = m;
	}
	return n;
}

unsigned rule_matches(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype,
	struct rule_match out[RULE_LABELS_MAX])
{
	unsigned holders = rule_holders(r, name, out), n = 0;
	struct choice c = {.rank = 0};
	for (unsigned i = 0; i < holders; i++) {
		struct rule_match m = out[i];
		keep_match(r, &m, name);
		rule_keep_types(r, &m.set, qtype);
		take_away(r, &c, &m.set, m.labels);
		if (!any_of(&m.set))
			continue;
		for (unsigned w = 0; w < 4; w++)
			c.excepts.lists[w] |= m.set.lists[w] & r->of_class[RULE_CLASS_EXCEPT][w];
		out[n++] = m;
	}
	return n;
}

bool rule_name_is_typed(const struct rule_reader *r, const struct dns_name *name)
{
	struct rule_match match[RULE_LABELS_MAX];
	unsigned holders = rule_holders(r, name, match);
	bool typed = false;
	for (unsigned i = 0; i < holders && !typed; i++) {
		keep_match(r, &match[i], name);
		typed = rule_has_typed(r, &match[i].set);
	}
	return typed;
}

struct dns_name rule_suffix(const struct dns_name *name, unsigned labels)
{
	struct dns_name rule = {.labels = (uint8_t)labels};
	unsigned off = 0;
	for (unsigned i = labels; i < name->labels; i++)
		off += name->wire[off] + 1U;
	rule.len = (uint8_t)(name->len - off);
	memcpy(rule.wire, name->wire + off, rule.len);
	return rule;
}
