// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// When schedules (config_filter.h) apply, in local time of their zone, or of the machine (TZ,
// /etc/localtime) where they have none.
//
// A schedule applies at an instant if the local day and minute of that instant lie in one of its
// windows. So a time that the clock skips in spring is in no window, one that comes twice in autumn
// is in it twice, and a window is as long as the clock on the wall says. Pure functions but for the
// machine's zone, which localtime_r(3) has from tzset(3). Any thread.

#include <time.h>
#include <weir/config_filter.h>

bool schedule_active(const struct config_schedule *s, time_t now);
// The first instant after `now` at which that is another; 0: no such instant. Exact, unless the
// zone changes its offset twice within a week.
time_t schedule_change(const struct config_schedule *s, time_t now);

// One bit for each schedule that applies.
static_assert(CONFIG_SCHEDULES_MAX <= 32);
uint32_t schedules_active(const struct config_schedules *s, time_t now);
// The first change of any of them.
time_t schedules_change(const struct config_schedules *s, time_t now);
// Writes when that is, by the clock of the zone of the schedule that changes: "Fri 06:00". The name
// of the zone follows if the machine's clock then shows another time: "Fri 06:00 Asia/Tokyo".
// False: no schedule changes.
enum { SCHEDULE_CHANGE_TEXT_MAX = 32 + CONFIG_TIME_ZONE_MAX };
ATTR_MUST_CHECK bool schedules_change_text(
	const struct config_schedules *s, time_t now, char out[SCHEDULE_CHANGE_TEXT_MAX]);
