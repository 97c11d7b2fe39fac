// SPDX-License-Identifier: BSD-3-Clause
#include "app_reload.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

void app_publish_config(struct app *a, const struct config *c)
{
	// Workers end a pause by themselves, should nobody be there to tell them.
	uint64_t left_ms = UINT64_C(1000) * rules_pause_left_s(a->rules);
	struct group_mask mask[POLICY_GROUPS_MAX];
	group_moment_now(&a->groups.moment);
	app_groups_masks(a, c, mask);
	publish_config(a->publisher, c, mask[0].lists, c->blocking.enabled,
		left_ms ? clock_mono_ms() + left_ms : 0);
}

const struct config *app_config(void *app)
{
	struct app *a = app;
	return a->current;
}

static void reload_end(void *arg)
{
	struct app *a = arg;
	struct reload *r = &a->reload;

	// What was not taken over turns no knob, neither on the next reload.
	if (r->err < 0)
		a->knobs = a->knobs_taken;
	if (r->err < 0)
		log_warning("configuration: %s", r->why);
	else
		log_info("configuration read again%s%s",
			r->needs_restart[0] ? "; needs a restart: " : "", r->needs_restart);
	r->running = false;
	if (r->done)
		r->done(r->arg, r->err, r->why, r->needs_restart);
}

static void reload_refused(void *arg)
{
	struct app *a = arg;
	config_free(a->reload.loaded);
	a->reload.loaded = NULL;
	reload_end(a);
}

static void on_rules(void *arg, const struct rules_status *s)
{
	struct app *a = arg;

	if (s->outcome == RULES_FAILED || s->outcome == RULES_HELD) {
		a->reload.err = -EIO;
		snprintf(a->reload.why, sizeof(a->reload.why), "taken over, but the lists: %s",
			s->error);
	}
	reload_end(a);
}

// Back on the service loop: the resolver has its part.
static void reload_rest(void *arg)
{
	struct app *a = arg;
	struct config *before = a->current;

	a->current = a->reload.loaded;
	a->reload.loaded = NULL;
	a->knobs_taken = a->knobs;
	atomic_store(&a->http_single, a->current->http_single);
	app_flush_changes(a, before, a->current);
	app_publish_config(a, a->current);
	memcpy(a->groups.view, a->reload.group, sizeof(a->groups.view));
	int err = app_groups_publish(a, a->current);
	if (err < 0) {
		a->reload.err = err;
		snprintf(a->reload.why, sizeof(a->reload.why), "taken over, but the groups: %s",
			strerror(-err));
	}
	app_outputs_reload(a, a->current);
	err = app_clickhouse_reload(a, before, a->current);
	if (err < 0) {
		a->reload.err = err;
		snprintf(a->reload.why, sizeof(a->reload.why),
			"taken over, but the sink to ClickHouse: %s", strerror(-err));
	}
	int rc = rules_configure(a->rules, a->current, on_rules, a);
	// The rules have let go of it now.
	if (before != a->started)
		config_free(before);
	if (rc == 0)
		return;
	a->reload.err = rc;
	snprintf(a->reload.why, sizeof(a->reload.why), "taken over, but the lists: %s",
		strerror(-rc));
	reload_end(a);
}

static const char *refused_text(int err)
{
	return err == -EBUSY    ? "groups of earlier reloads are still in use, try again in 10 s"
	       : err == -ENOSPC ? "groups: no view number is left until the cache is made anew"
				: strerror(-err);
}

// Resolver loop.
static void reload_resolver(void *arg)
{
	struct app *a = arg;
	struct reload *r = &a->reload;
	r->err = resolver_reconfigure(a->resolver, r->loaded);
	if (r->err < 0)
		snprintf(r->why, sizeof(r->why), "%s", refused_text(r->err));
	else {
		app_groups_views(a, r->loaded, r->group);
		front_tcp_files(a->tcp, a->tcp_files);
		front_tcp_configure(a->tcp, &r->loaded->tcp);
	}
	loop_call_back(a->service, &r->back, r->err < 0 ? reload_refused : reload_rest, a);
}

int app_reload(void *app, api_config_done done, void *arg)
{
	struct app *a = app;
	struct reload *r = &a->reload;

	if (r->running)
		return -EBUSY;
	*r = (struct reload){.running = true, .done = done, .arg = arg};
	r->err = config_load(a->started->path, &r->loaded, r->why);
	if (r->err == 0)
		r->err = app_files_raise(a, r->loaded, r->why);
	if (r->err == 0) {
		knobs_apply(&a->knobs, r->loaded);
		(void)config_needs_restart(
			a->started, r->loaded, r->needs_restart, sizeof(r->needs_restart));
		r->err = loop_call(a->loop, reload_resolver, a);
		if (r->err == 0)
			return 0;
		snprintf(r->why, sizeof(r->why), "the resolver takes no more calls");
	}
	config_free(r->loaded);
	r->loaded = NULL;
	// The answer comes later in any case.
	int rc = loop_call(a->service, reload_end, a);
	if (rc < 0)
		r->running = false;
	return rc;
}
