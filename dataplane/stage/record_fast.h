// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From hashes to records for a batch, in line: each step prefetches the line that the next one
// reads, so between two steps of one packet there must be work for others. On a machine whose
// memory takes 300 ns that is the work of some 10 packets, and more than one stage: stage_parse
// begins, stage_lookup goes on where it stopped.
//
// One key in six lies in the other bucket of its two, which is known only once the first is there.
// A lookup at once would wait for that line.

#include "batch.h"
#include "core/l0/l0_read.h"

enum {
	RECORD_STEP = 4,   // packets at once, so that loops are short and loads go out together
	RECORD_GROUP = 8,  // answered at once
	RECORD_HOME = 12,  // packets between a hash and a look into its home bucket
	RECORD_OTHER = 20, // packets between a hash and a look into the other bucket
};

ATTR_INLINE unsigned record_least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

// The first `to` packets' home buckets, as far as they were not looked at yet.
ATTR_INLINE void record_look_home(struct batch *b, unsigned to)
{
	const struct l0_reader *l0 = &b->tables->l0;
	unsigned i = b->looked_home;
	for (; i < to; i++) {
		struct packet *p = b->pkt[i];
		p->record = l0_read_home(l0, p->hash);
	}
	b->looked_home = i;
}

// Looks up the other buckets, where the home buckets require it.
ATTR_INLINE void record_look_other(struct batch *b, unsigned to)
{
	const struct l0_reader *l0 = &b->tables->l0;
	unsigned i = b->looked_other;
	for (; i < to; i++) {
		struct packet *p = b->pkt[i];
		if (unlikely_(p->record == L0_ELSEWHERE))
			p->record = l0_read_other(l0, p->hash);
	}
	b->looked_other = i;
}

// While `hashed` packets are, and further ones will be.
ATTR_INLINE void record_look_behind(struct batch *b, unsigned hashed)
{
	if (hashed % RECORD_STEP != 0 || hashed <= RECORD_HOME)
		return;
	record_look_home(b, hashed - RECORD_HOME);
	if (hashed > RECORD_OTHER)
		record_look_other(b, hashed - RECORD_OTHER);
}

// All are hashed, and those of the group that begins at `first` are answered next.
ATTR_INLINE void record_look_ahead(struct batch *b, unsigned first)
{
	record_look_home(b, record_least(b->count, first + 3 * RECORD_GROUP));
	record_look_other(b, record_least(b->count, first + 2 * RECORD_GROUP));
}
