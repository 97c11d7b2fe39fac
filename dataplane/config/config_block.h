// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How blocked names are answered: the addresses of `blocking`, and the section `block` of groups.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// After config_keys_apply. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_blocking_reply_apply(const struct config_doc *doc,
	const struct config_raw_blocking *raw, struct config_blocking *out);
// `owner`: "groups[3]". After config_blocking_reply_apply.
ATTR_MUST_CHECK int config_block_apply(const struct config_doc *doc, const char *owner,
	const struct config_raw_block *raw, const struct config_blocking *everyone,
	struct config_block *out);
