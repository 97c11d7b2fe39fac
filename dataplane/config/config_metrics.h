// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The section `metrics` of the configuration file: where they are served, and to whom.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// -EINVAL by config_refuse. Nothing to be freed but what config_keys_free does.
ATTR_MUST_CHECK int config_metrics_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
