// SPDX-License-Identifier: BSD-3-Clause
// The grace of a clock that is not right yet (base/clock_grace.h), in the whole process. While it
// is on, the configuration in force has settings of its own: dates of signatures do not count, L1
// is off, and the hash that names answers and the validator's keys is another one. Its end is a
// change of the configuration in force, like a change of toggles: L0 is emptied, the validators and
// the peers of upstream servers are made again, and their connections close. What checks dates does
// not wait for that: it asks clock_grace_is_on itself.
#include "app.h"
#include "app_events.h"
#include "app_versions.h"
#include "base/job_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { LOOK_MS = 250, LOOK_LATER_MS = 60000, STRICT_AGAIN_MS = 1000, SAVE_EACH_MS = 3600000 };
#define GRACE_MARK UINT64_C(0x636c6f636b206772) // any number, in the hash of the grace's settings

struct config *app_lay(const struct toggles *toggles, const struct config *read)
{
	struct config *c = toggles_lay(toggles, read);

	if (c && clock_grace_is_on()) {
		c->dnssec.any_date = true;
		c->dnssec.hash ^= GRACE_MARK;
		c->redis.mode = REDIS_MODE_OFF;
	}
	return c;
}

// "" if the kernel does not say it.
static void boot_read(char out[CLOCK_BOOT_MAX])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd >= 0 ? read(fd, out, CLOCK_BOOT_MAX - 1) : 0;

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

static const char *date_text(int64_t unix_s, char out[32])
{
	const time_t t = (time_t)unix_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm))
		snprintf(out, 32, "%lld s", (long long)unix_s);
	return out;
}

static void begin(struct app_clock *k, const struct clock_evidence *e, uint64_t until_ms)
{
	char why[CLOCK_WHY_MAX], shown[32], evident[32];
	const int64_t evident_s = clock_evident_s(e);

	clock_grace_begin(0, evident_s);
	k->saved.until_ms = until_ms;
	if (clock_saved_write(&k->saved, k->path, why) < 0) {
		log_warning(
			"the clock is behind, and dates are checked by it: no grace without its "
			"file: %s",
			why);
		return;
	}
	clock_grace_begin(until_ms, evident_s);
	k->was_on = clock_grace_is_on();
	log_warning("the clock is behind: it shows %s, and %s has passed: for up to %llu s dates "
		    "of signatures and of upstream servers' certificates are not checked",
		date_text(e->now_s, shown), date_text(evident_s, evident),
		(unsigned long long)((until_ms - e->now_ms) / 1000));
}

void app_clock_open(struct app *a)
{
	struct app_clock *k = &a->clock;
	struct clock_evidence e = {.now_s = time(NULL), .now_ms = clock_mono_ms()};
	char boot[CLOCK_BOOT_MAX], why[CLOCK_WHY_MAX];
	struct stat st;

	boot_read(boot);
	snprintf(k->path, sizeof(k->path), "%s/clock", a->started->runtime.state_directory);
	clock_saved_read(&e.saved, k->path);
	e.boot = boot;
	e.built_s = stat("/proc/self/exe", &st) == 0 ? st.st_mtime : 0;
	k->began_ms = k->saved_ms = e.now_ms;
	k->is_strict = true;
	clock_saved_begin(&e, &k->saved);
	const uint64_t until_ms =
		clock_grace_decide(&e, UINT64_C(1000) * a->started->dnssec.clock_grace_s);
	if (until_ms) {
		begin(k, &e, until_ms);
		k->is_strict = !k->was_on;
		return;
	}
	clock_grace_begin(0, clock_evident_s(&e));
	// From here on this boot has no grace, whatever the clock shows later.
	k->saved.unix_s = e.now_s;
	k->saved.until_ms = 0;
	if (clock_saved_write(&k->saved, k->path, why) < 0)
		log_warning("the time is not saved for the next boot: %s", why);
}

static int save_work(void *arg, const _Atomic bool *)
{
	const struct app_clock *k = arg;
	char why[CLOCK_WHY_MAX];

	int rc = clock_saved_write(&k->saved, k->path, why);
	if (rc < 0)
		log_warning("the time is not saved for the next boot: %s", why);
	return rc;
}

static void save_done(void *arg, int)
{
	struct app_clock *k = arg;
	k->is_saving = false;
}

// `saved` belongs to the helper thread until save_done.
static void save(struct app *a)
{
	struct app_clock *k = &a->clock;

	if (k->is_saving)
		return;
	k->saved.unix_s = time(NULL);
	k->saved.until_ms = 0;
	if (k->saved.unix_s >= k->saved.built_s)
		k->saved.boots = 0;
	k->saved_ms = clock_mono_ms();
	k->is_saving = job_runner_start(a->versions->runner, 0, save_work, save_done, k) == 0;
}

static void on_strict(void *arg, int err, const char *why, const char *)
{
	struct app_clock *k = arg;

	k->is_strict = err >= 0;
	if (err < 0)
		log_warning("what the grace of the clock left is not gone yet: %s", why);
}

static void ended_event(struct app *a, uint64_t now_ms)
{
	const char *why = clock_is_behind() ? "its time is over" : "the clock is right";
	char lasted[24];

	snprintf(lasted, sizeof(lasted), "%llu",
		(unsigned long long)((now_ms - a->clock.began_ms) / 1000));
	log_info("the grace of the clock has ended: %s", why);
	events_add(app_events_of(a->events), EVENT_clock_grace_ended,
		EVENT_FIELDS({"why", why}, {"lasted_s", lasted}),
		"dates of signatures and certificates are checked again: %s", why);
}

static void on_look(void *arg)
{
	struct app *a = arg;
	struct app_clock *k = &a->clock;
	const uint64_t now_ms = clock_mono_ms();

	if (k->was_on && !clock_grace_is_on()) {
		k->was_on = false;
		ended_event(a, now_ms);
		save(a);
	}
	if (!k->was_on && !k->is_strict && now_ms >= k->tried_ms + STRICT_AGAIN_MS) {
		k->tried_ms = now_ms;
		int err = app_toggles(a, &a->toggles, on_strict, k);
		if (err < 0 && err != -EBUSY)
			on_strict(k, err, strerror(-err), "");
	}
	// A clock that was ahead when the time was saved, and is set right, must not look behind.
	if (!k->was_on && (now_ms >= k->saved_ms + SAVE_EACH_MS || time(NULL) < k->saved.unix_s))
		save(a);
	wheel_start(loop_wheel(a->service), &k->look,
		k->was_on || !k->is_strict ? LOOK_MS : LOOK_LATER_MS, now_ms);
}

void app_clock_start(struct app *a)
{
	struct app_clock *k = &a->clock;
	char left[24];

	if (k->was_on) {
		snprintf(left, sizeof(left), "%llu",
			(unsigned long long)(clock_grace_left_ms() / 1000));
		events_add(app_events_of(a->events), EVENT_clock_grace_began,
			EVENT_FIELDS({"why", "the clock is behind"}, {"left_s", left}),
			"the clock is behind: for up to %s s dates of signatures and of upstream "
			"servers' certificates are not checked",
			left);
	}
	k->look.fn = on_look;
	k->look.arg = a;
	on_look(a);
}

void app_clock_close(struct app *a)
{
	struct app_clock *k = &a->clock;
	char why[CLOCK_WHY_MAX];

	wheel_stop(&k->look);
	if (!k->path[0] || clock_grace_is_on())
		return;
	k->saved.unix_s = time(NULL);
	k->saved.until_ms = 0;
	if (clock_saved_write(&k->saved, k->path, why) < 0)
		log_warning("the time is not saved for the next boot: %s", why);
}
