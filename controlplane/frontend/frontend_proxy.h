// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Balancers (proxy_protocol.from), over TCP and UDP alike: whom a header of PROXY protocol v2 is
// due from, and the client that it names (sender.h). Pure functions; any thread.

#include "resolver/resolver_client.h"

#include <weir/config.h>
#include <weir/sender.h>

// Is the peer a balancer?
bool frontend_proxy_is_due(
	const struct config_proxy_protocol *balancers, const union client_address *peer);
// Of PROXY_HEADER_CLIENT.
union client_address frontend_proxy_client(const struct proxy_header *h);
