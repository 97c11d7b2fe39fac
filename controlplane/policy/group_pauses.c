// SPDX-License-Identifier: BSD-3-Clause
#include "group_pauses.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>

static const char kind[] = "weir-group-pauses";
enum { VERSION = 1, KEY_MAX = 16 };

void group_moment_now(struct group_moment *out)
{
	clock_gettime(CLOCK_REALTIME, &out->wall);
	out->mono_ms = clock_mono_ms();
}

static bool exists(const struct config *c, const char *name)
{
	return config_group_by_name(c, name) || strcmp(name, CONFIG_EVERYONE) == 0;
}

static struct group_pause *find(struct group_pauses *p, const char *name)
{
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->one[i].name, name) == 0)
			return &p->one[i];
	return NULL;
}

int group_pause_begin(struct group_pauses *p, const struct config *c, const char *name,
	unsigned minutes, const struct group_moment *now)
{
	if (!exists(c, name))
		return -ENOENT;
	if (minutes == 0 || minutes > GROUP_PAUSE_MINUTES_MAX)
		return -ERANGE;
	group_pauses_sweep(p, c, now);
	struct group_pause *one = find(p, name);
	if (!one) {
		// After the sweep there is at most one for each group that exists.
		assert(p->count < GROUP_PAUSES_MAX);
		one = &p->one[p->count++];
		snprintf(one->name, sizeof(one->name), "%s", name);
	}
	one->until_ms = now->mono_ms + minutes * UINT64_C(60000);
	one->until_unix_s = (uint64_t)now->wall.tv_sec + minutes * UINT64_C(60);
	return 0;
}

int group_pause_end(struct group_pauses *p, const struct config *c, const char *name,
	const struct group_moment *now)
{
	if (!exists(c, name))
		return -ENOENT;
	group_pauses_sweep(p, c, now);
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

void group_pauses_sweep(
	struct group_pauses *p, const struct config *c, const struct group_moment *now)
{
	for (unsigned i = p->count; i-- > 0;) {
		const struct group_pause *one = &p->one[i];
		if (one->until_ms <= now->mono_ms || one->until_unix_s <= (uint64_t)now->wall.tv_sec
			|| !exists(c, one->name))
			p->one[i] = p->one[--p->count];
	}
}

// A name may have blanks, which end a key: so names are values.
static void keys_of(unsigned i, char name[KEY_MAX], char until[KEY_MAX])
{
	snprintf(name, KEY_MAX, "name%u", i);
	snprintf(until, KEY_MAX, "until%u", i);
}

int group_pauses_save(const struct group_pauses *p, const char *path, char why[STATE_FILE_WHY_MAX])
{
	struct state_file f;
	char name[KEY_MAX], until[KEY_MAX];
	state_file_begin(&f, kind, VERSION);
	for (unsigned i = 0; i < p->count; i++) {
		keys_of(i, name, until);
		state_file_text(&f, name, p->one[i].name);
		state_file_number(&f, until, p->one[i].until_unix_s);
	}
	return state_file_write(&f, path, why);
}

int group_pauses_load(struct group_pauses *p, const struct config *c, const char *path,
	const struct group_moment *now)
{
	const uint64_t now_s = (uint64_t)now->wall.tv_sec, max_s = GROUP_PAUSE_MINUTES_MAX * 60;
	struct state_file f;
	char name[KEY_MAX], until[KEY_MAX];
	p->count = 0;
	int err = state_file_read(&f, path, kind, VERSION);
	for (unsigned i = 0; !err && i < GROUP_PAUSES_MAX; i++) {
		struct group_pause *one = &p->one[p->count];
		keys_of(i, name, until);
		if (!state_file_get(&f, name, one->name, sizeof(one->name)) || !*one->name)
			break;
		// A wall clock that was set back must not make a pause longer than the longest.
		const uint64_t at = state_file_get_number(&f, until), last = now_s + max_s;
		one->until_unix_s = at < last ? at : last;
		if (one->until_unix_s <= now_s)
			continue;
		one->until_ms = now->mono_ms + (one->until_unix_s - now_s) * 1000;
		p->count++;
	}
	group_pauses_sweep(p, c, now);
	return err;
}
