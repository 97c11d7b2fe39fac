// SPDX-License-Identifier: BSD-3-Clause
// The pause of blocking, and the file in which it and a hold outlive the process.
#include "rules_internal.h"
#include "state_file.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <weir/log.h>

static const char kept_kind[] = "weir-rules-state";
enum { KEPT_VERSION = 1, MINUTE_S = 60 };

static uint64_t unix_s(void)
{
	return (uint64_t)time(NULL);
}

int rules_kept_save(struct rules *r)
{
	struct state_file f;
	char why[STATE_FILE_WHY_MAX];
	state_file_begin(&f, kept_kind, KEPT_VERSION);
	state_file_number(&f, "held", r->kept.held);
	state_file_number(&f, "pause_until_unix_s", r->kept.pause_until_unix_s);
	int err = state_file_write(&f, r->state_path, why);
	if (err)
		log_warning("rules: %s", why);
	return err;
}

static void kept_load(struct rules *r)
{
	struct state_file f;
	int err = state_file_read(&f, r->state_path, kept_kind, KEPT_VERSION);
	if (err) {
		if (err != -ENOENT)
			log_warning(
				"rules: %s: not usable: nothing is held or paused", r->state_path);
		return;
	}
	uint64_t until = state_file_get_number(&f, "pause_until_unix_s"), now = unix_s();
	// A wall clock that was set back must not make a pause longer than any that can be asked
	// for.
	uint64_t last = now + RULES_PAUSE_MINUTES_MAX * MINUTE_S;
	r->kept.held = state_file_get_number(&f, "held") == 1;
	r->kept.pause_until_unix_s = until <= now ? 0 : until < last ? until : last;
}

static void pause_end(struct rules *r)
{
	(void)event_del(r->pause_timer);
	r->kept.pause_until_unix_s = 0;
	(void)rules_kept_save(r);
	if (r->pause_changed)
		r->pause_changed(r->pause_changed_arg);
}

static void on_pause_timer(evutil_socket_t, short, void *arg)
{
	log_info("rules: the pause is over");
	pause_end(arg);
}

static void pause_watch(struct rules *r)
{
	uint64_t left_s = r->kept.pause_until_unix_s - unix_s();
	const struct timeval interval = {.tv_sec = (time_t)left_s};
	(void)event_add(r->pause_timer, &interval);
}

int rules_kept_open(struct rules *r, struct event_base *base)
{
	r->pause_timer = event_new(base, -1, 0, on_pause_timer, r);
	if (!r->pause_timer)
		return -ENOMEM;
	kept_load(r);
	if (r->kept.pause_until_unix_s)
		pause_watch(r);
	return 0;
}

void rules_kept_close(struct rules *r)
{
	if (r->pause_timer)
		event_free(r->pause_timer);
}

int rules_pause(struct rules *r, unsigned minutes)
{
	if (minutes < 1 || minutes > RULES_PAUSE_MINUTES_MAX)
		return -EINVAL;
	r->kept.pause_until_unix_s = unix_s() + (uint64_t)minutes * MINUTE_S;
	pause_watch(r);
	log_info("rules: blocking is paused for %u min", minutes);
	int err = rules_kept_save(r);
	if (r->pause_changed)
		r->pause_changed(r->pause_changed_arg);
	return err;
}

int rules_resume(struct rules *r)
{
	if (!r->kept.pause_until_unix_s)
		return -EALREADY;
	log_info("rules: the pause is ended");
	pause_end(r);
	return 0;
}

uint32_t rules_pause_left_s(const struct rules *r)
{
	uint64_t now = unix_s(), until = r->kept.pause_until_unix_s;
	return until > now ? (uint32_t)(until - now) : 0;
}

void rules_on_pause(struct rules *r, void (*changed)(void *arg), void *arg)
{
	r->pause_changed = changed;
	r->pause_changed_arg = arg;
}
