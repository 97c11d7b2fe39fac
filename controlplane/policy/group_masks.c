// SPDX-License-Identifier: BSD-3-Clause
#include "group_masks.h"

#include "group_client.h"
#include "local_data.h"
#include "rebinding_source.h"
#include "rule_image/rule_build.h"
#include "schedule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>

static const char pauses_kind[] = "weir-group-pauses";
enum { PAUSES_VERSION = 1, PAUSE_KEY_MAX = 16 };

void group_moment_now(struct group_moment *out)
{
	clock_gettime(CLOCK_REALTIME, &out->wall);
	out->mono_ms = clock_mono_ms();
}

static bool group_exists(const struct config *c, const char *name)
{
	return config_group_by_name(c, name) || strcmp(name, CONFIG_EVERYONE) == 0;
}

static struct group_pause *pause_find(struct group_pauses *p, const char *name)
{
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->one[i].name, name) == 0)
			return &p->one[i];
	return NULL;
}

int group_pause_begin(struct group_pauses *p, const struct config *c, const char *name,
	unsigned minutes, const struct group_moment *now)
{
	if (!group_exists(c, name))
		return -ENOENT;
	if (minutes == 0 || minutes > GROUP_PAUSE_MINUTES_MAX)
		return -ERANGE;
	group_pauses_sweep(p, c, now);
	struct group_pause *one = pause_find(p, name);
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
	if (!group_exists(c, name))
		return -ENOENT;
	group_pauses_sweep(p, c, now);
	struct group_pause *one = pause_find(p, name);
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
			|| !group_exists(c, one->name))
			p->one[i] = p->one[--p->count];
	}
}

// A name may have blanks, which end a key: so names are values.
static void keys_of(unsigned i, char name[PAUSE_KEY_MAX], char until[PAUSE_KEY_MAX])
{
	snprintf(name, PAUSE_KEY_MAX, "name%u", i);
	snprintf(until, PAUSE_KEY_MAX, "until%u", i);
}

int group_pauses_save(const struct group_pauses *p, const char *path, char why[STATE_FILE_WHY_MAX])
{
	struct state_file f;
	char name[PAUSE_KEY_MAX], until[PAUSE_KEY_MAX];
	state_file_begin(&f, pauses_kind, PAUSES_VERSION);
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
	char name[PAUSE_KEY_MAX], until[PAUSE_KEY_MAX];
	p->count = 0;
	int err = state_file_read(&f, path, pauses_kind, PAUSES_VERSION);
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

#define SERVICE_PREFIX  "service "
#define SAFE_PREFIX     "safe search "
#define GROUP_PREFIX    "group "
#define SCHEDULE_PREFIX "schedule "

static_assert(sizeof(GROUP_PREFIX ": ") - 1 + CONFIG_GROUP_NAME_MAX + CONFIG_SCHEDULE_NAME_MAX
	      < RULE_TITLE_MAX);

void group_title_service(char out[RULE_TITLE_MAX], unsigned service)
{
	snprintf(out, RULE_TITLE_MAX, SERVICE_PREFIX "%s", service_word(service));
}

void group_title_safe(char out[RULE_TITLE_MAX], unsigned engine)
{
	snprintf(out, RULE_TITLE_MAX, SAFE_PREFIX "%s", safe_engine_word(engine));
}

void group_title_entries(char out[RULE_TITLE_MAX], const struct config_group *group, bool allow)
{
	snprintf(out, RULE_TITLE_MAX, GROUP_PREFIX "%s: %s", group->name, allow ? "allow" : "deny");
}

void group_title_schedule(char out[RULE_TITLE_MAX], const struct config_group *group,
	const struct config_schedule *schedule)
{
	if (group)
		snprintf(out, RULE_TITLE_MAX, GROUP_PREFIX "%s: %s", group->name, schedule->name);
	else
		snprintf(out, RULE_TITLE_MAX, SCHEDULE_PREFIX "%s", schedule->name);
}

// What follows the prefix, or NULL.
static const char *behind(const char *title, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(title, prefix, len) == 0 ? title + len : NULL;
}

static const struct list_owner other = {.role = LIST_OF_OTHER};

static struct list_owner schedule_owner(
	const struct config_schedules *s, unsigned group, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (strcmp(s->one[i].name, name) == 0)
			return (struct list_owner){LIST_OF_SCHEDULE, (uint8_t)group, (uint16_t)i};
	return other;
}

static struct list_owner group_owner(const struct config *c, const char *rest)
{
	size_t len = strcspn(rest, ":");
	if (strncmp(rest + len, ": ", 2) != 0)
		return other;
	const char *what = rest + len + 2;
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		if (strlen(g->name) != len || memcmp(g->name, rest, len) != 0)
			continue;
		if (strcmp(what, "allow") == 0 || strcmp(what, "deny") == 0)
			return (struct list_owner){LIST_OF_GROUP, (uint8_t)(i + 1), 0};
		return schedule_owner(&g->filter.schedules, i + 1, what);
	}
	return other;
}

static struct list_owner list_owner(const struct config *c, const char *title)
{
	for (unsigned i = 0; i < c->blocking.list_count; i++) {
		char made[RULE_TITLE_MAX];
		rule_title_make(made, c->blocking.lists[i].name);
		if (strcmp(made, title) == 0)
			return (struct list_owner){LIST_OF_LIST, 0, (uint16_t)i};
	}
	return other;
}

static struct list_owner group_title_owner(const struct config *c, const char *title)
{
	const char *rest = behind(title, SERVICE_PREFIX);
	if (rest) {
		int service = service_find(rest);
		return service < 0 ? other
				   : (struct list_owner){LIST_OF_SERVICE, 0, (uint16_t)service};
	}
	rest = behind(title, SAFE_PREFIX);
	for (unsigned i = 0; rest && i < SAFE_ENGINE_COUNT; i++)
		if (strcmp(rest, safe_engine_word(i)) == 0)
			return (struct list_owner){LIST_OF_SAFE, 0, (uint16_t)i};
	rest = behind(title, SCHEDULE_PREFIX);
	if (rest)
		return schedule_owner(&c->blocking.filter.schedules, 0, rest);
	rest = behind(title, GROUP_PREFIX);
	if (rest)
		return group_owner(c, rest);
	if (strcmp(title, GROUP_TITLE_ALLOW) == 0 || strcmp(title, GROUP_TITLE_DENY) == 0
		|| strcmp(title, REBINDING_TITLE) == 0)
		return (struct list_owner){LIST_OF_ENTRIES, 0, 0};
	return list_owner(c, title);
}

void group_lists_init(struct group_lists *l, const struct config *config,
	const struct rule_list_info *info, unsigned count)
{
	l->config = config;
	l->info = info;
	l->count = count < RULE_LISTS_MAX ? count : RULE_LISTS_MAX;
	for (unsigned i = 0; i < l->count; i++) {
		const char *client = info[i].kind.client;
		l->owner[i] = group_title_owner(config, info[i].title);
		l->groups[i] = *client ? group_clients_of(config, client) : UINT64_MAX;
	}
}

// A group with its settings for the lists.
struct asked {
	const struct config *config;
	const struct config_group *group; // NULL: everyone else
	unsigned number;
	const struct service_set *services;
	const struct config_safe_search *safe;
	const struct config_schedules *schedules;
	unsigned schedules_of; // group whose these are
	uint32_t active;
	bool usual;     // what blocks at all times does
	bool scheduled; // what schedules block is
};

static bool blocks(uint8_t rule_class)
{
	return rule_class == RULE_CLASS_BLOCK || rule_class == RULE_CLASS_IMPORTANT_BLOCK
	       || rule_class == RULE_CLASS_EXCEPT || rule_class == RULE_CLASS_OPERATOR_DENY;
}

static bool among(const unsigned *lists, unsigned count, unsigned list)
{
	for (unsigned i = 0; i < count; i++)
		if (lists[i] == list)
			return true;
	return false;
}

// Does the list apply to the group at all times?
static bool is_usual(const struct asked *a, const struct list_owner *o)
{
	const struct config_group *g = a->group;
	switch (o->role) {
	case LIST_OF_ENTRIES:
		return true;
	case LIST_OF_LIST:
		if (g && g->has_lists)
			return among(g->lists, g->list_count, o->index);
		return !g || g->inherits;
	case LIST_OF_SERVICE:
		return service_set_has(a->services, o->index);
	case LIST_OF_GROUP:
		return o->group == a->number;
	default:
		return false;
	}
}

// Does it apply by a schedule?
static bool is_scheduled(const struct asked *a, const struct list_owner *o)
{
	for (unsigned i = 0; i < a->schedules->count; i++) {
		const struct config_schedule *s = &a->schedules->one[i];
		if (!(a->active >> i & 1))
			continue;
		if (o->role == LIST_OF_SCHEDULE && o->group == a->schedules_of && o->index == i)
			return true;
		if (o->role == LIST_OF_SERVICE && service_set_has(&s->services, o->index))
			return true;
		if (o->role == LIST_OF_LIST && among(s->lists, s->list_count, o->index))
			return true;
	}
	return false;
}

static bool applies(
	const struct asked *a, const struct list_owner *o, const struct rule_list_info *info)
{
	const struct rule_kind *kind = &info->kind;
	if (kind->covers == 0) // no list has this number
		return false;
	if (kind->rule_class == RULE_CLASS_LOCAL)
		return local_data_applies(a->config, a->group, info->title);
	if (kind->rule_class == RULE_CLASS_SAFE)
		return o->role == LIST_OF_SAFE && a->safe->level[o->index] != SAFE_LEVEL_OFF;
	bool counts = !blocks(kind->rule_class);
	return ((counts || a->usual) && is_usual(a, o))
	       || ((counts || a->scheduled) && is_scheduled(a, o));
}

static void lists_fill(const struct group_lists *l, const struct asked *a, uint64_t lists[4])
{
	for (unsigned i = 0; i < l->count; i++)
		if ((l->groups[i] >> a->number & 1) && applies(a, &l->owner[i], &l->info[i]))
			lists[i / 64] |= UINT64_C(1) << i % 64;
}

void group_mask(const struct group_lists *l, unsigned group, time_t now, bool paused,
	struct group_mask *out)
{
	const struct config *c = l->config;
	const struct config_group *g = group ? &c->groups[group - 1] : NULL;
	bool blocking = !g || g->blocking;
	struct asked a = {
		.config = c,
		.group = g,
		.number = group,
		.services = config_group_services(c, g),
		.safe = config_group_safe_search(c, g),
		.schedules = config_group_schedules(c, g),
		.schedules_of = g && g->has_schedules ? group : 0,
		.usual = blocking && !paused,
		.scheduled = blocking && !paused,
	};
	*out = (struct group_mask){.paused = paused};
	a.active = out->active = blocking ? schedules_active(a.schedules, now) : 0;
	for (unsigned i = 0; i < a.schedules->count; i++) {
		const struct config_schedule *s = &a.schedules->one[i];
		if (!(a.active >> i & 1))
			continue;
		out->block_all |= s->block_all && !paused;
		out->paused |= s->pause;
		if (s->pause)
			a.usual = false;
	}
	lists_fill(l, &a, out->lists);
	a.usual = a.scheduled = blocking;
	lists_fill(l, &a, out->unpaused);
}

bool group_mask_same(const struct group_mask *a, const struct group_mask *b)
{
	return memcmp(a->lists, b->lists, sizeof(a->lists)) == 0 && a->block_all == b->block_all
	       && a->paused == b->paused && a->active == b->active;
}
