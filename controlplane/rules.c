// SPDX-License-Identifier: BSD-3-Clause
#include "rules.h"

#include "rules_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/log.h>

enum { POLL_MS = 10 }; // of a running job; there is no timer otherwise

static const struct rule_image_head *head_of(const struct rules *r)
{
	return r->arena.base;
}

static const struct rule_source_info *info_by_title(const struct rules *r, const char *title)
{
	for (unsigned i = 0; r->arena.base && i < r->reader.source_count; i++)
		if (strcmp(r->reader.sources[i].title, title) == 0)
			return &r->reader.sources[i];
	return NULL;
}

// Names that a source holds more than once, by its lists.
static uint64_t duplicates_of(const struct rules *r, const struct rule_source_info *info)
{
	uint64_t duplicates = 0;
	for (unsigned i = 0; i < r->reader.list_count; i++)
		if (&r->reader.sources[r->reader.way[i].source] == info)
			duplicates += r->reader.lists[i].duplicates;
	return duplicates;
}

static void describe_image(const struct rules *r, struct rules_list_status *l)
{
	const struct rule_source_info *info = info_by_title(r, l->name);
	static const struct rule_source_info none;
	if (!info)
		info = &none;
	l->lines = info->lines;
	l->duplicates = info == &none ? 0 : duplicates_of(r, info);
	l->names = info->names - l->duplicates;
	l->comments = info->comments;
	l->rejected = info->rejected;
	l->bytes = info->bytes;
}

// Lists as the job's configuration has them, with the numbers of the current image.
static void describe_lists(struct rules *r, const struct rules_job *j)
{
	if (j->rollback) {
		for (unsigned i = 0; i < r->status.list_count; i++)
			describe_image(r, &r->list[i]);
		return;
	}
	r->status.list_count = j->sources->count;
	for (unsigned i = 0; i < j->sources->count; i++) {
		const struct rule_source *s = &j->sources->source[i];
		struct rules_list_status *l = &r->list[i];
		*l = (struct rules_list_status){.allow = s->allow, .error = j->result[i].error};
		memcpy(l->rejected_by, j->result[i].counts.rejected, sizeof l->rejected_by);
		rule_title_make(l->name, s->title);
		snprintf(l->path, sizeof l->path, "%s", s->path ? s->path : "");
		describe_image(r, l);
	}
}

static void log_rejects(const struct rules_job *j)
{
	for (unsigned i = 0; i < j->sources->count; i++) {
		char text[512] = "";
		size_t len = 0;
		const struct list_counts *c = &j->result[i].counts;
		for (unsigned k = 0; k < LIST_REJECT_COUNT; k++)
			if (c->rejected[k] && len < sizeof text - 40)
				len += (size_t)snprintf(text + len, sizeof text - len, " %s=%llu",
					list_reject_name[k], (unsigned long long)c->rejected[k]);
		if (len)
			log_info("rules: list %u: names=%llu, rejected:%s", i,
				(unsigned long long)c->names, text);
	}
}

// What the judge could not take is not the lists' parser's to count.
static void log_judge(const struct judge_counts *c)
{
	const struct judge_pattern_counts *p = &c->patterns;
	uint64_t refused = (uint64_t)p->refused_syntax + p->refused_length + p->refused_count
			   + p->refused_slow + p->refused_time + p->refused_size;
	if (refused)
		log_warning("rules: %llu patterns refused: syntax=%u length=%u number=%u slow=%u "
			    "time=%u size=%u; %s",
			(unsigned long long)refused, p->refused_syntax, p->refused_length,
			p->refused_count, p->refused_slow, p->refused_time, p->refused_size,
			p->first_error);
	if (c->prefixes.refused_count)
		log_warning("rules: %u address prefixes refused: over %u",
			c->prefixes.refused_count, JUDGE_PREFIXES_MAX);
}

static void adopt_image(struct rules *r, struct rules_job *j)
{
	judge_free(r->judge);
	r->judge = j->judge;
	j->judge = NULL;
	rule_arena_free(&r->arena);
	r->arena = j->arena;
	r->reader = j->reader;
	j->arena = (struct rule_arena){0};
	const struct rule_image_head *h = head_of(r);
	struct rules_status *s = &r->status;
	s->names = h->names;
	s->image_bytes = h->size;
	s->bloom_bytes = h->bloom_blocks * sizeof(struct rule_bloom_block);
	s->table_bytes = h->table_buckets * sizeof(struct rule_bucket);
	s->sets = h->set_count;
	s->loaded_unix_s = h->created_unix_s;
	s->peak_bytes = j->peak_bytes;
	s->build_ms = j->build_ms;
	s->from_disk = j->from_disk;
	s->judge = *judge_counts(r->judge);
	log_info("rules: %llu names, %llu octets, %s", (unsigned long long)h->names,
		(unsigned long long)h->size, j->from_disk ? "last good image" : "new image");
	log_judge(&s->judge);
}

static void note_outcome(struct rules *r, struct rules_job *j)
{
	struct rules_status *s = &r->status;
	if (j->outcome == RULES_PUBLISHED)
		adopt_image(r, j);
	if (j->outcome == RULES_FAILED)
		log_error("rules: %s; the previous image stays", j->error);
	else if (j->error[0])
		log_warning("rules: %s", j->error);
	if (j->rollback && j->outcome != RULES_PUBLISHED && r->kept.held != j->was_held) {
		r->kept.held = j->was_held;
		(void)rules_kept_save(r);
	}
	describe_lists(r, j);
	if (j->from_disk && !j->rollback && j->outcome == RULES_PUBLISHED)
		return; // a start is no reload
	s->outcome = j->outcome;
	s->builds += j->outcome == RULES_PUBLISHED;
	s->unchanged += j->outcome == RULES_UNCHANGED;
	s->failed += j->outcome == RULES_FAILED;
	snprintf(s->error, sizeof s->error, "%s", j->error);
	if (j->outcome == RULES_PUBLISHED)
		log_rejects(j);
	if (j->outcome == RULES_PUBLISHED && r->published)
		r->published(r->published_arg);
}

static struct rules_job *job_new(struct rules *r, struct rules_sources *sources)
{
	struct rules_job *j = calloc(1, sizeof *j);
	if (!j)
		return NULL;
	j->sources = sources;
	j->publisher = r->publisher;
	j->judging = r->judging;
	j->judge_before = r->judge;
	j->image_path = r->image_path;
	j->previous_path = r->previous_path;
	if (r->arena.base) {
		j->has_current = true;
		j->current_input_hash = head_of(r)->input_hash;
		j->secret = head_of(r)->secret;
		for (unsigned i = 0; i < sources->count; i++) {
			char title[RULE_TITLE_MAX];
			rule_title_make(title, sources->source[i].title);
			const struct rule_source_info *info = info_by_title(r, title);
			j->had_names[i] = info && info->names > 0;
		}
		j->list_count = r->reader.list_count;
		memcpy(j->lists, r->reader.lists, j->list_count * sizeof *j->lists);
	}
	return j;
}

static void watch_job(struct rules *r)
{
	const struct timeval interval = {.tv_usec = POLL_MS * 1000};
	(void)event_add(r->poll, &interval);
}

// Takes `sources` if it returns 0.
static int start_job(struct rules *r, struct rules_sources *sources, bool force)
{
	struct rules_job *j = job_new(r, sources);
	if (!j)
		return -ENOMEM;
	j->force = force;
	r->job = j;
	rules_job_start(j);
	watch_job(r);
	return 0;
}

static void start_next(struct rules *r)
{
	struct rules_sources *sources = r->next;
	if (r->job || !sources)
		return;
	if (start_job(r, sources, r->next_force))
		return; // no memory: the timer that still runs tries again
	r->next = NULL;
	r->next_force = false;
	r->waiting = r->next_waiting;
	r->next_waiting.count = 0;
}

static void finish_job(struct rules *r)
{
	struct rules_job *j = r->job;
	struct rules_waiters told = r->waiting;
	rules_job_settle_files(j);
	note_outcome(r, j);
	r->job = NULL;
	r->waiting.count = 0;
	rules_job_free(j);
	for (unsigned i = 0; i < told.count; i++) {
		struct rules_status s;
		rules_status(r, &s);
		told.one[i].done(told.one[i].arg, &s);
	}
}

static void on_poll(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	int state = r->job ? atomic_load_explicit(&r->job->state, memory_order_acquire) : -1;
	if (state == RULES_JOB_READY) {
		atomic_store_explicit(&r->job->state, RULES_JOB_PUBLISHING, memory_order_relaxed);
		// A full mailbox is tried again with the next tick.
		if (loop_call(r->resolver_loop, rules_job_publish, r->job))
			atomic_store_explicit(
				&r->job->state, RULES_JOB_READY, memory_order_relaxed);
	}
	if (state == RULES_JOB_DONE)
		finish_job(r);
	start_next(r);
	if (!r->job && !r->next)
		(void)event_del(r->poll);
}

static void add_waiter(struct rules_waiters *w, rules_done done, void *arg)
{
	if (!done)
		return;
	w->one[w->count].done = done;
	w->one[w->count++].arg = arg;
}

static int reload(
	struct rules *r, const struct config *config, bool force, rules_done done, void *arg)
{
	struct rules_sources *sources;
	struct rules_waiters *w = r->job ? &r->next_waiting : &r->waiting;
	if (done && w->count == RULES_WAITERS_MAX)
		return -EAGAIN;
	int err = rules_sources_new(config, &sources);
	if (!err && !r->job)
		err = start_job(r, sources, force);
	if (err) {
		rules_sources_free(sources);
		return err;
	}
	add_waiter(w, done, arg);
	if (r->job->sources == sources)
		return 0;
	r->status.coalesced += r->next != NULL;
	rules_sources_free(r->next);
	r->next = sources;
	r->next_force |= force;
	return 0;
}

// Nothing was done, and the status says why.
static int answer_held(struct rules *r, rules_done done, void *arg)
{
	struct rules_status s;
	r->status.outcome = RULES_HELD;
	snprintf(r->status.error, sizeof r->status.error,
		"the image of a rollback is held; a reload of the lists releases it");
	rules_status(r, &s);
	if (done)
		done(arg, &s);
	return 0;
}

int rules_configure(struct rules *r, const struct config *config, rules_done done, void *arg)
{
	return r->kept.held ? answer_held(r, done, arg) : reload(r, config, false, done, arg);
}

int rules_reload(
	struct rules *r, const struct config *config, bool force, rules_done done, void *arg)
{
	int err = reload(r, config, force, done, arg);
	if (!err && r->kept.held) {
		r->kept.held = false;
		(void)rules_kept_save(r);
	}
	return err;
}

int rules_release(struct rules *r, const struct config *config, rules_done done, void *arg)
{
	return r->kept.held ? rules_reload(r, config, false, done, arg) : -EALREADY;
}

int rules_rollback(struct rules *r, rules_done done, void *arg)
{
	if (r->job || r->next)
		return -EBUSY;
	if (access(r->previous_path, R_OK))
		return -ENOENT;
	struct rules_sources *sources = calloc(1, sizeof *sources);
	struct rules_job *j = sources ? job_new(r, sources) : NULL;
	if (!j) {
		rules_sources_free(sources);
		return -ENOMEM;
	}
	j->rollback = true;
	// Before the files are swapped: whatever happens then, no start builds over the old image.
	j->was_held = r->kept.held;
	r->kept.held = true;
	(void)rules_kept_save(r);
	add_waiter(&r->waiting, done, arg);
	r->job = j;
	rules_job_start(j);
	watch_job(r);
	return 0;
}

// The stored image, published at once: the resolver loop does not run yet.
static void load_last(struct rules *r, struct rules_sources *sources)
{
	struct rules_job *j = job_new(r, sources);
	if (!j) {
		rules_sources_free(sources);
		return;
	}
	if (rules_job_load(j) == 0) {
		rules_job_publish(j);
		note_outcome(r, j);
	}
	rules_job_free(j);
}

static void make_paths(struct rules *r, const char *folder)
{
	snprintf(r->image_path, sizeof r->image_path, "%s/rules.img", folder);
	snprintf(r->previous_path, sizeof r->previous_path, "%s/rules.img.1", folder);
	snprintf(r->state_path, sizeof r->state_path, "%s/rules.state", folder);
	// If it cannot be made, the first write says so.
	(void)!mkdir(folder, 0750);
}

int rules_open(struct rules **out, const struct config *config, struct publisher *publisher,
	struct loop *resolver_loop, struct loop *service_loop, struct rules_judging judging)
{
	struct rules_sources *sources;
	int err = rules_sources_new(config, &sources);
	if (err)
		return err;
	struct rules *r = calloc(1, sizeof *r);
	if (r)
		r->poll = event_new(loop_base(service_loop), -1, EV_PERSIST, on_poll, r);
	if (!r || !r->poll) {
		rules_sources_free(sources);
		free(r);
		return -ENOMEM;
	}
	r->publisher = publisher;
	r->judging = judging;
	r->resolver_loop = resolver_loop;
	make_paths(r, config->runtime.state_directory);
	err = rules_kept_open(r, loop_base(service_loop));
	load_last(r, sources);
	if (r->kept.held && !r->arena.base) {
		log_warning("rules: the image that was held is gone: building anew");
		r->kept.held = false;
	}
	if (!err)
		err = rules_configure(r, config, NULL, NULL);
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
	event_free(r->poll);
	rules_kept_close(r);
	rules_job_free(r->job);
	rules_sources_free(r->next);
	judge_free(r->judge);
	rule_arena_free(&r->arena);
	free(r);
}

const struct judge *rules_judge(const struct rules *r)
{
	return r->judge;
}

void rules_status(struct rules *r, struct rules_status *out)
{
	*out = r->status;
	out->building = r->job != NULL;
	out->held = r->kept.held;
	out->has_previous = access(r->previous_path, R_OK) == 0;
	out->pause_until_unix_s = r->kept.pause_until_unix_s;
	out->lists = r->list;
}

void rules_on_published(struct rules *r, void (*published)(void *arg), void *arg)
{
	r->published = published;
	r->published_arg = arg;
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
