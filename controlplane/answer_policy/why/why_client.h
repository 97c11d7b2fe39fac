// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which group a client is in, and how that was found: from the configuration, in the order that the
// policy image has (policy.h): its MAC address, then the longest prefix, then the VLAN of its
// frames.

#include "why.h"

struct why_asked {
	bool has_address, has_mac, has_group;
	struct ip_address address;
	struct config_mac mac;
	unsigned group; // number
	uint16_t vlan;  // 0: none
};

// Of a request; NULL: not given. `client`: an address, or a name of `clients`.
struct why_text {
	const char *client, *mac, *vlan, *group;
};

// -EINVAL and *bad: the parameter that is none.
ATTR_MUST_CHECK int why_asked_parse(
	const struct config *c, const struct why_text *t, struct why_asked *out, const char **bad);

void why_client_find(const struct config *c, const struct why_asked *asked, struct why_client *out);
