// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A state of model_epoch.c, and the orders and steps that it can go without.

#include "explore.h"
#include "weak.h"

#include <stdalign.h>

enum { WRITES = 2, RECORDS = 2, READERS = 2, OFFLINE = UINT16_MAX, FREE = UINT8_MAX };
enum { WRITER, READER };
enum { EPOCH, SLOT, LIFE, SEEN };
enum { NOT_RETIRED = 0, RETIRING = UINT8_MAX };

enum broken {
	SOUND,
	SLOT_STORE,
	SLOT_LOAD,
	QUIESCENT_STORE,
	QUIESCENT_LOAD,
	SEEN_LOAD,
	EPOCH_STORE,
	ONLINE_LOAD,
	ONLINE_STORE,
	ONLINE_FENCE,
	ADVANCE_FENCE,
	OFFLINE_STORE,
	ADVANCE_FIRST,
	NO_GRACE,
	NO_LIFE,
	DETACH_ALIVE,
	READ_UNANNOUNCED,
	LOCK_FIRST,
	NO_DETACH,
};

static const struct mutation mutations[] = {
	{"slot-store-relaxed", "the slot is stored relaxed"},
	{"slot-load-relaxed", "the slot is loaded relaxed"},
	{"quiescent-relaxed", "epoch_quiescent stores seen relaxed"},
	{"quiescent-load-relaxed", "epoch_quiescent loads epoch relaxed"},
	{"seen-load-relaxed", "epoch_passed loads seen relaxed"},
	{"epoch-store-relaxed", "epoch_advance stores epoch relaxed"},
	{"online-load-relaxed", "epoch_online loads epoch relaxed"},
	{"online-store-relaxed", "epoch_online stores seen relaxed"},
	{"no-online-fence", "epoch_online without its fence"},
	{"no-advance-fence", "epoch_advance without its fence"},
	{"offline-relaxed", "epoch_offline stores seen relaxed"},
	{"advance-before-unlink", "epoch_advance before the slot is changed"},
	{"no-grace-at-restart", "a new writer frees the unreachable at once"},
	{"no-life", "the writer does not ask which life reads"},
	{"detach-the-living", "lanes of a living process are detached"},
	{"read-before-announce", "a new life says that it reads when it may have read already"},
	{"lock-before-life", "the life is loaded behind the look at the lock"},
	{"never-detach", "lanes of a dead process stay attached"},
};

enum writer_at {
	W_PICK,
	W_LIFE,
	W_WAIT,
	W_WRITE,
	W_PUBLISH,
	W_ADVANCE,
	W_FENCE,
	W_DONE,
	W_DEAD,
};
enum reader_at { R_NEW, R_OFF, R_ON_STORE, R_ON_FENCE, R_SLOT, R_READ, R_TURN, R_STORE, R_DEAD };

struct reader {
	uint8_t at, last, record, cycles;
};

struct epoch_state {
	alignas(8) struct weak w;
	uint8_t retired[RECORDS]; // the epoch that frees it
	uint8_t at, writes, record, waits_for;
	uint8_t attached, dead, probed; // lives that the writer knows of; 0: none
	uint8_t life, alive;            // of the readers' process
	uint8_t deaths;
	struct reader reader[READERS];
};
