// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Servers given by a host name, over the rig of upstream_rig.h.

#include "route/host_board.h"
#include "tests/unit/unit.h"
#include "upstream/upstream_lookup.h"
#include "upstream_rig.h"

#include <event2/event.h>

// fake[0] and fake[1] are the bootstrap servers, fake[2] the server with the name. Its address is
// 127.0.0.1, and its port that of the configuration.
static struct config config;
static struct upstream_lookups *lookups;

static inline struct config_upstream by_name(const char *host, uint16_t port)
{
	struct config_upstream s = {.weight = 1, .address = {.port = port}};
	snprintf(s.host, sizeof(s.host), "%s", host);
	return s;
}

static inline void bootstrap_add(const struct fake_upstream *f)
{
	config.upstreams.bootstrap[config.upstreams.bootstrap_count++] = socket_here(f->port);
}

static inline int host_setup(void **state)
{
	if (rig_setup(state))
		return -1;
	memset(&config, 0, sizeof(config));
	config.upstreams.first_timeout_ms = 60;
	config.upstreams.server[0] = by_name("dns.example", fake[2].port);
	config.upstreams.count = 1;
	bootstrap_add(&fake[0]);
	bootstrap_add(&fake[1]);
	fake[0].address = fake[1].address = INADDR_LOOPBACK;
	fake[0].ttl_s = fake[1].ttl_s = 300;
	host_board_configure(NULL, 0, 0);
	assert_int_equal(
		upstream_lookups_new(&lookups, &(struct upstream_shared){.loop = fx.loop}), 0);
	return 0;
}

static inline int host_teardown(void **state)
{
	upstream_lookups_free(lookups);
	host_board_configure(NULL, 0, 0);
	return rig_teardown(state);
}

static inline struct host_state state_of(unsigned server)
{
	struct host_state h;
	assert_true(host_board_get(&config.upstreams.server[server], &h));
	return h;
}

static inline void turn(void)
{
	event_base_loop(loop_base(fx.loop), EVLOOP_ONCE);
}

static inline void assert_address(const struct ip_address *a, const char *text)
{
	char is[SOCKET_ADDRESS_TEXT_MAX];
	assert_string_equal(ip_address_text(a, false, is), text);
}
