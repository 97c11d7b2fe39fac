// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The section `local` and `groups[].local_records`: the operator's own records and zones.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// After config_keys_apply. All return -EINVAL by config_refuse, or -ENOMEM; `out` may then be half
// filled, config_local_free frees that, groups' records as well.
ATTR_MUST_CHECK int config_local_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
ATTR_MUST_CHECK int config_group_records_apply(const struct config_doc *doc,
	const struct config_raw_group *raw, unsigned group, struct config *out);
void config_local_free(struct config *c); // before config_groups_free

// What records must be together, when all are there: no two alike, no CNAME beside another record
// of its name (RFC 1034 3.6.2), none that leads in a circle.
ATTR_MUST_CHECK int config_records_check(const struct config_doc *doc, const struct config *c);
