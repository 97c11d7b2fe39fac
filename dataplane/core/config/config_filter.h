// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys that `blocking` and groups share: services, safe_search, schedules, family_time.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// `owner`: "blocking" or "groups[3]", for messages. Must come after config_lists_step has read the
// lists. `c`: has the lists, and gets the time zones. -EINVAL by config_refuse, -ENOMEM; `out` may
// then be half filled.
ATTR_MUST_CHECK int config_filter_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config *c, struct config_filter *out);
void config_filter_free(struct config_filter *f);
void config_time_zones_free(struct config_time_zones *zones);

// Reads names of lists as indices of blocking.lists, without disabled lists; *out is allocated.
ATTR_MUST_CHECK int config_list_names_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config_blocking *blocking, unsigned **out,
	unsigned *out_count);
