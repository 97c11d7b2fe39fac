// SPDX-License-Identifier: BSD-3-Clause
// Events that the service loop finds by a look each second: alarms, upstream servers, the data
// plane. Other events are added where they happen.

#include "app_events.h"

#include "events/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

struct app_events {
	struct events *events;
	struct event_conditions conditions;
	struct api_reasons reasons; // reasons of the last look
	uint64_t dataplane;         // incarnation of the data plane that runs; 0: it does not run
};

// An alarm that comes and goes each second is one alarm. An outage, in which clients get no
// answers, differs from an alarm of the same id without it.
#define ALARM_OF(severity) \
	[severity] = {EVENT_alarm_raised, EVENT_alarm_over, severity, "alarm", "over", 5}
static const struct event_condition_kind of_alarm[EVENT_SEVERITIES] = {
	ALARM_OF(EVENT_IS_info), ALARM_OF(EVENT_IS_warning), ALARM_OF(EVENT_IS_error)};
static const struct event_condition_kind of_upstream = {
	EVENT_upstream_down, EVENT_upstream_up, EVENT_IS_warning, "server", "over", 2};

int app_events_open(struct app_events **out, const char *box)
{
	struct app_events *w = heap_calloc(1, sizeof(*w));
	int rc = w ? events_open(&w->events, box) : -ENOMEM;
	if (rc < 0) {
		heap_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

void app_events_close(struct app_events *w)
{
	if (!w)
		return;
	events_close(w->events);
	heap_free(w);
}

struct events *app_events_of(struct app_events *w)
{
	return w->events;
}

const struct event_conditions *app_events_conditions(const struct app_events *w)
{
	return &w->conditions;
}

// Whether the process serves: while it starts its reasons are no alarms.
static bool is_serving(const struct api_reasons *r)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->one[i].id == API_REASON_serving)
			return false;
	return true;
}

static void reasons_see(struct app_events *w, uint64_t now_ms)
{
	for (unsigned i = 0; i < w->reasons.count; i++) {
		const struct api_reason *r = &w->reasons.one[i];
		char about[EVENT_ABOUT_MAX];
		// memory_see adds each alarm of this reason by itself.
		if (r->id == API_REASON_memory_grows)
			continue;
		api_reason_name(r, about, sizeof(about));
		event_conditions_see(&w->conditions, w->events, &of_alarm[api_reason_severity(r)],
			about, now_ms, "%s", r->text);
	}
}

static void memory_see(struct app_events *w, const struct judge_status *s, uint64_t now_ms)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct judge_alarm *a = &s->alarm[i];
		const char *process = judge_process_texts[a->process];
		char about[EVENT_ABOUT_MAX];
		const struct api_reason_kind *kind = &api_reason_kinds[API_REASON_memory];
		(void)snprintf(about, sizeof(about), "%s %s %s", kind->id, process, a->name);
		event_conditions_see(&w->conditions, w->events, &of_alarm[kind->severity], about,
			now_ms, "%s, %s: grows by %.0f %s an hour%s%s (weirctl mem alarms)",
			process, a->name, a->per_hour, a->unit, *a->by ? ", in " : "", a->by);
	}
}

static void upstreams_see(struct app_events *w, const struct resolver_status *s, uint64_t now_ms)
{
	for (unsigned i = 0; i < s->upstream_count && i < CONFIG_UPSTREAMS_MAX; i++) {
		const struct upstream_status *u = &s->upstream[i];
		const bool has_name = u->name[0] && strcmp(u->name, u->address) != 0;
		if (u->up || u->drained)
			continue;
		event_conditions_see(&w->conditions, w->events, &of_upstream, u->address, now_ms,
			"upstream server %s%s%s%s %s", has_name ? u->name : u->address,
			has_name ? " (" : "", has_name ? u->address : "", has_name ? ")" : "",
			u->is_nowhere ? "has no address" : "does not answer");
	}
}

void app_events_look(struct app_events *w, struct api *api, const struct resolver_status *s,
	const struct frontends_status *f, const struct judge_status *alarms)
{
	const uint64_t now_ms = clock_mono_ms();
	api_reasons(api, s, f, &w->reasons);
	if (!is_serving(&w->reasons))
		return;
	reasons_see(w, now_ms);
	memory_see(w, alarms, now_ms);
	upstreams_see(w, s, now_ms);
	event_conditions_end(&w->conditions, w->events, now_ms);
}

const struct api_reasons *app_events_reasons(const struct app_events *w)
{
	return &w->reasons;
}

void app_events_dataplane(struct app_events *w, const struct memory_other *o)
{
	static const char *const ends[] = {[OTHER_UNKNOWN] = "it is not there any more",
		[OTHER_STOPPED] = "it was stopped",
		[OTHER_FELL] = "it crashed or was killed",
		[OTHER_FAILED] = "it could not start"};
	const uint64_t now = o->is_there ? o->id : 0;
	char text[24];
	if (now == w->dataplane)
		return;
	if (w->dataplane) {
		const char *end = ends[o->ended_id == w->dataplane ? o->ended : OTHER_UNKNOWN];
		(void)snprintf(text, sizeof(text), "%016" PRIx64, w->dataplane);
		events_add(w->events, EVENT_dataplane_went,
			EVENT_FIELDS({"incarnation", text}, {"why", end}),
			"the data plane has ended: %s", end);
	}
	if (now) {
		(void)snprintf(text, sizeof(text), "%016" PRIx64, now);
		events_add(w->events, EVENT_dataplane_came, EVENT_FIELDS({"incarnation", text}),
			"the data plane runs");
	}
	w->dataplane = now;
}
