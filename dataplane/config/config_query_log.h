// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The lists of section query_log. Its single values are in config_keys.h.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_query_log_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
void config_query_log_free(struct config *c);
