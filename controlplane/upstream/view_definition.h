// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a view is made of, and the hashes that name it: its servers, safe search, and where a group
// has its own, the zones with other servers and the names that are resolved under another name.
// Resolver loop's thread.

#include "aaaa.h"
#include "forward.h"
#include "rewrite.h"

struct view_names {
	struct forward_table *zones;    // NULL: none
	struct rewrite_table *rewrites; // NULL: none
};

// -EBUSY (forward.h), -ENOMEM; then *out is untouched.
ATTR_MUST_CHECK int view_names_make(
	struct forwards *f, const struct config_group *group, struct view_names *out);
ATTR_MUST_CHECK int view_names_make_everyone(
	struct forwards *f, const struct config *config, struct view_names *out);
void view_names_end(struct view_names *n); // leaves it empty

// Of a group: has it any of its own, and a hash of them whatever their order. 0: none.
uint64_t view_names_hash(const struct config_group *group);

// Has a group local records that the image answers: other clients get others for the same names,
// also where an alias leads to them.
bool view_has_records(const struct config_group *g);

// What a view is made of.
struct view_definition {
	const struct config_upstreams *everyone; // servers of a group that has none of its own
	const struct config_group *group;        // NULL: everyone
	const struct config_safe_search *safe;   // NULL: not a safe view
	uint64_t dnssec;                         // config_dnssec.hash
	struct config_ipv6 ipv6;
};

// NULL: everyone. Not the safe view.
struct view_definition view_definition_of(
	const struct config *config, const struct config_group *group);
uint64_t view_definition_hash(const struct view_definition *d); // never 0
// Of the safe view of a group. False: the group has no safe search.
bool view_safe_definition(
	const struct config *c, const struct config_group *group, struct view_definition *out);

// Never 0. NULL: everyone. The group's name counts only where it has no cache, or records.
uint64_t view_hash(const struct config *config, const struct config_group *group);
// Of all that says how everyone's names are resolved: servers, zones, local CNAMEs. Never 0.
uint64_t view_everyone_hash(const struct config *config);
// Of the safe view of a group, NULL: of everyone else. 0: no safe search.
uint64_t view_safe_hash(const struct config *config, const struct config_group *group);
