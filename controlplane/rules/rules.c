// SPDX-License-Identifier: BSD-3-Clause
#include "rules.h"

#include "list_kept.h"
#include "rules_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { AGAIN_MS = 10 };

static const struct rule_image_head *head_of(const struct rules *r)
{
	return r->arena.base;
}

struct rules_job *rules_job_new(struct rules *r, struct rules_sources *sources)
{
	struct rules_job *j = heap_calloc(1, sizeof(*j) + sources->count * sizeof(j->result[0]));
	if (!j)
		return NULL;
	j->sources = sources;
	j->publisher = r->publisher;
	j->policy = r->policy;
	j->policy_before = r->answer_policy;
	j->seen = &r->seen;
	j->kept_bytes = r->status.kept_bytes;
	j->image_path = r->image_path;
	j->previous_path = r->previous_path;
	if (r->arena.base) {
		j->has_current = true;
		j->current = r->arena.base;
		j->current_input_hash = r->input_hash;
		j->secret = head_of(r)->secret;
		for (unsigned i = 0; i < sources->count; i++) {
			char title[RULE_TITLE_MAX];
			rule_title_make(title, sources->source[i].title);
			const struct rule_source_info *info = rules_source_info(r, title);
			j->had_names[i] = info && info->names > 0;
			j->had_text[i] = info && info->bytes > 0;
		}
		memcpy(j->lists, r->reader.lists, r->reader.list_count * sizeof(*j->lists));
		j->list_count =
			list_rest_add(&r->rest, j->lists, r->reader.list_count, clock_mono_ms());
	}
	return j;
}

static void try_again(struct rules *r)
{
	const struct timeval interval = {.tv_usec = AGAIN_MS * 1000};
	(void)event_add(r->again, &interval);
}

static void on_job_moved(void *arg);

void rules_run_job(struct rules *r, struct rules_job *j)
{
	r->job = j;
	j->service = r->service_loop;
	j->moved = on_job_moved;
	j->moved_arg = r;
	j->since_ms = clock_mono_ms();
	rules_job_start(j);
}

// Is there a list of which the current image has nothing? One without names may stay so for good.
static bool begins_list(const struct rules_job *j)
{
	for (unsigned i = 0; i < j->sources->count; i++)
		if (j->sources->source[i].path && !j->had_text[i])
			return true;
	return false;
}

// Takes `sources` if it returns 0.
static int start_job(struct rules *r, struct rules_sources *sources, bool force, bool urgent)
{
	struct rules_job *j = rules_job_new(r, sources);
	if (!j)
		return -ENOMEM;
	j->force = force;
	rules_sources_leave_out(sources, j->had_names);
	j->paced = !urgent && !r->start.waiting && j->has_current && !begins_list(j);
	rules_run_job(r, j);
	return 0;
}

static void start_next(struct rules *r)
{
	struct rules_sources *sources = r->next;
	if (r->job || !sources)
		return;
	if (start_job(r, sources, r->next_force, r->next_urgent)) {
		try_again(r);
		return;
	}
	r->next = NULL;
	r->next_force = r->next_urgent = false;
	r->waiting = r->next_waiting;
	r->next_waiting.count = 0;
}

void rules_tell(struct rules *r, struct rules_waiters *w)
{
	struct rules_waiters all = *w;
	w->count = 0;
	for (unsigned i = 0; i < all.count; i++) {
		struct rules_status s;
		rules_status(r, &s);
		all.one[i].done(all.one[i].arg, &s);
	}
}

static void finish_job(struct rules *r)
{
	struct rules_job *j = r->job;
	rules_job_settle(j);
	rules_note_outcome(r, j);
	if (j->outcome == RULES_PUBLISHED)
		r->is_refused = false;
	else if (j->busy && !j->again && !j->rollback)
		r->is_refused = true;
	r->job = NULL;
	rules_job_free(j);
	rules_tell(r, &r->waiting);
}

static void hand_to_resolver(struct rules *r)
{
	struct rules_job *j = r->job;
	r->job_waits = false;
	j->step = RULES_JOB_STEP_check;
	if (r->start.waiting) { // the resolver loops do not run yet
		rules_job_publish(j);
		rules_start_check(r);
	} else if (loop_call(r->resolver_loop, rules_job_publish, j)) {
		r->job_waits = true; // a full mailbox
		j->step = RULES_JOB_STEP_hand_over;
		try_again(r);
	}
}

static void on_job_moved(void *arg)
{
	struct rules *r = arg;
	if (r->job->state == RULES_JOB_READY) {
		hand_to_resolver(r);
		return;
	}
	finish_job(r);
	start_next(r);
	rules_start_look(r);
}

static void on_again(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	if (r->job_waits)
		hand_to_resolver(r);
	start_next(r);
}

void rules_add_waiter(struct rules_waiters *w, rules_done done, void *arg)
{
	if (!done)
		return;
	w->one[w->count].done = done;
	w->one[w->count++].arg = arg;
}

bool rules_waiters_full(const struct rules *r)
{
	return r->waiting.count + r->next_waiting.count + r->fetch_waiting.count
	       >= RULES_WAITERS_MAX;
}

void rules_hurry(struct rules *r)
{
	if (r->job)
		atomic_store_explicit(&r->job->pace.hurry, true, memory_order_relaxed);
}

static bool is_unchanged(const struct rules *r)
{
	return !r->job && !r->next && r->seen.configuration == r->configuration
	       && rules_look_same(&r->seen, r->config);
}

int rules_build(struct rules *r, bool force, bool urgent, struct rules_waiters *callers)
{
	struct rules_sources *sources;
	struct rules_waiters *w = r->job ? &r->next_waiting : &r->waiting;
	if (!force && is_unchanged(r)) {
		rules_note_unchanged(r);
		rules_tell(r, callers);
		return 0;
	}
	int err = rules_sources_new(r->config, &sources);
	if (err)
		return err;
	sources->configuration = r->configuration;
	bool now = !r->job;
	urgent |= !now
		  && callers->count > 0; // A caller waits for a second build: do not throttle it.
	if (now)
		err = start_job(r, sources, force, urgent);
	if (err) {
		rules_sources_free(sources);
		return err;
	}
	for (unsigned i = 0; i < callers->count; i++)
		rules_add_waiter(w, callers->one[i].done, callers->one[i].arg);
	callers->count = 0;
	if (now)
		return 0;
	r->status.coalesced += r->next != NULL;
	rules_sources_free(r->next);
	r->next = sources;
	r->next_force |= force;
	r->next_urgent |= urgent;
	if (urgent)
		rules_hurry(r);
	return 0;
}

// The stored image, published at once: the resolver loop does not run yet.
static void load_last(struct rules *r, struct rules_sources *sources)
{
	r->status.kept_bytes = list_kept_bytes(sources->state_directory);
	struct rules_job *j = rules_job_new(r, sources);
	if (!j) {
		rules_sources_free(sources);
		return;
	}
	if (rules_job_load(j) == 0) {
		rules_job_publish(j);
		rules_note_outcome(r, j);
	}
	rules_job_free(j);
}

static void make_paths(struct rules *r, const char *folder)
{
	snprintf(r->image_path, sizeof(r->image_path), "%s/rules.img", folder);
	snprintf(r->previous_path, sizeof(r->previous_path), "%s/rules.img.1", folder);
	snprintf(r->state_path, sizeof(r->state_path), "%s/rules.state", folder);
	// If it cannot be made, the first write says so.
	(void)!mkdir(folder, 0750);
}

static int open_parts(struct rules *r, const struct config *config, struct loop *service_loop)
{
	struct rules_sources *sources;
	const char *folder = config->runtime.state_directory;
	r->again = event_new(loop_base(service_loop), -1, 0, on_again, r);
	int err = r->again ? rules_kept_open(r, loop_base(service_loop)) : -ENOMEM;
	if (!err)
		err = rules_again_open(r, loop_base(service_loop));
	if (!err)
		err = rules_fetch_new(&r->fetch, service_loop, folder, rules_fetched, r);
	if (!err)
		err = rules_sources_new(config, &sources);
	if (err)
		return err;
	load_last(r, sources);
	if (r->kept.held && !r->arena.base) {
		log_warning(
			"rules: the held rule image is missing; building a new one from the lists");
		rules_hold(r, false); // for the next start as well
	}
	rules_fetch_hold(r->fetch, r->kept.held);
	r->start.how = config->blocking.update.start;
	r->start.had_image = r->arena.base != NULL;
	r->start.waiting = r->start.how != UPDATE_START_FAST;
	return rules_configure(r, config, NULL, NULL);
}

int rules_open(struct rules **out, const struct config *config, struct publisher *publisher,
	struct loop *resolver_loop, struct loop *service_loop, struct rules_answer_policy policy)
{
	struct rules *r = heap_calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->publisher = publisher;
	r->policy = policy;
	r->resolver_loop = resolver_loop;
	r->service_loop = service_loop;
	r->config = config;
	make_paths(r, config->runtime.state_directory);
	int err = open_parts(r, config, service_loop);
	if (err) {
		rules_close(r);
		return err;
	}
	*out = r;
	return 0;
}

void rules_close(struct rules *r)
{
	if (!r)
		return;
	if (r->again)
		event_free(r->again);
	rules_again_close(r);
	rules_start_close(r);
	// The queued calls of both threads are in one list.
	rules_fetch_stop(r->fetch);
	rules_hurry(r);
	rules_job_join(r->job);
	rules_fetch_free(r->fetch);
	rules_kept_close(r);
	rules_job_free(r->job);
	rules_sources_free(r->next);
	answer_policy_free(r->answer_policy);
	rule_arena_free(&r->arena);
	heap_free(r);
}

void rules_on_published(struct rules *r, void (*published)(void *arg), void *arg)
{
	r->published = published;
	r->published_arg = arg;
}

int rules_notify(struct rules *r, struct list_notify *z)
{
	return rules_fetch_notify(r->fetch, z);
}

const struct rule_list_info *rules_lists(const struct rules *r, unsigned *count)
{
	*count = r->arena.base ? r->reader.list_count : 0;
	return r->arena.base ? r->reader.lists : NULL;
}

const struct rule_reader *rules_reader(const struct rules *r)
{
	return r->arena.base ? &r->reader : NULL;
}
