// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The section `cookies`: the secrets, from the file itself or from one beside it.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

ATTR_MUST_CHECK int config_cookies_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
void config_cookies_wipe(struct config *c);
