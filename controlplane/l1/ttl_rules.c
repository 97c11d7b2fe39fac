// SPDX-License-Identifier: BSD-3-Clause
#include "ttl_rules.h"

struct ttl_rules ttl_rules_of(const struct config_cache *c)
{
	return (struct ttl_rules){
		.limits = {.min_s = c->min_ttl_s,
			.max_s = c->max_ttl_s,
			.negative_s = c->negative_ttl_s},
		.stale_window_s = c->stale_window_s,
		.stale_bound = c->stale_bound,
	};
}

uint32_t ttl_stale_s(const struct ttl_rules *rules, uint32_t ttl_s)
{
	if (rules->stale_bound == STALE_BOUND_STORED && ttl_s < rules->stale_window_s)
		return ttl_s;
	return rules->stale_window_s;
}

static uint32_t ms_of_s(uint64_t s)
{
	return s * 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(s * 1000);
}

void ttl_record_times(
	const struct ttl_rules *rules, uint32_t ttl_s, uint32_t *soft_ms, uint32_t *hard_ms)
{
	*soft_ms = ms_of_s(ttl_s);
	*hard_ms = ms_of_s((uint64_t)ttl_s + ttl_stale_s(rules, ttl_s));
}
