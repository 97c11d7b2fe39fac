// SPDX-License-Identifier: BSD-3-Clause
// The watch of the health after an apply, and the way back.
//
// Health fell if one of these conditions holds in HEALTH_BAD_LOOKS looks in a row, a second apart,
// and did not hold in the last look before the apply: clients get no answers for a reason of
// /ready; no upstream server answers; lists were loaded and no list is any more; the rules had
// names and have none while the configuration has lists. Or a third of the clients get SERVFAIL
// from the resolvers instead of the answers that they got before (health_watch.h). Answers count
// from one answer deadline after the apply on, and not at all after an outage.
#include "app_apply.h"
#include "app_events.h"
#include "app_versions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/stats_read.h>

enum { RESTART_MS = 10000 };

// Whether a reason counts for the health. Some count although clients may get answers from the
// cache; a box is drained on purpose.
static bool is_watched(const struct api_reason *r)
{
	return (r->is_blocking && r->id != API_REASON_drained) || r->id == API_REASON_upstreams
	       || r->id == API_REASON_lists_none;
}

// Whether an operator has stopped or just restarted the data plane, as for a setting that needs it,
// which is no fault of a version.
static bool is_restarted(const struct app *a)
{
	char why[SHM_WHY_MAX];
	const struct shm_paths *paths = publisher_paths(a->publisher);
	struct stats_copy *c = heap_calloc(1, sizeof(*c));
	bool is = false;
	if (c && paths && stats_read(paths, c, why) == 0) {
		const enum process_state state = dataplane_state(paths, c);
		is = state == PROCESS_UP || state == PROCESS_STARTING
			     ? c->former_end == STATS_STOPPED
				       && clock_mono_ms() - c->start_ms < RESTART_MS
			     : c->ended == STATS_STOPPED;
	}
	heap_free(c);
	return is;
}

static struct health_sight sight_of(const struct app *a, const struct api_reasons *reasons,
	const struct rules_status *rules, const struct resolver_status *r)
{
	struct health_sight s = {.now_ms = clock_mono_ms(),
		.names = rules->names,
		.has_lists = a->current->blocking.enabled && a->current->blocking.list_count > 0
			     && !rules->building,
		.clients = r->clients};
	static_assert(API_REASON_IDS <= 64, "a bit for each");
	for (unsigned i = 0; i < reasons->count; i++) {
		const struct api_reason *one = &reasons->one[i];
		const uint64_t bit = UINT64_C(1) << one->id;
		if (!is_watched(one) || (one->id == API_REASON_dataplane && is_restarted(a)))
			continue;
		s.reasons |= bit;
		s.is_out |= one->id != API_REASON_lists_none;
		if (!s.fresh && !(a->versions->health.known & bit))
			s.fresh = one->text;
	}
	return s;
}

// Adds an event about the watched version. `bad`: why health fell; "": the event has the operator's
// reason.
static void event_add(struct app *a, enum event_kind kind, const char *how, const char *bad)
{
	const struct config_version *v = &a->versions->health.version;
	char number[16];
	snprintf(number, sizeof(number), "%u", v->number);
	events_add(app_events_of(a->events), kind,
		EVENT_FIELDS({"number", number}, {"who", v->who}, {"what", v->what},
			{"why", *bad ? bad : v->why}),
		"configuration version %u (%s by %s) %s%s%s", v->number, v->what, v->who, how,
		*bad ? ": " : "", bad);
}

void app_health_begin(struct app *a, const struct config_version *v)
{
	health_begin(&a->versions->health, v, clock_mono_ms(), APP_WATCH_S * 1000,
		a->current->limits.answer_deadline_ms);
	a->versions->status.watch_left_s = APP_WATCH_S;
}

// Ends the watch. `good`: the version that later falls go back to, if it is stored; 0: unchanged.
static void health_settle(struct app_versions *v, unsigned good)
{
	v->status.watch_left_s = 0;
	health_end(&v->health, v->is_unstored ? 0 : good);
}

// Ends the watch with a result for its version and for earlier versions of the watch.
static void verdict_settle(
	struct app *a, enum config_version_result result, const char *reason, unsigned good)
{
	app_versions_settle(a, a->versions->health.version.number, result, reason, true);
	health_settle(a->versions, good);
}

static void held(struct app *a, const char *why)
{
	const unsigned number = a->versions->health.version.number;
	verdict_settle(a, CONFIG_VERSION_applied, why, number);
	event_add(a, EVENT_config_applied, *why ? why : "is applied, its health held", "");
}

// Health fell, and weir cannot go back: the version stays in force.
static void stays(struct app *a, unsigned good, const char *why)
{
	const struct health *w = &a->versions->health;
	char reason[CONFIG_VERSION_WHY_MAX];
	snprintf(reason, sizeof(reason), "%.250s; %.250s", w->bad, why);
	log_error("configuration: health fell with version %u, which stays in force: %s",
		w->version.number, reason);
	event_add(a, EVENT_config_not_taken_back, "stays in force, though health fell", reason);
	verdict_settle(a, CONFIG_VERSION_fallen, reason, good);
}

void app_health_keep(struct app *a, const struct config_version *v)
{
	a->versions->health.version = *v;
	held(a, "is kept, as asked");
}

void app_health_skip(struct app *a, const struct config_version *v)
{
	app_versions_settle(a, v->number, CONFIG_VERSION_applied, "", false);
	health_settle(a->versions, v->number);
}

void app_health_fallen(struct app *a, const struct config_version *v)
{
	app_versions_settle(a, v->number, CONFIG_VERSION_fallen, v->reason, false);
	health_settle(a->versions, 0);
}

void app_health_back(struct app *a)
{
	struct app_versions *v = a->versions;
	const struct health *w = &v->health;
	v->status.taken_back++;
	v->status.last_taken_back = w->version.number;
	snprintf(v->status.taken_back_why, sizeof(v->status.taken_back_why), "%s", w->bad);
	app_versions_settle(a, w->version.number, CONFIG_VERSION_taken_back, w->bad, true);
	event_add(a, EVENT_config_taken_back, "is taken back", w->bad);
}

void app_health_same(struct app *a)
{
	stays(a, a->versions->health.version.number, "the version before has the same text");
}

// Called when the apply of the way back has ended, or waits for a thread that hangs.
// app_health_back() records that the way back is in force.
static void went_back(void *arg, int err, const char *why, const char *)
{
	struct app *a = arg;
	struct health *w = &a->versions->health;
	if (!w->is_running || err >= 0) {
		if (err != 0)
			log_warning("configuration: version %u is taken back, but: %s",
				w->version.number, why);
		return;
	}
	if (health_try_again(w))
		log_warning("configuration: version %u is not taken back yet: %s",
			w->version.number, why);
	else
		stays(a, 0, why);
}

static void go_back(struct app *a)
{
	struct health *w = &a->versions->health;
	char what[CONFIG_VERSION_WHAT_MAX];
	snprintf(what, sizeof(what), "take back version %u", w->version.number);
	const struct apply_request r = {.who = "weir",
		.what = what,
		.why = w->bad,
		.rollback_to = w->good,
		.is_internal = true};
	w->goes_back = true; // set before app_apply, which may end at once
	int rc = app_apply(a, &r, went_back, a);
	if (rc < 0 && rc != -EBUSY)
		went_back(a, rc, strerror(-rc), "");
	else if (rc < 0)
		w->goes_back = false;
}

static void fell(struct app *a)
{
	const struct health *w = &a->versions->health;
	if (!w->good) {
		stays(a, w->version.number, "no version is before it");
		return;
	}
	log_error("configuration: health fell with version %u, going back to version %u: %s",
		w->version.number, w->good, w->bad);
	go_back(a);
}

void app_health_look(struct app *a, const struct api_reasons *reasons,
	const struct rules_status *rules, const struct resolver_status *r)
{
	struct health *w = &a->versions->health;
	const struct health_sight s = sight_of(a, reasons, rules, r);
	// During a change no look counts as usual, and no version can be taken back.
	if (a->reload.running || a->versions->apply.is_running)
		return;
	if (!w->is_running) {
		health_usual(w, &s);
		return;
	}
	if (w->has_fallen) {
		go_back(a);
		return;
	}
	a->versions->status.watch_left_s =
		s.now_ms < w->until_ms ? (unsigned)((w->until_ms - s.now_ms + 999) / 1000) : 1;
	switch (health_judge(w, &s)) {
	case HEALTH_FELL:
		fell(a);
		break;
	case HEALTH_HELD:
		held(a, "");
		break;
	case HEALTH_WATCHED:
		break;
	}
}
