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

static struct sync_box *place_of(struct sync_boxes *b, const char *name, const char *from)
{
	struct sync_box *oldest = &b->box[0];
	for (unsigned i = 0; i < b->count; i++) {
		struct sync_box *one = &b->box[i];
		if (strcmp(one->report.box, name) == 0 && strcmp(one->from, from) == 0)
			return one;
		oldest = one->seen_ms < oldest->seen_ms ? one : oldest;
	}
	if (b->count < SYNC_BOXES_MAX)
		return &b->box[b->count++];
	b->evicted++;
	return oldest;
}

void sync_boxes_note(struct sync_boxes *b, const struct sync_report *r, const char *from,
	uint64_t now_ms, int64_t unix_ms)
{
	expired_drop(b, now_ms);
	struct sync_box *to = place_of(b, r->box, from);
	*to = (struct sync_box){.report = *r, .seen_ms = now_ms, .clock_ms = r->unix_ms - unix_ms};
	snprintf(to->from, sizeof(to->from), "%s", from);
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
