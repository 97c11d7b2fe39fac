// SPDX-License-Identifier: BSD-3-Clause
#include "sync_boxes.h"

#include <stdio.h>
#include <string.h>

bool sync_box_is_away(const struct sync_box *b, uint64_t now_ms)
{
	return now_ms - b->seen_ms >= SYNC_BOX_AWAY_MS;
}

static void expired_drop(struct sync_boxes *b, uint64_t now_ms)
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

static unsigned rows_of(const struct sync_boxes *b, const char *who)
{
	unsigned rows = 0;
	for (unsigned i = 0; i < b->count; i++)
		rows += strcmp(b->box[i].who, who) == 0;
	return rows;
}

static struct sync_box *evict(struct sync_boxes *b)
{
	struct sync_box *out = NULL;
	unsigned most = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct sync_box *one = &b->box[i];
		const unsigned rows = rows_of(b, one->who);
		if (rows > most || (rows == most && one->seen_ms < out->seen_ms))
			out = one;
		most = rows > most ? rows : most;
	}
	b->evicted++;
	return out;
}

static struct sync_box *place_of(
	struct sync_boxes *b, const char *name, const char *from, uint64_t now_ms)
{
	const struct sync_box *known = sync_boxes_find(b, name, from);
	if (known)
		return &b->box[known - b->box];
	struct sync_box *new = b->count < SYNC_BOXES_MAX ? &b->box[b->count++] : evict(b);
	*new = (struct sync_box){.first_ms = now_ms};
	return new;
}

void sync_boxes_note(struct sync_boxes *b, const struct sync_report *r, const char *from,
	const char *who, uint64_t now_ms, int64_t unix_ms)
{
	expired_drop(b, now_ms);
	struct sync_box *to = place_of(b, r->box, from, now_ms);
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
