// SPDX-License-Identifier: BSD-3-Clause
// The watch of the health after an apply, and the way back.
//
// Health fell when one of these is so in HEALTH_BAD_LOOKS looks in a row, a second apart, and was
// not so in the last look before the apply: clients get no answers for a reason of /ready; no
// upstream server answers; a list was loaded and none is; the rules had names and have none while
// the configuration has lists. Or the share of SERVFAIL among the answers of the resolvers since
// the apply is HEALTH_SHARE_MIN at least and HEALTH_SHARE_MORE higher than in the HEALTH_SAMPLES
// seconds before, over HEALTH_ANSWERS_MIN answers.
#include "app_apply.h"
#include "app_events.h"
#include "app_versions.h"

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { HEALTH_BAD_LOOKS = 3, HEALTH_ANSWERS_MIN = 10 };
static const double HEALTH_SHARE_MIN = 0.3, HEALTH_SHARE_MORE = 0.25;

// Reasons that count although clients may get answers of the cache; a drained box is meant to be.
static bool is_watched(const struct api_reason *r)
{
	return (r->is_blocking && r->id != API_REASON_drained) || r->id == API_REASON_upstreams
	       || r->id == API_REASON_lists_none;
}

static bool is_known(const struct health *w, enum api_reason_id id)
{
	for (unsigned i = 0; i < w->known; i++)
		if (w->reason[i] == id)
			return true;
	return false;
}

static struct health_counts counts_of(const struct resolver_status *s)
{
	return (struct health_counts){.good = s->answered + s->answered_stale,
		.failed = s->servfail + s->failed_recently};
}

// Of the answers between the two.
static double share_of(
	const struct health_counts *from, const struct health_counts *to, uint64_t *all)
{
	const uint64_t failed = to->failed - from->failed;
	*all = failed + to->good - from->good;
	return *all ? (double)failed / (double)*all : 0;
}

static uint64_t names_now(struct app *a, bool *has_lists)
{
	struct rules_status s;
	rules_status(a->rules, &s);
	*has_lists =
		a->current->blocking.enabled && a->current->blocking.list_count > 0 && !s.building;
	return s.names;
}

// What is so before an apply.
static void usual_note(struct app *a, const struct api_reasons *reasons, struct health_counts now)
{
	struct health *w = &a->versions->health;
	bool has_lists;
	uint64_t all;
	w->known = 0;
	for (unsigned i = 0; i < reasons->count && w->known < HEALTH_REASONS_MAX; i++)
		if (is_watched(&reasons->one[i]))
			w->reason[w->known++] = reasons->one[i].id;
	w->names = names_now(a, &has_lists);
	const unsigned slot = w->looks++ % HEALTH_SAMPLES;
	w->share_before = share_of(&w->last[slot], &now, &all);
	w->last[slot] = now;
	w->at_begin = now;
}

static void names_check(struct app *a, struct health *w)
{
	bool has_lists;
	const uint64_t names = names_now(a, &has_lists);
	if (w->names && names == 0 && has_lists)
		snprintf(w->bad, sizeof(w->bad), "the lists have no names any more");
}

static void share_check(struct health *w, struct health_counts now)
{
	uint64_t all;
	const double share = share_of(&w->at_begin, &now, &all);
	if (all >= HEALTH_ANSWERS_MIN && share >= HEALTH_SHARE_MIN
		&& share >= w->share_before + HEALTH_SHARE_MORE)
		snprintf(w->bad, sizeof(w->bad),
			"%.0f%% of the resolvers' answers are SERVFAIL, %.0f%% were before",
			100 * share, 100 * w->share_before);
}

static bool look(struct app *a, const struct api_reasons *reasons, struct health_counts now)
{
	struct health *w = &a->versions->health;
	w->bad[0] = '\0';
	for (unsigned i = 0; i < reasons->count && !w->bad[0]; i++)
		if (is_watched(&reasons->one[i]) && !is_known(w, reasons->one[i].id))
			snprintf(w->bad, sizeof(w->bad), "%.500s", reasons->one[i].text);
	if (!w->bad[0])
		names_check(a, w);
	if (!w->bad[0])
		share_check(w, now);
	w->bad_looks = w->bad[0] ? w->bad_looks + 1 : 0;
	return w->bad_looks >= HEALTH_BAD_LOOKS;
}

static void event_add(struct app *a, enum event_kind kind, const char *fmt)
{
	struct health *w = &a->versions->health;
	const struct config_version *v = &w->version;
	char number[16];
	snprintf(number, sizeof(number), "%u", v->number);
	const bool is_back = kind == EVENT_config_taken_back;
	events_add(app_events_of(a->events), kind,
		EVENT_FIELDS({"number", number}, {"who", v->who}, {"what", v->what},
			{"why", is_back ? w->bad : v->why}),
		"configuration version %u (%s by %s) %s%s%s", v->number, v->what, v->who, fmt,
		is_back ? ": " : "", is_back ? w->bad : "");
}

void app_health_begin(struct app *a, const struct config_version *v)
{
	struct health *w = &a->versions->health;
	w->version = *v;
	w->is_running = true;
	w->goes_back = w->has_fallen = false;
	w->bad_looks = 0;
	w->until_ms = clock_mono_ms() + APP_WATCH_S * 1000;
	a->versions->status.watch_left_s = APP_WATCH_S;
}

void app_health_end(struct app *a, const char *why)
{
	struct app_versions *v = a->versions;
	struct health *w = &v->health;
	v->status.watch_left_s = 0;
	if (!w->is_running)
		return;
	w->is_running = false;
	if (w->has_fallen) // the version that follows is the way back, or in its place
		return;
	app_versions_settle(a, w->version.number, CONFIG_VERSION_applied, why);
	event_add(a, EVENT_config_applied, *why ? why : "is applied, its health held");
}

static void went_back(void *arg, int err, const char *why, const char *)
{
	struct app *a = arg;
	struct app_versions *v = a->versions;
	v->status.watch_left_s = 0;
	v->health.is_running = false;
	if (err < 0)
		log_error("configuration: version %u is not taken back: %s",
			v->health.version.number, why);
}

static void go_back(struct app *a)
{
	struct app_versions *v = a->versions;
	struct health *w = &v->health;
	char what[CONFIG_VERSION_WHAT_MAX];
	snprintf(what, sizeof(what), "take back version %u", w->version.number);
	const struct apply_request r = {.who = "weir",
		.what = what,
		.why = w->bad,
		.rollback_to = w->version.before,
		.is_internal = true};
	if (app_apply(a, &r, went_back, a) < 0)
		log_warning("configuration: another change runs; version %u is taken back after it",
			w->version.number);
	else
		w->goes_back = true;
}

static void fell(struct app *a)
{
	struct app_versions *v = a->versions;
	struct health *w = &v->health;
	if (!w->version.before) {
		log_error(
			"configuration: health fell with version %u, and no version is before it: "
			"%s",
			w->version.number, w->bad);
		app_health_end(a, "its health fell, and no version is before it");
		return;
	}
	log_error("configuration: health fell with version %u, going back to version %u: %s",
		w->version.number, w->version.before, w->bad);
	w->has_fallen = true;
	v->status.taken_back++;
	v->status.last_taken_back = w->version.number;
	snprintf(v->status.taken_back_why, sizeof(v->status.taken_back_why), "%s", w->bad);
	app_versions_settle(a, w->version.number, CONFIG_VERSION_taken_back, w->bad);
	event_add(a, EVENT_config_taken_back, "is taken back");
	go_back(a);
}

void app_health_look(
	struct app *a, const struct api_reasons *reasons, const struct resolver_status *s)
{
	struct health *w = &a->versions->health;
	const struct health_counts now = counts_of(s);
	const uint64_t now_ms = clock_mono_ms();
	if (!w->is_running) {
		if (!a->reload.running && !a->versions->apply.is_running)
			usual_note(a, reasons, now);
		return;
	}
	if (w->goes_back)
		return;
	if (w->has_fallen) { // another change ran
		go_back(a);
		return;
	}
	a->versions->status.watch_left_s =
		now_ms < w->until_ms ? (unsigned)((w->until_ms - now_ms + 999) / 1000) : 1;
	if (look(a, reasons, now))
		fell(a);
	else if (now_ms >= w->until_ms && w->bad_looks == 0)
		app_health_end(a, "");
}
