// SPDX-License-Identifier: BSD-3-Clause

#include <weir/config.h>
#include <weir/shm_abi.h>

void config_for_workers(const struct config *config, struct dp_config *out)
{
	*out = (struct dp_config){
		.client_ttl_cap_s = config->cache.client_ttl_cap_s,
		.stale_ttl_s = config->cache.stale_ttl_s,
		.block_ttl_s = config->blocking.ttl_s,
		.udp_limit = config->limits.udp_reply_size,
		.block_mode = (uint8_t)config->blocking.mode,
		.stale_mode = config->cache.stale_immediate ? STALE_IMMEDIATE : STALE_ON_FAILURE,
		.blocking_on = config->blocking.enabled,
		.group_lists = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
	};
}
