// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What of blocking.update is more than one value, and how its values go together.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// -EINVAL by config_refuse. After the service addresses.
ATTR_MUST_CHECK int config_update_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
