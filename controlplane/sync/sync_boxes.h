// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The secondaries that polled this primary, by name and address. Two boxes with one name have two
// rows, and each row says so while both poll. A box that comes from another address has a new row,
// which takes the place in the roll-out of its single other one. A value; the service loop's
// thread. Bounds: SYNC_BOXES_MAX rows; of those whose polls came by the token with the most rows,
// the one that was seen longest ago makes room for a new one, so invented names cost their own
// token its rows. A row goes SYNC_BOX_LIFE_MS after its last poll.

#include "sync_reply.h"

enum {
	SYNC_BOXES_MAX = 768,
	SYNC_BOX_LIFE_MS = 7 * 86400 * 1000,
	SYNC_BOX_FROM_MAX = 64,
	SYNC_BOX_WHO_MAX = 80,
	SYNC_BOX_AWAY_MS = 3 * SYNC_WAIT_S * 1000, // no poll for so long: the box is away
};

struct sync_box {
	struct sync_report report;
	char from[SYNC_BOX_FROM_MAX]; // address
	char who[SYNC_BOX_WHO_MAX];   // "token NAME"
	uint64_t first_ms, seen_ms;   // clock_mono_ms of the first and the last poll
	int64_t clock_ms;             // the box's clock minus this box's, by the last poll
	// The roll-out (sync_rollout.h).
	unsigned wave;                // wave in which the box may have the version; 0: not yet
	uint64_t offered_ms, held_ms; // since when; when it held the version last, or offered_ms
	bool was_ready;               // at the begin of a wave since all boxes had one version
	bool is_skipped;              // it may have the version, but stops nothing
};

struct sync_boxes {
	unsigned count;
	uint64_t evicted;
	struct sync_box box[SYNC_BOXES_MAX];
};

void sync_boxes_note(struct sync_boxes *b, const struct sync_report *r, const char *from,
	const char *who, uint64_t now_ms, int64_t unix_ms);
// Drops rows SYNC_BOX_LIFE_MS after their last poll, as each poll does.
void sync_boxes_expire(struct sync_boxes *b, uint64_t now_ms);
// The row of a box; NULL: no such row, or `b` is NULL.
const struct sync_box *sync_boxes_find(
	const struct sync_boxes *b, const char *name, const char *from);
// Another row has the name of row `i`, and both are not away.
bool sync_boxes_has_twin(const struct sync_boxes *b, unsigned i, uint64_t now_ms);
bool sync_box_is_away(const struct sync_box *b, uint64_t now_ms);
// Row `i` is away, and its box has polled later from another address.
bool sync_boxes_has_moved(const struct sync_boxes *b, unsigned i, uint64_t now_ms);
