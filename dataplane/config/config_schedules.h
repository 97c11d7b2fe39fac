// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The lists `schedules` and the section `family_time`, which is one more schedule.

#include "config_filter.h"

// As config_filter_apply.
ATTR_MUST_CHECK int config_schedules_apply(const struct config_doc *doc, const char *owner,
	const struct config_raw_filter *raw, const struct config_blocking *blocking,
	struct config_schedules *out);
void config_schedules_free(struct config_schedules *s);
