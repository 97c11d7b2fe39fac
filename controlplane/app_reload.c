// SPDX-License-Identifier: BSD-3-Clause
#include "app_reload.h"

#include "app_versions.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/os/sd_notify.h>

const struct config *app_config(void *app)
{
	struct app *a = app;
	return a->current;
}

const struct api_reload *app_last_reload(void *app)
{
	struct app *a = app;
	return &a->last_reload;
}

unsigned app_changes(void *app, struct api_change out[API_CHANGES_MAX])
{
	const struct app *a = app;
	unsigned n = 0;

	if (a->reload.running)
		out[n++] = (struct api_change){"config reload", a->reload.step, a->reload.since_ms};
	else if (a->versions->apply.is_running)
		out[n++] = (struct api_change){a->versions->apply.version.what, "store the version",
			a->versions->apply.since_ms};
	if (a->setting.running)
		out[n++] = (struct api_change){"toggle", a->setting.step, a->setting.since_ms};
	return n;
}

static const char *refused_text(int err)
{
	return err == -EBUSY    ? "groups of earlier reloads are still in use, try again in 10 s"
	       : err == -EINVAL ? "recursion: libunbound does not take upstreams.root_hints"
	       : err == -ENOSPC ? "groups: no view number is left until the cache is made anew"
				: strerror(-err);
}

// The configuration before, which neither rules nor resolvers use any more.
static void let_go(struct app *a)
{
	FREE_AND_NULL(a->late_current);
	config_free(a->late_read);
	a->late_read = NULL;
}

// The resolver has its part.
static void reload_activate(struct reload *r)
{
	struct app *a = r->app;
	struct reload_message *m = &r->message;
	struct config *before = a->current, *read_before = a->read;

	a->current = m->next;
	r->in_force = true;
	if (m->read) {
		a->read = m->read;
		log_set_level((enum log_level)a->read->runtime.log_level);
		log_set_format((enum log_format)a->read->runtime.log_format);
		a->last_reload.loaded_unix_s = time(NULL);
		a->last_reload.restart_count = config_needs_restart(a->started, a->read,
			a->last_reload.restart, sizeof(a->last_reload.restart));
		app_recursion_warn(a->read);
	}
	m->next = m->read = NULL;
	a->toggles = m->toggles;
	a->tcp_files = m->tcp_files;
	atomic_store(&a->http_single, a->current->http_single);
	app_flush_changes(a, before, a->current);
	app_publish_config(a, a->current);
	memcpy(a->groups.view, m->group, sizeof(a->groups.view));
	int err = app_groups_publish(a, a->current);
	if (err < 0)
		app_reload_incomplete(r, err, "groups");
	app_routes_configure(a);
	err = app_outputs_reload(a, before, a->current);
	if (err < 0)
		app_reload_incomplete(r, err, "events");
	if (!r->of_toggles) {
		a->certificates = m->certificates;
		app_certificates_tell(r);
	}
	err = app_clickhouse_reload(a, before, a->current);
	if (err < 0)
		app_reload_incomplete(r, err, "sink to ClickHouse");
	const bool is_late = app_reload_is_late(r);
	if (!r->of_toggles)
		a->read_files = r->err == 0 ? r->files : (struct config_files){0};
	let_go(a); // of what was late with the change before
	a->late_current = before;
	a->late_read = read_before != a->read && read_before != a->started ? read_before : NULL;
	app_reload_rules(r);
	if (!is_late)
		let_go(a);
}

static void message_clear(struct reload_message *m)
{
	FREE_AND_NULL(m->next);
	config_free(m->read);
	m->next = m->read = NULL;
	tls_server_free(m->certificates.server);
	m->certificates.server = NULL;
}

// Nothing has changed.
static void reload_refuse(struct reload *r, int err)
{
	r->err = err;
	snprintf(r->why, sizeof(r->why), "%s", refused_text(err));
	message_clear(&r->message);
	app_reload_end(r);
}

static int message_send(struct reload *r);

// Sends a change that began while the resolver had another message, with the changes of that one.
static void waiting_send(struct reload *r)
{
	struct reload_message *m = &r->message;

	if (!r->is_waiting)
		return;
	r->is_waiting = false;
	if (r->of_toggles)
		m->tcp_files = r->app->tcp_files;
	else
		m->toggles = r->app->toggles;
	r->err = app_reload_hung(r);
	if (r->err == 0)
		r->err = message_send(r);
	if (r->err < 0) {
		message_clear(m);
		app_reload_end(r);
	}
}

// Service loop: the message is back.
static void reload_returned(void *arg)
{
	struct reload *r = arg;

	r->app->at_resolver = false;
	if (r->message.err < 0)
		reload_refuse(r, r->message.err);
	else
		reload_activate(r);
	waiting_send(r->of_toggles ? &r->app->reload : &r->app->setting);
}

static void reload_return(struct reload *r)
{
	loop_call_back(r->app->service, &r->message.back, reload_returned, r);
}

// All resolvers have it; the frontends take it next.
static void reload_taken(void *arg)
{
	struct reload *r = arg;
	struct app *a = r->app;
	struct reload_message *m = &r->message;

	if (!r->of_toggles)
		app_certificates_use(a, &m->certificates);
	frontends_configure(&a->frontends, m->next, m->tcp_files, a->service, reload_returned, r);
}

// The first resolver's loop, which owns the message.
static void reload_resolvers(void *arg)
{
	struct reload *r = arg;
	struct reload_message *m = &r->message;

	// Taken, it may be back at the service loop already.
	int err = resolvers_reconfigure(&r->app->resolvers, m->next, m->group, reload_taken, r);
	if (err < 0) {
		m->err = err;
		reload_return(r);
	}
}

// Applies the toggles to the file's configuration and sends that to the resolver loop, which then
// owns the message.
static int message_send(struct reload *r)
{
	struct reload_message *m = &r->message;

	m->next = toggles_lay(&m->toggles, m->read ? m->read : r->app->read);
	if (!m->next) {
		snprintf(r->why, sizeof(r->why), "no memory");
		return -ENOMEM;
	}
	// Ports and addresses are those of the start, whatever the file says by now: records that
	// name them (designated.h) do, too.
	m->next->dataplane = r->app->started->dataplane;
	r->step = "the resolvers and frontends";
	int err = loop_call(r->app->loop, reload_resolvers, r);
	if (err < 0)
		snprintf(r->why, sizeof(r->why), "the resolver takes no more calls");
	r->app->at_resolver = err == 0;
	if (err == 0)
		app_reload_looks_begin(r);
	return err;
}

// The resolver has one message at a time.
static int message_send_or_wait(struct reload *r)
{
	int err = app_reload_hung(r);
	r->is_waiting = err == 0 && r->app->at_resolver;
	return err < 0 || r->is_waiting ? err : message_send(r);
}

static void reload_begin(struct reload *r, struct app *a, const struct toggles *toggles,
	api_config_done done, void *arg)
{
	*r = (struct reload){.app = a,
		.running = true,
		.since_ms = clock_mono_ms(),
		.step = "the other change",
		.done = done,
		.arg = arg};
	r->message.toggles = *toggles;
	r->message.tcp_files = a->tcp_files;
}

// Not on its way. The answer comes later in any case.
static int reload_fail(struct reload *r, int err)
{
	r->err = err;
	message_clear(&r->message);
	int rc = loop_call(r->app->service, app_reload_end, r);
	if (rc < 0)
		r->running = false;
	return rc;
}

// Sends what was read on its way.
static int read_send(struct reload *r)
{
	struct app *a = r->app;
	struct reload_message *m = &r->message;
	int err = app_files_raise(m->read, &m->tcp_files, r->why);

	if (err < 0)
		return err;
	app_certificates_read(a, m->read, &m->certificates);
	(void)config_needs_restart(a->started, m->read, r->needs_restart, sizeof(r->needs_restart));
	return message_send_or_wait(r);
}

// The configuration in force was read from these very files; lists may have changed.
static void reload_unchanged(void *arg)
{
	struct reload *r = arg;
	struct app *a = r->app;

	r->in_force = true;
	a->last_reload.loaded_unix_s = time(NULL);
	(void)config_needs_restart(a->started, a->read, r->needs_restart, sizeof(r->needs_restart));
	app_routes_configure(a); // rtnetlink may have been refused
	app_reload_looks_begin(r);
	app_certificates_look(a);
	app_certificates_tell(r);
	app_reload_rules(r);
}

int app_reload_take(struct app *a, const struct reload_take *t)
{
	struct reload *r = &a->reload;
	int err = t->err;

	if (r->running) {
		config_free(t->read);
		return -EBUSY;
	}
	reload_begin(r, a, &a->toggles, t->done, t->arg);
	r->ended = t->ended;
	r->files = t->files;
	r->message.read = t->read;
	if (err < 0)
		snprintf(r->why, sizeof(r->why), "%s", t->why);
	else if (t->read)
		err = read_send(r);
	else if ((err = app_reload_hung(r)) == 0)
		err = loop_call(a->service, reload_unchanged, r);
	if (err < 0)
		err = reload_fail(r, err);
	if (err == 0)
		sd_notify_reloading(); // app_reload_end comes later, on this loop
	return err;
}

int app_toggles(void *app, const struct toggles *toggles, api_config_done done, void *arg)
{
	struct app *a = app;
	struct reload *r = &a->setting;

	if (r->running)
		return -EBUSY;
	reload_begin(r, a, toggles, done, arg);
	r->of_toggles = true;
	int err = message_send_or_wait(r);
	return err < 0 ? reload_fail(r, err) : 0;
}
