// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The list `forward_zones`, everyone's and groups': zones and their servers.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// After config_net_apply and config_groups_apply. -EINVAL by config_refuse, -ENOMEM; `out` may then
// be half filled, config_forwards_free frees that, groups' zones as well.
ATTR_MUST_CHECK int config_forwards_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
void config_forwards_free(struct config *c); // before config_groups_free
