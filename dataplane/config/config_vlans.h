// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// VLANs: those of which a port takes frames, and those whose clients are in a group.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

ATTR_MUST_CHECK int config_port_vlans_apply(const struct config_doc *doc,
	const struct config_raw_port *raw, unsigned i, struct config_port *port);
// Of all groups.
ATTR_MUST_CHECK int config_group_vlans_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
