// SPDX-License-Identifier: BSD-3-Clause
#include "event_each.h"

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

static void well(struct event_each *c)
{
	if (c->now.failing)
		log_info("events: %s takes them again", c->name);
	c->retry = (struct sink_retry){0};
	c->now.failing = false;
	c->now.why[0] = '\0';
}

static void failed(struct event_each *c, int rc)
{
	sink_thread_retry_after(&c->retry, clock_mono_ms());
	c->now.failures++;
	(void)snprintf(c->now.why, sizeof(c->now.why), "%s", strerror(-rc));
	if (!c->now.failing)
		log_warning("events: %s does not take them: %s; they wait", c->name, c->now.why);
	c->now.failing = true;
}

void event_each_apply(struct event_each *c, bool is_on, uint64_t newest)
{
	if (is_on && !c->is_on)
		c->after = newest;
	c->is_on = is_on;
	c->retry = (struct sink_retry){0};
	c->now.failing = false;
	c->now.why[0] = '\0';
}

bool event_each_beat(struct event_each *c, uint64_t now_ms)
{
	struct event_record e;
	uint64_t missed;
	if (!c->is_on) {
		event_sink_show(c->sink, &c->now);
		return false;
	}
	while (now_ms >= c->retry.at_ms && events_copy(c->events, c->after, &e, &missed)) {
		const int rc = c->send(c->arg, &e);
		if (rc < 0) {
			failed(c, rc);
			break;
		}
		well(c);
		c->now.lost += missed;
		c->now.written++;
		c->now.bytes += (uint64_t)rc;
		c->after = e.number;
	}
	c->now.retry_at_ms = c->now.failing ? c->retry.at_ms : 0;
	event_sink_show(c->sink, &c->now);
	return c->now.failing;
}
