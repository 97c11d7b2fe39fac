// SPDX-License-Identifier: BSD-3-Clause
#include "clock_grace.h"

#include "state_file.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>

// `evident_s` is set before `until_ms`, which goes from a moment to 0 and never back.
static _Atomic int64_t evident_s;
static _Atomic uint64_t until_ms;

static uint64_t boots_of(const struct clock_evidence *e)
{
	const struct clock_saved *s = &e->saved;

	if (e->now_s >= e->built_s)
		return 0;
	if (s->built_s != e->built_s)
		return 1;
	const bool is_other = strcmp(e->boot, s->boot) != 0;
	return s->boots > CLOCK_BUILT_BOOTS ? s->boots : s->boots + (is_other || s->boots == 0);
}

void clock_saved_begin(const struct clock_evidence *e, struct clock_saved *out)
{
	*out = (struct clock_saved){
		.unix_s = e->saved.unix_s, .built_s = e->built_s, .boots = boots_of(e)};
	memcpy(out->boot, e->boot, strnlen(e->boot, sizeof(out->boot) - 1));
}

static bool saved_counts(const struct clock_evidence *e)
{
	return !e->boot[0] || strcmp(e->boot, e->saved.boot) != 0 || e->saved.until_ms != 0;
}

int64_t clock_evident_s(const struct clock_evidence *e)
{
	const int64_t built_s = boots_of(e) <= CLOCK_BUILT_BOOTS ? e->built_s : 0;
	const int64_t saved_s = saved_counts(e) ? e->saved.unix_s : 0;

	return built_s > saved_s ? built_s : saved_s;
}

uint64_t clock_grace_decide(const struct clock_evidence *e, uint64_t ms)
{
	const uint64_t most_ms = e->now_ms + ms;

	if (ms == 0 || !e->boot[0] || e->now_s >= clock_evident_s(e))
		return 0;
	if (strcmp(e->boot, e->saved.boot) != 0)
		return most_ms;
	if (e->saved.until_ms <= e->now_ms)
		return 0;
	return e->saved.until_ms < most_ms ? e->saved.until_ms : most_ms;
}

void clock_grace_begin(uint64_t at_ms, int64_t time_s)
{
	atomic_store(&evident_s, time_s);
	atomic_store(&until_ms, at_ms);
}

bool clock_is_behind(void)
{
	return time(NULL) < atomic_load(&evident_s);
}

int64_t clock_certain_s(void)
{
	return clock_grace_is_on() ? atomic_load(&evident_s) : time(NULL);
}

uint64_t clock_grace_left_ms(void)
{
	const uint64_t at_ms = atomic_load(&until_ms), now_ms = clock_mono_ms();

	if (at_ms == 0)
		return 0;
	if (now_ms < at_ms && clock_is_behind())
		return at_ms - now_ms;
	atomic_store(&until_ms, 0);
	return 0;
}

bool clock_grace_is_on(void)
{
	return clock_grace_left_ms() > 0;
}

// The saved file.

static const char kind[] = "weir-clock";
enum { SAVED_VERSION = 1 };

void clock_saved_read(struct clock_saved *out, const char *path)
{
	struct state_file f;

	*out = (struct clock_saved){0};
	if (state_file_read(&f, path, kind, SAVED_VERSION) < 0
		|| !state_file_get(&f, "boot", out->boot, sizeof(out->boot)))
		return;
	const uint64_t unix_s = state_file_get_number(&f, "unix_s");
	out->unix_s = unix_s <= INT64_MAX ? (int64_t)unix_s : 0;
	out->until_ms = state_file_get_number(&f, "until_ms");
	const uint64_t built_s = state_file_get_number(&f, "built_s");
	out->built_s = built_s <= INT64_MAX ? (int64_t)built_s : 0;
	out->boots = state_file_get_number(&f, "boots");
}

int clock_saved_write(const struct clock_saved *s, const char *path, char why[CLOCK_WHY_MAX])
{
	static_assert(CLOCK_WHY_MAX == (int)STATE_FILE_WHY_MAX);
	struct state_file f;

	state_file_begin(&f, kind, SAVED_VERSION);
	state_file_text(&f, "boot", s->boot);
	state_file_number(&f, "unix_s", s->unix_s > 0 ? (uint64_t)s->unix_s : 0);
	state_file_number(&f, "until_ms", s->until_ms);
	state_file_number(&f, "built_s", s->built_s > 0 ? (uint64_t)s->built_s : 0);
	state_file_number(&f, "boots", s->boots);
	return state_file_write(&f, path, why);
}
