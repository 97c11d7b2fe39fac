// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a box must not forget over a restart: the epoch and its primary, the version that it takes
// at this moment, and the one it refused. <state_directory>/sync has it (base/state_file.h). The
// decisions here are pure; sync_memory_read and sync_memory_write block on the disk.
//
// An epoch is raised by each promotion, and never goes down. A primary is known by its name: of two
// primaries with one epoch only the one that was followed first counts.

#include "base/state_file.h"
#include "sync_rollout.h"

enum {
	SYNC_TRIES_MAX = 2, // tries of a version during which the process ended
};

struct sync_memory {
	uint64_t epoch;                  // 0: this box never had one
	char primary[SYNC_NAME_MAX + 1]; // the box with that epoch; "": no primary
	unsigned newest; // number of the newest signed version taken of that epoch; 0: no version
	char trying[SYNC_DIGEST_LEN + 1];  // the version that is being taken; "": no version
	unsigned tries;                    // tries of `trying`, the present one too
	char refused[SYNC_DIGEST_LEN + 1]; // version not taken again; "": no version
	unsigned refused_version;          // the primary's number of it
	uint64_t refused_with;             // digest of this box's version that was in force then
	bool was_taken_back;
	char reason[SYNC_REASON_MAX + 1];     // why it was refused or taken back
	char software[SYNC_SOFTWARE_MAX + 1]; // the weir that tried and refused
	struct sync_rollout_kept rollout;     // what this box rolls out as a primary
};

// -ENOENT: no file yet; other -errno of state_file_read. `out` is empty then.
ATTR_MUST_CHECK int sync_memory_read(struct sync_memory *out, const char *path);
ATTR_MUST_CHECK int sync_memory_write(
	const struct sync_memory *m, const char *path, char why[STATE_FILE_WHY_MAX]);

// May this box follow the primary of the offer? False: `why` names both primaries.
ATTR_MUST_CHECK bool sync_epoch_check(
	const struct sync_memory *m, const struct sync_offer *o, char why[SYNC_WHY_MAX]);
// Notes the offer's epoch and primary. True: they differ from before.
bool sync_epoch_note(struct sync_memory *m, const struct sync_offer *o);
// May this box take a signed version with the number of the offer, which passed sync_epoch_check?
// False: it is older than one taken before, as someone sends it who has recorded it; `why` names
// both.
ATTR_MUST_CHECK bool sync_newest_check(
	const struct sync_memory *m, const struct sync_offer *o, char why[SYNC_WHY_MAX]);
// Notes its number, after sync_epoch_note. True: it differs from before.
bool sync_newest_note(struct sync_memory *m, const struct sync_offer *o);
// Notes that the version of the offer is being taken. False: the process ended SYNC_TRIES_MAX times
// while it took this version; the caller refuses it.
bool sync_try_begin(struct sync_memory *m, const struct sync_offer *o);
// This weir goes on with the memory. Another one may refuse what this one takes, such as for a key
// that it does not know: its refusal and its tries do not count.
void sync_software_note(struct sync_memory *m, const char *software);
// The try ended without a verdict about the version.
void sync_try_undo(struct sync_memory *m);
// Sets a reason by any text: it is cut to printable ASCII of SYNC_REASON_MAX bytes.
void sync_reason_set(char out[SYNC_REASON_MAX + 1], const char *text);
// The version being taken is refused or taken back. `reason`: as of sync_reason_set.
void sync_try_refuse(
	struct sync_memory *m, unsigned version, bool was_taken_back, const char *reason);
void sync_try_hold(struct sync_memory *m); // it is in force, and its health held
// The version that was refused may be taken again.
void sync_refusal_forget(struct sync_memory *m);

// Milliseconds until the next poll after `failures` polls in a row that failed: 1 s, twice that and
// so on up to 60 s, half of it by chance, so that secondaries do not come all at once.
unsigned sync_backoff_ms(unsigned failures, uint16_t random);
