// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The plain decision in line (dataplane/core/rule/rule_fast.h) in the steps of the packet path, for
// what compares it with the general one.

#include "dataplane/core/rule/rule_fast.h"

// The steps before it.
static inline void rule_fast_probe(
	const struct rule_reader *r, const struct dns_name *name, struct rule_probe *p)
{
	uint8_t label_off[DNS_LABELS_MAX];
	for (unsigned i = 0, off = 0; i < name->labels; off += name->wire[off] + 1U)
		label_off[i++] = (uint8_t)off;
	rule_probe_suffixes(r, name, label_off, p);
	rule_probe_bloom(r, p);
	if (p->candidates && r->glob_homes)
		rule_probe_globs(r, name, p);
}

struct rule_fast_said {
	bool blocks;    // if not, it left the question to the general code
	bool is_behind; // the entry is in the bucket behind the home one
	unsigned list;
};

static inline struct rule_fast_said rule_fast_ask(
	const struct rule_reader *r, const struct rule_probe *p, const uint64_t lists[4])
{
	struct rule_fast_said said = {0};
	if (!p->candidates)
		return said;
	const struct rule_set *set = rule_fast_reach(r, p);
	said.is_behind = !set;
	if (!set)
		set = rule_fast_behind(r, p);
	said.blocks = set && rule_fast_blocks(r, set, lists);
	if (said.blocks)
		said.list = rule_fast_list(set, lists);
	return said;
}

// What it said is what the general code decides.
static inline bool rule_fast_is_right(
	const struct rule_fast_said *said, const struct rule_decision *d)
{
	return !said->blocks
	       || (d->matched && d->action == RULE_BLOCK && d->reply == RULE_REPLY_GROUP
		       && d->rule_class == RULE_CLASS_BLOCK && d->list == said->list && !d->safe);
}
