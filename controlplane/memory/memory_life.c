// SPDX-License-Identifier: BSD-3-Clause
#include "memory_life.h"

#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/build.h>

void memory_place_read(struct memory_place *out)
{
	char text[16384];
	*out = (struct memory_place){.wall_s = (uint64_t)time(NULL)};
	process_text_read("/proc/sys/kernel/random/boot_id", out->boot, sizeof(out->boot));
	out->boot[strcspn(out->boot, "\n")] = '\0';
	process_text_read("/proc/vmstat", text, sizeof(text));
	const char *line = strstr(text, "\noom_kill ");
	if (line)
		out->oom_kills = strtoull(line + strlen("\noom_kill "), NULL, 10);
}

static uint32_t end_of(const struct memory_life *last, const struct memory_place *p)
{
	if (strncmp(last->boot, p->boot, sizeof(last->boot)) != 0)
		return MEMORY_REBOOTED;
	return p->oom_kills > last->oom_kills ? MEMORY_OUT_KILLED : MEMORY_KILLED;
}

struct memory_life *memory_life_begin(struct memory_lives *l, const struct memory_place *p)
{
	struct memory_life *last = &l->life[(l->next + MEMORY_LIVES - 1) % MEMORY_LIVES];
	if (l->next && last->end == MEMORY_RUNS)
		last->end = end_of(last, p);
	struct memory_life *life = &l->life[l->next % MEMORY_LIVES];
	*life = (struct memory_life){.number = ++l->next,
		.started_s = p->wall_s,
		.seen_s = p->wall_s,
		.oom_kills = p->oom_kills};
	memcpy(life->boot, p->boot, sizeof(life->boot));
	snprintf(life->version, sizeof(life->version), "%s", build_this()->version);
	return life;
}

void memory_life_seen(
	struct memory_life *l, const struct memory_sample *s, const struct memory_place *p)
{
	uint64_t rss = memory_sample_get(s, MEMORY_BYTES, "rss");
	uint64_t heap = memory_sample_get(s, MEMORY_BYTES, "heap");
	l->seen_s = p->wall_s;
	l->oom_kills = p->oom_kills;
	l->uptime_ms = s->uptime_ms;
	l->queries = s->queries;
	l->rss = rss == MEMORY_ABSENT ? 0 : rss;
	l->heap = heap == MEMORY_ABSENT ? 0 : heap;
}

static struct memory_life *newest(struct memory_lives *l)
{
	struct memory_life *last = &l->life[(l->next + MEMORY_LIVES - 1) % MEMORY_LIVES];
	return l->next ? last : NULL;
}

// A start that came to nothing between two looks.
static bool failed_unseen(const struct memory_lives *l, const struct memory_other *o)
{
	const struct memory_life *last = memory_life_get(l, 0);
	return !o->is_there && o->id && o->ended == OTHER_FAILED && o->ended_id == o->id
	       && (!last || last->id != o->id);
}

bool memory_lives_goes_on(const struct memory_lives *l, const struct memory_other *o)
{
	const struct memory_life *last = memory_life_get(l, 0);
	if (failed_unseen(l, o))
		return false;
	bool runs = last && last->end == MEMORY_RUNS;
	return o->is_there ? runs && last->id == o->id : !runs;
}

void memory_lives_saw(
	struct memory_lives *l, const struct memory_other *o, const struct memory_place *p)
{
	struct memory_life *life = newest(l);
	if (!life || !o->is_there || life->id != o->id)
		return;
	life->seen_s = p->wall_s;
	life->oom_kills = p->oom_kills;
	life->uptime_ms = o->uptime_ms;
	life->rss = o->rss;
	life->queries = o->queries;
}

bool memory_lives_resume(struct memory_lives *l, const struct memory_other *o)
{
	struct memory_life *last = newest(l);
	if (!last || !o->is_there || last->id != o->id)
		return false;
	last->end = MEMORY_RUNS;
	return true;
}

bool memory_lives_follow(
	struct memory_lives *l, const struct memory_other *o, const struct memory_place *p)
{
	struct memory_life *last = newest(l);
	if (last && last->end == MEMORY_RUNS && (!o->is_there || last->id != o->id)) {
		unsigned told = o->ended_id == last->id    ? o->ended
				: o->former_id == last->id ? o->former
							   : OTHER_UNKNOWN;
		last->end = end_of(last, p);
		if (told == OTHER_STOPPED)
			last->end = MEMORY_STOPPED;
		else if (told == OTHER_FAILED)
			last->end = MEMORY_FAILED;
		else if (told == OTHER_UNKNOWN && last->end == MEMORY_KILLED)
			last->end = MEMORY_UNSEEN;
	}
	if (failed_unseen(l, o)) {
		struct memory_life *life = memory_life_begin(l, p);
		life->id = o->id;
		life->end = MEMORY_FAILED;
	}
	if (memory_lives_goes_on(l, o) || !o->is_there)
		return false;
	memory_life_begin(l, p)->id = o->id;
	memory_lives_saw(l, o, p);
	return true;
}

const struct memory_life *memory_life_get(const struct memory_lives *l, unsigned back)
{
	if (back >= MEMORY_LIVES || back >= l->next)
		return NULL;
	return &l->life[(l->next - 1 - back) % MEMORY_LIVES];
}

const char *memory_end_text(uint32_t end)
{
	static const char *const text[MEMORY_ENDS] = {"runs", "stopped", "killed or crashed",
		"killed, the kernel was out of memory", "the machine was restarted",
		"nobody saw how", "could not start"};
	return end < MEMORY_ENDS ? text[end] : "unknown";
}
