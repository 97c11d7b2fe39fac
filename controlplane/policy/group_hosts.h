// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Addresses of the host names that are clients of groups, as hosts files and leases give them at
// one moment. A name without a dot is also that of each host whose first label it is.
//
// An address that a group has itself, whole, stays in that group. Prefixes of groups and addresses
// of host names are at most POLICY_PREFIXES_MAX together; those beyond, beyond GROUP_HOSTS_MAX, and
// beyond GROUP_HOST_EACH_MAX of one name, so that a device with many leases pushes out no other
// name, are left out and counted. Any thread; no state.

#include <weir/config.h>

enum { GROUP_HOSTS_MAX = 1024, GROUP_HOST_EACH_MAX = 64 };

struct group_host {
	struct ip_address address; // whole
	uint16_t group;            // 1 + its place in the configuration
	uint16_t host;             // place in that group's `hosts`
};
// group_hosts_same compares bytes.
static_assert(sizeof(struct group_host) == sizeof(struct ip_address) + 2 * sizeof(uint16_t));

struct group_hosts {
	unsigned count, left_out;
	uint8_t of[CONFIG_GROUP_HOSTS_MAX]; // addresses of each host name, in the order of groups
	struct group_host one[GROUP_HOSTS_MAX]; // sorted by address, none twice
};

bool group_hosts_has_names(const struct config *c); // a host name is in some group
// Adds the address of a host, whole, if its name is in a group.
void group_hosts_add(const struct config *c, const struct ip_address *a, const char *name,
	struct group_hosts *out);
void group_hosts_sort(struct group_hosts *h); // once all are in
bool group_hosts_same(const struct group_hosts *a, const struct group_hosts *b);
// NULL: no host name has the address.
const struct group_host *group_hosts_at(const struct group_hosts *h, const struct ip_address *a);
// How many addresses the host names of a group have.
unsigned group_hosts_of(const struct group_hosts *h, unsigned group);

// Makes *out a copy of `c` whose groups have these addresses as clients, too. It shares all else
// with `c`, which must outlive it. -ENOMEM: nothing is to be ended.
ATTR_MUST_CHECK int group_hosts_join(
	const struct config *c, const struct group_hosts *h, struct config *out);
void group_hosts_end(struct config *joined);
