// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The lists of the configuration file that say where packets come from and go to: cores, ports,
// service addresses, upstream servers.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled; config_net_free frees that.
ATTR_MUST_CHECK int config_net_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
// One more server of a list named `list` ("upstreams.servers"), of an `out` that has its service
// addresses. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_server_apply(const struct config_doc *doc,
	const struct config_raw_server *raw, const char *list, const struct config *out,
	struct config_upstream *servers, unsigned *count);
// Can this be the address of a server: a host's, not a service address, not one of `servers`?
// -EINVAL.
ATTR_MUST_CHECK int config_server_check(const struct config_doc *doc, const char *key,
	const struct config *out, const struct config_upstream *servers, unsigned count,
	const struct socket_address *a);
void config_net_free(struct config *c);
