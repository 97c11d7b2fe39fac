// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which names of a policy zone keep a wildcard above them away: those that exist, and those between
// them and the wildcard (RFC 4592 3.3.1, the closest encloser). The zone's rules come in any order,
// so all names are kept as fingerprints until its end: 8 bytes a label. One thread.

#include <stdbool.h>
#include <weir/rule_image.h>

struct rule_zone_names {
	uint64_t *path; // of each name its labels, then the fingerprints of it and all above it
	size_t count, room;
	uint64_t *wildcard; // fingerprints of names with a wildcard below them
	size_t wildcards, wildcard_room;
};

void rule_zone_names_free(struct rule_zone_names *z);
size_t rule_zone_names_bytes(const struct rule_zone_names *z); // of memory

// `below`: the rule is a wildcard's below that name. -ENOMEM.
ATTR_MUST_CHECK int rule_zone_names_add(struct rule_zone_names *z,
	const struct keyhash_secret *secret, const struct dns_name *name, bool below);

// Calls `take` for each name that does, some more than once, until it returns another value than 0,
// and returns that; then nothing is kept any more.
ATTR_MUST_CHECK int rule_zone_names_end(struct rule_zone_names *z,
	int (*take)(void *arg, uint64_t fingerprint, unsigned labels), void *arg);
