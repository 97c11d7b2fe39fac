// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The section blocking.rebinding.

#include "config_schema.h"

#include <weir/config.h>

// `raw`: NULL: not given. -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_rebinding_apply(const struct config_doc *doc,
	const struct config_raw_rebinding *raw, struct config_rebinding *out);
void config_rebinding_free(struct config_rebinding *r);
