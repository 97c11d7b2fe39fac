// SPDX-License-Identifier: BSD-3-Clause
#include "event_conditions.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// As it is kept: cut to its room.
static struct event_condition *find(struct event_conditions *c,
	const struct event_condition_kind *kind, const char about[EVENT_ABOUT_MAX])
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->one[i].kind == kind && strcmp(c->one[i].about, about) == 0)
			return &c->one[i];
	return NULL;
}

void event_conditions_see(struct event_conditions *c, struct events *e,
	const struct event_condition_kind *kind, const char *about, uint64_t now_ms,
	const char *fmt, ...)
{
	char cut[EVENT_ABOUT_MAX];
	va_list args;
	(void)snprintf(cut, sizeof(cut), "%s", about);
	struct event_condition *one = find(c, kind, cut);
	if (one) {
		one->unseen = 0;
		return;
	}
	if (c->count == EVENT_CONDITIONS_MAX) {
		events_leave_out(e);
		return;
	}
	one = &c->one[c->count++];
	*one = (struct event_condition){.kind = kind, .since_ms = now_ms};
	memcpy(one->about, cut, sizeof(cut));
	va_start(args, fmt);
	(void)vsnprintf(one->text, sizeof(one->text), fmt, args);
	va_end(args);
	events_add_as(e, kind->begins, kind->severity, EVENT_FIELDS({kind->field, one->about}),
		"%s", one->text);
}

void event_conditions_end(struct event_conditions *c, struct events *e, uint64_t now_ms)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < c->count; i++) {
		struct event_condition *one = &c->one[i];
		// Those that this look has seen are at 0.
		if (one->unseen++ < one->kind->patience) {
			if (kept != i)
				c->one[kept] = *one;
			kept++;
			continue;
		}
		char lasted[24];
		const uint64_t lasted_s = (now_ms - one->since_ms) / 1000;
		(void)snprintf(lasted, sizeof(lasted), "%" PRIu64, lasted_s);
		events_add(e, one->kind->ends,
			EVENT_FIELDS({one->kind->field, one->about}, {"lasted_s", lasted}),
			"%s after %" PRIu64 " s: %s", one->kind->is_over, lasted_s, one->text);
		one->until_ms = now_ms;
		c->ended[c->ended_count++ % EVENT_CONDITIONS_ENDED] = *one;
	}
	c->count = kept;
}

const struct event_condition *event_conditions_find(
	const struct event_conditions *c, enum event_kind begins, const char *about)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->one[i].kind->begins == begins && strcmp(c->one[i].about, about) == 0)
			return &c->one[i];
	return NULL;
}
