// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Host names of servers, in two steps: which addresses of a lookup's replies (upstream_lookup.h)
// the name gets, and for which servers the list of a set stands while its names have their present
// addresses (route/host_board.h). Resolver loop's thread. Pure, but for upstream_found_apply, which
// asks the kernel for routes: it connects a UDP socket to each address, which sends nothing.
//
// Each address of a name is a server of its own, at the place of the name in the list, with the
// name's weight. A name has at least one place as long as it has an address; the places that the
// list has left (CONFIG_UPSTREAMS_MAX in all) go to the further addresses of all names in turn. An
// address that another server of the list has, with the same port, is left out; a name that would
// have none so gets one of a name that has more. A name without an address is a server to which no
// question goes.

#include "route/host_board.h"

#include <stdbool.h>
#include <stdint.h>
#include <weir/config.h>
#include <weir/dns_answer.h>

enum { UPSTREAM_FOUND_MAX = 64 }; // addresses of a reply; more are ignored

struct upstream_found {
	unsigned count;
	uint32_t ttl_s; // the least, where there is an address
	struct ip_address address[UPSTREAM_FOUND_MAX];
};

// The addresses in the answer to a question for A or AAAA.
void upstream_found_read(struct upstream_found *f, uint16_t type, const struct dns_answer *answer);
// Gives the name the addresses of both families. A family that has no answer keeps its present
// addresses. Of each family the name gets CONFIG_HOST_ADDRESSES, those in use before others; the
// rest is counted (`left_out`). An address that no host can have, or at which weir serves DNS
// itself, is refused and counted: queries would loop. An address to which the kernel has no route
// is left out as long as the name has another one. Where no address can be used nothing changes.
// Returns how many may be used.
unsigned upstream_found_apply(struct host_state *h, const struct config *config,
	const struct upstream_found *v4, const struct upstream_found *v6, bool has_v4, bool has_v6);

// The configuration of a set with host names, for the next change of their addresses.
struct upstream_named {
	struct config_upstreams config; // `name` and `ca_file` are its texts
	char name[CONFIG_UPSTREAMS_MAX][64];
	char ca_file[CONFIG_CA_FILE_MAX + 1];
	uint64_t turn; // host_board_turn of the set's addresses
};

// A copy of the configuration. NULL: it has no host names, or there is no memory (logged).
struct upstream_named *upstream_named_new(const struct config_upstreams *config);

struct upstream_list {
	unsigned count;
	unsigned unknown; // names without an address of which no lookup has ended yet
	struct config_upstream
		server[CONFIG_UPSTREAMS_MAX]; // ip.version 0: the name has no address
};
void upstream_hosts_expand(const struct config_upstreams *config, struct upstream_list *out);
// Is the server given by a host name that has no address?
static inline bool upstream_hosts_is_nowhere(const struct config_upstream *s)
{
	return s->host[0] && s->address.ip.version == 0;
}
// Does the text name the server by its host: "dns.quad9.net", "tls://dns.quad9.net:853"?
bool upstream_hosts_is(const struct config_upstream *s, const char *text);
