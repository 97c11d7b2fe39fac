// SPDX-License-Identifier: BSD-3-Clause
#include "sync_boxes.h"

#include <stdio.h>
#include <string.h>

bool sync_box_is_away(const struct sync_box *b, uint64_t now_ms)
{
	return now_ms - b->seen_ms >= SYNC_BOX_AWAY_MS;
}

void sync_boxes_expire(struct sync_boxes *b, uint64_t now_ms)
{
	for (unsigned i = 0; i < b->count;)
		if (now_ms - b->box[i].seen_ms >= SYNC_BOX_LIFE_MS)
			b->box[i] = b->box[--b->count];
		else
			i++;
}

const struct sync_box *sync_boxes_find(
	const struct sync_boxes *b, const char *name, const char *from)
{
	for (unsigned i = 0; b && i < b->count; i++)
		if (strcmp(b->box[i].report.box, name) == 0 && strcmp(b->box[i].from, from) == 0)
			return &b->box[i];
	return NULL;
}

// The oldest row of the token that has most rows: one pass for each token.
static struct sync_box *evict(struct sync_boxes *b)
{
	bool is_counted[SYNC_BOXES_MAX] = {false};
	struct sync_box *out = NULL;
	unsigned most = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct sync_box *oldest = &b->box[i];
		unsigned rows = 0;
		for (unsigned j = i; !is_counted[i] && j < b->count; j++) {
			struct sync_box *one = &b->box[j];
			if (is_counted[j] || strcmp(one->who, b->box[i].who) != 0)
				continue;
			is_counted[j] = j > i;
			oldest = one->seen_ms < oldest->seen_ms ? one : oldest;
			rows++;
		}
		if (rows > most || (rows && rows == most && oldest->seen_ms < out->seen_ms)) {
			out = oldest;
			most = rows;
		}
	}
	b->evicted++;
	return out;
}

static bool is_of(const struct sync_box *b, const char *name, const char *who)
{
	return strcmp(b->report.box, name) == 0 && strcmp(b->who, who) == 0;
}

// The past of a new row: that of the other row of the box, if it has just one.
static struct sync_box row_begin(
	const struct sync_boxes *b, const char *name, const char *who, uint64_t now_ms)
{
	const struct sync_box *other = NULL;
	unsigned rows = 0;
	for (unsigned i = 0; i < b->count; i++)
		if (is_of(&b->box[i], name, who)) {
			other = &b->box[i];
			rows++;
		}
	if (rows != 1)
		return (struct sync_box){.first_ms = now_ms};
	return (struct sync_box){.first_ms = other->first_ms,
		.wave = other->wave,
		.offered_ms = other->offered_ms,
		.held_ms = other->held_ms,
		.was_ready = other->was_ready,
		.is_skipped = other->is_skipped};
}

static struct sync_box *place_of(
	struct sync_boxes *b, const char *name, const char *from, const char *who, uint64_t now_ms)
{
	const struct sync_box *known = sync_boxes_find(b, name, from);
	if (known)
		return &b->box[known - b->box];
	const struct sync_box row = row_begin(b, name, who, now_ms);
	struct sync_box *new = b->count < SYNC_BOXES_MAX ? &b->box[b->count++] : evict(b);
	*new = row;
	return new;
}

void sync_boxes_note(struct sync_boxes *b, const struct sync_report *r, const char *from,
	const char *who, uint64_t now_ms, int64_t unix_ms)
{
	sync_boxes_expire(b, now_ms);
	struct sync_box *to = place_of(b, r->box, from, who, now_ms);
	to->report = *r;
	to->seen_ms = now_ms;
	to->clock_ms = r->unix_ms - unix_ms;
	snprintf(to->from, sizeof(to->from), "%s", from);
	snprintf(to->who, sizeof(to->who), "%s", who);
}

bool sync_boxes_has_twin(const struct sync_boxes *b, unsigned i, uint64_t now_ms)
{
	const struct sync_box *one = &b->box[i];
	for (unsigned j = 0; j < b->count; j++)
		if (j != i && strcmp(b->box[j].report.box, one->report.box) == 0
			&& !sync_box_is_away(&b->box[j], now_ms) && !sync_box_is_away(one, now_ms))
			return true;
	return false;
}

bool sync_boxes_has_moved(const struct sync_boxes *b, unsigned i, uint64_t now_ms)
{
	const struct sync_box *one = &b->box[i];
	if (!sync_box_is_away(one, now_ms))
		return false;
	for (unsigned j = 0; j < b->count; j++)
		if (is_of(&b->box[j], one->report.box, one->who)
			&& b->box[j].seen_ms > one->seen_ms)
			return true;
	return false;
}
