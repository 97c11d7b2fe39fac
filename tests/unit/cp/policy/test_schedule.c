// SPDX-License-Identifier: BSD-3-Clause

// Windows of local time, minute by minute, in zones that change their clocks and some that do not.

#include "controlplane/policy/schedule.h"
#include "tests/unit/unit.h"

static void zone_set(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

// "mon 22:00 06:30" and "mon,tue 08:00 24:00".
static struct config_schedule make(const char *text)
{
	static const char *const words[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	struct config_schedule s = {.name = NULL};
	unsigned from_h, from_m, to_h, to_m;
	char days[64];
	assert_int_equal(sscanf(text, "%63s %u:%u %u:%u", days, &from_h, &from_m, &to_h, &to_m), 5);
	for (unsigned i = 0; i < 7; i++)
		if (strstr(days, words[i]) || strcmp(days, "all") == 0)
			s.days |= (uint8_t)(1 << i);
	s.from_min = (uint16_t)(from_h * 60 + from_m);
	s.to_min = (uint16_t)(to_h * 60 + to_m);
	return s;
}

// Paints a window on the week, without any of the module's arithmetic.
static void paint(const struct config_schedule *s, bool week[7 * 1440])
{
	memset(week, 0, 7 * 1440 * sizeof(*week));
	for (unsigned day = 0; day < 7; day++) {
		if (!(s->days >> day & 1))
			continue;
		unsigned minute = s->from_min;
		unsigned until = s->to_min > s->from_min ? s->to_min : s->to_min + 1440u;
		for (; minute < until; minute++)
			week[(day * 1440 + minute) % (7 * 1440)] = true;
	}
}

static bool model(const bool week[7 * 1440], time_t t)
{
	struct tm tm;
	char text[32];
	unsigned day, hour, minute;
	localtime_r(&t, &tm);
	assert_int_not_equal(strftime(text, sizeof(text), "%u %H %M", &tm), 0);
	assert_int_equal(sscanf(text, "%u %u %u", &day, &hour, &minute), 3);
	return week[(day - 1) * 1440 + hour * 60 + minute];
}

static const char *const windows[] = {
	"mon 08:00 13:00",
	"mon,tue,wed,thu,fri 22:00 06:30",
	"all 00:00 24:00",
	"sun 00:00 24:00",
	"sat,sun 23:59 00:01",
	"sun 01:30 02:30",
	"sun 02:00 03:00",
	"sun 02:15 02:45",
	"sat 20:00 02:30",
	"all 12:00 11:59",
	"wed 23:00 24:00",
	"fri 00:00 00:01",
	"tue,thu,sun 03:00 02:00",
};

// Every minute of two weeks around `middle`: active as the model says, and the next change
// is the next minute at which the model says otherwise. `own`: the zone is the schedule's, and the
// machine has another one.
static void compare_zone(const char *zone, time_t middle, struct time_zone *own)
{
	enum { WEEK = 7 * 86400 };
	static bool truth[3 * WEEK / 60 + 1];
	for (size_t w = 0; w < ARRAY_LEN(windows); w++) {
		struct config_schedule s = make(windows[w]);
		bool week[7 * 1440];
		s.zone = own;
		zone_set(zone);
		time_t begin = (middle - WEEK) / 60 * 60;
		paint(&s, week);
		for (unsigned i = 0; i < ARRAY_LEN(truth); i++)
			truth[i] = model(week, begin + i * 60);
		zone_set(own ? "<+0545>-5:45" : zone);
		unsigned change = 0;
		for (unsigned i = 0; i < 2 * WEEK / 60; i++) {
			time_t t = begin + i * 60 + i % 60;
			if (schedule_active(&s, t) != truth[i])
				fail_msg("%s, %s: wrong at %lld", zone, windows[w], (long long)t);
			if (change <= i)
				for (change = i + 1; change < ARRAY_LEN(truth); change++)
					if (truth[change] != truth[i])
						break;
			if (i % 7 && change != i + 1)
				continue; // one minute in seven, and all that are the last
			time_t want = change < ARRAY_LEN(truth) ? begin + change * 60 : 0;
			time_t got = schedule_change(&s, t);
			// A change beyond the model's three weeks cannot be compared.
			if (got != want && (want || (got && got < begin + 3 * WEEK)))
				fail_msg("%s, %s: change after %lld at %lld, not %lld", zone,
					windows[w], (long long)t, (long long)got, (long long)want);
		}
	}
}

static void compare(const char *zone, time_t middle)
{
	compare_zone(zone, middle, NULL);
}

static struct time_zone *zone_of(const char *name)
{
	static char bytes[TIME_ZONE_FILE_MAX];
	struct time_zone *z;
	char path[100];
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	FILE *f = fopen(path, "re");
	if (!f)
		fail_msg("%s: is tzdata installed?", path);
	const size_t len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	assert_int_equal(time_zone_parse(bytes, len, &z), 0);
	return z;
}

enum {
	SYDNEY_AUTUMN = 1775318400, // 2026-04-04 16:00 UTC
	SYDNEY_SPRING = 1791043200,
	SANTIAGO_AUTUMN = 1775358000, // at midnight
	SANTIAGO_SPRING = 1788667200,
	BERLIN_SPRING = 1774746000, // 2026-03-29 01:00 UTC
	BERLIN_AUTUMN = 1792890000, // 2026-10-25 01:00 UTC
	NEW_YORK_SPRING = 1772953200,
	NEW_YORK_AUTUMN = 1793512800,
};

TEST(test_no_jump)
{
	compare("UTC0", BERLIN_SPRING);
	compare("<+0545>-5:45", BERLIN_SPRING); // Nepal
}

TEST(test_jumps)
{
	static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
	static const char new_york[] = "EST5EDT,M3.2.0,M11.1.0";
	compare(berlin, BERLIN_SPRING);
	compare(berlin, BERLIN_AUTUMN);
	compare(new_york, NEW_YORK_SPRING);
	compare(new_york, NEW_YORK_AUTUMN);
	// Half an hour, and at midnight.
	compare("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1775314800);
	compare("<-03>3<-02>,M3.5.0/-1,M10.5.0/0", 1774746000);
}

TEST(test_own_zone)
{
	static const struct {
		const char *name;
		time_t middle[2];
	} zones[] = {{"Europe/Berlin", {BERLIN_SPRING, BERLIN_AUTUMN}},
		{"America/New_York", {NEW_YORK_SPRING, NEW_YORK_AUTUMN}},
		{"Australia/Sydney", {SYDNEY_AUTUMN, SYDNEY_SPRING}},
		{"America/Santiago", {SANTIAGO_AUTUMN, SANTIAGO_SPRING}}};
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		struct time_zone *z = zone_of(zones[i].name);
		compare_zone(zones[i].name, zones[i].middle[0], z);
		compare_zone(zones[i].name, zones[i].middle[1], z);
		time_zone_free(z);
	}
}

// 02:15 to 02:45 does not come in spring, and comes twice in autumn.
TEST(test_skipped_and_twice)
{
	struct config_schedule s = make("sun 02:15 02:45");
	zone_set("CET-1CEST,M3.5.0,M10.5.0/3");
	for (int i = -7200; i < 7200; i += 60)
		assert_false(schedule_active(&s, BERLIN_SPRING + i));
	unsigned minutes = 0;
	for (int i = -7200; i < 7200; i += 60)
		minutes += schedule_active(&s, BERLIN_AUTUMN + i);
	assert_int_equal(minutes, 60);
	// A window that the jump cuts short ends with it.
	s = make("sun 01:30 02:30");
	assert_true(schedule_active(&s, BERLIN_SPRING - 1));
	assert_false(schedule_active(&s, BERLIN_SPRING));
	assert_int_equal(schedule_change(&s, BERLIN_SPRING - 600), BERLIN_SPRING);
}

// The change is at 21:00 in Berlin, which is 4:00 of the next day in Tokyo.
TEST(test_change_text)
{
	struct config_schedule one[] = {make("all 23:00 24:00"), make("tue 04:00 05:00")};
	const struct config_schedules s = {ARRAY_LEN(one), one};
	const time_t monday = 1774828800; // 2026-03-30 00:00 UTC
	char name[] = "Asia/Tokyo", text[SCHEDULE_CHANGE_TEXT_MAX];
	zone_set("CET-1CEST,M3.5.0,M10.5.0/3");
	assert_true(schedules_change_text(&s, monday + 12 * 3600, text));
	assert_string_equal(text, "Mon 23:00");
	struct time_zone *tokyo = zone_of(name);
	one[1].zone = tokyo;
	one[1].time_zone = name;
	assert_true(schedules_change_text(&s, monday + 12 * 3600, text));
	assert_string_equal(text, "Tue 04:00 Asia/Tokyo");
	zone_set("JST-9");
	assert_true(schedules_change_text(&s, monday + 16 * 3600, text));
	assert_string_equal(text, "Tue 04:00");
	time_zone_free(tokyo);
	assert_false(schedules_change_text(&(struct config_schedules){0}, monday, text));
}

TEST(test_several)
{
	struct config_schedule one[] = {
		make("mon 10:00 12:00"), make("mon 11:00 13:00"), make("all 00:00 24:00")};
	const struct config_schedules s = {ARRAY_LEN(one), one};
	const time_t monday = 1774828800; // 2026-03-30 00:00 UTC
	zone_set("UTC0");
	assert_int_equal(schedules_active(&s, monday + 9 * 3600), 4);
	assert_int_equal(schedules_active(&s, monday + 10 * 3600), 5);
	assert_int_equal(schedules_active(&s, monday + 11 * 3600), 7);
	assert_int_equal(schedules_active(&s, monday + 12 * 3600), 6);
	assert_int_equal(schedules_change(&s, monday), monday + 10 * 3600);
	assert_int_equal(schedules_change(&s, monday + 10 * 3600), monday + 11 * 3600);
	assert_int_equal(schedules_change(&s, monday + 13 * 3600), monday + (7 * 24 + 10) * 3600);
	const struct config_schedules always = {1, &one[2]}, none = {0, NULL};
	assert_int_equal(schedules_change(&always, monday), 0);
	assert_int_equal(schedules_active(&none, monday), 0);
	assert_int_equal(schedules_change(&none, monday), 0);
}
