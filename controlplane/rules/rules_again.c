// SPDX-License-Identifier: BSD-3-Clause
// A rule image that the data plane does not activate is published again, under a new generation:
// the file of the region may be damaged or gone, and a data plane that starts then blocks nothing.
#include "rules_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <weir/log.h>

static void watch(struct rules *r)
{
	const struct timeval interval = {
		.tv_sec = RULES_AGAIN_LOOK_MS / 1000, .tv_usec = RULES_AGAIN_LOOK_MS % 1000 * 1000};
	(void)event_add(r->lag_timer, &interval);
}

static void publish_again(struct rules *r)
{
	struct rules_sources *sources;
	if (rules_sources_new(r->config, &sources))
		return;
	struct rules_job *j = rules_job_new(r, sources);
	if (!j) {
		rules_sources_free(sources);
		return;
	}
	rules_sources_leave_out(sources, j->had_names);
	j->again = true;
	rules_run_job(r, j);
}

static void look(struct rules *r, const struct publish_status *p)
{
	// A new image helps no worker while two older ones still wait to be left.
	if (!again_due(&r->lag_again, p->rules_lag_ms) || p->retired_waiting >= RULES_AGAIN_OLD_MAX)
		return;
	log_error("the data plane has not activated the rules of generation %" PRIu64
		  " for %" PRIu64 " ms: publishing them again",
		p->rule_image_generation, p->rules_lag_ms);
	publish_again(r);
}

static void on_lag_timer(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	struct publish_status p;
	publish_status(r->publisher, &p);
	if (!r->job && r->arena.base && !r->start.waiting)
		look(r, &p);
	watch(r);
}

int rules_again_open(struct rules *r, struct event_base *base)
{
	r->lag_timer = event_new(base, -1, 0, on_lag_timer, r);
	if (!r->lag_timer)
		return -ENOMEM;
	watch(r);
	return 0;
}

void rules_again_close(struct rules *r)
{
	if (r->lag_timer)
		event_free(r->lag_timer);
}
