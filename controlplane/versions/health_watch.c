// SPDX-License-Identifier: BSD-3-Clause
#include "health_watch.h"

#include <stdio.h>

static const double HEALTH_SHARE_MIN = 0.3, HEALTH_SHARE_MORE = 0.25, HEALTH_GOOD_LEFT = 0.75;

// Of the answers between the two.
static double share_of(
	const struct health_counts *from, const struct health_counts *to, uint64_t *all)
{
	const uint64_t failed = to->failed - from->failed;
	*all = failed + to->good - from->good;
	return *all ? (double)failed / (double)*all : 0;
}

// Good answers a second.
static double good_of(const struct health_counts *from, const struct health_counts *to)
{
	const uint64_t ms = to->at_ms - from->at_ms;
	return ms ? 1000 * (double)(to->good - from->good) / (double)ms : 0;
}

static struct health_counts counts_of(const struct health_sight *s)
{
	struct health_counts c = s->counts;
	c.at_ms = s->now_ms;
	return c;
}

void health_usual(struct health *w, const struct health_sight *s)
{
	uint64_t all;
	const unsigned slot = w->looks++ % HEALTH_SAMPLES;
	w->known = s->reasons;
	w->names = s->names;
	const struct health_counts now = counts_of(s);
	w->share_before = share_of(&w->last[slot], &now, &all);
	w->good_before = good_of(&w->last[slot], &now);
	w->last[slot] = now;
	w->was_out = s->is_out;
}

void health_begin(struct health *w, const struct config_version *v, uint64_t now_ms,
	unsigned watch_ms, unsigned deadline_ms)
{
	w->version = *v;
	w->is_running = true;
	w->goes_back = w->has_fallen = false;
	w->bad_looks = w->tries = 0;
	w->until_ms = now_ms + watch_ms;
	w->count_from_ms = now_ms + deadline_ms;
	w->has_begin = false;
}

static void share_check(struct health *w, const struct health_sight *s)
{
	const struct health_counts now = counts_of(s);
	uint64_t all;
	if (w->was_out || w->looks < HEALTH_SAMPLES || s->now_ms < w->count_from_ms)
		return;
	if (!w->has_begin) {
		w->has_begin = true;
		w->at_begin = now;
	}
	const double share = share_of(&w->at_begin, &now, &all);
	if (all >= HEALTH_ANSWERS_MIN && share >= HEALTH_SHARE_MIN
		&& share >= w->share_before + HEALTH_SHARE_MORE
		&& good_of(&w->at_begin, &now) <= HEALTH_GOOD_LEFT * w->good_before)
		snprintf(w->bad, sizeof(w->bad),
			"%.0f%% of the resolvers' answers are SERVFAIL, %.0f%% were before",
			100 * share, 100 * w->share_before);
}

enum health_verdict health_judge(struct health *w, const struct health_sight *s)
{
	w->bad[0] = '\0';
	if (s->fresh)
		snprintf(w->bad, sizeof(w->bad), "%.500s", s->fresh);
	if (!w->bad[0] && w->names && s->names == 0 && s->has_lists)
		snprintf(w->bad, sizeof(w->bad), "the lists have no names any more");
	if (!w->bad[0])
		share_check(w, s);
	w->bad_looks = w->bad[0] ? w->bad_looks + 1 : 0;
	if (w->bad_looks >= HEALTH_BAD_LOOKS) {
		w->has_fallen = true;
		return HEALTH_FELL;
	}
	return s->now_ms >= w->until_ms && w->bad_looks == 0 ? HEALTH_HELD : HEALTH_WATCHED;
}

void health_end(struct health *w, unsigned number)
{
	w->is_running = w->has_fallen = w->goes_back = false;
	w->good = number ? number : w->good;
}

bool health_try_again(struct health *w)
{
	w->goes_back = false;
	return ++w->tries < HEALTH_TRIES_MAX;
}

unsigned health_good_find(const char *folder, unsigned number)
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	int count = config_versions_list(folder, numbers);
	for (int i = count - 1; i >= 0; i--) {
		struct config_version v;
		char why[CONFIG_WHY_MAX];
		if (numbers[i] < number
			&& config_version_read(folder, numbers[i], &v, NULL, why) == 0
			&& v.result == CONFIG_VERSION_applied)
			return numbers[i];
	}
	return 0;
}
