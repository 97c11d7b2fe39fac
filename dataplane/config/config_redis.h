// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The section `redis`: its list of addresses, the password file, and what its values must be
// together. The password is in no message.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// After config_keys_apply. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_redis_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
// Overwrites the passwords; before config_keys_free.
void config_redis_wipe(struct config *c);
