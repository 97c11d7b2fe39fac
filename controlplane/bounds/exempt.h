// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Clients and zones that are exempt from the bounds on one client or one zone
// (limits.unlimited_clients, limits.unlimited_zones). It copies the configuration's lists, so it
// outlives the configuration. Resolver loop's thread. A check compares with each entry: 64 prefixes
// take 0.1 us, 64 names 0.5 us, an empty list nothing.

#include <stdbool.h>
#include <stdint.h>
#include <weir/config.h>

struct exempt {
	unsigned client_count, zone_count;
	struct ip_address client[CONFIG_UNLIMITED_MAX];
	struct dns_name zone[CONFIG_UNLIMITED_MAX];
};

void exempt_set(struct exempt *e, const struct config_limits *limits);
// `address`: 4 or 16 bytes by the version.
bool exempt_has_client(const struct exempt *e, unsigned ip_version, const uint8_t *address);
bool exempt_has_name(const struct exempt *e, const struct dns_name *name);
