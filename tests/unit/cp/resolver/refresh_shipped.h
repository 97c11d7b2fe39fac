// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// refresh: as the program is shipped, which tests change in what they are about.

#include <weir/config.h>

static const struct config_refresh refresh_shipped = {
	.enabled = true,
	.mode = REFRESH_BALANCED,
	.hit_window_s = 60,
	.warm_threshold = 2,
	.hot_ttl_percent = 30,
	.warm_ttl_percent = 25,
	.past_auth = true,
	.max_inflight = 100,
	.sweep_interval_s = 15,
	.sweep_window_s = 60,
	.max_batch = 2000,
	.servfail_backoff_s = 60,
};
