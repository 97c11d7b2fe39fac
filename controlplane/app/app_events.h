// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The events of this process (events/events.h), and of these the ones that the service loop finds
// by looking: each second it compares the reasons for not being ready, the memory alarms, the
// upstream servers of everyone and the data plane with what they were. So what begins and ends
// within a second is not seen. The service loop's thread alone.

#include "api/api.h"
#include "memory/memory_meter.h"

struct app_events;

ATTR_MUST_CHECK int app_events_open(struct app_events **out); // -ENOMEM
void app_events_close(struct app_events *w); // NULL is fine; nobody adds events any more
struct events *app_events_of(struct app_events *w);
// What lasts, and what ended lately, of the looks.
const struct event_conditions *app_events_conditions(const struct app_events *w);

// Once a second; does nothing until the process serves.
void app_events_look(struct app_events *w, struct api *api, const struct resolver_status *s,
	const struct frontends_status *f, const struct judge_status *alarms);
// The reasons of that look, until the next one.
const struct api_reasons *app_events_reasons(const struct app_events *w);
// The data plane as the second's look found it.
void app_events_dataplane(struct app_events *w, const struct memory_other *o);
