// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which groups the clients of a rule are (rule_kind.client, of $client and $ctag): a pure function
// of the configuration. A client is in one group, and a mask is a group's; so a rule for an address
// or a prefix is one for the groups whose clients are exactly there, or for none.
//
// A term is the name of a group, or an address or prefix of which some group has the whole as one
// of its clients, and each group that has a client in it has all of its clients there as addresses
// and prefixes, and nothing else: no MAC, interface identifier, host name,
// VLAN or client name. Then it means all groups with a client in it. Any other term means no group.
// A term with `~` takes its groups away; an address that means no group takes all away, as the rule
// may not be for that address.

#include <weir/config.h>

// A bit for each group; bit 0 is everyone else. `client` is NUL-terminated and not empty. Any
// thread; no state.
uint64_t group_clients_of(const struct config *c, const char *client);

// Hands on each term that means no group, without its `~`, NUL-terminated and valid during the
// call; `address`: as such it would mean one with exactly that client.
void group_clients_each_unknown(const struct config *c, const char *client,
	void (*take)(void *arg, const char *term, bool address), void *arg);
