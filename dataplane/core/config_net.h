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
void config_net_free(struct config *c);
