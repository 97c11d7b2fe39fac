// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Computes the times of a record from its answer's TTL: the one place that decides how old an
// answer may become. Pure functions; any thread.
//
// Fresh until soft expiry = the TTL within the limits (dns_answer.h applies them, RFC 2308 5 for
// negative answers), then stale (RFC 8767) until hard expiry, then gone. L0 and L1 share the hard
// expiry, so neither tier can revive what the other has dropped.

#include <stdint.h>
#include <weir/config.h>
#include <weir/dns_answer.h>

enum { TTL_MAX_S = 604800 }; // the configuration's bound of cache.max_ttl

struct ttl_rules {
	struct dns_answer_rules limits;
	uint32_t stale_window_s;
	enum stale_bound stale_bound;
};

struct ttl_rules ttl_rules_of(const struct config_cache *c);

// Seconds after soft expiry for which the answer may still be served.
uint32_t ttl_stale_s(const struct ttl_rules *rules, uint32_t ttl_s);
// Both times count from the record's creation, saturated at the 49 days that a record can hold;
// soft <= hard.
void ttl_record_times(
	const struct ttl_rules *rules, uint32_t ttl_s, uint32_t *soft_ms, uint32_t *hard_ms);
