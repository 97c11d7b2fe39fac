// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Allow and deny entries, of everyone and of groups: names with all below them, and /patterns/.

#include "config_doc.h"

#include <weir/config.h>

// `list`: the key, for messages. -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_entries_apply(const struct config_doc *doc, const char *list,
	char *const *text, unsigned count, struct config_entries *out);
void config_entries_free(struct config_entries *e);

// One name that covers all below it. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_entry_name(
	const struct config_doc *doc, const char *key, const char *text, struct dns_name *out);
