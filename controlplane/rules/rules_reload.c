// SPDX-License-Identifier: BSD-3-Clause
// What starts a build: a reload by hand, a configuration that was read again, fetched lists. A rule
// image that the data plane does not activate is published again, under a new generation: the file
// of the region may be damaged or gone, and a data plane that starts then blocks nothing. A new
// image that was refused because older ones wait for workers is built again when there is room.
#include "rules_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/log.h>

// Looks so often; not while so many older images wait for workers.
enum { AGAIN_LOOK_MS = 500, AGAIN_OLD_MAX = 2 };

static int build_for(struct rules *r, bool force, bool urgent, rules_done done, void *arg)
{
	struct rules_waiters w = {0};
	if (done && rules_waiters_full(r))
		return -EAGAIN;
	rules_add_waiter(&w, done, arg);
	return rules_build(r, force, urgent, &w);
}

// A round of fetching is over.
void rules_fetched(void *arg)
{
	struct rules *r = arg;
	struct rules_fetch_status f;
	rules_fetch_status(r->fetch, &f);
	if (r->kept.held && r->fetch_waiting.count) {
		rules_note_held(r);
		rules_tell(r, &r->fetch_waiting);
	}
	// The callers of the coming round are not notified yet.
	struct rules_waiters none = {0};
	bool all = f.by_hand || !f.running;
	struct rules_waiters *callers = all ? &r->fetch_waiting : &none;
	if (!r->kept.held && (f.by_hand || f.changed)) {
		int err = rules_build(r, f.force, false, callers);
		if (err) {
			r->status.outcome = RULES_FAILED;
			snprintf(r->status.error, sizeof(r->status.error), "cannot build: %s",
				strerror(-err));
			rules_tell(r, callers);
		}
	}
	rules_start_look(r);
}

int rules_follow(struct rules *r, const struct config *config)
{
	// Toggles, which are not in the text, are nothing that sources are made of.
	bool same = config->text_hash && config->text_hash == r->text_hash;
	r->config = config;
	r->text_hash = config->text_hash;
	r->configuration += !same;
	int err = rules_fetch_configure(r->fetch, config);
	r->fetch_is_behind = err < 0;
	return err;
}

int rules_configure(struct rules *r, const struct config *config, rules_done done, void *arg)
{
	int err = rules_follow(r, config);
	if (err)
		return err;
	if (!r->kept.held)
		return build_for(r, false, true, done, arg);
	struct rules_waiters w = {0};
	rules_note_held(r);
	rules_add_waiter(&w, done, arg);
	rules_tell(r, &w);
	return 0;
}

int rules_reload(struct rules *r, bool force, rules_done done, void *arg)
{
	if (done && rules_waiters_full(r))
		return -EAGAIN;
	int err = r->fetch_is_behind ? rules_follow(r, r->config) : 0;
	if (err)
		return err;
	if (r->kept.held)
		rules_hold(r, false);
	if (!rules_fetch_all(r->fetch, force))
		return build_for(r, force, false, done, arg);
	rules_add_waiter(&r->fetch_waiting, done, arg);
	return 0;
}

static void watch(struct rules *r)
{
	const struct timeval interval = {
		.tv_sec = AGAIN_LOOK_MS / 1000, .tv_usec = AGAIN_LOOK_MS % 1000 * 1000};
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
	if (!again_due(&r->lag_again, p->rules_lag_ms) || p->retired_waiting >= AGAIN_OLD_MAX)
		return;
	log_error("the data plane has not activated the rules of generation %" PRIu64
		  " for %" PRIu64 " ms: publishing them again",
		p->rule_image_generation, p->rules_lag_ms);
	publish_again(r);
}

// Nothing else would build it: its lists are fetched, and unchanged from then on.
static void build_refused(struct rules *r, const struct publish_status *p)
{
	if (!r->is_refused || r->kept.held || p->retired_waiting >= AGAIN_OLD_MAX)
		return;
	r->is_refused = build_for(r, false, false, NULL, NULL) < 0;
}

static void on_lag_timer(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	struct publish_status p;
	publish_status(r->publisher, &p);
	if (!r->job && r->arena.base && !r->start.waiting)
		look(r, &p);
	if (!r->job)
		build_refused(r, &p);
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
