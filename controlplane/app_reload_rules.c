// SPDX-License-Identifier: BSD-3-Clause
// The last part of a reload: the rules follow the configuration in force, and the caller learns how
// the reload ended.
#include "app_events.h"
#include "app_reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/log.h>
#include <weir/os/sd_notify.h>

// For status and metrics, of the configuration alone.
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
	app_reload_looks_end(r);
	r->running = false;
	if (!r->of_toggles)
		sd_notify_send("READY=1");
	if (r->ended)
		r->ended(r);
	else if (r->done)
		r->done(r->arg, r->err, r->why, r->needs_restart);
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

void app_reload_end(void *arg)
{
	struct reload *r = arg;

	if (!r->of_toggles)
		reload_note(r);
	reload_tell(r);
}

// Files of lists that this reload could not read; downloads have a schedule of their own.
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

void app_reload_incomplete(struct reload *r, int err, const char *what)
{
	app_reload_wrong(r, err, ", ", "except the %s: %s", what, strerror(-err));
}

void app_reload_rules(struct reload *r)
{
	struct app *a = r->app;

	r->step = "a build of the rules";
	int err = r->of_toggles ? rules_follow(a->rules, a->current)
				: rules_configure(a->rules, a->current, on_rules, r);
	if (err < 0)
		app_reload_incomplete(r, err, "lists");
	if (err < 0 || r->of_toggles)
		app_reload_end(r);
}
