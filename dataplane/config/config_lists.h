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

enum { CONFIG_TITLE_MAX = 63 };

// "blocking.lists[3].name"; `of` may be NULL. Returns `key`.
const char *config_item_key(
	char key[CONFIG_PATH_MAX], const char *list, unsigned i, const char *of);

// A copy of a required text of 1 to `max` bytes of printable ASCII. -EINVAL, -ENOMEM.
ATTR_MUST_CHECK int config_text_take(
	const struct config_doc *doc, const char *key, const char *text, size_t max, char **out);
