// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the configuration says of a question: the client's group, the operator's entries, local data
// and the servers that weir asks. Pure.

#include "why.h"

struct why_asked {
	bool has_address, has_mac, has_group;
	enum why_from address_from, mac_from;
	struct ip_address address;
	struct config_mac mac;
	unsigned group; // number
	uint16_t vlan;  // 0 without a tag
};

// Parameters of a request; NULL: not given. `client`: an address, or a name of `clients`.
struct why_text {
	const char *client, *mac, *vlan, *group;
};

// -EINVAL and *bad: the parameter that is none.
ATTR_MUST_CHECK int why_asked_parse(
	const struct config *c, const struct why_text *t, struct why_asked *out, const char **bad);

// Does the group depend on a MAC address or an address that the request does not have?
bool why_asked_needs_mac(const struct config *c, const struct why_asked *asked);
bool why_asked_needs_address(const struct config *c, const struct why_asked *asked);

// The group that a client is in, and how that was found, in the order that the policy image has
// (policy.h): its MAC address, then its interface identifier, the longest prefix, and the VLAN of
// its frames.
void why_client_find(const struct config *c, const struct why_asked *asked, struct why_client *out);

// Corrects that by the addresses of host names: such an address beats prefixes and VLANs.
struct group_hosts;
void why_client_host(const struct config *c, const struct group_hosts *hosts,
	const struct ip_address *a, struct why_client *out);

// Which of `entries` in the configuration name the name of the question: for their reasons and
// their ends, which the rule image does not have. Entries in effect count that are everyone's or of
// the client's group: at the name or above it, or a pattern that a hit has. Once the hits are
// there, before why_steps.
void why_entries_find(struct why *w, const struct config *c);

// The local data for the name, and the servers that weir asks without an answer: those of the
// forward zone of the name, else of the client's group, else everyone's.
void why_way_find(struct why *w, const struct config *c);
