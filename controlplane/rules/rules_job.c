// SPDX-License-Identifier: BSD-3-Clause
#include "rules_job.h"

#include "base/file_write.h"
#include "base/leak_demo.h"
#include "list_kept.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/thread.h>

enum { SPARE_IMAGES = 2 }; // one that is written, which may have grown

static void ATTR_PRINTF(2, 3) fail(struct rules_job *j, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(j->error, sizeof(j->error), fmt, ap);
	va_end(ap);
	j->outcome = RULES_FAILED;
}

// Copies the lists for builds that cannot read them, after the image and with room left for the
// next one.
static void keep_lists(struct rules_job *j, uint64_t image_size)
{
	const struct rules_sources *s = j->sources;
	list_kept_prune(s->state_directory, s->source, s->count);
	for (unsigned i = 0; i < s->count; i++) {
		const struct rule_source *list = &s->source[i];
		int err = !list->path || !list->kept || j->result[i].error
				  ? 0
				  : list_kept_take(s->state_directory, list,
					  j->result[i].content_hash, SPARE_IMAGES * image_size);
		if (err && err != -ESTALE)
			log_warning("list \"%s\": could not store a copy: %s", list->title,
				strerror(-err));
	}
	j->kept_bytes = list_kept_bytes(s->state_directory);
}

// Shares an image, and maps what is shared: the only copy from then on.
static int share(struct rules_job *j, const struct region_fill *image, struct rule_arena *out)
{
	char why[SHM_WHY_MAX] = "no memory";
	struct region mapped;
	int err = publish_rules_prepare(j->publisher, image, &j->region, why);
	if (err)
		j->region = NULL;
	else
		err = publish_rules_map(j->publisher, j->region, &mapped, why);
	if (err) {
		fail(j, "cannot share the image: %s", why);
		return err;
	}
	*out = (struct rule_arena){.base = region_data(&mapped),
		.size = image->len,
		.map = mapped.base,
		.map_size = mapped.size};
	return 0;
}

static int share_file(void *job, int fd, size_t size, struct rule_arena *out)
{
	const struct region_fill image = {.len = size, .fd = fd};
	return share(job, &image, out);
}

// Of the image where it is shared, which the answer policy reads.
static int make_answer_policy(struct rules_job *j)
{
	int err = answer_policy_new(&j->answer_policy, &j->reader);
	if (err)
		fail(j, "cannot load the address and pattern rules of the image: %s",
			strerror(-err));
	else
		answer_policy_follow(j->answer_policy, j->policy_before);
	return err;
}

// Copies the new image and frees its pages as they are copied: a build never holds it twice.
static int share_built(struct rules_job *j)
{
	char why[128];
	struct rule_arena shared;
	const struct region_fill image = {
		.len = j->arena.size, .from = j->arena.base, .give_back = true};
	int err = share(j, &image, &shared);
	if (err)
		return err;
	rule_arena_free(&j->arena);
	j->arena = shared;
	err = rule_reader_init(&j->reader, shared.base, shared.size, false, why);
	if (err) {
		fail(j, "new shared image refused: %s", why);
		return err;
	}
	return make_answer_policy(j);
}

// An image that was stored and not published is no rollback target.
static bool file_is_current(const struct rules_job *j)
{
	struct rule_image_head head;
	int fd = open(j->image_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool is = fd >= 0 && pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head)
		  && memcmp(&head, j->current, sizeof(head)) == 0;
	if (fd >= 0)
		close(fd);
	return is;
}

// The file that is about to be replaced keeps a second name. Not if a forced build of unchanged
// sources replaces it by an equal one, which would be no rollback target.
static void keep_previous(const struct rules_job *j)
{
	const struct rule_image_head *h = j->arena.base;
	char second[PATH_MAX + 8];
	if (!j->has_current || h->input_hash == j->current_input_hash || !file_is_current(j))
		return;
	snprintf(second, sizeof(second), "%s.tmp", j->previous_path);
	(void)unlink(second);
	if ((link(j->image_path, second) || rename(second, j->previous_path)) && errno != ENOENT)
		log_warning("rules: previous image %s not kept for a rollback: %s", j->image_path,
			strerror(errno));
}

static int swap_files(const struct rules_job *j)
{
	if (renameat2(AT_FDCWD, j->image_path, AT_FDCWD, j->previous_path, RENAME_EXCHANGE) == 0)
		return 0;
	// A file system that cannot exchange: the way back is lost, the image is not.
	if (errno != EINVAL && errno != ENOSYS && errno != ENOENT)
		return -errno;
	return rename(j->previous_path, j->image_path) ? -errno : 0;
}

// 0: the image before the current one is prepared, and its file has the name of the current one.
static int load_previous(struct rules_job *j)
{
	char why[RULE_STORE_WHY_MAX];
	int err = rule_store_load(j->previous_path, share_file, j, &j->arena, &j->reader, why);
	if (err) {
		fail(j, "%s", why);
		return err;
	}
	j->from_disk = true;
	err = make_answer_policy(j);
	if (!err)
		err = swap_files(j);
	j->swapped = err == 0;
	if (err && !j->error[0])
		fail(j, "cannot swap the stored images: %s", strerror(-err));
	return err;
}

void rules_job_settle_files(struct rules_job *j)
{
	if (j->swapped && j->outcome != RULES_PUBLISHED)
		(void)swap_files(j);
}

static const uint8_t *told_end(const struct rule_image_head *h)
{
	return (const uint8_t *)h + h->sources_off
	       + h->source_count * sizeof(struct rule_source_info);
}

static size_t size_behind(const struct rule_image_head *h, const uint8_t *at)
{
	return h->size - (size_t)(at - (const uint8_t *)h);
}

// Do both images decide alike? Compares their bodies without the source counts. Both were checked,
// and have one secret. Two that differ do so early, so the rest is not read.
static bool same_result(const void *image, const void *other)
{
	const struct rule_image_head *h = image, *o = other;
	const uint8_t *end = told_end(h), *other_end = told_end(o);
	size_t front = h->sources_off - sizeof(*h), back = size_behind(h, end);
	return h->sources_off == o->sources_off && back == size_behind(o, other_end)
	       && memcmp(h + 1, o + 1, front) == 0 && memcmp(end, other_end, back) == 0;
}

// 0: a new image is stored and prepared. Otherwise `outcome` says what it came to.
static int make_image(struct rules_job *j)
{
	struct pace *rests = j->paced ? &j->pace : NULL;
	char why[RULE_STORE_WHY_MAX];
	size_t peak = 0;
	if (!j->force && j->has_current
		&& rule_compile_hash(
			   j->sources->source, j->sources->count, j->result, j->known, rests)
			   == j->current_input_hash) {
		keep_lists(j, ((const struct rule_image_head *)j->current)->size);
		j->outcome = RULES_UNCHANGED;
		return -EALREADY;
	}
	struct rule_compile_options options = {.secret = j->secret,
		.created_unix_s = (uint64_t)time(NULL),
		.partial = true,
		.had_names = j->force ? NULL : j->had_names,
		.before = j->lists,
		.before_count = j->list_count,
		.pace = rests};
	int err = j->has_current ? 0 : keyhash_secret_make(&options.secret);
	if (err) {
		fail(j, "no random numbers: %s", strerror(-err));
		return err;
	}
	err = rule_compile(
		j->sources->source, j->sources->count, &options, j->result, &j->arena, &peak, why);
	j->peak_bytes = peak;
	if (err) {
		fail(j, "%s", why);
		return err;
	}
	err = rule_reader_init(&j->reader, j->arena.base, j->arena.size, true, why);
	if (err) {
		fail(j, "new image refused: %s", why);
		return err;
	}
	if (!j->force && j->has_current && same_result(j->current, j->arena.base)) {
		keep_lists(j, j->arena.size);
		j->same = true;
		j->input_hash = ((const struct rule_image_head *)j->arena.base)->input_hash;
		j->outcome = RULES_UNCHANGED;
		return -EALREADY;
	}
	pace(rests);
	keep_previous(j);
	err = file_write(j->image_path, j->arena.base, j->arena.size, why);
	if (err && j->has_current) {
		fail(j, "%s", why);
		return err;
	}
	if (err) { // one that a restart will have to build again blocks more than none
		size_t len = strlen(j->error);
		snprintf(j->error + len, sizeof(j->error) - len, "%s%s", len ? "; " : "", why);
	}
	if (!err)
		keep_lists(j, j->arena.size);
	pace(rests);
	return share_built(j);
}

// The image in force as it is stored; only without that it is built, which takes longer.
static int load_again(struct rules_job *j)
{
	char why[RULE_STORE_WHY_MAX];
	int err = rule_store_load(j->image_path, share_file, j, &j->arena, &j->reader, why);
	if (err) {
		if (j->region) // its copy, of which only then it was seen that it is damaged
			publish_rules_discard(j->publisher, j->region);
		j->region = NULL;
		log_warning("rule image: %s; building a new one", j->error[0] ? j->error : why);
		j->error[0] = '\0';
		j->force = j->anew = true;
		return make_image(j);
	}
	return make_answer_policy(j);
}

// From here on the job is the service loop's.
static void settle(struct rules_job *j, enum rules_job_state state)
{
	j->state = state;
	if (j->service)
		loop_call_back(j->service, &j->back, j->moved, j->moved_arg);
}

static void *work(void *arg)
{
	struct rules_job *j = arg;
	uint64_t start_ms = clock_mono_ms();
	thread_background();
	pace_begin(&j->pace);
	int err = j->rollback ? load_previous(j) : j->again ? load_again(j) : make_image(j);
	j->build_ms = clock_mono_ms() - start_ms;
	j->rested_ms = j->pace.rested_us / 1000;
	LEAK_DEMO(reload, 1000000);
	settle(j, err ? RULES_JOB_DONE : RULES_JOB_READY);
	return NULL;
}

void rules_job_start(struct rules_job *j)
{
	int rc = thread_start(&j->thread, "weir-rules", work, j);
	j->has_thread = rc == 0;
	if (rc < 0) {
		fail(j, "cannot start the builder's thread: %s", strerror(-rc));
		settle(j, RULES_JOB_DONE);
	}
}

int rules_job_load(struct rules_job *j)
{
	char why[RULE_STORE_WHY_MAX];
	int err = rule_store_load(j->image_path, share_file, j, &j->arena, &j->reader, why);
	if (err) {
		if (err != -ENOENT)
			log_warning("rule image: %s", j->error[0] ? j->error : why);
		return err;
	}
	j->from_disk = true;
	err = make_answer_policy(j);
	if (err)
		log_warning("rule image: %s", j->error);
	else
		settle(j, RULES_JOB_READY);
	return err;
}

static void fail_publish(struct rules_job *j, int err)
{
	fail(j, "image not published: %s",
		err == -EBUSY ? "a worker still uses old ones" : strerror(-err));
}

// `then` when that is done, with the job.
static void set_answer_policy(
	struct rules_job *j, const struct answer_policy *answer_policy, void (*then)(void *arg))
{
	if (j->policy.set_answer_policy)
		j->policy.set_answer_policy(j->policy.arg, answer_policy, then, j);
	else if (then)
		then(j);
}

// Answers are checked by the new image already.
static void switch_image(void *arg)
{
	struct rules_job *j = arg;
	int err = publish_rules_publish(j->publisher, j->region);
	if (err) {
		publish_rules_discard(j->publisher, j->region);
		fail_publish(j, err);
		set_answer_policy(j, j->policy_before, NULL);
	} else {
		j->outcome = RULES_PUBLISHED;
	}
	j->region = NULL;
	settle(j, RULES_JOB_DONE);
}

void rules_job_publish(void *arg)
{
	struct rules_job *j = arg;
	bool same_again = j->from_disk && !j->rollback;

	if (publish_rules_busy(j->publisher)) {
		publish_rules_discard(j->publisher, j->region);
		j->region = NULL;
		fail_publish(j, -EBUSY);
		settle(j, RULES_JOB_DONE);
	} else if (same_again) {
		// The resolver loop does not run yet, and begins with this. Cached answers were
		// checked by this image, unless the last run ended while it activated it.
		set_answer_policy(j, j->answer_policy, NULL);
		switch_image(j);
	} else {
		// The job may be gone at the end. A data plane that lives answers from the cache
		// before the start, too.
		const struct rules_answer_policy policy = j->policy;
		bool before_start = j->before_start;
		set_answer_policy(j, j->answer_policy, switch_image);
		if (before_start && policy.finish)
			policy.finish(policy.arg);
	}
}

void rules_job_join(struct rules_job *j)
{
	if (j && j->has_thread)
		pthread_join(j->thread, NULL);
	if (j)
		j->has_thread = false;
}

void rules_job_free(struct rules_job *j)
{
	if (!j)
		return;
	rules_job_join(j);
	if (j->region)
		publish_rules_discard(j->publisher, j->region);
	answer_policy_free(j->answer_policy);
	rule_arena_free(&j->arena);
	rules_sources_free(j->sources);
	free(j);
}
