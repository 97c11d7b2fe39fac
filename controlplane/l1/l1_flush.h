// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A flush of L1: every key of a name, of all below it, or all keys of weir. Resolver loop's thread.
//
// SCAN with a pattern over each master, one bounded step after the other (results are not trusted:
// it touches only keys that l1_key_parse accepts and that match), then UNLINK of the key and its
// index entry; `all` drops the indexes first. It begins L1_FLUSH_SETTLE_MS late: by then writes
// that other boxes sent before they heard of the flush have arrived. SCAN finds every key that
// existed all the time; later keys are younger than the flush, because the log of flush.h keeps
// older ones out. Deleting all 128 keys of a step takes 0.03 to 0.1 ms of the loop (0.17 ms in
// Cluster), a Redis of a million keys 2 to 5 s. A flush that does not end in L1_FLUSH_MAX_MS, or
// whose command fails, ends with L1_FLUSH_PARTLY.

#include "flush.h"
#include "l1.h"

enum { L1_FLUSH_SETTLE_MS = 250, L1_FLUSH_MAX_MS = 8000 };

struct l1_flush;

enum l1_flush_end { L1_FLUSH_DONE, L1_FLUSH_PARTLY, L1_FLUSH_AWAY, L1_FLUSH_OFF };

// Called once unless l1_flush_stop came before, never from within l1_flush_start.
typedef void (*l1_flush_fn)(void *arg, enum l1_flush_end end, uint64_t removed);

// NULL: not begun (Redis is off or away, no memory).
struct l1_flush *l1_flush_start(
	struct loop *loop, struct l1 *l, const struct flush *what, l1_flush_fn done, void *arg);
void l1_flush_stop(struct l1_flush *f); // not after `done`; NULL is fine; it goes with its l1
