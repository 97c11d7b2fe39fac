// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The section `access`: clients that may ask, and clients without limits.

#include "config_schema.h"

#include <weir/config.h>

// After config_net_apply: `local` means the networks of the service addresses. -EINVAL by
// config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_access_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
void config_access_free(struct config *c);
