// SPDX-License-Identifier: BSD-3-Clause
// What the rule manager tells of itself.
#include "list_kept.h"
#include "rules_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/log.h>

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

// Of sources that were read and gave the image that there is.
static void describe_counts(struct rules_list_status *l, const struct rule_source_result *from)
{
	l->lines = from->counts.lines;
	l->comments = from->counts.comments;
	l->rejected = list_counts_rejected(&from->counts) + from->unusable;
	l->bytes = from->counts.bytes;
}

// What is told of a source that was not read again stays.
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
void rules_describe(struct rules *r, const struct rules_job *j)
{
	if (j->rollback || (j->again && !j->anew)) {
		for (unsigned i = 0; i < r->status.list_count; i++)
			describe_image(r, &r->list[i]);
		return;
	}
	r->status.list_count = j->sources->count;
	for (unsigned i = 0; i < j->sources->count; i++) {
		const struct rule_source *s = &j->sources->source[i];
		struct rules_list_status *l = &r->list[i];
		struct rules_list_status now = {.allow = s->allow, .error = j->result[i].error};
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

void rules_log_rejects(const struct rules_job *j)
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

void rules_status(struct rules *r, struct rules_status *out)
{
	*out = r->status;
	out->building = r->job != NULL;
	out->held = r->kept.held;
	out->has_previous = access(r->previous_path, R_OK) == 0;
	out->pause_until_unix_s = r->kept.pause_until_unix_s;
	out->pause_lifts_block_all = rules_pause_lifts_block_all(r);
	rules_fetch_describe(r->fetch, r->list, r->status.list_count);
	out->lists = r->list;
}
