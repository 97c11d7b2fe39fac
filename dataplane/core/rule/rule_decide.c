// SPDX-License-Identifier: BSD-3-Clause

// The decision on the packet path: names of plain block lists.

#include "rule_find.h"

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

// Nearly all names have plain rules alone, or none: their decision stays in registers.
struct rule_decision rule_probe_decide(const struct rule_reader *r, const struct rule_probe *p,
	const struct dns_name *name, uint16_t qtype, const uint64_t group_lists[4])
{
	struct rule_decision d = {.action = RULE_PASS};
	for (uint64_t left = p->candidates; left;) {
		struct rule_set s;
		unsigned i = nearest(left);
		left ^= UINT64_C(1) << i;
		find_rules(r, p, i, name, group_lists, &s);
		if (!is_plain(r, &s))
			return rule_probe_weigh(r, p, name, qtype, group_lists);
		if (any_of(&s) && !d.matched)
			d = plain_decision(&s, i);
	}
	return d;
}
