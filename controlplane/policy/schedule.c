// SPDX-License-Identifier: BSD-3-Clause
#include "schedule.h"

#include <stdio.h>

enum { DAYS = 7, WEEK_MIN = DAYS * CONFIG_DAY_MIN };

static bool local_time(const struct config_schedule *s, time_t t, struct tm *tm)
{
	if (!s->zone)
		return localtime_r(&t, tm);
	const long offset_s = time_zone_offset(s->zone, t);
	const time_t there = t + offset_s;
	if (!gmtime_r(&there, tm))
		return false;
	tm->tm_gmtoff = offset_s;
	return true;
}

// Minute of the week, from Monday 0:00 on.
static unsigned week_minute(const struct tm *tm)
{
	unsigned day = (unsigned)(tm->tm_wday + 6) % DAYS;
	return day * CONFIG_DAY_MIN + (unsigned)(tm->tm_hour * 60 + tm->tm_min);
}

static bool covers_week(const struct config_schedule *s, unsigned week_min)
{
	unsigned day = week_min / CONFIG_DAY_MIN, minute = week_min % CONFIG_DAY_MIN;
	bool today = s->days >> day & 1;
	if (s->from_min < s->to_min)
		return today && minute >= s->from_min && minute < s->to_min;
	bool yesterday = s->days >> (day + DAYS - 1) % DAYS & 1;
	return (today && minute >= s->from_min) || (yesterday && minute < s->to_min);
}

bool schedule_active(const struct config_schedule *s, time_t now)
{
	struct tm tm;
	return local_time(s, now, &tm) && covers_week(s, week_minute(&tm));
}

// Minutes from one minute of the week to the next one at which it is not as it is then, were there
// no summer time; 0: it is always so.
static unsigned minutes_to_change(const struct config_schedule *s, unsigned from)
{
	bool active = covers_week(s, from);
	unsigned best = 0;
	for (unsigned i = 0; i < 2 * DAYS; i++) {
		unsigned edge = (i / 2 * CONFIG_DAY_MIN + (i % 2 ? s->to_min : s->from_min));
		edge += i % 2 && s->to_min < s->from_min ? CONFIG_DAY_MIN : 0;
		edge %= WEEK_MIN;
		unsigned away = (edge + WEEK_MIN - from) % WEEK_MIN;
		if (away && covers_week(s, edge) != active && (!best || away < best))
			best = away;
	}
	return best;
}

static long offset_at(const struct config_schedule *s, time_t t)
{
	struct tm tm;
	return local_time(s, t, &tm) ? tm.tm_gmtoff : 0;
}

// The first instant in (from, to] with another offset than `from`; `to` has another one.
static time_t offset_change(const struct config_schedule *s, time_t from, time_t to)
{
	long before = offset_at(s, from);
	while (to - from > 1) {
		time_t middle = from + (to - from) / 2;
		if (offset_at(s, middle) == before)
			from = middle;
		else
			to = middle;
	}
	return to;
}

time_t schedule_change(const struct config_schedule *s, time_t now)
{
	bool active = schedule_active(s, now);
	time_t t = now;
	// Each round ends at a change of the offset, of which a week sees one.
	for (unsigned round = 0; round < 4; round++) {
		struct tm tm;
		if (!local_time(s, t, &tm))
			return 0;
		unsigned minutes = minutes_to_change(s, week_minute(&tm));
		if (minutes == 0)
			return 0;
		time_t next = t - tm.tm_sec + (time_t)minutes * 60;
		if (offset_at(s, next) == tm.tm_gmtoff)
			return next;
		t = offset_change(s, t, next);
		if (schedule_active(s, t) != active)
			return t;
	}
	return 0;
}

uint32_t schedules_active(const struct config_schedules *s, time_t now)
{
	uint32_t active = 0;
	for (unsigned i = 0; i < s->count; i++)
		active |= (uint32_t)schedule_active(&s->one[i], now) << i;
	return active;
}

// The schedule that changes first, at *out. NULL: no schedule changes.
static const struct config_schedule *first_to_change(
	const struct config_schedules *s, time_t now, time_t *out)
{
	const struct config_schedule *first = NULL;
	*out = 0;
	for (unsigned i = 0; i < s->count; i++) {
		const time_t t = schedule_change(&s->one[i], now);
		if (t && (!first || t < *out)) {
			*out = t;
			first = &s->one[i];
		}
	}
	return first;
}

time_t schedules_change(const struct config_schedules *s, time_t now)
{
	time_t at;
	(void)first_to_change(s, now, &at);
	return at;
}

bool schedules_change_text(
	const struct config_schedules *s, time_t now, char out[SCHEDULE_CHANGE_TEXT_MAX])
{
	time_t at;
	const struct config_schedule *first = first_to_change(s, now, &at);
	struct tm there, here;
	if (!first || !local_time(first, at, &there) || !localtime_r(&at, &here))
		return false;
	const size_t len = strftime(out, SCHEDULE_CHANGE_TEXT_MAX, "%a %H:%M", &there);
	if (first->time_zone && there.tm_gmtoff != here.tm_gmtoff)
		snprintf(out + len, SCHEDULE_CHANGE_TEXT_MAX - len, " %s", first->time_zone);
	return len > 0;
}
