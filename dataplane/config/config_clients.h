// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The list `clients`, and the entries of `groups[].clients`: addresses, prefixes, MACs and names of
// clients, none in two groups.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_clients_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
void config_clients_free(struct config *c);

// Refuses prefixes that no client can have. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_prefix_check(
	const struct config_doc *doc, const char *key, const struct ip_address *a);
ATTR_MUST_CHECK int config_mac_check(
	const struct config_doc *doc, const char *key, const struct config_mac *mac);

// Pointers to all clients, in order of their names; free(3) it. NULL: no memory.
const struct config_client **config_clients_sorted(const struct config *c);

// Fills in clients and MACs of every group of `out`, which has their names. After
// config_clients_apply.
ATTR_MUST_CHECK int config_members_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
