// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Explains the part of local data in a question: for `weirctl why`. From the configuration, the
// names of leases (lease_names.h) and, if requested, the present hosts files, which is not for a
// loop. One text for each step, in order: the record, zone, line, lease or special-use name that
// decides; after a CNAME the steps of its
// target; last the forward zone that the name is resolved by. Printable ASCII.

#include <weir/config.h>

enum { LOCAL_WHY_TEXT_MAX = 640, LOCAL_WHY_STEPS_MAX = 2 * CONFIG_ALIASES_MAX + 2 };

enum local_why_kind {
	LOCAL_WHY_RECORD,
	LOCAL_WHY_HOSTS,
	LOCAL_WHY_LEASE,
	LOCAL_WHY_SINGLE, // local.single_labels
	LOCAL_WHY_ZONE,
	LOCAL_WHY_SPECIAL,
	LOCAL_WHY_FORWARD,
};

struct local_why_step {
	enum local_why_kind kind;
	const char *group; // the group; NULL: everyone
	char text[LOCAL_WHY_TEXT_MAX];
};

struct local_why {
	unsigned count; // 0: local data says nothing of it
	bool is_house;  // the resolver answers by house.h, without a rule of the image
	struct local_why_step step[LOCAL_WHY_STEPS_MAX];
};

// `group`: NULL is everyone else. `type`: of the question. `files`: hosts files are read.
void local_why(const struct config *c, const struct config_group *group,
	const struct dns_name *name, uint16_t type, bool files, struct local_why *out);

// The zone that the name is in, the group's own before everyone's; NULL without one. `of`: the
// group that has it; NULL: everyone.
const struct config_forward_zone *local_why_forward(const struct config *c,
	const struct config_group *group, const struct dns_name *name,
	const struct config_group **of);
