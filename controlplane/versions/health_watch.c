// SPDX-License-Identifier: BSD-3-Clause
#include "health_watch.h"

#include <stdio.h>

static const double HEALTH_SHARE_MIN = 0.3, HEALTH_SHARE_MORE = 0.25, HEALTH_GOOD_LEFT = 0.75;

// A crowd's answers between two looks.
struct span {
	uint64_t all;
	double share; // share of the answers that failed
	double good;  // good answers a second
};

static struct span span_of(
	const struct health_counts *from, const struct health_counts *to, unsigned crowd)
{
	const uint64_t failed = to->clients.failed[crowd] - from->clients.failed[crowd],
		       good = to->clients.good[crowd] - from->clients.good[crowd],
		       ms = to->at_ms - from->at_ms;
	return (struct span){.all = failed + good,
		.share = failed + good ? (double)failed / (double)(failed + good) : 0,
		.good = ms ? 1000 * (double)good / (double)ms : 0};
}

static bool span_fell(const struct span *before, const struct span *since)
{
	return since->share >= HEALTH_SHARE_MIN && since->share >= before->share + HEALTH_SHARE_MORE
	       && since->good <= HEALTH_GOOD_LEFT * before->good;
}

static struct health_counts counts_of(const struct health_sight *s)
{
	return (struct health_counts){.clients = s->clients, .at_ms = s->now_ms};
}

void health_usual(struct health *w, const struct health_sight *s)
{
	w->known = s->reasons;
	w->names = s->names;
	w->last[w->looks++ % HEALTH_SAMPLES] = counts_of(s);
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

// Crowds that got answers since the watch began, crowds that fell, and the number of answers.
struct votes {
	unsigned asked, fell;
	uint64_t answers;
};

static void vote(struct votes *v, const struct span *before, const struct span *since)
{
	v->asked += since->all > 0;
	v->fell += since->all > 0 && span_fell(before, since);
	v->answers += since->all;
}

static void clients_check(struct health *w, const struct health_sight *s)
{
	const struct health_counts now = counts_of(s),
				   *oldest = &w->last[w->looks % HEALTH_SAMPLES],
				   *newest = &w->last[(w->looks - 1) % HEALTH_SAMPLES];
	struct votes usual = {0}, strangers = {0};
	if (w->was_out || w->looks < HEALTH_SAMPLES || s->now_ms < w->count_from_ms)
		return;
	if (!w->has_begin) {
		w->has_begin = true;
		w->at_begin = now;
	}
	for (unsigned i = 0; i < CLIENT_CROWDS; i++) {
		const struct span before = span_of(oldest, newest, i),
				  since = span_of(&w->at_begin, &now, i);
		vote(before.good > 0 ? &usual : &strangers, &before, &since);
	}
	const bool enough = usual.asked >= HEALTH_CLIENTS_MIN;
	const struct votes v =
		enough ? usual
		       : (struct votes){usual.asked + strangers.asked, usual.fell + strangers.fell,
			       usual.answers + strangers.answers};
	if (v.answers >= HEALTH_ANSWERS_MIN && v.fell >= HEALTH_CLIENTS_MIN
		&& v.fell * (enough ? 3 : 1) >= v.asked)
		snprintf(w->bad, sizeof(w->bad), "%u of %u clients get SERVFAIL instead of answers",
			v.fell, v.asked);
}

enum health_verdict health_judge(struct health *w, const struct health_sight *s)
{
	w->bad[0] = '\0';
	if (s->fresh)
		snprintf(w->bad, sizeof(w->bad), "%.500s", s->fresh);
	if (!w->bad[0] && w->names && s->names == 0 && s->has_lists)
		snprintf(w->bad, sizeof(w->bad), "the lists have no names any more");
	if (!w->bad[0])
		clients_check(w, s);
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
