// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Decides when to renew a cached record. Pure functions of its heat, its TTLs and the settings.
//
// A record is hot or warm by its hits in the window, else cold: nothing lies between. Hot and warm
// ones are due when a share of their TTL is left, cold ones never, unless min_ttl says so. Ahead of
// time only where it pays: a record that would see less than one hit in a life is cold, for its
// refresh costs more than the miss that it saves. With past_auth a hot or warm record that is kept
// for longer than its authority said is due when that time is over.

#include <stdbool.h>
#include <stdint.h>
#include <weir/config.h>

enum refresh_heat { REFRESH_COLD, REFRESH_WARM, REFRESH_HOT };

struct refresh_policy {
	bool enabled, past_auth;
	uint32_t window_ms;         // of the hits in a heat (l0_writer.h)
	uint32_t hot_min, warm_min; // least heat
	uint32_t hot_percent, warm_percent;
	uint32_t cold_ms;
	uint32_t sweep_interval_ms, sweep_window_ms;
};

#define REFRESH_NEVER UINT32_MAX

void refresh_policy_of(
	const struct config_refresh *c, uint32_t client_ttl_cap_s, struct refresh_policy *out);

// A record, in what matters here; times after its creation.
struct refresh_record {
	uint32_t soft_ms, auth_ttl_s;
	uint32_t heat;
};

enum refresh_heat refresh_heat_of(const struct refresh_policy *p, const struct refresh_record *r);
// Age at which it is due; REFRESH_NEVER.
uint32_t refresh_due_ms(const struct refresh_policy *p, const struct refresh_record *r);
// Age at which the sweep takes it, if no hit has asked before.
uint32_t refresh_swept_ms(const struct refresh_policy *p, const struct refresh_record *r);
// Age from which on a worker reports a hit: the record is not due before, for any heat.
uint32_t refresh_told_ms(const struct refresh_policy *p, uint32_t soft_ms, uint32_t auth_ttl_s);

// Hits a minute, rounded.
uint32_t refresh_rate(const struct refresh_policy *p, uint32_t heat);
