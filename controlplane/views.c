// SPDX-License-Identifier: BSD-3-Clause
#include "views.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/keyhash.h>

struct views {
	struct loop *loop;
	struct upstream_callbacks callbacks;
	struct forwards *forwards;
	_Atomic uint32_t *next;
	struct view one[VIEWS_MAX]; // [0] is view 0
	struct {
		uint64_t hash;
		uint16_t number;
	} known[POLICY_GROUPS_MAX]; // of the last life
	unsigned known_count;
	struct upstream_totals gone; // of views that have ended
	unsigned group_count;
	struct view *group[CONFIG_GROUPS_MAX];
};

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct socket_address));
}

uint64_t view_hash(const struct config_group *group)
{
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	char text[CONFIG_UPSTREAMS_MAX * SOCKET_ADDRESS_TEXT_MAX + 128],
		one[SOCKET_ADDRESS_TEXT_MAX];
	char *p = stpcpy(text, "weir view 1\n");

	memset(server, 0, sizeof(server)); // padding is compared too
	for (unsigned i = 0; i < group->upstream_count; i++) {
		server[i].ip = group->upstreams[i].address.ip;
		server[i].port = group->upstreams[i].address.port;
	}
	qsort(server, group->upstream_count, sizeof(server[0]), by_address);
	for (unsigned i = 0; i < group->upstream_count; i++)
		p += sprintf(p, "%s\n", socket_address_text(&server[i], one));
	if (group->disable_cache)
		p += sprintf(p, "no cache: %.63s\n", group->name);
	uint64_t names = view_names_hash(group);
	if (names)
		p += sprintf(p, "names: %016llx\n", (unsigned long long)names);
	uint64_t hash = contenthash(text, (size_t)(p - text));
	return hash ? hash : 1;
}

int views_new(struct views **out, struct loop *loop, const struct upstream_callbacks *callbacks,
	const struct config_upstreams *everyone, _Atomic uint32_t *next)
{
	struct views *v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->loop = loop;
	v->callbacks = *callbacks;
	v->next = next;
	v->one[0] = (struct view){.live = true, .own = true};
	int rc = forwards_new(&v->forwards, loop, callbacks);
	if (rc == 0)
		rc = upstreams_new(&v->one[0].upstreams, loop, everyone, callbacks);
	if (rc < 0) {
		forwards_free(v->forwards);
		free(v);
		return rc;
	}
	*out = v;
	return 0;
}

static void view_end(struct views *v, struct view *one)
{
	view_names_end(&one->names);
	if (one->own) {
		struct upstream_totals t;
		upstreams_totals(one->upstreams, &t);
		upstream_totals_end(&t);
		upstream_totals_add(&v->gone, &t);
		upstreams_free(one->upstreams);
	}
	*one = (struct view){0};
}

void views_free(struct views *v)
{
	if (!v)
		return;
	for (unsigned i = VIEWS_MAX; i-- > 0;)
		if (v->one[i].live)
			view_end(v, &v->one[i]);
	forwards_free(v->forwards);
	free(v);
}

void views_recover(struct views *v, const struct policy_group *group, unsigned count)
{
	uint32_t next = atomic_load(v->next);

	v->known_count = 0;
	for (unsigned i = 0; i < count && i < POLICY_GROUPS_MAX; i++) {
		if (group[i].view == 0 || group[i].view_hash == 0 || group[i].view >= next)
			continue;
		v->known[v->known_count].hash = group[i].view_hash;
		v->known[v->known_count++].number = group[i].view;
	}
}

static struct view *find_hash(struct views *v, uint64_t hash)
{
	for (unsigned i = 1; i < VIEWS_MAX; i++)
		if (v->one[i].live && v->one[i].hash == hash)
			return &v->one[i];
	return NULL;
}

static unsigned number_known(const struct views *v, uint64_t hash)
{
	for (unsigned i = 0; i < v->known_count; i++)
		if (v->known[i].hash == hash)
			return v->known[i].number;
	return 0;
}

// Stored before it is used: a number is spent even if we die here.
static unsigned number_take(struct views *v)
{
	uint32_t number = atomic_load(v->next);
	if (number == 0)
		number = 1;
	atomic_store(v->next, number + 1);
	return number;
}

static bool has_view(const struct config_group *g)
{
	return g->upstream_count > 0 || g->disable_cache || view_names_hash(g) != 0;
}

static struct config_upstreams servers_of(const struct config *c, const struct config_group *g)
{
	struct config_upstreams u = c->upstreams;
	u.count = g->upstream_count;
	for (unsigned i = 0; i < g->upstream_count; i++)
		u.server[i] = g->upstreams[i];
	return u;
}

// Is there room and are there numbers for all that is new?
static int room_check(struct views *v, const struct config *c)
{
	unsigned used = 0, slots = 0, numbers = 0;
	uint32_t next = atomic_load(v->next);

	for (unsigned i = 0; i < VIEWS_MAX; i++)
		used += v->one[i].live;
	for (unsigned i = 0; i < c->group_count; i++) {
		uint64_t hash = has_view(&c->groups[i]) ? view_hash(&c->groups[i]) : 0;
		bool is_new = hash && !find_hash(v, hash);
		slots += is_new;
		numbers += is_new && !number_known(v, hash);
	}
	if (used + slots > VIEWS_MAX)
		return -EBUSY;
	return numbers && next + numbers > VIEW_NUMBER_MAX + 1 ? -ENOSPC : 0;
}

static int view_make(
	struct views *v, const struct config *c, const struct config_group *g, struct view **out)
{
	struct view *one = &v->one[1];
	while (one->live)
		one++;
	struct view made = {
		.hash = view_hash(g),
		.live = true,
		.no_cache = g->disable_cache,
		.own = g->upstream_count > 0,
		.upstreams = v->one[0].upstreams,
	};
	int rc = view_names_make(v->forwards, g, &made.names);
	if (rc == 0 && made.own) {
		const struct config_upstreams servers = servers_of(c, g);
		rc = upstreams_new(&made.upstreams, v->loop, &servers, &v->callbacks);
		if (rc == 0)
			upstreams_one_of(made.upstreams, 1 + CONFIG_GROUPS_MAX);
	}
	if (rc < 0) {
		view_names_end(&made.names);
		return rc;
	}
	*one = made;
	*out = one;
	return 0;
}

// What is in the configuration stays or is made, without numbers yet.
static int view_of(
	struct views *v, const struct config *c, const struct config_group *g, struct view **out)
{
	*out = has_view(g) ? find_hash(v, view_hash(g)) : &v->one[0];
	return *out ? 0 : view_make(v, c, g, out);
}

static void views_undo(struct views *v)
{
	for (unsigned i = 1; i < VIEWS_MAX; i++)
		if (v->one[i].live && v->one[i].number == 0)
			view_end(v, &v->one[i]);
}

static void view_settle(
	struct views *v, struct view *one, const struct config *c, const struct config_group *g)
{
	if (one->number == 0 && one->hash) {
		unsigned known = number_known(v, one->hash);
		one->number = (uint16_t)(known ? known : number_take(v));
	} else if (one->hash && one->own) {
		const struct config_upstreams servers = servers_of(c, g);
		upstreams_configure(one->upstreams, &servers);
	}
	one->left_ms = 0;
}

int views_configure(struct views *v, const struct config *c, uint64_t now_ms)
{
	struct view *group[CONFIG_GROUPS_MAX];
	struct view_names everyone = {0};
	int rc = room_check(v, c);

	forwards_configure(v->forwards, &c->upstreams);
	if (rc == 0)
		rc = view_names_make_everyone(v->forwards, c, &everyone);
	for (unsigned i = 0; rc == 0 && i < c->group_count; i++)
		rc = view_of(v, c, &c->groups[i], &group[i]);
	if (rc < 0) {
		views_undo(v);
		view_names_end(&everyone);
		return rc;
	}
	view_names_end(&v->one[0].names);
	v->one[0].names = everyone;
	for (unsigned i = 1; i < VIEWS_MAX; i++)
		if (v->one[i].live && !v->one[i].left_ms)
			v->one[i].left_ms = now_ms ? now_ms : 1;
	upstreams_configure(v->one[0].upstreams, &c->upstreams);
	for (unsigned i = 0; i < c->group_count; i++) {
		view_settle(v, group[i], c, &c->groups[i]);
		v->group[i] = group[i];
	}
	v->group_count = c->group_count;
	v->known_count = 0; // those in use are in the table now, the others are not to come back
	return 0;
}

void views_sweep(struct views *v, uint64_t now_ms)
{
	for (unsigned i = 1; i < VIEWS_MAX; i++) {
		struct view *one = &v->one[i];
		if (one->live && one->left_ms && !one->users
			&& now_ms >= one->left_ms + VIEWS_GRACE_MS)
			view_end(v, one);
	}
	forwards_sweep(v->forwards);
}

struct view *views_find(struct views *v, unsigned number)
{
	if (number == 0)
		return &v->one[0];
	for (unsigned i = 1; i < VIEWS_MAX; i++)
		if (v->one[i].live && v->one[i].number == number)
			return &v->one[i];
	return NULL;
}

const struct view *views_at(const struct views *v, unsigned place)
{
	return v->one[place].live ? &v->one[place] : NULL;
}

struct view *views_everyone(struct views *v)
{
	return &v->one[0];
}

const struct view *views_of_group(const struct views *v, unsigned group)
{
	return group < v->group_count ? v->group[group] : &v->one[0];
}

const struct forward_zone *views_zone(
	const struct views *v, const struct view *view, const struct dns_name *name)
{
	const struct forward_zone *own = NULL;
	if (view != &v->one[0])
		own = forward_find(view->names.zones, name);
	const struct forward_zone *everyone = forward_find(v->one[0].names.zones, name);
	return own && (!everyone || own->name.labels >= everyone->name.labels) ? own : everyone;
}

int views_rewrite(const struct views *v, const struct view *view, const struct dns_name *name,
	struct rewrite *out)
{
	return rewrite_follow(view == &v->one[0] ? NULL : view->names.rewrites,
		v->one[0].names.rewrites, name, out);
}

uint64_t views_l1_hash(const struct views *v, const struct view *view, const struct dns_name *name)
{
	const struct forward_zone *zone = views_zone(v, view, name);
	return zone ? zone->hash : view->hash;
}

unsigned views_forward_sets(const struct views *v)
{
	return forwards_count(v->forwards);
}

void views_totals(const struct views *v, struct upstream_totals *out)
{
	*out = v->gone;
	struct upstream_totals t;
	for (unsigned i = 0; i < VIEWS_MAX; i++) {
		if (!v->one[i].live || !v->one[i].own)
			continue;
		upstreams_totals(v->one[i].upstreams, &t);
		upstream_totals_add(out, &t);
	}
	forwards_totals(v->forwards, &t);
	upstream_totals_add(out, &t);
}

unsigned views_count(const struct views *v)
{
	unsigned n = 0;
	for (unsigned i = 0; i < VIEWS_MAX; i++)
		n += v->one[i].live;
	return n;
}

size_t views_memory(void)
{
	return sizeof(struct views);
}
