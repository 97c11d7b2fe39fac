// SPDX-License-Identifier: BSD-3-Clause
#include "exempt.h"

#include <string.h>
#include <weir/bytes.h>

void exempt_set(struct exempt *e, const struct config_limits *limits)
{
	e->client_count = limits->unlimited_client_count;
	e->zone_count = limits->unlimited_zone_count;
	if (e->client_count)
		memcpy(e->client, limits->unlimited_clients,
			e->client_count * sizeof(e->client[0]));
	if (e->zone_count)
		memcpy(e->zone, limits->unlimited_zones, e->zone_count * sizeof(e->zone[0]));
}

bool exempt_has_client(const struct exempt *e, unsigned ip_version, const uint8_t *address)
{
	for (unsigned i = 0; i < e->client_count; i++)
		if (e->client[i].version == ip_version
			&& bits_same(e->client[i].bytes, address, e->client[i].prefix_len))
			return true;
	return false;
}

bool exempt_has_name(const struct exempt *e, const struct dns_name *name)
{
	for (unsigned i = 0; i < e->zone_count; i++)
		if (dns_name_is_under(name, &e->zone[i]))
			return true;
	return false;
}
