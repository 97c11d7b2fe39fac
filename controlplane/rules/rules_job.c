// SPDX-License-Identifier: BSD-3-Clause
#include "rules_job.h"

#include "base/file_write.h"
#include "base/leak_demo.h"
#include "lists/fetch/list_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

static const char *keep(char **at, const char *text)
{
	char *copy = *at;
	*at = stpcpy(copy, text) + 1;
	return copy;
}

static struct rule_source group_source(const struct rules_sources *s, unsigned i)
{
	return (struct rule_source){
		.title = group_source_title(s->groups, i),
		.rules = group_source_rules,
		.arg = group_source_arg(s->groups, i),
		.allow = group_source_allows(s->groups, i),
		.answers = group_source_answers(s->groups, i),
	};
}

static int add_rebinding(struct rules_sources *s, const struct config *c)
{
	int err = rebinding_source_new(c, &s->rebinding);
	if (err || !s->rebinding)
		return err;
	if (s->count == RULE_SOURCES_MAX)
		return -E2BIG;
	s->source[s->count++] = (struct rule_source){
		.title = REBINDING_TITLE, .rules = rebinding_source_rules, .arg = s->rebinding};
	return 0;
}

// `text` has room for the title, the URL and the path.
static int list_add(struct rules_sources *s, const struct config_list *l, bool passes_any,
	const char *state_directory, char **at)
{
	struct list_store_paths stored;
	char kept[PATH_MAX];
	const char *path = l->path;
	if (l->url) {
		int err = list_store_paths(&stored, state_directory, l->url);
		if (err)
			return err;
		path = stored.list;
		s->url[s->count] = keep(at, l->url);
	}
	struct rule_source *new = &s->source[s->count];
	*new = (struct rule_source){.title = keep(at, l->name),
		.path = keep(at, path),
		.stored = l->url != NULL,
		.allow = l->allow,
		.force = l->force,
		.exact = l->exact,
		.passes_any = passes_any,
		.format = l->format};
	int err = list_kept_path(kept, state_directory, new);
	if (err)
		return err;
	new->kept = keep(at, kept);
	s->count++;
	return 0;
}

static size_t text_size(const struct config_blocking *c, const char *state_directory)
{
	enum { STORED_NAME_MAX = 64 };
	size_t size = strlen(state_directory) + 1;
	for (unsigned i = 0; i < c->list_count; i++) {
		const struct config_list *l = &c->lists[i];
		size += strlen(l->name) + 1 + strlen(state_directory) + STORED_NAME_MAX;
		size += l->path ? strlen(l->path) + 1
				: strlen(l->url) + 1 + strlen(state_directory) + STORED_NAME_MAX;
	}
	return size;
}

static int copy_from(struct rules_sources *s, const struct config *config)
{
	const struct config_blocking *c = &config->blocking;
	const char *state_directory = config->runtime.state_directory;
	int err = group_sources_new(config, &s->groups);
	if (err)
		return err;
	if (c->list_count + s->groups->count > RULE_SOURCES_MAX)
		return -E2BIG;
	char *at = s->text = heap_malloc(text_size(c, state_directory));
	if (!s->text)
		return -ENOMEM;
	s->state_directory = keep(&at, state_directory);
	static_assert(RULE_LIST_ALLOW == 0 && RULE_LIST_DENY == 1 && RULE_LIST_FIRST == 2);
	for (; s->count < RULE_LIST_FIRST; s->count++)
		s->source[s->count] = group_source(s, s->count);
	for (unsigned i = 0; i < c->list_count && !err; i++)
		err = list_add(s, &c->lists[i], c->zones_any, state_directory, &at);
	for (unsigned i = RULE_LIST_FIRST; i < s->groups->count; i++)
		s->source[s->count++] = group_source(s, i);
	return err;
}

static int add_local(struct rules_sources *s, const struct config *c)
{
	int err = local_data_new(c, &s->local);
	for (unsigned i = 0; !err && i < local_data_sources(s->local); i++) {
		if (s->count == RULE_SOURCES_MAX)
			return -E2BIG;
		s->source[s->count++] = (struct rule_source){.title = local_data_title(s->local, i),
			.rules = local_data_rules,
			.arg = local_data_arg(s->local, i),
			.answers = true};
	}
	return err;
}

int rules_sources_new(const struct config *config, struct rules_sources **out)
{
	struct rules_sources *s = heap_calloc(1, sizeof(*s));
	int err = s ? copy_from(s, config) : -ENOMEM;
	if (!err)
		err = add_rebinding(s, config);
	if (!err)
		err = add_local(s, config);
	if (err) {
		rules_sources_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void rules_sources_leave_out(struct rules_sources *s, const bool had_names[RULE_SOURCES_MAX])
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->url[i] && !had_names[i] && access(s->source[i].path, F_OK)
			&& access(s->source[i].kept, F_OK))
			s->source[i].path = NULL;
}

void rules_sources_free(struct rules_sources *s)
{
	if (!s)
		return;
	group_sources_free(s->groups);
	rebinding_source_free(s->rebinding);
	local_data_free(s->local);
	FREE_AND_NULL(s->text);
	heap_free(s);
}

enum { SPARE_IMAGES = 2 }; // one that is written, which may have grown

// Copies the lists for builds that cannot read them, after the image and with room left for the
// next one. Returns the bytes of all copies.
static uint64_t lists_store(
	const struct rules_sources *s, const struct rule_source_result *result, uint64_t image_size)
{
	list_kept_prune(s->state_directory, s->source, s->count);
	for (unsigned i = 0; i < s->count; i++) {
		const struct rule_source *list = &s->source[i];
		int err = !list->path || !list->kept || result[i].error
				  ? 0
				  : list_kept_take(s->state_directory, list, result[i].content_hash,
					  SPARE_IMAGES * image_size);
		if (err && err != -ESTALE)
			log_warning("list \"%s\": could not store a copy: %s", list->title,
				strerror(-err));
	}
	return list_kept_bytes(s->state_directory);
}

// An image that was stored and not published is no rollback target.
static bool file_has_image(const char *path, const struct rule_image_head *current)
{
	struct rule_image_head head;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool is = fd >= 0 && pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head)
		  && memcmp(&head, current, sizeof(head)) == 0;
	if (fd >= 0)
		close(fd);
	return is;
}

// The image in force keeps a name while another one is on its way. False: its file has an image
// that was not published.
static bool leaving_store(const struct rules_job *j)
{
	if (file_has_image(j->leaving_path, j->current)) // since a build that was not published
		return true;
	(void)unlink(j->leaving_path);
	if (!file_has_image(j->image_path, j->current))
		return false;
	if (link(j->image_path, j->leaving_path) == 0)
		return true;
	log_warning("rules: image %s not kept for a rollback: %s", j->image_path, strerror(errno));
	return false;
}

static void previous_store(const struct rules_job *j)
{
	if (rename(j->leaving_path, j->previous_path))
		log_warning("rules: image %s not kept for a rollback: %s", j->leaving_path,
			strerror(errno));
	else
		(void)unlink(j->leaving_path); // rename does nothing for two names of one file
}

// Both change names. -errno.
static int images_swap(const char *image, const char *previous)
{
	if (renameat2(AT_FDCWD, image, AT_FDCWD, previous, RENAME_EXCHANGE) == 0)
		return 0;
	// A file system that cannot exchange: the way back is lost, the image is not.
	if (errno != EINVAL && errno != ENOSYS && errno != ENOENT)
		return -errno;
	return rename(previous, image) ? -errno : 0;
}

static_assert(CONFIG_LISTS_MAX + RULE_LIST_FIRST <= RULE_LISTS_MAX);

static void hosts_note(const struct rules_sources *s, struct file_seen seen[CONFIG_HOSTS_FILES_MAX])
{
	const char *path;
	for (unsigned i = 0; (path = local_data_hosts(s->local, i)); i++)
		seen[i] = file_seen_now(path);
}

// Hashes the sources, and notes in `seen` which files these are.
static uint64_t sources_hash(struct rules_seen *seen, const struct rules_sources *s,
	struct rule_source_result *result, struct pace *pace)
{
	struct file_seen before[CONFIG_HOSTS_FILES_MAX];
	time_t read_unix_s = time(NULL);
	const char *path;
	hosts_note(s, before);
	uint64_t hash = rule_compile_hash(s->source, s->count, result, seen->list, pace);
	for (unsigned i = 0; (path = local_data_hosts(s->local, i)); i++)
		seen->hosts[i] = file_seen_settled(&before[i], path, read_unix_s);
	return hash;
}

static bool list_same(
	const struct rule_known *known, const struct config_list *l, const char *state_directory)
{
	const struct rule_source source = {.title = l->name,
		.allow = l->allow,
		.force = l->force,
		.exact = l->exact,
		.format = l->format};
	struct list_store_paths stored;
	char kept[PATH_MAX];
	const char *path = l->path;
	if (l->url) {
		if (list_store_paths(&stored, state_directory, l->url))
			return false;
		path = stored.list;
	}
	struct file_seen now = file_seen_now(path);
	return file_seen_same(&now, &known->file)
	       && list_kept_path(kept, state_directory, &source) == 0 && list_kept_is(path, kept);
}

bool rules_seen_same(const struct rules_seen *seen, const struct config *c)
{
	bool same = true;
	for (unsigned i = 0; i < c->blocking.list_count && same; i++)
		same = list_same(&seen->list[RULE_LIST_FIRST + i], &c->blocking.lists[i],
			c->runtime.state_directory);
	for (unsigned i = 0; i < c->local.hosts_file_count && same; i++) {
		struct file_seen now = file_seen_now(c->local.hosts_files[i]);
		same = file_seen_same(&now, &seen->hosts[i]);
	}
	return same;
}

static void ATTR_PRINTF(2, 3) fail(struct rules_job *j, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(j->error, sizeof(j->error), fmt, ap);
	va_end(ap);
	j->outcome = RULES_FAILED;
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

// Makes it of the shared image, which the answer policy reads.
static int make_answer_policy(struct rules_job *j)
{
	int err = answer_policy_new(&j->answer_policy, &j->reader, j->policy.resolvers);
	if (err)
		fail(j, "cannot load the image's address and pattern rules: %s", strerror(-err));
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
		err = images_swap(j->image_path, j->previous_path);
	j->swapped = err == 0;
	j->replaces = j->has_current && file_has_image(j->leaving_path, j->current);
	if (err && !j->error[0])
		fail(j, "cannot swap the stored images: %s", strerror(-err));
	return err;
}

static void lists_keep(struct rules_job *j, uint64_t image_size)
{
	j->kept_bytes = lists_store(j->sources, j->result, image_size);
}

// Not if a forced build of unchanged sources replaces the file by an equal one, which would be no
// rollback target.
static void leaving_keep(struct rules_job *j)
{
	const struct rule_image_head *h = j->arena.base;
	if (j->has_current && h->input_hash != j->current_input_hash)
		j->replaces = leaving_store(j);
}

void rules_job_settle(struct rules_job *j)
{
	bool published = j->outcome == RULES_PUBLISHED;
	if (j->swapped && !published)
		(void)!images_swap(j->image_path, j->previous_path);
	if (j->replaces && published)
		previous_store(j);
	else if (published)
		(void)unlink(j->leaving_path); // it decides like this one
}

static const uint8_t *counts_end(const struct rule_image_head *h)
{
	return (const uint8_t *)h + h->sources_off
	       + h->source_count * sizeof(struct rule_source_info);
}

// Do both images decide alike? Compares their bodies without the source counts. Both were checked,
// and have one secret. Two that differ do so early, so the rest is not read.
static bool same_result(const void *image, const void *other)
{
	const struct rule_image_head *h = image, *o = other;
	const uint8_t *end = counts_end(h), *other_end = counts_end(o);
	size_t front = h->sources_off - sizeof(*h);
	size_t back = h->size - (size_t)(end - (const uint8_t *)h);
	size_t other_back = o->size - (size_t)(other_end - (const uint8_t *)o);
	return h->sources_off == o->sources_off && back == other_back
	       && memcmp(h + 1, o + 1, front) == 0 && memcmp(end, other_end, back) == 0;
}

// Once its patterns are compiled: each start compiles those of the stored image again, and one that
// does not end there would keep the process from serving.
static int built_store(struct rules_job *j)
{
	char why[RULE_STORE_WHY_MAX];
	leaving_keep(j);
	int err = file_write(j->image_path, j->arena.base, j->arena.size, why);
	// There may be room for two images alone: the one in force is the previous one then.
	if (err == -ENOSPC && j->replaces && unlink(j->previous_path) == 0)
		err = file_write(j->image_path, j->arena.base, j->arena.size, why);
	if (err && j->has_current) {
		fail(j, "%s", why);
		return err;
	}
	if (err) { // one that a restart will have to build again blocks more than none
		size_t len = strlen(j->error);
		snprintf(j->error + len, sizeof(j->error) - len, "%s%s", len ? "; " : "", why);
	} else {
		lists_keep(j, j->arena.size);
	}
	return 0;
}

// 0: a new image is stored and prepared. Otherwise `outcome` says what it came to.
static int make_image(struct rules_job *j)
{
	struct pace *pauses = j->paced ? &j->pace : NULL;
	char why[RULE_STORE_WHY_MAX];
	if (!j->force && j->has_current)
		j->seen_hash = sources_hash(j->seen, j->sources, j->result, pauses);
	if (j->seen_hash && j->seen_hash == j->current_input_hash) {
		lists_keep(j, ((const struct rule_image_head *)j->current)->size);
		j->outcome = RULES_UNCHANGED;
		return -EALREADY;
	}
	struct rule_compile_options options = {.secret = j->secret,
		.created_unix_s = (uint64_t)time(NULL),
		.partial = true,
		.had_names = j->force ? NULL : j->had_names,
		.before = j->lists,
		.before_count = j->list_count,
		.pace = pauses};
	int err = j->has_current ? 0 : keyhash_secret_make(&options.secret);
	if (err) {
		fail(j, "no random numbers: %s", strerror(-err));
		return err;
	}
	err = rule_compile(j->sources->source, j->sources->count, &options, j->result, &j->arena,
		&j->peak_bytes, why);
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
		lists_keep(j, j->arena.size);
		j->same = true;
		j->input_hash = ((const struct rule_image_head *)j->arena.base)->input_hash;
		j->outcome = RULES_UNCHANGED;
		return -EALREADY;
	}
	pace(pauses);
	err = share_built(j);
	pace(pauses);
	return err ? err : built_store(j);
}

// The image in force as it is stored; only without that it is built, which takes longer.
static int load_again(struct rules_job *j)
{
	char why[RULE_STORE_WHY_MAX];
	int err = rule_store_load(j->image_path, share_file, j, &j->arena, &j->reader, why);
	if (err) {
		if (j->region) // only the shared copy showed that the file is damaged
			publish_rules_discard(j->publisher, j->region);
		j->region = NULL;
		log_warning("rule image: %s; building a new one", j->error[0] ? j->error : why);
		j->error[0] = '\0';
		j->force = j->rebuilt = true;
		return make_image(j);
	}
	// One that could not be published when it was stored is another than the one in force.
	j->replaces = file_has_image(j->leaving_path, j->current)
		      && !file_has_image(j->leaving_path, j->arena.base);
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
	if (j->sources && local_data_unread(j->sources->local))
		j->seen_hash = 0; // so that the next reload tries again
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
	// The last run stored it over the one that was in force, and ended before it published it.
	j->replaces = access(j->leaving_path, R_OK) == 0
		      && !file_has_image(j->leaving_path, j->arena.base);
	err = make_answer_policy(j);
	if (err)
		log_warning("rule image: %s", j->error);
	else
		settle(j, RULES_JOB_READY);
	return err;
}

static void fail_publish(struct rules_job *j, int err)
{
	publish_rules_discard(j->publisher, j->region);
	j->region = NULL;
	j->busy = err == -EBUSY;
	fail(j, "image not published: %s",
		j->busy ? "a worker still uses old ones; weir tries again" : strerror(-err));
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

static void switched(void *arg)
{
	settle(arg, RULES_JOB_DONE);
}

// Answers are checked by the new image already. The job keeps it until none is any more.
static void switch_image(void *arg)
{
	struct rules_job *j = arg;
	int err = publish_rules_publish(j->publisher, j->region);
	if (!err) {
		j->region = NULL;
		j->outcome = RULES_PUBLISHED;
		switched(j);
	} else {
		fail_publish(j, err);
		set_answer_policy(j, j->policy_before, switched);
	}
}

void rules_job_publish(void *arg)
{
	struct rules_job *j = arg;

	if (publish_rules_busy(j->publisher)) {
		fail_publish(j, -EBUSY);
		settle(j, RULES_JOB_DONE);
	} else if (j->from_disk && !j->rollback) {
		// The resolver loops do not run yet, and begin with this. Cached answers were
		// checked by this image, unless the last run ended while it activated it.
		set_answer_policy(j, j->answer_policy, NULL);
		switch_image(j);
	} else {
		set_answer_policy(j, j->answer_policy, switch_image);
	}
}

void rules_job_join(struct rules_job *j)
{
	if (j && j->has_thread && pthread_join(j->thread, NULL) == 0)
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
	heap_free(j);
}
