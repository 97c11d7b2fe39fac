// SPDX-License-Identifier: BSD-3-Clause
#include "group_pause.h"

#include "schedule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>

void group_moment_now(struct group_moment *out)
{
	clock_gettime(CLOCK_REALTIME, &out->wall);
	out->mono_ms = clock_mono_ms();
}

static bool exists(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->group_count; i++)
		if (strcmp(c->groups[i].name, name) == 0)
			return true;
	return strcmp(name, CONFIG_EVERYONE) == 0;
}

static struct group_pause *find(struct group_pauses *p, const char *name)
{
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->one[i].name, name) == 0)
			return &p->one[i];
	return NULL;
}

int group_pause_begin(struct group_pauses *p, const struct config *c, const char *name,
	unsigned minutes, uint64_t now_ms)
{
	if (!exists(c, name))
		return -ENOENT;
	if (minutes == 0 || minutes > GROUP_PAUSE_MINUTES_MAX)
		return -ERANGE;
	group_pauses_sweep(p, c, now_ms);
	struct group_pause *one = find(p, name);
	if (!one) {
		// After the sweep there is at most one for each group that exists.
		assert(p->count < GROUP_PAUSES_MAX);
		one = &p->one[p->count++];
		snprintf(one->name, sizeof(one->name), "%s", name);
	}
	one->until_ms = now_ms + minutes * UINT64_C(60000);
	return 0;
}

int group_pause_end(
	struct group_pauses *p, const struct config *c, const char *name, uint64_t now_ms)
{
	if (!exists(c, name))
		return -ENOENT;
	group_pauses_sweep(p, c, now_ms);
	struct group_pause *one = find(p, name);
	if (!one)
		return -EALREADY;
	*one = p->one[--p->count];
	return 0;
}

uint64_t group_pause_left_ms(const struct group_pauses *p, const char *name, uint64_t now_ms)
{
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->one[i].name, name) == 0 && p->one[i].until_ms > now_ms)
			return p->one[i].until_ms - now_ms;
	return 0;
}

void group_pauses_sweep(struct group_pauses *p, const struct config *c, uint64_t now_ms)
{
	for (unsigned i = p->count; i-- > 0;)
		if (p->one[i].until_ms <= now_ms || !exists(c, p->one[i].name))
			p->one[i] = p->one[--p->count];
}

time_t group_next_change(const struct config *c, const struct config_group *group, time_t now)
{
	if (group && !group->blocking)
		return 0;
	return schedules_change(config_group_schedules(c, group), now);
}

unsigned group_wait_ms(const struct group_pauses *p, const struct config *c,
	const struct timespec *wall, uint64_t now_ms)
{
	uint64_t wait = GROUP_LOOK_MS;
	uint64_t into_ms = (uint64_t)wall->tv_nsec / 1000000;

	for (unsigned i = 0; i < p->count; i++)
		if (p->one[i].until_ms > now_ms && p->one[i].until_ms - now_ms < wait)
			wait = p->one[i].until_ms - now_ms;
	for (unsigned i = 0; i <= c->group_count; i++) {
		time_t at = group_next_change(c, i ? &c->groups[i - 1] : NULL, wall->tv_sec);
		if (at == 0 || at > wall->tv_sec + GROUP_LOOK_MS / 1000)
			continue;
		uint64_t left = (uint64_t)(at - wall->tv_sec) * 1000 - into_ms;
		wait = left < wait ? left : wait;
	}
	return wait ? (unsigned)wait : 1;
}
