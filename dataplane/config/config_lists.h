// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The block lists and entries of the configuration file, and what every key with a list needs.
// config_net.h has the other lists, config_keys.h the keys that hold one value.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled; config_lists_free frees that.
ATTR_MUST_CHECK int config_lists_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
void config_lists_free(struct config *c);
