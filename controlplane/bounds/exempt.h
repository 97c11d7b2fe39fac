// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Clients and zones for which a bound of one client or one zone does not hold
// (limits.unlimited_clients, limits.unlimited_zones). A copy of the configuration's lists, so that
// it depends on no configuration's life. Resolver loop's thread. A look compares with each entry:
// 64 prefixes take 0.1 us, 64 names 0.5 us; nothing where the list is empty.

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
