// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names to resolve under another one: local CNAMEs whose target is not local.
//
// The rule image marks such a name (RULE_REPLY_RESOLVE); this table has the name to resolve in its
// place. A table is immutable and belongs to a view (views.h): view 0's has everyone's records, a
// group with CNAMEs of its own has a view with a table of its own, which comes first. It knows the
// other local names too, as the end of a chain: a name's own record beats a wildcard's CNAME.
// Everyone's forward zones and safe search act on the final name. At most CONFIG_ALIASES_MAX CNAMEs
// one after the other; a name that leads on to more, or in a circle (the configuration refuses the
// circles of one list; everyone's and a group's together may make one), is -ELOOP. Cost of a
// lookup: a binary search for each label, none without records.

#include "base/age_list.h"

#include <weir/config.h>
#include <weir/dns_answer.h>

struct rewrite_table;

// *out is NULL where no record is a CNAME. -ENOMEM.
ATTR_MUST_CHECK int rewrite_table_new(
	const struct config_record *records, unsigned count, struct rewrite_table **out);
void rewrite_table_free(struct rewrite_table *t); // NULL is fine

struct rewrite {
	// `age` and `bytes` are for an owner that keeps rewrites.
	struct age_link age;
	size_t bytes;
	struct dns_name asked; // the name to resolve in the end
	const uint8_t *before; // see struct dns_chain
	size_t before_len;
	unsigned count; // CNAMEs; 0: the name is not rewritten
	struct dns_alias alias[CONFIG_ALIASES_MAX];
};

// Either table may be NULL. 0 or -ELOOP.
ATTR_MUST_CHECK int rewrite_follow(const struct rewrite_table *own,
	const struct rewrite_table *everyone, const struct dns_name *name, struct rewrite *out);
// One more CNAME behind the others. -ELOOP: no room.
ATTR_MUST_CHECK int rewrite_add(
	struct rewrite *r, const uint8_t *target, size_t target_len, uint32_t ttl_s);
