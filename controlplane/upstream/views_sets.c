// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

// Sets that are told, each once.
struct sets_walk {
	void (*take)(void *arg, const struct views_set *set);
	void *arg;
	unsigned count;
	const struct upstreams *seen[VIEWS_MAX + FORWARD_SETS_MAX];
};

static void set_take(struct sets_walk *w, const struct views_set *set)
{
	for (unsigned i = 0; i < w->count; i++)
		if (w->seen[i] == set->upstreams)
			return;
	w->seen[w->count++] = set->upstreams;
	w->take(w->arg, set);
}

static void view_take(struct sets_walk *w, const struct view *one, unsigned group)
{
	if (one)
		set_take(w, &(struct views_set){.upstreams = one->upstreams,
				    .group = group,
				    .is_safe = one->is_safe});
}

static void zones_take(struct sets_walk *w, const struct forward_table *t, unsigned group)
{
	const struct forward_zone *zone;

	for (unsigned i = 0; (zone = forward_table_at(t, i)); i++)
		if (zone->set)
			set_take(w, &(struct views_set){.upstreams = zone->set->upstreams,
					    .group = group,
					    .zone = &zone->name});
}

void views_sets(struct views *v, void (*take)(void *arg, const struct views_set *set), void *arg)
{
	struct sets_walk w = {.take = take, .arg = arg};

	view_take(&w, views_everyone(v), 0);
	for (unsigned g = 1; g <= CONFIG_GROUPS_MAX; g++) {
		view_take(&w, views_of_group(v, g - 1), g); // everyone's, where there is none
		view_take(&w, views_safe(v, g), g);
	}
	zones_take(&w, views_everyone(v)->names.zones, 0);
	for (unsigned g = 1; g <= CONFIG_GROUPS_MAX; g++)
		zones_take(&w, views_of_group(v, g - 1)->names.zones, g);
}

static void set_follow(void *arg, const struct views_set *set)
{
	(void)arg;
	upstreams_follow_hosts(set->upstreams);
}

void views_follow_hosts(struct views *v)
{
	for (unsigned i = 0; i < VIEWS_MAX; i++) {
		const struct view *one = views_at(v, i);
		if (one)
			upstreams_follow_hosts(one->upstreams);
	}
	views_sets(v, set_follow, NULL); // those of zones
}
