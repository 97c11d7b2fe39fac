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

void rule_probe_reach(const struct rule_reader *r, const struct rule_probe *p)
{
	for (uint64_t left = p->candidates; left; left &= left - 1) {
		uint64_t hash = p->hash[__builtin_ctzll(left)];
		const struct rule_bucket *b = &r->table[rule_slot_of(hash, r->table_homes)];
		unsigned slots = matching_slots(b, hash);
		// The set, of which there are some ten thousand with many lists (a number that is
		// none is fetched in vain); or the entry, rarely two lines away and hardly ever
		// more.
		if (slots)
			__builtin_prefetch(&r->sets[load_once(&b->set[__builtin_ctz(slots)])]);
		else
			__builtin_prefetch(b + (load_once(&b->walk) > 0));
	}
}

// Classes in the order in which they decide, and the rank of each: of equal rank the nearest
// decides, and at one name the first of these.
static const uint8_t order[] = {RULE_CLASS_LOCAL, RULE_CLASS_OPERATOR_ALLOW,
	RULE_CLASS_OPERATOR_DENY, RULE_CLASS_IMPORTANT_ALLOW, RULE_CLASS_IMPORTANT_BLOCK,
	RULE_CLASS_ALLOW, RULE_CLASS_BLOCK};
enum { RANK_BLOCK = 1, RANK_LOCAL = 6 };
static const uint8_t rank_of[RULE_CLASSES] = {
	[RULE_CLASS_LOCAL] = RANK_LOCAL,
	[RULE_CLASS_OPERATOR_ALLOW] = 5,
	[RULE_CLASS_OPERATOR_DENY] = 5,
	[RULE_CLASS_IMPORTANT_ALLOW] = 4,
	[RULE_CLASS_IMPORTANT_BLOCK] = 3,
	[RULE_CLASS_ALLOW] = 2,
	[RULE_CLASS_BLOCK] = RANK_BLOCK,
};

// A decision on its way, nearest name first.
struct choice {
	struct rule_decision d;
	unsigned rank; // rank of the rule that has decided so far; 0: none
	bool safe;
	uint8_t safe_index, safe_list;
	const uint64_t *lists; // of the group, less those that an exception took away
	uint64_t left[4];
};

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

static bool type_fits(const struct rule_types *t, uint16_t qtype)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->type[i] == qtype)
			return !t->except;
	return t->except;
}

void rule_keep_types(const struct rule_reader *r, struct rule_set *s, uint16_t qtype)
{
	for (unsigned w = 0; w < 4; w++)
		for (uint64_t left = s->lists[w] & r->typed[w]; left; left &= left - 1) {
			unsigned list = w * 64 + (unsigned)__builtin_ctzll(left);
			if (!type_fits(&r->way[list].types, qtype))
				s->lists[w] ^= left & -left;
		}
}

// Leaves the lists whose entry at that name covers the question's name and fits its type.
static void keep_fitting(const struct rule_reader *r, struct rule_set *s, bool self, uint16_t qtype)
{
	mask(s, self ? r->covers_self : r->covers_below);
	rule_keep_types(r, s, qtype);
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

// For the names above: without the block rules of these lists' sources.
static void except(const struct rule_reader *r, struct choice *c, const struct rule_set *lists)
{
	const struct rule_away *known = &r->away[rule_away_slot(lists->lists)];
	const uint64_t *away = known->away;
	uint64_t added[4];
	if (unlikely_(!same_lists(known->of, lists->lists))) {
		add_taken(r, lists, added);
		away = added;
	}
	for (unsigned w = 0; w < 4; w++)
		c->left[w] = c->lists[w] & ~away[w];
	c->lists = c->left;
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
	};
	const unsigned allows = 1U << RULE_CLASS_ALLOW | 1U << RULE_CLASS_IMPORTANT_ALLOW
				| 1U << RULE_CLASS_OPERATOR_ALLOW;
	return allows >> rule_class & 1 ? RULE_PASS : of_reply[reply];
}

// `s`: of the class alone.
static void take(const struct rule_reader *r, struct choice *c, uint8_t rule_class,
	const struct rule_set *s, unsigned index)
{
	unsigned list = lowest(s);
	c->rank = rank_of[rule_class];
	c->d = (struct rule_decision){
		.action = action_of(rule_class, r->way[list].reply),
		.reply = r->way[list].reply,
		.list = (uint8_t)list,
		.rule_class = rule_class,
		.index = (uint8_t)index,
		.matched = 1,
	};
}

// A name whose lists are not all plain block lists.
static __attribute__((noinline)) bool weigh(const struct rule_reader *r, struct choice *c,
	struct rule_set s, unsigned index, bool self, uint16_t qtype)
{
	keep_fitting(r, &s, self, qtype);
	if (!any_of(&s))
		return false;
	struct rule_set of = s;
	if (!c->safe && mask(&of, r->of_class[RULE_CLASS_SAFE])) {
		c->safe = true;
		c->safe_index = (uint8_t)index;
		c->safe_list = (uint8_t)lowest(&of);
	}
	bool took = false;
	for (unsigned i = 0; i < ARRAY_LEN(order) && rank_of[order[i]] > c->rank; i++) {
		of = s;
		if (mask(&of, r->of_class[order[i]])) {
			take(r, c, order[i], &of, index);
			took = true;
		}
	}
	of = s;
	if (mask(&of, r->of_class[RULE_CLASS_EXCEPT]))
		except(r, c, &of);
	return took;
}

// Returns no struct of lists: a copy in other widths than it was written in stalls the core.
// `decided`, if not NULL, gets the lists that have the deciding name.
static inline struct rule_decision choose(const struct rule_reader *r, const struct rule_probe *p,
	unsigned labels, uint16_t qtype, const uint64_t group_lists[4], struct choice *c,
	struct rule_set *decided)
{
	c->d = (struct rule_decision){.action = RULE_PASS};
	c->rank = 0;
	c->safe = false;
	c->lists = group_lists;
	// Candidates come farthest first; from the back, the first of a rank is the nearest of it.
	for (uint64_t left = p->candidates; left && c->rank < RANK_LOCAL;) {
		struct rule_set s;
		unsigned i = 63 - (unsigned)__builtin_clzll(left);
		bool took = false;
		left ^= UINT64_C(1) << i;
		find_set(r, p->hash[i], c->lists, &s);
		if (!any_of(&s))
			continue;
		uint64_t odd = 0;
		for (unsigned w = 0; w < 4; w++)
			odd |= s.lists[w] & ~r->plain[w];
		if (unlikely_(odd)) {
			bool self = i + 1 == p->count && p->depths >> labels & 1;
			took = weigh(r, c, s, i, self, qtype);
		} else if (c->rank < RANK_BLOCK) {
			c->rank = RANK_BLOCK;
			c->d = (struct rule_decision){
				.action = RULE_BLOCK,
				.reply = RULE_REPLY_GROUP,
				.list = (uint8_t)lowest(&s),
				.rule_class = RULE_CLASS_BLOCK,
				.index = (uint8_t)i,
				.matched = 1,
			};
			took = true;
		}
		if (decided && took)
			*decided = s;
	}
	c->d.allowed = c->d.matched & (c->d.action == RULE_PASS);
	c->d.safe = c->safe;
	return c->d;
}

struct rule_decision rule_probe_decide(const struct rule_reader *r, const struct rule_probe *p,
	unsigned labels, uint16_t qtype, const uint64_t group_lists[4])
{
	struct choice c;
	return choose(r, p, labels < 63 ? labels : 63, qtype, group_lists, &c, NULL);
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

// Labels of the suffix of a probe with this index.
static uint8_t probe_labels(const struct rule_probe *p, unsigned index)
{
	uint64_t depths = p->depths;
	while (index--)
		depths &= depths - 1;
	return (uint8_t)__builtin_ctzll(depths);
}

void rule_decide(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype,
	const uint64_t group_lists[4], struct rule_verdict *out)
{
	struct rule_probe p;
	struct choice c;
	struct rule_verdict v = {0};
	probe(r, name, &p);
	v.d = choose(r, &p, name->labels < 63 ? name->labels : 63, qtype, group_lists, &c, &v.set);
	if (v.d.matched) {
		v.labels = probe_labels(&p, v.d.index);
		v.hash = p.hash[v.d.index];
		keep_fitting(r, &v.set, v.labels == name->labels, qtype);
		mask(&v.set, r->of_class[v.d.rule_class]);
	}
	if (v.d.safe) {
		v.safe_labels = probe_labels(&p, c.safe_index);
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
		struct rule_match m = {.labels = probe_labels(&p, i)};
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
	for (unsigned i = 0; i < holders; i++) {
		struct rule_match m = out[i];
		keep_fitting(r, &m.set, m.labels == name->labels, qtype);
		if (any_of(&m.set))
			out[n++] = m;
	}
	return n;
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
