// SPDX-License-Identifier: BSD-3-Clause
// When clients may be answered (blocking.update.start).
#include "rules_internal.h"

#include <event2/event.h>

#include <stdio.h>
#include <string.h>
#include <weir/log.h>

enum { LATE_AGAIN_MS = 100 };

static void started(struct rules *r, const char *why)
{
	struct rules_start *s = &r->start;
	if (s->timer)
		(void)event_del(s->timer);
	s->waiting = false;
	s->done(s->arg, why);
}

// What `fail` does not start without. "": nothing.
static void missing(struct rules *r, char *out, size_t cap)
{
	struct rules_status s;
	rules_status(r, &s);
	out[0] = '\0';
	if (r->start.had_image)
		return;
	rules_fetch_failures(r->fetch, out, cap);
	if (!out[0] && !r->arena.base)
		snprintf(out, cap, "%.250s", s.error[0] ? s.error : "no image built yet");
	for (unsigned i = 0; i < s.list_count && !out[0]; i++)
		if (s.lists[i].error && !s.lists[i].kept_unix_s)
			snprintf(out, cap, "%s: %s", s.lists[i].name,
				rule_source_error_text(s.lists[i].error, s.lists[i].most));
}

static void decide(struct rules *r, bool late)
{
	char lacks[256] = "", why[320];
	if (r->start.how == UPDATE_START_FAIL)
		missing(r, lacks, sizeof(lacks));
	if (late && !r->start.had_image && r->start.how == UPDATE_START_FAIL && !lacks[0])
		snprintf(lacks, sizeof(lacks), "not loaded in blocking.update.start_timeout");
	if (late && !lacks[0])
		log_warning("rules: lists not loaded in time; starting without them");
	snprintf(why, sizeof(why), "lists not loaded, and no last good image: %s", lacks);
	started(r, lacks[0] ? why : NULL);
}

// What is left of a check has an end: 0.3 us for each cached answer.
static void on_late(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	if (r->start.checks)
		event_add(r->start.timer, &(struct timeval){.tv_usec = LATE_AGAIN_MS * 1000});
	else if (r->start.waiting)
		decide(r, true);
}

// The resolvers' loops do not run yet, so this one checks, in slices between which it works.
static void on_check(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	r->start.checks = !r->policy.check_slice(r->policy.arg);
	if (r->start.checks)
		event_add(r->start.check, &(struct timeval){0});
}

void rules_start_check(struct rules *r)
{
	struct rules_start *s = &r->start;
	if (!r->policy.check_slice)
		return;
	if (!s->check)
		s->check = event_new(loop_base(r->service_loop), -1, 0, on_check, r);
	s->checks = s->check && event_add(s->check, &(struct timeval){0}) == 0;
	while (!s->checks && !r->policy.check_slice(r->policy.arg))
		; // without memory for it all at once
}

void rules_start_look(struct rules *r)
{
	struct rules_fetch_status f;
	rules_fetch_status(r->fetch, &f);
	if (r->start.waiting && r->start.done && !r->job && !r->next && !f.running)
		decide(r, false);
}

void rules_start(struct rules *r, rules_started done, void *arg)
{
	r->start.done = done;
	r->start.arg = arg;
	if (!r->start.waiting) {
		started(r, NULL);
		return;
	}
	const struct timeval late = {.tv_sec = (time_t)r->config->blocking.update.start_timeout_s};
	r->start.timer = event_new(loop_base(r->service_loop), -1, 0, on_late, r);
	if (!r->start.timer || event_add(r->start.timer, &late)) {
		log_warning("rules: no memory to wait for the lists; starting without them");
		started(r, NULL);
		return;
	}
	log_info("rules: waiting for the lists, %u s at most",
		r->config->blocking.update.start_timeout_s);
	rules_start_look(r);
}

void rules_start_close(struct rules *r)
{
	if (r->start.timer)
		event_free(r->start.timer);
	if (r->start.check)
		event_free(r->start.check);
}
