// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A configuration for a resolver of a test, without its limits and its upstreams' addresses.

#include "refresh_shipped.h"

static inline void resolver_config_fill(struct config *c)
{
	static char none[] = "";
	c->cache.l0_mb = 4;
	c->cache.max_ttl_s = 86400;
	c->cache.negative_ttl_s = 3600;
	c->cache.stale_window_s = 3600;
	c->cache.stale_ttl_s = 30;
	c->cache.failure_ttl_s = 1;
	c->refresh = refresh_shipped;
	c->limits.udp_reply_size = 1232;
	c->query_log.dnstap.socket = none; // as the loader leaves it
	c->upstreams.first_timeout_ms = 400;
	c->upstreams.max_sends = 6;
	c->upstreams.backoff_s = 30;
}
