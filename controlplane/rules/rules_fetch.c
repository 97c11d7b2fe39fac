// SPDX-License-Identifier: BSD-3-Clause
#include "rules_fetch.h"

#include "list_notify.h"
#include "rules.h"
#include "rules_fetch_set.h"

#include <event2/event.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>
#include <weir/url.h>

// One at a time. Its set is the configuration's of when it began.
struct fetch_round {
	struct fetch_set *set; // NULL: none runs
	bool by_hand, force;
	struct loop_return back;
};

struct rules_fetch {
	struct loop *service;
	char *state_directory;
	void (*done)(void *arg);
	void *arg;
	struct event *timer;
	struct rng rng;
	struct fetch_set *set;
	struct list_notify *notify; // NULL: none
	struct fetch_round round;
	pthread_t thread;
	_Atomic bool stop;
	bool held, all_wanted, all_force;
	struct rules_fetch_status last;
	struct events *events; // NULL: none
};

static void plan(struct rules_fetch *f);

// Unless the other one, which is in force or of the round that runs, is this one.
static void set_drop(struct fetch_set *s, const struct fetch_set *other)
{
	if (s != other)
		fetch_set_free(s);
}

// The text of the file says all but what toggles change.
static bool is_same(const struct fetch_set *s, const struct config *c)
{
	return c->text_hash && c->text_hash == s->text_hash
	       && memcmp(&c->blocking.update, &s->settings, sizeof(s->settings)) == 0
	       && fetch_set_has_keys(s, c); // which are in files of their own
}

static void on_notified(void *arg)
{
	struct rules_fetch *f = arg;
	fetch_set_notice(f->set, f->notify);
	plan(f);
}

int rules_fetch_notify(struct rules_fetch *f, struct list_notify *z)
{
	f->notify = z;
	list_notify_on_due(z, on_notified, f);
	return fetch_set_publish(f->set, z);
}

void rules_fetch_add_events(struct rules_fetch *f, struct events *events)
{
	f->events = events;
}

int rules_fetch_configure(struct rules_fetch *f, const struct config *c)
{
	if (is_same(f->set, c))
		return 0;
	fetch_set_notice(f->set, f->notify); // whose numbers are this set's
	struct fetch_set *s = fetch_set_new(f->set, c, f->state_directory, &f->rng);
	if (!s || fetch_set_publish(s, f->notify) < 0) {
		fetch_set_free(s);
		return -ENOMEM;
	}
	set_drop(f->set, f->round.set);
	f->set = s;
	plan(f);
	return 0;
}

// Files of lists that left the configuration.
static void prune(const struct rules_fetch *f)
{
	const char *url[CONFIG_LISTS_MAX];
	for (unsigned i = 0; i < f->set->count; i++)
		url[i] = f->set->list[i].url;
	list_store_prune(f->state_directory, url, f->set->count);
}

static void on_round_done(void *arg)
{
	struct rules_fetch *f = arg;
	struct fetch_set *s = f->round.set;
	pthread_join(f->thread, NULL);
	f->round.set = NULL;
	f->last.changed = false;
	f->last.by_hand = f->round.by_hand;
	f->last.force = f->round.force;
	for (unsigned i = 0; i < s->count; i++) {
		f->last.changed |= s->update[i].outcome == LIST_UPDATE_CHANGED;
		const struct fetched *l = fetch_set_take(f->set, &f->rng, &s->update[i]);
		if (l)
			rules_event_fetched(f->events, l, &s->update[i]);
	}
	set_drop(s, f->set);
	prune(f);
	plan(f);
	f->done(f->arg);
}

static void *work(void *arg)
{
	struct rules_fetch *f = arg;
	struct fetch_set *s = f->round.set;
	char why[LIST_STORE_WHY_MAX];
	const struct list_update_options options = {.state_directory = f->state_directory,
		.update = &s->settings,
		.server_count = s->server_count,
		.servers = s->server,
		.stop = &f->stop};
	thread_background();
	if (s->count && list_store_open(f->state_directory, why))
		log_warning("lists: %s", why);
	(void)list_update_all(&options, s->update, s->count);
	loop_call_back(f->service, &f->round.back, on_round_done, f);
	return NULL;
}

static bool round_start(struct rules_fetch *f, bool all, bool force)
{
	struct fetch_set *s = f->set;
	uint64_t now_ms = clock_mono_ms();
	for (unsigned i = 0; i < s->count; i++) {
		struct fetched *l = &s->list[i];
		s->update[i] = (struct list_update){.url = l->url,
			.options = l->options,
			.key = l->key,
			.tls = l->tls,
			.wanted = all || fetch_due_ms(l) <= now_ms,
			.notified = !all && l->next_ms > now_ms,
			.force = force};
	}
	f->round = (struct fetch_round){.set = s, .by_hand = all, .force = force};
	int rc = thread_start(&f->thread, "weir-lists", work, f);
	if (rc == 0) {
		for (unsigned i = 0; i < s->count; i++)
			if (s->update[i].wanted)
				s->list[i].notified_ms = 0;
		return true;
	}
	log_warning("lists not fetched: no thread: %s", strerror(-rc));
	f->round.set = NULL;
	return false;
}

// Starts what is due, or the timer until then.
static void plan(struct rules_fetch *f)
{
	uint64_t now_ms = clock_mono_ms(), due_ms = fetch_set_due_ms(f->set);
	(void)event_del(f->timer);
	if (f->round.set)
		return;
	bool all = f->all_wanted;
	// A requested round runs even without lists, because a caller waits.
	if (all || (!f->held && due_ms <= now_ms)) {
		f->all_wanted = false;
		if (round_start(f, all, all && f->all_force)) {
			f->all_force = false;
			return;
		}
		f->all_wanted = all;
		due_ms = now_ms + 1000ull * FETCH_RETRY_S;
	} else if (f->held || due_ms == FETCH_NEVER) {
		return;
	}
	uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	const struct timeval interval = {.tv_sec = (time_t)(wait_ms / 1000),
		.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};
	(void)event_add(f->timer, &interval);
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	plan(arg);
}

void rules_fetch_hold(struct rules_fetch *f, bool held)
{
	f->held = held;
	plan(f);
}

bool rules_fetch_all(struct rules_fetch *f, bool force)
{
	if (!f->set->count)
		return false;
	f->all_wanted = true;
	f->all_force |= force;
	plan(f);
	return true;
}

int rules_fetch_new(struct rules_fetch **out, struct loop *service, const char *state_directory,
	void (*done)(void *arg), void *arg)
{
	struct rules_fetch *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->service = service;
	f->done = done;
	f->arg = arg;
	f->state_directory = heap_strdup(state_directory);
	f->set = heap_calloc(1, sizeof(*f->set));
	f->timer = event_new(loop_base(service), -1, 0, on_timer, f);
	if (!f->state_directory || !f->set || !f->timer) {
		rules_fetch_free(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

void rules_fetch_stop(struct rules_fetch *f)
{
	if (!f || !f->round.set || f->stop)
		return;
	f->stop = true;
	pthread_join(f->thread, NULL);
}

void rules_fetch_free(struct rules_fetch *f)
{
	if (!f)
		return;
	rules_fetch_stop(f);
	list_notify_on_due(f->notify, NULL, NULL);
	set_drop(f->round.set, f->set);
	if (f->timer)
		event_free(f->timer);
	fetch_set_free(f->set);
	FREE_AND_NULL(f->state_directory);
	heap_free(f);
}

void rules_fetch_notified(const struct rules_fetch *f, struct list_notify_counts *out)
{
	list_notify_counts(f->notify, out);
}

void rules_fetch_status(const struct rules_fetch *f, struct rules_fetch_status *out)
{
	*out = f->last;
	out->running = f->round.set != NULL || f->all_wanted;
}

static void describe(
	const struct rules_fetch *f, const struct fetched *from, struct rules_list_status *l)
{
	uint64_t now_ms = clock_mono_ms();
	url_shown(from->url, l->url, sizeof(l->url));
	l->last_try_unix_s = from->try_unix_s;
	l->last_good_unix_s = from->good_unix_s;
	l->http_status = from->http_status;
	l->failures = from->failures;
	l->fetches = from->counts;
	memcpy(l->fetch_error, from->why, sizeof(l->fetch_error));
	l->next_try_unix_s = 0;
	if (from->next_ms != FETCH_NEVER && !f->held)
		l->next_try_unix_s =
			(uint64_t)time(NULL)
			+ (from->next_ms > now_ms ? (from->next_ms - now_ms) / 1000 : 0);
}

void rules_fetch_describe(struct rules_fetch *f, struct rules_list_status *list, unsigned count)
{
	for (unsigned i = 0; i < f->set->count; i++) {
		struct fetched *from = &f->set->list[i];
		// It is where it was, nearly always.
		for (unsigned k = 0; k < count; k++) {
			unsigned at = (from->at + k) % count;
			if (strcmp(list[at].name, from->title) != 0)
				continue;
			from->at = at;
			describe(f, from, &list[at]);
			break;
		}
	}
}

unsigned rules_fetch_tasks(const struct rules_fetch *f, struct rules_task *out, unsigned max)
{
	const struct fetch_set *s = f->round.set;
	unsigned n = 0;
	for (unsigned i = 0; s && i < s->count && n < max; i++) {
		uint64_t since_ms = atomic_load(&s->update[i].since_ms);
		if (!since_ms)
			continue;
		out[n] = (struct rules_task){
			.kind = "list fetch", .step = "its server", .since_ms = since_ms};
		url_shown(s->list[i].url, out[n++].what, sizeof(out->what));
	}
	return n;
}

void rules_fetch_failures(const struct rules_fetch *f, char *out, size_t cap)
{
	size_t len = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < f->set->count && len < cap; i++) {
		const struct fetched *l = &f->set->list[i];
		if (l->failures)
			len += (size_t)snprintf(out + len, cap - len, "%s%.40s: %.80s",
				len ? "; " : "", l->title, l->why);
	}
}
