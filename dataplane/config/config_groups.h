// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The list `groups`: clients by prefix, and what applies to them.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// After config_net_apply and config_lists_apply. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_groups_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
void config_groups_free(struct config *c);
