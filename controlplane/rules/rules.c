// SPDX-License-Identifier: BSD-3-Clause
#include "rules.h"

#include "base/state_file.h"
#include "lists/fetch/list_files.h"
#include "rule_image/rule_compile.h"
#include "rule_image/rule_numbers.h"
#include "rules_fetch.h"
#include "rules_job.h"
#include "shm/again.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// The rule manager's state. All on the service loop's thread.

struct rules_waiters {
	unsigned count;
	struct {
		rules_done done;
		void *arg;
	} one[RULES_WAITERS_MAX];
};

// What outlives a restart: <state_directory>/rules.state.
struct rules_kept {
	bool held;
	bool pause_lifts_block_all;
	uint64_t pause_until_unix_s; // 0: not paused
	uint64_t pause_end_ms;       // that time by clock_mono_ms; not in the file
};

// When clients may be answered (blocking.update.start).
struct rules_start {
	bool waiting; // the resolver loop does not run yet
	bool had_image;
	uint8_t how; // enum update_start
	struct event *timer;
	struct event *check; // the next slice of a check of cached answers; may be NULL
	rules_started done;
	void *arg;
};

struct rules {
	struct publisher *publisher;
	struct rules_answer_policy policy;
	struct loop *resolver_loop, *service_loop;
	struct event *again; // what could not be done at once is tried again
	struct event *lag_timer;
	struct again lag_again; // when the image is published again
	bool is_refused;        // a new image, while two older ones waited for workers
	uint64_t build_again_ms, build_wait_ms; // after one that failed; 0: it did not
	bool build_again_force;
	const struct config *config;
	char image_path[PATH_MAX], previous_path[PATH_MAX], leaving_path[PATH_MAX];
	char state_path[PATH_MAX];

	struct rules_job *job; // NULL: nothing runs
	bool job_waits;        // READY, for room in the resolver loop's mailbox
	struct rules_waiters waiting;
	struct rules_sources *next; // a reload that comes after it; may be NULL
	bool next_force, next_urgent;
	struct rules_waiters next_waiting;
	struct rules_fetch *fetch;
	bool fetch_is_behind; // there was no memory for the lists that `config` fetches
	struct rules_waiters fetch_waiting; // for lists to be fetched, then for the build

	struct rules_start start;

	struct rules_kept kept;
	struct event *pause_timer;
	void (*pause_changed)(void *arg);
	void *pause_changed_arg;

	struct rule_arena arena; // current image, a mapping of the region for `why`
	struct rule_reader reader;
	struct answer_policy *answer_policy;
	struct rule_rest rest;
	uint64_t input_hash;    // a hash of its sources
	uint64_t text_hash;     // the hash of `config`
	unsigned ended;         // entries of it that had ended when it was read
	uint64_t configuration; // number of what sources are made of, from 1
	struct rules_seen seen;
	struct rules_status status;
	struct rules_list_status list[RULE_SOURCES_MAX];
	void (*published)(void *arg);
	void *published_arg;
	struct events *events; // may be NULL
};

static void rules_note_outcome(struct rules *r, struct rules_job *j);
static const struct rule_source_info *rules_source_info(const struct rules *r, const char *title);

// The start (blocking.update.start): clients are answered once the lists are loaded, or not before.

enum { LATE_AGAIN_MS = 100 };

static void started(struct rules *r, const char *why)
{
	struct rules_start *s = &r->start;
	if (s->timer)
		(void)event_del(s->timer);
	s->waiting = false;
	rules_fetch_await(r->fetch, false);
	s->done(s->arg, why);
}

// What `fail` does not start without. "": nothing.
static void start_missing(struct rules *r, char *out, size_t cap)
{
	struct rules_status s;
	rules_status(r, &s);
	out[0] = '\0';
	if (r->start.had_image)
		return;
	rules_fetch_failures(r->fetch, out, cap);
	if (!out[0] && !r->arena.base)
		snprintf(out, cap, "%.250s", s.error[0] ? s.error : "no image built yet");
	for (unsigned i = 0; i < s.list_count && !out[0]; i++)
		if (s.lists[i].error && !s.lists[i].kept_unix_s)
			snprintf(out, cap, "%s: %s", s.lists[i].name,
				rule_source_error_text(s.lists[i].error, s.lists[i].most));
}

static void start_decide(struct rules *r, bool late)
{
	char lacks[256] = "", why[320];
	if (r->start.how == UPDATE_START_FAIL)
		start_missing(r, lacks, sizeof(lacks));
	if (late && !r->start.had_image && r->start.how == UPDATE_START_FAIL && !lacks[0])
		snprintf(lacks, sizeof(lacks), "not loaded in blocking.update.start_timeout");
	if (late && !lacks[0])
		log_warning("rules: lists not loaded in time; starting without them");
	snprintf(why, sizeof(why), "lists not loaded, and no last good image: %s", lacks);
	started(r, lacks[0] ? why : NULL);
}

// A check of cached answers that has begun ends soon: it takes 0.3 us for each of them. Its image
// comes into force right after it, so the start waits for that.
static void on_late(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	if (r->job && r->job->step == RULES_JOB_STEP_check)
		event_add(r->start.timer, &(struct timeval){.tv_usec = LATE_AGAIN_MS * 1000});
	else if (r->start.waiting)
		start_decide(r, true);
}

// The resolvers' loops do not run yet, so this one checks, in slices between which it works.
static void on_check(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	if (!r->policy.check_slice(r->policy.arg))
		event_add(r->start.check, &(struct timeval){0});
}

// A job has begun the check of cached answers by its image: a data plane that lives serves them
// before the start, too.
static void start_cache_check(struct rules *r)
{
	struct rules_start *s = &r->start;
	if (!r->policy.check_slice)
		return;
	if (!s->check)
		s->check = event_new(loop_base(r->service_loop), -1, 0, on_check, r);
	const bool in_slices = s->check && event_add(s->check, &(struct timeval){0}) == 0;
	while (!in_slices && !r->policy.check_slice(r->policy.arg))
		; // there is no memory for slices: the whole check runs at once
}

// Whenever a job or a round of fetching has ended.
static void start_check(struct rules *r)
{
	struct rules_fetch_status f;
	rules_fetch_status(r->fetch, &f);
	if (r->start.waiting && r->start.done && !r->job && !r->next && !f.running)
		start_decide(r, false);
}

void rules_start(struct rules *r, rules_started done, void *arg)
{
	r->start.done = done;
	r->start.arg = arg;
	if (!r->start.waiting) {
		started(r, NULL);
		return;
	}
	const struct timeval late = {.tv_sec = (time_t)r->config->blocking.update.start_timeout_s};
	r->start.timer = event_new(loop_base(r->service_loop), -1, 0, on_late, r);
	if (!r->start.timer || event_add(r->start.timer, &late)) {
		log_warning("rules: no memory to wait for the lists; starting without them");
		started(r, NULL);
		return;
	}
	log_info("rules: waiting for the lists, %u s at most",
		r->config->blocking.update.start_timeout_s);
	start_check(r);
}

static void start_close(struct rules *r)
{
	if (r->start.timer)
		event_free(r->start.timer);
	if (r->start.check)
		event_free(r->start.check);
}

enum { AGAIN_MS = 10, BUILD_AGAIN_MS = 60000, BUILD_AGAIN_MAX_MS = 3600000 };

// Jobs: one at a time, and one that waits for it.

static const struct rule_image_head *head_of(const struct rules *r)
{
	return r->arena.base;
}

// NULL: no memory.
static struct rules_job *job_new(struct rules *r, struct rules_sources *sources)
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
	j->leaving_path = r->leaving_path;
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
			rule_rest_add(&r->rest, j->lists, r->reader.list_count, clock_mono_ms());
	}
	return j;
}

static void try_again(struct rules *r)
{
	const struct timeval interval = {.tv_usec = AGAIN_MS * 1000};
	(void)event_add(r->again, &interval);
}

static void on_job_moved(void *arg);

// None runs.
static void build_run(struct rules *r, struct rules_job *j)
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
	struct rules_job *j = job_new(r, sources);
	if (!j)
		return -ENOMEM;
	j->force = force;
	rules_sources_leave_out(sources, j->had_names);
	j->paced = !urgent && !r->start.waiting && j->has_current && !begins_list(j);
	build_run(r, j);
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

static void waiters_call(struct rules *r, struct rules_waiters *w)
{
	struct rules_waiters all = *w;
	w->count = 0;
	for (unsigned i = 0; i < all.count; i++) {
		struct rules_status s;
		rules_status(r, &s);
		all.one[i].done(all.one[i].arg, &s);
	}
}

// Nothing else may ask for it again: its lists are fetched, and unchanged from then on.
static void build_failed(struct rules *r, bool force)
{
	const uint64_t twice_ms = 2 * r->build_wait_ms;
	r->build_wait_ms = !twice_ms                       ? BUILD_AGAIN_MS
			   : twice_ms < BUILD_AGAIN_MAX_MS ? twice_ms
							   : BUILD_AGAIN_MAX_MS;
	r->build_again_ms = clock_mono_ms() + r->build_wait_ms;
	r->build_again_force |= force;
}

static void finish_job(struct rules *r)
{
	struct rules_job *j = r->job;
	rules_job_settle(j);
	rules_note_outcome(r, j);
	if (j->outcome != RULES_FAILED && (!j->again || j->rebuilt)) {
		r->build_again_ms = r->build_wait_ms = 0;
		r->build_again_force = false;
	}
	if (j->outcome == RULES_PUBLISHED)
		r->is_refused = false;
	else if (j->busy && !j->again && !j->rollback)
		r->is_refused = true;
	else if (j->outcome == RULES_FAILED && !j->again && !j->rollback)
		build_failed(r, j->force);
	r->job = NULL;
	rules_job_free(j);
	waiters_call(r, &r->waiting);
}

static void hand_to_resolver(struct rules *r)
{
	struct rules_job *j = r->job;
	r->job_waits = false;
	j->step = RULES_JOB_STEP_check;
	if (r->start.waiting) { // the resolver loops do not run yet
		rules_job_publish(j);
		start_cache_check(r);
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
	start_check(r);
}

static void on_again(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	if (r->job_waits)
		hand_to_resolver(r);
	start_next(r);
}

static void waiters_add(struct rules_waiters *w, rules_done done, void *arg)
{
	if (!done)
		return;
	w->one[w->count].done = done;
	w->one[w->count++].arg = arg;
}

// All lists of callers together hold no more than one has room for.
static bool waiters_full(const struct rules *r)
{
	return r->waiting.count + r->next_waiting.count + r->fetch_waiting.count
	       >= RULES_WAITERS_MAX;
}

// The job that runs, if one does, no longer pauses.
static void job_hurry(struct rules *r)
{
	if (r->job)
		atomic_store_explicit(&r->job->pace.hurry, true, memory_order_relaxed);
}

// The lists are as the last job described them, because it read all of them.
static void note_unchanged(struct rules *r)
{
	r->status.outcome = RULES_UNCHANGED;
	r->status.error[0] = '\0';
	r->status.unchanged++;
}

static bool is_unchanged(const struct rules *r)
{
	return !r->job && !r->next && r->seen.configuration == r->configuration
	       && rules_seen_same(&r->seen, r->config);
}

// Builds from the present configuration, after the job that may be running; notifies the callers at
// once if no job runs and nothing changed. Takes `callers` if it returns 0. `urgent`: an operator
// waits for the change, so neither this job nor the one before it is throttled. Nor are both when a
// caller waits for both.
static int job_request(struct rules *r, bool force, bool urgent, struct rules_waiters *callers)
{
	struct rules_sources *sources;
	// Behind one that waits, even for memory: the newest configuration is built last.
	const bool now = !r->job && !r->next;
	struct rules_waiters *w = now ? &r->waiting : &r->next_waiting;
	if (!force && is_unchanged(r)) {
		note_unchanged(r);
		waiters_call(r, callers);
		return 0;
	}
	int err = rules_sources_new(r->config, &sources);
	if (err)
		return err;
	sources->configuration = r->configuration;
	urgent |= !now
		  && callers->count > 0; // A caller waits for a second build: do not throttle it.
	if (now)
		err = start_job(r, sources, force, urgent);
	if (err) {
		rules_sources_free(sources);
		return err;
	}
	for (unsigned i = 0; i < callers->count; i++)
		waiters_add(w, callers->one[i].done, callers->one[i].arg);
	callers->count = 0;
	if (now)
		return 0;
	r->status.coalesced += r->next != NULL;
	rules_sources_free(r->next);
	r->next = sources;
	r->next_force |= force;
	r->next_urgent |= urgent;
	if (urgent)
		job_hurry(r);
	return 0;
}

// What an operator holds: the image of a rollback, the pause of blocking; and the file in which
// both outlive the process.

static const char kept_kind[] = "weir-rules-state";
enum { KEPT_VERSION = 1, MINUTE_S = 60, PAUSE_CHECK_S = 30 };

static uint64_t unix_s(void)
{
	return (uint64_t)time(NULL);
}

static int kept_save(struct rules *r)
{
	struct state_file f;
	char why[STATE_FILE_WHY_MAX];
	state_file_begin(&f, kept_kind, KEPT_VERSION);
	state_file_number(&f, "held", r->kept.held);
	state_file_number(&f, "pause_until_unix_s", r->kept.pause_until_unix_s);
	state_file_number(&f, "pause_lifts_block_all", r->kept.pause_lifts_block_all);
	int err = state_file_write(&f, r->state_path, why);
	if (err)
		log_warning("rules: %s", why);
	return err;
}

static void pause_set(struct rules *r, uint64_t left_s)
{
	r->kept.pause_until_unix_s = unix_s() + left_s;
	r->kept.pause_end_ms = clock_mono_ms() + left_s * 1000;
}

static void kept_load(struct rules *r)
{
	struct state_file f;
	int err = state_file_read(&f, r->state_path, kept_kind, KEPT_VERSION);
	if (err) {
		if (err != -ENOENT)
			log_warning("rules: %s not usable: hold and pause of blocking are off",
				r->state_path);
		return;
	}
	uint64_t until = state_file_get_number(&f, "pause_until_unix_s"), now = unix_s();
	// A wall clock that was set back must not make a pause longer than any that can be asked
	// for.
	uint64_t last = now + RULES_PAUSE_MINUTES_MAX * MINUTE_S;
	r->kept.held = state_file_get_number(&f, "held") == 1;
	r->kept.pause_lifts_block_all = state_file_get_number(&f, "pause_lifts_block_all") == 1;
	if (until > now)
		pause_set(r, (until < last ? until : last) - now);
}

static void pause_end(struct rules *r)
{
	(void)event_del(r->pause_timer);
	r->kept.pause_until_unix_s = 0;
	(void)kept_save(r);
	if (r->pause_changed)
		r->pause_changed(r->pause_changed_arg);
}

// A box without a clock of its own starts in the past and learns the time later: so it is looked
// now and then whether the pause is over by the wall clock.
static void pause_watch(struct rules *r)
{
	uint32_t left_s = rules_pause_left_s(r);
	const struct timeval interval = {.tv_sec = left_s < PAUSE_CHECK_S ? left_s : PAUSE_CHECK_S};
	(void)event_add(r->pause_timer, &interval);
}

static void on_pause_timer(evutil_socket_t, short, void *arg)
{
	if (rules_pause_left_s(arg)) {
		pause_watch(arg);
		return;
	}
	log_info("rules: the pause of blocking expired");
	pause_end(arg);
}

static int kept_open(struct rules *r, struct event_base *base)
{
	r->pause_timer = event_new(base, -1, 0, on_pause_timer, r);
	if (!r->pause_timer)
		return -ENOMEM;
	kept_load(r);
	if (r->kept.pause_until_unix_s)
		pause_watch(r);
	return 0;
}

static void kept_close(struct rules *r)
{
	if (r->pause_timer)
		event_free(r->pause_timer);
}

int rules_pause(struct rules *r, unsigned minutes, bool lifts_block_all)
{
	if (minutes < 1 || minutes > RULES_PAUSE_MINUTES_MAX)
		return -EINVAL;
	pause_set(r, (uint64_t)minutes * MINUTE_S);
	r->kept.pause_lifts_block_all = lifts_block_all;
	pause_watch(r);
	log_info("rules: blocking paused for %u min%s", minutes,
		lifts_block_all ? ", with block_all of schedules" : "");
	int err = kept_save(r);
	if (r->pause_changed)
		r->pause_changed(r->pause_changed_arg);
	return err;
}

int rules_resume(struct rules *r)
{
	if (!r->kept.pause_until_unix_s)
		return -EALREADY;
	log_info("rules: the pause of blocking ended");
	pause_end(r);
	return 0;
}

uint32_t rules_pause_left_s(const struct rules *r)
{
	// Asks both clocks: a wall clock that is set back makes no pause longer.
	uint64_t now = unix_s(), until = r->kept.pause_until_unix_s, now_ms = clock_mono_ms();
	if (until <= now || r->kept.pause_end_ms <= now_ms)
		return 0;
	uint64_t left_s = (r->kept.pause_end_ms - now_ms + 999) / 1000;
	return (uint32_t)(left_s < until - now ? left_s : until - now);
}

bool rules_pause_lifts_block_all(const struct rules *r)
{
	return r->kept.pause_lifts_block_all && rules_pause_left_s(r) > 0;
}

void rules_on_pause(struct rules *r, void (*changed)(void *arg), void *arg)
{
	r->pause_changed = changed;
	r->pause_changed_arg = arg;
}

// Holds the image of a rollback through restarts, or releases it.
static void rules_hold(struct rules *r, bool held)
{
	r->kept.held = held;
	(void)kept_save(r);
	rules_fetch_hold(r->fetch, held);
}

// Notes, as a reload does, that nothing was done, and why.
static void note_held(struct rules *r)
{
	r->status.outcome = RULES_HELD;
	snprintf(r->status.error, sizeof(r->status.error),
		"a rollback holds its rule image; reload the lists to release it");
}

int rules_rollback(struct rules *r, rules_done done, void *arg)
{
	if (r->job || r->next || r->fetch_waiting.count) {
		job_hurry(r);
		return -EBUSY;
	}
	if (access(r->previous_path, R_OK))
		return -ENOENT;
	struct rules_sources *sources = heap_calloc(1, sizeof(*sources));
	struct rules_job *j = sources ? job_new(r, sources) : NULL;
	if (!j) {
		rules_sources_free(sources);
		return -ENOMEM;
	}
	j->rollback = true;
	// Before the files are swapped: whatever happens then, no start builds over the old image.
	j->was_held = r->kept.held;
	rules_hold(r, true);
	waiters_add(&r->waiting, done, arg);
	build_run(r, j);
	return 0;
}

// Looks so often; not while so many older images wait for workers.
enum { LAG_CHECK_MS = 500, AGAIN_OLD_MAX = 2 };

// What starts a build: a reload by hand, a configuration that was read again, fetched lists. A rule
// image that the data plane does not activate is published again, under a new generation: the file
// of the region may be damaged or gone, and a data plane that starts then blocks nothing. A new
// image that was refused because older ones wait for workers is built again when there is room, and
// one that failed otherwise (no memory, a full disk) a minute later, then after twice the time each
// time up to an hour.

static int build_for(struct rules *r, bool force, bool urgent, rules_done done, void *arg)
{
	struct rules_waiters w = {0};
	if (done && waiters_full(r))
		return -EAGAIN;
	waiters_add(&w, done, arg);
	int err = job_request(r, force, urgent, &w);
	if (err)
		build_failed(r, force);
	return err;
}

// A round of fetching is over.
static void on_fetched(void *arg)
{
	struct rules *r = arg;
	struct rules_fetch_status f;
	rules_fetch_status(r->fetch, &f);
	if (r->kept.held && r->fetch_waiting.count) {
		note_held(r);
		waiters_call(r, &r->fetch_waiting);
	}
	// The callers of the coming round are not notified yet.
	struct rules_waiters none = {0};
	bool all = f.by_hand || !f.running;
	struct rules_waiters *callers = all ? &r->fetch_waiting : &none;
	if (!r->kept.held && (f.by_hand || f.changed)) {
		int err = job_request(r, f.force, false, callers);
		if (err) {
			build_failed(r, f.force);
			r->status.outcome = RULES_FAILED;
			snprintf(r->status.error, sizeof(r->status.error), "cannot build: %s",
				strerror(-err));
			waiters_call(r, callers);
		}
	}
	start_check(r);
}

static unsigned ended_count(const struct config *c)
{
	unsigned ended = 0;
	for (unsigned i = 0; i < c->dated.count; i++)
		ended += c->dated.entries[i].ended;
	return ended;
}

// `has_ended`: the text is the same, and an entry of it is over.
static int follow(struct rules *r, const struct config *config, bool *has_ended)
{
	// Toggles, which are not in the text, are nothing that sources are made of. Entries of one
	// text end in the order of their times, so their number says which have ended.
	const bool same_text = config->text_hash && config->text_hash == r->text_hash;
	const unsigned ended = ended_count(config);
	*has_ended = same_text && ended != r->ended;
	r->config = config;
	r->text_hash = config->text_hash;
	r->ended = ended;
	r->configuration += !same_text || *has_ended;
	int err = rules_fetch_configure(r->fetch, config);
	r->fetch_is_behind = err < 0;
	return err;
}

int rules_follow(struct rules *r, const struct config *config)
{
	bool has_ended;
	int err = follow(r, config, &has_ended);
	// The look for entries that are due sees one that has ended no more.
	if (has_ended && !r->kept.held)
		(void)!build_for(r, false, false, NULL, NULL);
	return err;
}

int rules_configure(struct rules *r, const struct config *config, rules_done done, void *arg)
{
	bool has_ended;
	int err = follow(r, config, &has_ended);
	if (err)
		return err;
	if (!r->kept.held)
		return build_for(r, false, true, done, arg);
	struct rules_waiters w = {0};
	note_held(r);
	waiters_add(&w, done, arg);
	waiters_call(r, &w);
	return 0;
}

int rules_reload(struct rules *r, bool force, rules_done done, void *arg)
{
	if (done && waiters_full(r))
		return -EAGAIN;
	int err = r->fetch_is_behind ? rules_follow(r, r->config) : 0;
	if (err)
		return err;
	if (r->kept.held)
		rules_hold(r, false);
	if (!rules_fetch_all(r->fetch, force))
		return build_for(r, force, false, done, arg);
	waiters_add(&r->fetch_waiting, done, arg);
	return 0;
}

static void lag_watch(struct rules *r)
{
	const struct timeval interval = {
		.tv_sec = LAG_CHECK_MS / 1000, .tv_usec = LAG_CHECK_MS % 1000 * 1000};
	(void)event_add(r->lag_timer, &interval);
}

static void publish_again(struct rules *r)
{
	struct rules_sources *sources;
	if (rules_sources_new(r->config, &sources))
		return;
	struct rules_job *j = job_new(r, sources);
	if (!j) {
		rules_sources_free(sources);
		return;
	}
	rules_sources_leave_out(sources, j->had_names);
	j->again = true;
	build_run(r, j);
}

static void lag_check(struct rules *r, const struct publish_status *p)
{
	// A new image helps no worker while two older ones still wait to be left.
	if (!again_due(&r->lag_again, p->rules_lag_ms) || p->retired_waiting >= AGAIN_OLD_MAX)
		return;
	log_error("the data plane has not activated the rules of generation %" PRIu64
		  " for %" PRIu64 " ms: publishing them again",
		p->rule_image_generation, p->rules_lag_ms);
	publish_again(r);
}

static void build_again(struct rules *r, const struct publish_status *p)
{
	const bool is_due = r->build_again_ms && clock_mono_ms() >= r->build_again_ms;
	const bool has_room = r->is_refused && p->retired_waiting < AGAIN_OLD_MAX;
	if ((!is_due && !has_room) || r->kept.held)
		return;
	r->is_refused = false;
	r->build_again_ms = 0;
	(void)!build_for(r, r->build_again_force, false, NULL, NULL);
}

static void on_lag_timer(evutil_socket_t, short, void *arg)
{
	struct rules *r = arg;
	struct publish_status p;
	publish_status(r->publisher, &p);
	if (!r->job && r->arena.base && !r->start.waiting)
		lag_check(r, &p);
	if (!r->job)
		build_again(r, &p);
	lag_watch(r);
}

static int lag_watch_open(struct rules *r, struct event_base *base)
{
	r->lag_timer = event_new(base, -1, 0, on_lag_timer, r);
	if (!r->lag_timer)
		return -ENOMEM;
	lag_watch(r);
	return 0;
}

static void lag_watch_close(struct rules *r)
{
	if (r->lag_timer)
		event_free(r->lag_timer);
}

// The stored image, published at once: the resolver loop does not run yet.
static void load_last(struct rules *r, struct rules_sources *sources)
{
	r->status.kept_bytes = list_kept_bytes(sources->state_directory);
	struct rules_job *j = job_new(r, sources);
	if (!j) {
		rules_sources_free(sources);
		return;
	}
	if (rules_job_load(j) == 0) {
		rules_job_publish(j);
		rules_job_settle(j);
		rules_note_outcome(r, j);
	}
	rules_job_free(j);
}

static void make_paths(struct rules *r, const char *folder)
{
	snprintf(r->image_path, sizeof(r->image_path), "%s/rules.img", folder);
	snprintf(r->previous_path, sizeof(r->previous_path), "%s/rules.img.1", folder);
	snprintf(r->leaving_path, sizeof(r->leaving_path), "%s/rules.img.1.tmp", folder);
	snprintf(r->state_path, sizeof(r->state_path), "%s/rules.state", folder);
	// If it cannot be made, the first write says so.
	(void)!mkdir(folder, 0750);
}

static int open_parts(struct rules *r, const struct config *config, struct loop *service_loop)
{
	struct rules_sources *sources;
	const char *folder = config->runtime.state_directory;
	r->again = event_new(loop_base(service_loop), -1, 0, on_again, r);
	int err = r->again ? kept_open(r, loop_base(service_loop)) : -ENOMEM;
	if (!err)
		err = lag_watch_open(r, loop_base(service_loop));
	if (!err)
		err = rules_fetch_new(&r->fetch, service_loop, folder, on_fetched, r);
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
	rules_fetch_await(r->fetch, r->start.waiting);
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
	lag_watch_close(r);
	start_close(r);
	// The queued calls of both threads are in one list.
	rules_fetch_stop(r->fetch);
	job_hurry(r);
	rules_job_join(r->job);
	rules_fetch_free(r->fetch);
	kept_close(r);
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

void rules_add_events(struct rules *r, struct events *events)
{
	r->events = events;
	rules_fetch_add_events(r->fetch, events);
}

// What came of a job, and what the rule manager reports of itself and of its lists: status,
// messages, events.

// Logs the lists that the latest build could not read.
static void rules_failing_log(const struct rules_status *s)
{
	char text[RULES_LIST_TEXT_MAX];
	for (unsigned i = 0; i < s->list_count; i++)
		if (s->lists[i].error)
			log_warning("not updated: %s",
				rules_list_text(&s->lists[i], text, sizeof(text)));
}

// Lists that the job could not read.
// Nothing was read for a rollback, nor to publish an image again.
static void rules_event_unread(const struct rules *r, const struct rules_job *j)
{
	char text[RULES_LIST_TEXT_MAX];
	if (j->rollback || (j->again && !j->rebuilt))
		return;
	for (unsigned i = 0; i < r->status.list_count; i++) {
		const struct rules_list_status *l = &r->list[i];
		// A fetched list has the event of its fetch.
		if (l->error && !j->sources->url[i])
			events_add(r->events, EVENT_list_failed,
				EVENT_FIELDS({"list", l->name}, {"path", l->path}), "%s",
				rules_list_text(l, text, sizeof(text)));
	}
}

static const struct rule_source_info *rules_source_info(const struct rules *r, const char *title)
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
	const struct rule_source_info *info = rules_source_info(r, l->name);
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

// Counts of sources that were read and gave the present image.
static void describe_counts(struct rules_list_status *l, const struct rule_source_result *from)
{
	l->lines = from->counts.lines;
	l->comments = from->counts.comments;
	l->rejected = list_counts_rejected(&from->counts) + from->unusable;
	l->bytes = from->counts.bytes;
}

// The reasons of a source that was not read again stay.
static bool keeps_rejects(
	const struct rules_list_status *before, const struct rules_job *j, unsigned i)
{
	const struct rule_source_result *result = &j->result[i];
	char title[RULE_TITLE_MAX];
	rule_title_make(title, j->sources->source[i].title);
	return j->outcome != RULES_PUBLISHED && !j->same && !rule_source_lost(result)
	       && !result->counts.lines && strcmp(before->name, title) == 0;
}

// Lists as the job's configuration has them, with the numbers of the current image.
static void describe(struct rules *r, const struct rules_job *j)
{
	if (j->rollback || (j->again && !j->rebuilt)) {
		for (unsigned i = 0; i < r->status.list_count; i++)
			describe_image(r, &r->list[i]);
		return;
	}
	r->status.list_count = j->sources->count;
	for (unsigned i = 0; i < j->sources->count; i++) {
		const struct rule_source *s = &j->sources->source[i];
		struct rules_list_status *l = &r->list[i];
		struct rules_list_status now = {.allow = s->allow,
			.answers = s->answers,
			.error = j->result[i].error,
			.most = j->result[i].most};
		memcpy(now.rejected_by,
			keeps_rejects(l, j, i) ? l->rejected_by : j->result[i].counts.rejected,
			sizeof(now.rejected_by));
		*l = now;
		if (l->error)
			l->last_try_unix_s = (uint64_t)time(NULL);
		if (j->result[i].kept)
			l->kept_unix_s = list_kept_unix_s(s->kept);
		rule_title_make(l->name, s->title);
		snprintf(l->path, sizeof(l->path), "%s", s->path ? s->path : "");
		describe_image(r, l);
		if (j->same)
			describe_counts(l, &j->result[i]);
	}
}

static void log_rejects(const struct rules_job *j)
{
	for (unsigned i = 0; i < j->sources->count; i++) {
		char text[512] = "";
		size_t len = 0;
		const struct list_counts *c = &j->result[i].counts;
		for (unsigned k = 0; k < LIST_REJECT_COUNT; k++)
			if (c->rejected[k] && len < sizeof(text) - 40)
				len += (size_t)snprintf(text + len, sizeof(text) - len, " %s=%llu",
					list_reject_name[k], (unsigned long long)c->rejected[k]);
		if (len)
			log_info("rules: list %u: names=%llu, rejected:%s", i,
				(unsigned long long)c->names, text);
		if (j->result[i].no_room)
			log_warning(
				"rules: %s: %llu rules left out: the image has no room for more "
				"of their kind",
				j->sources->source[i].title,
				(unsigned long long)j->result[i].no_room);
	}
}

// Patterns and prefixes that the answer policy refused: the parser of lists does not count them.
static void log_answer_policy(const struct answer_policy_counts *c)
{
	const struct answer_pattern_counts *p = &c->patterns;
	uint64_t refused = (uint64_t)p->refused_syntax + p->refused_length + p->refused_count
			   + p->refused_slow + p->refused_time + p->refused_size;
	if (refused)
		log_warning("rules: %llu patterns refused: syntax=%u length=%u number=%u slow=%u "
			    "time=%u size=%u; %s",
			(unsigned long long)refused, p->refused_syntax, p->refused_length,
			p->refused_count, p->refused_slow, p->refused_time, p->refused_size,
			p->first_error);
	if (c->prefixes.refused_count)
		log_warning("rules: %u address prefixes refused: more than %u",
			c->prefixes.refused_count, ANSWER_PREFIXES_MAX);
}

static void activate_image(struct rules *r, struct rules_job *j)
{
	if (r->arena.base)
		rule_rest_note(&r->rest, r->reader.lists, r->reader.list_count, clock_mono_ms());
	answer_policy_free(r->answer_policy);
	r->answer_policy = j->answer_policy;
	j->answer_policy = NULL;
	rule_arena_free(&r->arena);
	r->arena = j->arena;
	r->reader = j->reader;
	j->arena = (struct rule_arena){0};
	const struct rule_image_head *h = r->arena.base;
	r->input_hash = h->input_hash;
	struct rules_status *s = &r->status;
	s->names = h->names;
	s->image_bytes = h->size;
	s->bloom_bytes = h->bloom_blocks * sizeof(struct rule_bloom_block);
	s->table_bytes = h->table_buckets * sizeof(struct rule_bucket);
	s->sets = h->set_count;
	s->loaded_unix_s = h->created_unix_s;
	s->peak_bytes = j->peak_bytes;
	s->build_ms = j->build_ms;
	s->rested_ms = j->rested_ms;
	s->from_disk = j->from_disk;
	s->answer_policy = *answer_policy_counts(r->answer_policy);
	log_info("rules: %llu names, %llu bytes, %s", (unsigned long long)h->names,
		(unsigned long long)h->size, j->from_disk ? "last good image" : "new image");
	log_answer_policy(&s->answer_policy);
}

// Is this the image in force once more, which says nothing of the last reload? A stored one that
// could not be published then is another, and so is a rebuilt one.
static bool is_same_again(const struct rules *r, const struct rules_job *j)
{
	if (!j->again || j->outcome != RULES_PUBLISHED)
		return j->again;
	return !j->rebuilt
	       && memcmp(r->arena.base, j->arena.base, sizeof(struct rule_image_head)) == 0;
}

// for a job that is done
static void rules_note_outcome(struct rules *r, struct rules_job *j)
{
	struct rules_status *s = &r->status;
	bool is_start = j->from_disk && !j->rollback && j->outcome == RULES_PUBLISHED;
	bool is_reload = !is_start && !is_same_again(r, j);
	if (j->outcome == RULES_PUBLISHED)
		activate_image(r, j);
	if (j->outcome == RULES_FAILED)
		log_error("rules not updated: %s; the previous rule image stays active", j->error);
	else if (j->error[0])
		log_warning("rules: %s", j->error);
	if (j->rollback && j->outcome != RULES_PUBLISHED && r->kept.held != j->was_held)
		rules_hold(r, j->was_held);
	if (j->rebuilt && j->outcome == RULES_PUBLISHED && r->kept.held) {
		log_warning(
			"rules: the held rule image is missing; building a new one from the lists");
		rules_hold(r, false);
	}
	if (j->same)
		r->input_hash = j->input_hash;
	bool is_seen = j->seen_hash && j->seen_hash == r->input_hash;
	r->seen.configuration = is_seen ? j->sources->configuration : 0;
	s->kept_bytes = j->kept_bytes;
	describe(r, j);
	s->lists = r->list;
	rules_failing_log(s);
	rules_event_unread(r, j);
	if (j->outcome == RULES_PUBLISHED && r->published)
		r->published(r->published_arg);
	if (!is_reload)
		return;
	s->outcome = j->outcome;
	s->builds += j->outcome == RULES_PUBLISHED;
	s->unchanged += j->outcome == RULES_UNCHANGED;
	s->failed += j->outcome == RULES_FAILED;
	snprintf(s->error, sizeof(s->error), "%s", j->error);
	if (j->outcome == RULES_PUBLISHED)
		log_rejects(j);
}

void rules_status(struct rules *r, struct rules_status *out)
{
	*out = r->status;
	out->building = r->job != NULL;
	out->held = r->kept.held;
	struct stat previous;
	out->has_previous = access(r->previous_path, R_OK) == 0;
	out->previous_unix_s = out->has_previous && stat(r->previous_path, &previous) == 0
				       ? (uint64_t)previous.st_mtime
				       : 0;
	out->pause_until_unix_s = r->kept.pause_until_unix_s;
	out->pause_lifts_block_all = rules_pause_lifts_block_all(r);
	rules_fetch_describe(r->fetch, r->list, r->status.list_count);
	rules_fetch_notified(r->fetch, &out->notify);
	out->lists = r->list;
}

unsigned rules_tasks(const struct rules *r, struct rules_task *out, unsigned max)
{
	static const char *const steps[RULES_JOB_STEP_COUNT] = {
#define X(name, text) [RULES_JOB_STEP_##name] = text,
		RULES_JOB_STEPS(X)
#undef X
	};
	unsigned n = 0;
	if (r->job && max > 0)
		out[n++] = (struct rules_task){.kind = "build",
			.step = steps[r->job->step],
			.what = "blocking rules",
			.callers = r->waiting.count,
			.since_ms = r->job->since_ms};
	return n + rules_fetch_tasks(r->fetch, out + n, max - n);
}
