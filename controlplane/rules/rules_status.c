// SPDX-License-Identifier: BSD-3-Clause
// What came of a job, and what the rule manager reports of itself and of its lists: status,
// messages, events.
#include "lists/fetch/list_files.h"
#include "rule_image/rule_compile.h"
#include "rules.h"
#include "rules_fetch.h"
#include "rules_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/log_recent.h>

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

const struct rule_source_info *rules_source_info(const struct rules *r, const char *title)
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

void rules_note_outcome(struct rules *r, struct rules_job *j)
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
	out->has_previous = access(r->previous_path, R_OK) == 0;
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
