// SPDX-License-Identifier: BSD-3-Clause
// What an operator holds: the image of a roll-back, the pause of blocking; and the file in which
// both outlive the process.
#include "lists/state_file.h"
#include "rules_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

static const char kept_kind[] = "weir-rules-state";
enum { KEPT_VERSION = 1, MINUTE_S = 60, LOOK_S = 30 };

static uint64_t unix_s(void)
{
	return (uint64_t)time(NULL);
}

static int kept_save(struct rules *r)
{
	struct state_file f;
	char why[STATE_FILE_WHY_MAX];
	state_file_begin(&f, kept_kind, KEPT_VERSION);
	state_file_number(&f, "held", r->kept.held);
	state_file_number(&f, "pause_until_unix_s", r->kept.pause_until_unix_s);
	state_file_number(&f, "pause_lifts_block_all", r->kept.pause_lifts_block_all);
	int err = state_file_write(&f, r->state_path, why);
	if (err)
		log_warning("rules: %s", why);
	return err;
}

static void pause_set(struct rules *r, uint64_t left_s)
{
	r->kept.pause_until_unix_s = unix_s() + left_s;
	r->kept.pause_end_ms = clock_mono_ms() + left_s * 1000;
}

static void kept_load(struct rules *r)
{
	struct state_file f;
	int err = state_file_read(&f, r->state_path, kept_kind, KEPT_VERSION);
	if (err) {
		if (err != -ENOENT)
			log_warning("rules: %s not usable: hold and pause of blocking are off",
				r->state_path);
		return;
	}
	uint64_t until = state_file_get_number(&f, "pause_until_unix_s"), now = unix_s();
	// A wall clock that was set back must not make a pause longer than any that can be asked
	// for.
	uint64_t last = now + RULES_PAUSE_MINUTES_MAX * MINUTE_S;
	r->kept.held = state_file_get_number(&f, "held") == 1;
	r->kept.pause_lifts_block_all = state_file_get_number(&f, "pause_lifts_block_all") == 1;
	if (until > now)
		pause_set(r, (until < last ? until : last) - now);
}

static void pause_end(struct rules *r)
{
	(void)event_del(r->pause_timer);
	r->kept.pause_until_unix_s = 0;
	(void)kept_save(r);
	if (r->pause_changed)
		r->pause_changed(r->pause_changed_arg);
}

// A box without a clock of its own starts in the past and learns the time later: so it is looked
// now and then whether the pause is over by the wall clock.
static void pause_watch(struct rules *r)
{
	uint32_t left_s = rules_pause_left_s(r);
	const struct timeval interval = {.tv_sec = left_s < LOOK_S ? left_s : LOOK_S};
	(void)event_add(r->pause_timer, &interval);
}

static void on_pause_timer(evutil_socket_t, short, void *arg)
{
	if (rules_pause_left_s(arg)) {
		pause_watch(arg);
		return;
	}
	log_info("rules: the pause of blocking expired");
	pause_end(arg);
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

int rules_pause(struct rules *r, unsigned minutes, bool lifts_block_all)
{
	if (minutes < 1 || minutes > RULES_PAUSE_MINUTES_MAX)
		return -EINVAL;
	pause_set(r, (uint64_t)minutes * MINUTE_S);
	r->kept.pause_lifts_block_all = lifts_block_all;
	pause_watch(r);
	log_info("rules: blocking paused for %u min%s", minutes,
		lifts_block_all ? ", with block_all of schedules" : "");
	int err = kept_save(r);
	if (r->pause_changed)
		r->pause_changed(r->pause_changed_arg);
	return err;
}

int rules_resume(struct rules *r)
{
	if (!r->kept.pause_until_unix_s)
		return -EALREADY;
	log_info("rules: the pause of blocking ended");
	pause_end(r);
	return 0;
}

uint32_t rules_pause_left_s(const struct rules *r)
{
	// By both clocks: a wall clock that is set back makes no pause longer.
	uint64_t now = unix_s(), until = r->kept.pause_until_unix_s, now_ms = clock_mono_ms();
	if (until <= now || r->kept.pause_end_ms <= now_ms)
		return 0;
	uint64_t left_s = (r->kept.pause_end_ms - now_ms + 999) / 1000;
	return (uint32_t)(left_s < until - now ? left_s : until - now);
}

bool rules_pause_lifts_block_all(const struct rules *r)
{
	return r->kept.pause_lifts_block_all && rules_pause_left_s(r) > 0;
}

void rules_on_pause(struct rules *r, void (*changed)(void *arg), void *arg)
{
	r->pause_changed = changed;
	r->pause_changed_arg = arg;
}

void rules_hold(struct rules *r, bool held)
{
	r->kept.held = held;
	(void)kept_save(r);
	rules_fetch_hold(r->fetch, held);
}

// Nothing was done, and the status says why.
void rules_note_held(struct rules *r)
{
	r->status.outcome = RULES_HELD;
	snprintf(r->status.error, sizeof(r->status.error),
		"a rollback holds its rule image; reload the lists to release it");
}

int rules_rollback(struct rules *r, rules_done done, void *arg)
{
	if (r->job || r->next || r->fetch_waiting.count) {
		rules_hurry(r);
		return -EBUSY;
	}
	if (access(r->previous_path, R_OK))
		return -ENOENT;
	struct rules_sources *sources = heap_calloc(1, sizeof(*sources));
	struct rules_job *j = sources ? rules_job_new(r, sources) : NULL;
	if (!j) {
		rules_sources_free(sources);
		return -ENOMEM;
	}
	j->rollback = true;
	// Before the files are swapped: whatever happens then, no start builds over the old image.
	j->was_held = r->kept.held;
	rules_hold(r, true);
	rules_add_waiter(&r->waiting, done, arg);
	rules_run_job(r, j);
	return 0;
}
