// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// redis: for a server of the test's own on 127.0.0.1. Port 0: off.

#include "tests/unit/unit.h"

#include <weir/config.h>

static inline struct config_redis redis_local(unsigned port)
{
	static char empty[] = "", space[] = "weir";
	struct config_redis c = {.buffer_kb = 4096,
		.space = space,
		.master_name = empty,
		.username = empty,
		.password = empty,
		.password_file = empty,
		.sentinel_password = empty};
	if (!port)
		return c;
	c.mode = REDIS_MODE_STANDALONE;
	c.address_count = 1;
	c.connections = 2;
	c.timeout_ms = c.lookup_timeout_ms = 1000; // the machine may be busy
	assert_int_equal(socket_address_parse("127.0.0.1", (uint16_t)port, &c.addresses[0]), 0);
	return c;
}
