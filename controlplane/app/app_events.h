// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The events of this process (events/events.h), and the look that finds some of them: each second
// the service loop compares the reasons for not being ready, the memory alarms, the upstream
// servers of everyone and the data plane with the second before. So a condition that begins and
// ends within a second is not seen. The service loop's thread alone.

#include "api/api.h"
#include "memory/memory_meter.h"

struct app_events;

ATTR_MUST_CHECK int app_events_open(struct app_events **out, const char *box); // -ENOMEM
void app_events_close(struct app_events *w); // after the last event; NULL is fine
struct events *app_events_of(struct app_events *w);
// Conditions that last or ended lately, as the looks found them.
const struct event_conditions *app_events_conditions(const struct app_events *w);

// Called once a second; adds no events until the process serves.
void app_events_look(struct app_events *w, struct api *api, const struct resolver_status *s,
	const struct frontends_status *f, const struct judge_status *alarms);
// The reasons of the last app_events_look; valid until the next one.
const struct api_reasons *app_events_reasons(const struct app_events *w);
// Adds events if the data plane has started or ended since the last call.
void app_events_dataplane(struct app_events *w, const struct memory_other *o);
