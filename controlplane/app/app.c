// SPDX-License-Identifier: BSD-3-Clause
#include "app.h"

#include "app_apply.h"
#include "app_events.h"
#include "app_privilege.h"
#include "app_versions.h"
#include "verbs/verb_ends.h"

#include <event2/event.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/build.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/mem_plan.h>
#include <weir/numa.h>
#include <weir/os/sd_notify.h>

static void on_stop_signal(evutil_socket_t signal_number, short what, void *arg)
{
	struct app *a = arg;
	(void)what;
	log_info("stopping: signal %d", (int)signal_number);
	a->is_stopped = true;
	sd_notify_send("STOPPING=1");
	loop_stop(a->service);
}

static void on_reload_signal(evutil_socket_t signal_number, short what, void *arg)
{
	(void)signal_number, (void)what;
	const struct apply_request r = {
		.who = "signal", .what = "config reload", .from_disk = true};
	if (app_apply(arg, &r, NULL, NULL) < 0)
		log_warning("configuration not reloaded: another reload is running; reload again "
			    "later");
}

static int signals_open(struct app *a)
{
	struct event_base *base = loop_base(a->service);

	signal(SIGPIPE, SIG_IGN);
	a->signals[0] = evsignal_new(base, SIGTERM, on_stop_signal, a);
	a->signals[1] = evsignal_new(base, SIGINT, on_stop_signal, a);
	a->signals[2] = evsignal_new(base, SIGHUP, on_reload_signal, a);
	for (unsigned i = 0; i < ARRAY_LEN(a->signals); i++)
		if (!a->signals[i] || evsignal_add(a->signals[i], NULL) < 0)
			return -ENOMEM;
	return 0;
}

static int memory_open(struct app *a, char why[APP_WHY_MAX])
{
	const struct config_runtime *run = &a->started->runtime;

	int rc = shm_paths_init_for(
		&a->paths, SHM_CONTROLPLANE, run->directory, run->hugepages, why);
	if (rc == 0)
		rc = mem_plan_check(a->started, MEM_PLAN_CONTROLPLANE, &a->paths, why);
	if (rc == 0)
		rc = publisher_open(&a->publisher, &a->paths, a->started, why);
	return rc;
}

static int loops_open(struct app *a, char why[APP_WHY_MAX])
{
	app_box_name(a);
	int rc = loop_new("service", &a->service);
	if (rc == 0)
		rc = app_events_open(&a->events, a->box);
	if (rc == 0)
		rc = app_versions_open(a);
	if (rc == 0)
		rc = signals_open(a);
	if (rc == 0)
		rc = list_notify_new(&a->notify, a->service);
	snprintf(why, APP_WHY_MAX, "event loops: %s", strerror(-rc));
	if (rc == 0)
		rc = app_resolvers_open(a, why);
	if (rc == 0)
		rc = app_routes_open(a, why);
	if (rc == 0)
		rc = app_frontends_open(a, why);
	if (rc == 0)
		rc = app_log_open(a, why);
	if (rc == 0)
		rc = app_store_open(a, why);
	if (rc == 0)
		rc = app_clickhouse_open(a, why);
	if (rc == 0)
		rc = app_outputs_open(a, why);
	return rc;
}

static void on_pause(void *app)
{
	struct app *a = app;
	app_publish_config(a, a->current);
}

// Sets what follows a new rule image, and what changes the rules.
static int rules_watch(struct app *a)
{
	rules_on_published(a->rules, app_groups_republish, a);
	rules_on_pause(a->rules, on_pause, a);
	rules_add_events(a->rules, app_events_of(a->events));
	return rules_notify(a->rules, a->notify);
}

static void deps_fill(struct app *a)
{
	a->deps = (struct api_deps){
		.service = a->service,
		.resolvers = &a->resolvers,
		.frontends = &a->frontends,
		.log = a->log,
		.top = a->top,
		.tail = a->tail,
		.client_names = a->client_names,
		.watch = a->watch,
		.store = a->store,
		.meter = a->meter,
		.clickhouse = a->clickhouse,
		.outputs = a->output,
		.output_count = a->outputs,
		.toggles = &a->toggles,
		.rules = a->rules,
		.publisher = a->publisher,
		.book = a->book,
		.events = app_events_of(a->events),
		.event_outs = a->event_outs,
		.updates = a->updates,
		.sync = a->sync,
		.conditions = app_events_conditions(a->events),
		.socket_path = a->socket_path,
		.group = a->started->runtime.group,
		.config_path = a->started->path,
		.config_current = app_config,
		.groups_current = app_groups_current,
		.groups_hosts = app_groups_hosts,
		.group_now = app_group_now,
		.group_pause = app_group_pause,
		.metrics = &a->started->metrics,
		.control = &a->started->control,
		.box = a->box,
		.state_directory = a->started->runtime.state_directory,
		.last_reload = app_last_reload,
		.changes = app_changes,
		.reload_arg = a,
		.config_apply = app_apply,
		.versions = app_versions_status,
		.managed_text = app_managed_text,
		.config_bundle = app_bundle,
		.toggles_set = app_toggles,
	};
}

static int services_open(struct app *a, char why[APP_WHY_MAX])
{
	const struct config *c = a->started;

	int rc = rules_open(&a->rules, c, a->publisher, a->loop, a->service,
		(struct rules_answer_policy){resolvers_set_answer_policy, resolvers_recheck_slice,
			&a->resolvers, a->resolvers.count});
	if (rc < 0) {
		snprintf(why, APP_WHY_MAX, "lists: %s", strerror(-rc));
		return rc;
	}
	app_groups_load(a);
	app_publish_config(a, c);
	resolvers_groups(&a->resolvers, c, a->groups.view);
	rc = app_groups_open(a);
	if (rc == 0)
		rc = app_groups_publish(a, c);
	if (rc < 0) {
		snprintf(why, APP_WHY_MAX, "groups: %s", strerror(-rc));
		return rc;
	}
	rc = rules_watch(a);
	if (rc == 0)
		rc = app_memory_open(a, why);
	if (rc < 0)
		return rc;
	snprintf(a->socket_path, sizeof(a->socket_path), "%s/" SHM_NAME_CONTROL_SOCKET,
		publisher_paths(a->publisher)->run);
	a->last_reload.loaded_unix_s = time(NULL);
	deps_fill(a);
	return api_open(&a->api, &a->deps, why);
}

// Places memory near the workers that read it; called before any table or thread is made.
static void place_memory(const struct config_dataplane *d)
{
	uint64_t nodes = numa_nodes_of(NULL, d->worker_lcores, d->worker_count);
	int rc = nodes ? numa_place(nodes) : 0;
	if (nodes)
		log_info("memory for the workers' nodes (mask %llx): %s", (unsigned long long)nodes,
			rc ? strerror(-rc) : "preferred");
}

static int parts_open(struct app *a, const char *config_path, char why[APP_WHY_MAX])
{
	int rc = app_versions_read(a, config_path, why);
	if (rc < 0)
		return rc;
	a->read = a->started;
	log_init("weir-controlplane", (enum log_level)a->started->runtime.log_level);
	log_set_format((enum log_format)a->started->runtime.log_format);
	app_clock_open(a);
	rc = app_privilege_confine((enum sandbox_mode)a->started->runtime.seccomp, why);
	if (rc < 0)
		return rc;
	app_privilege_heap();
	app_versions_begin(a);
	place_memory(&a->started->dataplane);
	app_recursion_warn(a->started);
	rc = app_files_raise(a->started, &a->tcp_files, why);
	if (rc == 0)
		a->current = app_lay(&a->toggles, a->started);
	if (rc == 0 && !a->current)
		rc = -ENOMEM;
	if (rc == 0)
		rc = memory_open(a, why);
	if (rc == 0)
		rc = loops_open(a, why);
	if (rc == 0)
		rc = services_open(a, why);
	return rc;
}

int app_open(struct app **out, const char *config_path, char why[APP_WHY_MAX])
{
	struct app *a = heap_calloc(1, sizeof(*a));
	if (!a) {
		snprintf(why, APP_WHY_MAX, "no memory");
		return -ENOMEM;
	}
	toggles_reset(&a->toggles);
	int rc = parts_open(a, config_path, why);
	if (rc < 0) {
		app_close(a);
		return rc;
	}
	*out = a;
	return 0;
}

// Messages to systemd (weir/os/sd_notify.h): the control plane serves, reloads, and, if the unit
// has a watchdog, is alive. The service loop sends the watchdog message, so a message proves that
// this loop runs. It sends it only while publisher_serves is true; a resolver or frontend that
// hangs for a short time does not stop it.
enum { ALIVE_LOOK_MS = 250 };

static void on_alive_look(void *arg)
{
	struct app *a = arg;
	const uint64_t now_ms = clock_mono_ms();

	if (sd_notify_wants_alive(now_ms) && publisher_serves(a->publisher, a->alive_ms, now_ms)) {
		a->alive_ms = now_ms;
		sd_notify_alive(now_ms);
	}
	sd_notify_look();
	app_leases_look(a);
	wheel_start(loop_wheel(a->service), &a->alive_look, ALIVE_LOOK_MS, now_ms);
}

static void watchdog_begin(struct app *a)
{
	int rc = sd_notify_open();

	if (rc)
		log_warning("NOTIFY_SOCKET: %s; systemd is not notified", strerror(-rc));
	sd_notify_ready();
	sd_notify_send("STATUS=serving");
	a->alive_look.fn = on_alive_look;
	a->alive_look.arg = a;
	on_alive_look(a);
}

static void watchdog_end(struct app *a)
{
	wheel_stop(&a->alive_look);
	sd_notify_close();
}

static void started_event(struct app *a)
{
	char text[24];
	snprintf(text, sizeof(text), "%016llx",
		(unsigned long long)publisher_incarnation(a->publisher));
	events_add(app_events_of(a->events), EVENT_process_started,
		EVENT_FIELDS({"process", "controlplane"}, {"version", build_this()->version},
			{"incarnation", text}),
		"the control plane serves, version %s", build_this()->version);
}

static void on_started(void *app, const char *why)
{
	struct app *a = app;
	if (why)
		log_error("not starting: %s", why);
	a->start_err = why ? -ECANCELED : app_log_start(a);
	if (a->start_err == 0)
		a->start_err = app_resolvers_start(a);
	if (a->start_err == 0)
		a->start_err = app_frontends_start(a);
	if (a->start_err < 0) {
		loop_stop(a->service);
		return;
	}
	publisher_state(a->publisher, CP_SERVING);
	watchdog_begin(a);
	started_event(a);
	app_versions_serve(a);
	app_clock_start(a);
	if (verb_ends_open(&a->ends, &a->deps) < 0)
		log_error("entries do not end by themselves: no memory; restart weir-controlplane");
	log_info("serving, incarnation %016llx, version %s",
		(unsigned long long)publisher_incarnation(a->publisher), build_this()->version);
}

int app_run(struct app *a)
{
	rules_start(a->rules, on_started, a);
	int rc = loop_run(a->service);
	return a->start_err < 0 ? a->start_err : rc;
}

void app_close(struct app *a)
{
	if (!a)
		return;
	watchdog_end(a);
	app_versions_stopping(a, a->is_stopped);
	verb_ends_close(a->ends);
	if (a->publisher)
		publisher_state(a->publisher, CP_STOPPING);
	// Stops the resolvers first, so that all that wait for their reply still exist.
	app_resolvers_stop(a);
	app_memory_stop(a);
	api_close(a->api);
	// Ending a watch calls the resolvers, and a version reaches its queue through the mailbox
	// once its audit entry is written.
	app_resolvers_settle(a);
	sync_stop(a->sync);
	app_frontends_stop(a);
	app_log_stop(a);
	query_store_close(a->store);
	clickhouse_close(a->clickhouse);
	app_outputs_close(a);
	app_groups_close(a);
	app_routes_close(a);
	rules_close(a->rules);
	app_frontends_close(a);
	app_resolvers_close(a);
	app_log_close(a);
	lease_names_release(a->leases);
	upstream_book_close(a->book);
	publisher_close(a->publisher);
	shm_paths_close(&a->paths);
	for (unsigned i = 0; i < ARRAY_LEN(a->signals); i++)
		if (a->signals[i])
			event_free(a->signals[i]);
	app_versions_close(a, a->is_stopped);
	sync_close(a->sync); // after the last apply, which may be its
	app_clock_close(a);
	loop_free(a->service);
	list_notify_free(a->notify); // after the service loop, whose mailbox may have had its call
	app_frontends_loops_free(a);
	app_resolvers_loops_free(a);
	app_memory_close(a);
	app_events_close(a->events);
	FREE_AND_NULL(a->reload.message.next);
	config_free(a->reload.message.read);
	tls_server_free(a->reload.message.certificates.server);
	FREE_AND_NULL(a->setting.message.next);
	FREE_AND_NULL(a->current);
	FREE_AND_NULL(a->late_current);
	config_free(a->late_read);
	if (a->read != a->started)
		config_free(a->read);
	config_free(a->started);
	heap_free(a);
}
