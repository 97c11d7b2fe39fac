// SPDX-License-Identifier: BSD-3-Clause

#include "service.h"

#include <string.h>

void service_from_config(struct worker_service *out, const struct config_dataplane *dp)
{
	*out = (struct worker_service){0};
	for (unsigned i = 0; i < dp->address_count; i++) {
		const struct ip_address *a = &dp->addresses[i];
		if (a->version == 4)
			memcpy(&out->v4[out->v4_count++], a->bytes, 4);
		else
			memcpy(out->v6[out->v6_count++], a->bytes, 16);
	}
}

void service_default_settings(struct dp_config *out, const struct config *config)
{
	*out = (struct dp_config){
		.client_ttl_cap_s = config->cache.client_ttl_cap_s,
		.stale_ttl_s = config->cache.stale_ttl_s,
		.block_ttl_s = config->blocking.ttl_s,
		.udp_limit = config->limits.udp_reply_size,
		.block_mode = (uint8_t)config->blocking.mode,
		.stale_mode = config->cache.stale_immediate ? STALE_IMMEDIATE : STALE_ON_FAILURE,
		.blocking_on = config->blocking.enabled,
	};
	// Rules without settings: every list applies.
	memset(out->group_lists, 0xff, sizeof out->group_lists);
}
