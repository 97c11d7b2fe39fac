// SPDX-License-Identifier: BSD-3-Clause
#include "app.h"
#include "app_events.h"
#include "app_versions.h"

#include <errno.h>
#include <stdarg.h>
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

// Flushes names whose answer changed with the reload, in L0 and L1. Several flushes run at a time,
// because each goes through all of Redis (l1.h), and names that wait are served with old answers
// meanwhile. They are fewer than the resolver allows, to leave room for the operator's flushes.
enum { FLUSHES_AT_ONCE = RESOLVER_WALKS_MAX / 2 };

static void flush_next(struct app *a);

static void on_flushed(void *arg, int err, const struct cache_flushed *f)
{
	struct app *a = arg;
	a->flushes.running--;
	(void)f;
	if (err < 0) // too many flushes run; the answer changes with the next reload or by TTL
		log_warning(
			"local data: changed name not flushed from the cache: %s", strerror(-err));
	flush_next(a);
}

static void flush_next(struct app *a)
{
	struct app_flushes *q = &a->flushes;
	while (q->running < FLUSHES_AT_ONCE && q->count > 0) {
		const struct flush what = q->what[0];
		q->count--;
		memmove(q->what, q->what + 1, q->count * sizeof(q->what[0]));
		int rc = resolvers_cache_flush(
			&a->resolvers, &what, false, a->service, on_flushed, a);
		q->running += rc == 0;
		if (rc < 0)
			log_warning("local data: changed name not flushed from the cache: %s",
				strerror(-rc));
	}
}

static void flush_add(struct app *a, struct local_changes *changes)
{
	struct app_flushes *q = &a->flushes;

	if (q->count + changes->count > LOCAL_CHANGES_MAX) {
		// Flushes of earlier reloads are still waiting: flushes everything instead.
		q->count = 0;
		changes->count = 1;
		changes->one[0] = (struct flush){.kind = FLUSH_ALL, .name = {.len = 1}};
	}
	memcpy(q->what + q->count, changes->one, changes->count * sizeof(q->what[0]));
	q->count += changes->count;
	flush_next(a);
}

void app_leases_look(struct app *a)
{
	const struct config *c = a->current;
	struct lease_names *after = NULL;
	struct local_changes changes;

	(void)lease_names_now(&after);
	if (after == a->leases || (after && !lease_names_are_of(after, &c->local.house))) {
		lease_names_release(after); // the next look has the table of the configuration
		return;
	}
	local_changes_leases(c, a->leases, after, time(NULL), &changes);
	lease_names_release(a->leases);
	a->leases = after;
	if (changes.count)
		flush_add(a, &changes);
}

static void flush_changes(struct app *a, const struct config *before, const struct config *after)
{
	struct local_changes changes;

	if (local_changes_find(before, after, &changes) < 0)
		log_warning("local data: no memory to compare; flushing the whole cache");
	else if (changes.names > LOCAL_CHANGES_MAX)
		log_info("local data: %u names changed; flushing all names below their common "
			 "parent",
			changes.names);
	flush_add(a, &changes);
}

void app_reload_wrong(struct reload *r, int err, const char *joint, const char *fmt, ...)
{
	size_t used = 0;
	va_list args;

	if (r->err < 0)
		used = strlen(r->why);
	else
		r->err = err;
	used += (size_t)snprintf(r->why + used, sizeof(r->why) - used, "%s%s",
		used ? "" : "reloaded", used ? "; " : joint);
	if (used >= sizeof(r->why))
		return;
	va_start(args, fmt);
	(void)vsnprintf(r->why + used, sizeof(r->why) - used, fmt, args);
	va_end(args);
}

static void reload_incomplete(struct reload *r, int err, const char *what)
{
	app_reload_wrong(r, err, ", ", "except the %s: %s", what, strerror(-err));
}

// What happens if threads hang while a configuration is on its way to them.
//
// The first resolver gets the configuration first, and may refuse it. Once it has accepted, the
// change is made: a resolver or frontend that hangs is left out (base/loop.h), the others and the
// workers change, and the hanging one follows when it is back. Until then the next change is
// refused, and the previous configuration stays in memory. weir waits for the first resolver's part
// and the rules' check of cached answers, which need all threads, but answers the caller meanwhile.
enum { LOOK_MS = 250, HUNG_LOOKS = 8 };

static void names_add(char *text, size_t cap, const char *what, unsigned bits)
{
	for (unsigned i = 0; bits >> i; i++) {
		const size_t used = strlen(text);
		if (bits >> i & 1)
			snprintf(text + used, cap - used, "%s%s %u", used ? ", " : "", what, i);
	}
}

// Names of resolvers and frontends that hang or are late; "": no such thread.
static void names_of(const struct app *a, char *text, size_t cap)
{
	unsigned resolvers = resolvers_late(&a->resolvers);
	unsigned frontends = frontends_late(&a->frontends);

	for (unsigned i = 0; i < a->resolvers.count; i++)
		resolvers |= (unsigned)publisher_resolver_hangs(a->publisher, i) << i;
	for (unsigned i = 0; i < a->frontends.count; i++)
		frontends |= (unsigned)publisher_frontend_hangs(a->publisher, i) << i;
	text[0] = '\0';
	names_add(text, cap, "resolver", resolvers);
	names_add(text, cap, "frontend", frontends);
}

static int hung_refuse(struct reload *r)
{
	char names[128];

	names_of(r->app, names, sizeof(names));
	if (!names[0])
		return 0;
	snprintf(r->why, sizeof(r->why), "%s hangs (weirctl profile threads); nothing has changed",
		names);
	return -ETIMEDOUT;
}

// Answers the caller alone: the reload goes on, and its final result is recorded.
static void caller_tell(struct reload *r, int err, const char *why)
{
	if (!r->done)
		return;
	log_warning("configuration: %s", why);
	r->done(r->arg, err, why, "");
	r->done = NULL;
}

static bool reload_is_late(struct reload *r)
{
	char names[128] = "";

	names_add(names, sizeof(names), "resolver", resolvers_late(&r->app->resolvers));
	names_add(names, sizeof(names), "frontend", frontends_late(&r->app->frontends));
	if (!names[0])
		return false;
	app_reload_wrong(r, -ETIMEDOUT, "; ",
		"in force, except in %s, which hangs and takes it when it is back; the blocking "
		"rules follow then",
		names);
	if (!r->of_toggles)
		caller_tell(r, ETIMEDOUT, r->why);
	return true;
}

static void look_again(struct reload *r);

static void on_look(void *arg)
{
	struct reload *r = arg;
	char names[128], why[sizeof(r->why)];

	names_of(r->app, names, sizeof(names));
	r->hung_looks = names[0] ? r->hung_looks + 1 : 0;
	if (r->hung_looks == HUNG_LOOKS) {
		snprintf(why, sizeof(why), "%s hangs; the change waits for %s", names, r->step);
		caller_tell(r, -ETIMEDOUT, why);
	}
	look_again(r);
}

static void look_again(struct reload *r)
{
	r->look.fn = on_look;
	r->look.arg = r;
	wheel_start(loop_wheel(r->app->service), &r->look, LOOK_MS, clock_mono_ms());
}

static void looks_begin(struct reload *r)
{
	r->hung_looks = 0;
	look_again(r);
}

static void looks_end(struct reload *r)
{
	wheel_stop(&r->look);
}

// Records the result for status and metrics; not for toggles.
static void reload_note(const struct reload *r)
{
	struct api_reload *last = &r->app->last_reload;

	last->tried_unix_s = time(NULL);
	last->err = r->err < 0 ? r->err : 0;
	snprintf(last->why, sizeof(last->why), "%s", r->err < 0 ? r->why : "");
}

static void reload_event(const struct reload *r)
{
	struct events *e = app_events_of(r->app->events);

	if (r->err < 0 && !r->in_force)
		events_add(e, EVENT_config_refused, EVENT_FIELDS({"why", r->why}),
			"configuration not reloaded: %s", r->why);
	else if (r->err < 0)
		events_add_as(e, EVENT_config_reloaded, EVENT_IS_warning,
			EVENT_FIELDS({"why", r->why}, {"needs_restart", r->needs_restart}),
			"configuration %s", r->why);
	else
		events_add(e, EVENT_config_reloaded,
			EVENT_FIELDS({"needs_restart", r->needs_restart}),
			"configuration reloaded%s%s",
			r->needs_restart[0] ? "; needs a restart: " : "", r->needs_restart);
}

static void reload_tell(struct reload *r)
{
	if (r->err < 0)
		log_warning("configuration: %s", r->why);
	else if (!r->of_toggles)
		log_info("configuration reloaded%s%s",
			r->needs_restart[0] ? "; needs a restart: " : "", r->needs_restart);
	if (!r->of_toggles)
		reload_event(r);
	looks_end(r);
	r->running = false;
	if (!r->of_toggles)
		sd_notify_ready();
	if (r->ended)
		r->ended(r);
	else if (r->done)
		r->done(r->arg, r->err, r->why, r->needs_restart);
}

static void reload_end(void *arg)
{
	struct reload *r = arg;

	if (!r->of_toggles)
		reload_note(r);
	reload_tell(r);
}

// Notes files of lists that this reload could not read; downloads have a schedule of their own.
static void note_missing(struct reload *r, const struct rules_status *s)
{
	char text[RULES_LIST_TEXT_MAX];
	unsigned missing = 0, last = 0;
	for (unsigned i = 0; i < s->list_count; i++) {
		bool is = s->lists[i].error && !*s->lists[i].url;
		missing += is;
		last = is ? i : last;
	}
	if (!missing)
		return;
	rules_list_text(&s->lists[last], text, sizeof(text));
	if (missing == 1)
		app_reload_wrong(r, -EIO, ", ", "except %s", text);
	else
		app_reload_wrong(r, -EIO, ", ",
			"except %s; and %u more lists (weirctl blocklist status)", text,
			missing - 1);
}

static void note_not_updated(struct reload *r, const struct rules_status *s)
{
	app_reload_wrong(r, -EIO, "; ", "blocking rules NOT updated: %s", s->error);
}

// Only the caller of this reload learns of a missing list or a held image: both have rows of their
// own in status, which end when the list is back or the hold is over.
static void on_rules(void *arg, const struct rules_status *s)
{
	struct reload *r = arg;

	if (s->outcome == RULES_FAILED)
		note_not_updated(r, s);
	reload_note(r);
	if (s->outcome == RULES_HELD)
		note_not_updated(r, s);
	else if (s->outcome != RULES_FAILED)
		note_missing(r, s);
	reload_tell(r);
}

static void rules_follow_config(struct reload *r)
{
	struct app *a = r->app;

	r->step = "a build of the rules";
	int err = r->of_toggles ? rules_follow(a->rules, a->current)
				: rules_configure(a->rules, a->current, on_rules, r);
	if (err < 0)
		reload_incomplete(r, err, "lists");
	if (err < 0 || r->of_toggles)
		reload_end(r);
}

static const char *refused_text(int err)
{
	return err == -EBUSY       ? "groups of earlier reloads are still in use, try again in 10 s"
	       : err == -EINVAL    ? "recursion: libunbound does not take upstreams.root_hints"
	       : err == -EOVERFLOW ? "groups: no view number is left until the cache is made anew"
				   : strerror(-err);
}

// Frees the previous configuration, which neither rules nor resolvers use any more.
static void let_go(struct app *a)
{
	FREE_AND_NULL(a->late_current);
	config_free(a->late_read);
	a->late_read = NULL;
}

// The resolvers and frontends have the configuration: puts it in force everywhere else.
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
	flush_changes(a, before, a->current);
	app_publish_config(a, a->current);
	memcpy(a->groups.view, m->group, sizeof(a->groups.view));
	int err = app_groups_publish(a, a->current);
	if (err < 0)
		reload_incomplete(r, err, "groups");
	app_routes_configure(a);
	err = app_outputs_reload(a, before, a->current);
	// Toggles are in force without an output that could not start.
	if (err < 0 && !r->of_toggles)
		reload_incomplete(r, err, "events");
	if (!r->of_toggles) {
		a->certificates = m->certificates;
		app_certificates_tell(r);
	}
	err = app_clickhouse_reload(a, before, a->current);
	if (err < 0)
		reload_incomplete(r, err, "sink to ClickHouse");
	const bool is_late = reload_is_late(r);
	if (!r->of_toggles)
		a->read_files = r->err == 0 ? r->files : (struct config_files){0};
	let_go(a); // the previous change may have left it for late threads
	a->late_current = before;
	a->late_read = read_before != a->read && read_before != a->started ? read_before : NULL;
	rules_follow_config(r);
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

// Ends a reload that a resolver refused: nothing has changed.
static void reload_refuse(struct reload *r, int err)
{
	r->err = err;
	snprintf(r->why, sizeof(r->why), "%s", refused_text(err));
	message_clear(&r->message);
	reload_end(r);
}

static int message_send(struct reload *r);

// Sends a change that began while the resolvers had the message of the other change, with the
// results of that one.
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
	r->err = hung_refuse(r);
	if (r->err == 0)
		r->err = message_send(r);
	if (r->err < 0) {
		message_clear(m);
		reload_end(r);
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

// All resolvers have the configuration; the frontends get it next.
static void reload_taken(void *arg)
{
	struct reload *r = arg;
	struct app *a = r->app;
	struct reload_message *m = &r->message;

	if (!r->of_toggles)
		app_certificates_use(a, &m->certificates);
	frontends_configure(&a->frontends, m->next, m->tcp_files, a->service, reload_returned, r);
}

// Runs on the first resolver's loop, which owns the message.
static void reload_resolvers(void *arg)
{
	struct reload *r = arg;
	struct reload_message *m = &r->message;

	// If this succeeds the message may be back at the service loop already.
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

	m->next = app_lay(&m->toggles, m->read ? m->read : r->app->read);
	if (!m->next) {
		snprintf(r->why, sizeof(r->why), "no memory");
		return -ENOMEM;
	}
	// Ports and addresses stay those of the start, whatever the file says, also in records that
	// name them (special_names.h).
	m->next->dataplane = r->app->started->dataplane;
	r->step = "the resolvers and frontends";
	int err = loop_call(r->app->loop, reload_resolvers, r);
	if (err < 0)
		snprintf(r->why, sizeof(r->why), "the resolver takes no more calls");
	r->app->at_resolver = err == 0;
	if (err == 0)
		looks_begin(r);
	return err;
}

// Sends the message, or waits: the resolvers have one message at a time.
static int message_send_or_wait(struct reload *r)
{
	int err = hung_refuse(r);
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

// Ends a change that was not sent. The caller is answered later in any case.
static int reload_fail(struct reload *r, int err)
{
	r->err = err;
	message_clear(&r->message);
	int rc = loop_call(r->app->service, reload_end, r);
	if (rc < 0)
		r->running = false;
	return rc;
}

// Sends the configuration that was read to the resolvers.
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

// The files of the configuration are unchanged; the lists may have changed.
static void reload_unchanged(void *arg)
{
	struct reload *r = arg;
	struct app *a = r->app;

	r->in_force = true;
	a->last_reload.loaded_unix_s = time(NULL);
	(void)config_needs_restart(a->started, a->read, r->needs_restart, sizeof(r->needs_restart));
	app_routes_configure(a); // rtnetlink may have failed before
	looks_begin(r);
	app_certificates_look(a);
	app_certificates_tell(r);
	rules_follow_config(r);
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
	else if ((err = hung_refuse(r)) == 0)
		err = loop_call(a->service, reload_unchanged, r);
	if (err < 0)
		err = reload_fail(r, err);
	if (err == 0)
		sd_notify_reloading(); // reload_end comes later, on this loop
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
