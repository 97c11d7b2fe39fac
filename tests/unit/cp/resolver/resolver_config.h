// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A configuration for a resolver of a test, without its limits and its upstreams' addresses, and
// its views.

#include "controlplane/shm/publish.h"
#include "controlplane/upstream/views.h"
#include "refresh_shipped.h"

#include <weir/clock.h>

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
	c->limits.answer_deadline_ms = 1900; // so that no test waits for 4.5 s
	c->query_log.dnstap.socket = none;   // as the loader leaves it
	c->upstreams.first_timeout_ms = 400;
	c->upstreams.max_sends = 6;
	c->upstreams.backoff_s = 30;
}

// As app.c opens them.
static inline int resolver_views_open(struct views **out, struct loop *loop,
	struct upstream_book *book, struct upstream_port *port, struct publisher *publisher,
	const struct config *c)
{
	struct policy_group last[POLICY_GROUPS_MAX];
	const struct upstream_shared shared = {.loop = loop, .book = book, .port = port};
	int rc = views_new(out, &shared, &c->upstreams, &publisher_directory(publisher)->next_view);
	if (rc < 0)
		return rc;
	views_recover(*out, last, publisher_policy_last(publisher, last));
	return views_configure(*out, c, clock_mono_ms());
}
