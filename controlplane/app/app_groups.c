// SPDX-License-Identifier: BSD-3-Clause
#include "app.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

const struct policy_group *app_groups_current(void *app)
{
	struct app *a = app;
	return a->groups.image.head ? a->groups.image.head->group : a->groups.view;
}

static const struct config_group *group_at(const struct config *c, unsigned number)
{
	return number ? &c->groups[number - 1] : NULL;
}

// Makes the masks of all groups for a->groups.moment.
static void masks_fill(
	const struct app *a, const struct config *c, struct group_mask out[POLICY_GROUPS_MAX])
{
	struct group_lists lists;
	unsigned count;
	const struct rule_list_info *info = rules_lists(a->rules, &count);
	const struct group_moment *now = &a->groups.moment;

	group_lists_init(&lists, c, info, count);
	for (unsigned i = 0; i <= c->group_count; i++) {
		const char *name = config_group_name(group_at(c, i));
		bool paused = group_pause_left_ms(&a->groups.pauses, name, now->mono_ms) > 0;
		group_mask(&lists, i, now->wall.tv_sec, paused, &out[i]);
	}
}

// Sets the timer for the next change after the moment of the masks: a change between that moment
// and now must not be missed.
static void look_arm(struct app *a, const struct config *c)
{
	const struct group_moment *of = &a->groups.moment;
	uint64_t ms = group_wait_ms(&a->groups.pauses, c, &of->wall, of->mono_ms);
	uint64_t passed_ms = clock_mono_ms() - of->mono_ms;
	ms = ms > passed_ms ? ms - passed_ms : 1;
	const struct timeval wait = {
		.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
	(void)event_add(a->groups.look, &wait);
}

static void change_log(const struct config *c, unsigned group, const struct group_mask *m)
{
	const struct config_schedules *s = config_group_schedules(c, group_at(c, group));
	char text[CONFIG_SCHEDULES_MAX * (CONFIG_SCHEDULE_NAME_MAX + 2) + 1] = "";
	size_t n = 0;
	for (unsigned i = 0; i < s->count; i++)
		if (m->active >> i & 1)
			n += (size_t)snprintf(
				text + n, sizeof(text) - n, "%s%s", n ? ", " : "", s->one[i].name);
	log_info("group %s: schedules that apply now: %s%s", config_group_name(group_at(c, group)),
		n ? text : "none", m->paused ? "; paused" : "");
}

// Publishes new images if a mask has changed.
static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct app *a = arg;
	struct group_mask now[POLICY_GROUPS_MAX];
	const struct config *c = a->current;
	bool changed = false;

	(void)fd, (void)what;
	tzset(); // the machine's time zone may have changed
	group_moment_now(&a->groups.moment);
	group_pauses_sweep(&a->groups.pauses, c, &a->groups.moment);
	masks_fill(a, c, now);
	for (unsigned i = 0; i <= c->group_count; i++) {
		if (group_mask_same(&now[i], &a->groups.mask[i]))
			continue;
		changed = true;
		change_log(c, i, &now[i]);
	}
	if (changed)
		app_groups_republish(a);
	look_arm(a, c);
}

struct hosts_find {
	const struct config *config;
	struct group_hosts *out;
};

static void host_take(void *arg, const struct client_entry *e)
{
	const struct hosts_find *f = arg;
	if (e->from == CLIENT_FROM_PTR)
		return; // a device says its own name to the router, and would choose its group
	struct ip_address a = {
		.version = e->address.version, .prefix_len = e->address.version == 4 ? 32 : 128};
	memcpy(a.bytes, e->address.bytes, sizeof(a.bytes));
	group_hosts_add(f->config, &a, e->name, f->out);
}

static void hosts_find(const struct app *a, const struct config *c, struct group_hosts *out)
{
	struct hosts_find f = {.config = c, .out = out};
	memset(out, 0, sizeof(*out));
	if (group_hosts_has_names(c))
		client_book_given(client_names_book(a->client_names), time(NULL), host_take, &f);
	group_hosts_sort(out);
}

// A hosts file or a lease gives or takes the address of a name that is a client of a
// group.
static void on_hosts(evutil_socket_t, short, void *arg)
{
	struct app *a = arg;
	struct group_hosts now;

	hosts_find(a, a->current, &now);
	if (!group_hosts_same(&now, &a->groups.hosts))
		(void)!app_groups_publish(a, a->current);
}

// Publishes groups again that could not be published. An image that the data plane does not
// activate is published again under a new generation: the file of its region may be damaged or
// gone, and a data plane that starts without it answers no client.
static void on_again(evutil_socket_t, short, void *arg)
{
	struct app *a = arg;
	struct app_groups *g = &a->groups;
	struct publish_status p;
	char why[SHM_WHY_MAX];

	publish_status(a->publisher, &p);
	if (!again_due(&g->lag_again, p.policy_lag_ms) || !g->image.head)
		return;
	if (g->fails) {
		app_groups_republish(a);
		return;
	}
	log_error("the data plane has not activated the groups of generation %" PRIu64
		  " for %" PRIu64 " ms: publishing them again",
		p.policy_generation, p.policy_lag_ms);
	app_log_names(a, a->current, publisher_policy_generation(a->publisher) + 1);
	if (publish_policy(a->publisher, g->image.head, g->image.size, why) < 0)
		log_error("groups not published: %s; weir tries again", why);
}

static const char *pauses_path(const struct app *a, char path[SHM_PATH_MAX])
{
	snprintf(path, SHM_PATH_MAX, "%s/pauses.state", a->started->runtime.state_directory);
	return path;
}

void app_groups_load(struct app *a)
{
	char path[SHM_PATH_MAX];
	group_moment_now(&a->groups.moment);
	int err = group_pauses_load(
		&a->groups.pauses, a->started, pauses_path(a, path), &a->groups.moment);
	if (err && err != -ENOENT)
		log_warning("groups: %s not usable: no group is paused", path);
}

int app_groups_open(struct app *a)
{
	const struct timeval second = {.tv_sec = 1}, hosts = {.tv_sec = GROUP_HOSTS_LOOK_S};

	tzset();
	a->groups.look = evtimer_new(loop_base(a->service), on_look, a);
	a->groups.again = event_new(loop_base(a->service), -1, EV_PERSIST, on_again, a);
	a->groups.hosts_look = event_new(loop_base(a->service), -1, EV_PERSIST, on_hosts, a);
	if (!a->groups.look || !a->groups.again || !a->groups.hosts_look)
		return -ENOMEM;
	return event_add(a->groups.again, &second) || event_add(a->groups.hosts_look, &hosts) ? -EIO
											      : 0;
}

void app_groups_close(struct app *a)
{
	if (a->groups.hosts_look)
		event_free(a->groups.hosts_look);
	if (a->groups.again)
		event_free(a->groups.again);
	if (a->groups.look)
		event_free(a->groups.look);
	FREE_AND_NULL(a->groups.image.head);
}

void app_group_now(void *app, unsigned group, struct group_now *out)
{
	const struct app *a = app;
	const struct config_group *g = group_at(a->current, group);
	uint64_t left_ms =
		group_pause_left_ms(&a->groups.pauses, config_group_name(g), clock_mono_ms());
	*out = (struct group_now){
		.mask = a->groups.mask[group],
		.pause_left_s = (left_ms + 999) / 1000,
		.next_change = group_next_change(a->current, g, time(NULL)),
	};
}

int app_group_pause(void *app, const char *name, unsigned minutes)
{
	struct app *a = app;
	const struct config *c = a->current;
	struct group_pauses *p = &a->groups.pauses;
	char path[SHM_PATH_MAX], why[STATE_FILE_WHY_MAX];
	struct group_moment now;
	group_moment_now(&now);
	int err = minutes ? group_pause_begin(p, c, name, minutes, &now)
			  : group_pause_end(p, c, name, &now);
	if (err)
		return err;
	if (group_pauses_save(p, pauses_path(a, path), why) < 0)
		log_warning("groups: %s: a restart does not know of this pause, or its end", why);
	app_publish_config(a, c);
	return app_groups_publish(a, c);
}

// Fills in the groups of the image.
static void groups_fill(const struct app *a, const struct config *c, const struct group_mask *mask,
	struct policy_group group[POLICY_GROUPS_MAX])
{
	memcpy(group, a->groups.view, sizeof(a->groups.view));
	for (unsigned i = 0; i <= c->group_count; i++) {
		memcpy(group[i].lists, mask[i].lists, sizeof(group[i].lists));
		config_block_reply(c, group_at(c, i), &group[i].block);
		group[i].block_all = mask[i].block_all;
	}
}

const struct group_hosts *app_groups_hosts(void *app)
{
	const struct app *a = app;
	return &a->groups.hosts;
}

// Makes the image, with the present addresses of host names.
static int image_build(const struct app *a, const struct config *c,
	const struct policy_group *group, struct group_hosts *hosts, struct policy_image *out)
{
	struct config joined;
	hosts_find(a, c, hosts);
	int rc = group_hosts_join(c, hosts, &joined);
	if (rc < 0)
		return rc;
	rc = policy_build(&joined, group, out);
	group_hosts_end(&joined);
	return rc;
}

static void hosts_log(const struct group_hosts *before, const struct group_hosts *now)
{
	if (!group_hosts_same(before, now))
		log_info("groups: host names in groups have %u addresses", now->count);
	if (now->left_out && now->left_out != before->left_out)
		log_warning("groups: %u addresses of host names are left out: a name has at most "
			    "%d, all names %d, and groups %d prefixes in all",
			now->left_out, GROUP_HOST_EACH_MAX, GROUP_HOSTS_MAX, POLICY_PREFIXES_MAX);
}

int app_groups_publish(struct app *a, const struct config *c)
{
	struct group_hosts hosts;
	struct policy_group group[POLICY_GROUPS_MAX];
	struct group_mask now[POLICY_GROUPS_MAX];
	struct policy_image image = {0}, *last = &a->groups.image;
	struct frontend_names names;
	char why[SHM_WHY_MAX] = "no memory";

	masks_fill(a, c, now);
	look_arm(a, c);
	groups_fill(a, c, now, group);
	int rc = image_build(a, c, group, &hosts, &image);
	bool same = rc == 0 && last->head && last->size == image.size
		    && memcmp(last->head, image.head, image.size) == 0;
	// If the image cannot be published the next one gets its generation.
	app_log_names(a, c, publisher_policy_generation(a->publisher) + !same);
	if (rc == 0 && !same)
		rc = publish_policy(a->publisher, image.head, image.size, why);
	if (same || rc < 0)
		heap_free(image.head);
	resolvers_groups_published(&a->resolvers, rc == 0);
	a->groups.fails = rc < 0;
	publish_policy_fails(a->publisher, rc < 0);
	if (rc < 0) { // on_again tries again
		log_error("groups not updated: %s; the previous groups stay active", why);
		return rc;
	}
	memcpy(a->groups.mask, now, sizeof(now));
	hosts_log(&a->groups.hosts, &hosts);
	a->groups.hosts = hosts;
	if (!same) {
		FREE_AND_NULL(last->head);
		*last = image;
	}
	frontend_names_of(c, &names);
	frontend_tcp_shared_name(a->frontends.tcp_shared, &names);
	return 0;
}

void app_publish_config(struct app *a, const struct config *c)
{
	// Workers end a pause by themselves, because the control plane may be down by then.
	uint64_t left_ms = UINT64_C(1000) * rules_pause_left_s(a->rules);
	uint64_t until_ms = left_ms ? clock_mono_ms() + left_ms : 0;
	struct group_mask mask[POLICY_GROUPS_MAX];
	group_moment_now(&a->groups.moment);
	masks_fill(a, c, mask);
	publish_config(a->publisher, c, mask[0].lists, c->blocking.enabled, until_ms,
		rules_pause_lifts_block_all(a->rules) ? until_ms : 0);
}

void app_groups_republish(void *app)
{
	struct app *a = app;
	app_publish_config(a, a->current);
	(void)!app_groups_publish(a, a->current);
}
