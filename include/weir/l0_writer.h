// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The writer of L0 (l0_table.h): allocation, publication, SIEVE eviction, sweep, recovery.
//
// One for each resolver of the control plane, whose loop owns it and is its only caller. It works
// on its share of the table alone (struct l0_share): space, eviction, sweep, flush, recovery and
// stats are of that share. Private memory (bitmaps of used and retired units, gathered marks, SIEVE
// list, heat) is allocated once at open, its size is a function of the geometry, and
// l0_writer_memory() returns it. Space for a record is a run of units found by next fit; under
// pressure SIEVE (Zhang et al., NSDI 2024) picks victims: workers mark records visited in their
// marks region, the hand clears marks and takes the first unmarked record. Freed units come back
// once the epoch has passed (shm_epoch.h). Nothing blocks: when no unit is free yet, a put returns
// -ENOSPC and is counted, and the answer goes to its clients without being stored.

#include "l0_table.h"
#include "shm_epoch.h"

struct l0_writer;

// What to store. The key's hash must be l0_key_hash's.
struct l0_put {
	struct l0_key key;
	struct dns_answer_view answer;
	uint64_t created_ms;
	uint32_t soft_ms, hard_ms, refresh_ms, stale_until_ms, auth_ttl_s;
	uint16_t hits; // clients that asked for it and hit nothing: counted in its heat
	bool renews;   // renewed ahead of expiry, not for a client's question
	const struct rule_set *mask; // lists that block it; may be NULL or empty
};

// The counters of L0, each a row for COUNTS of controlplane/base/counts.h.
#define L0_COUNTS(X)                                                                              \
	X(EARLIEST, uint64_t, oldest_ms, NONE, NONE,                                              \
		"When the oldest record that the last whole sweep met was made, or 0.")           \
	X(SUM, uint64_t, entries, SAME, SAME, "Answers in L0.")                                   \
	X(SUM, uint64_t, units_used, SAME, SAME, "Units of 32 bytes in use.")                     \
	X(SUM, uint64_t, units_retired, SAME, SAME, "Units that wait until no reader uses them.") \
	X(SUM, uint64_t, units_total, SAME, NAMED("units"), "Units of the whole of L0.")          \
	X(SUM, uint64_t, index_slots, SAME, SAME, "Slots of the index.")                          \
	X(SUM, uint64_t, puts, SAME, TOTAL, "Answers stored.")                                    \
	X(SUM, uint64_t, replaced, SAME, TOTAL,                                                   \
		"Of these, answers that replaced one of the same key.")                           \
	X(SUM, uint64_t, deleted, SAME, TOTAL, "Answers deleted.")                                \
	X(SUM, uint64_t, evicted_space, SAME, TOTAL, "Answers evicted because L0 was full.")      \
	X(SUM, uint64_t, evicted_bucket, SAME, TOTAL,                                             \
		"Answers evicted because their bucket was full.")                                 \
	X(SUM, uint64_t, expired_swept, SAME, NAMED("expired_total"),                             \
		"Answers that the sweep deleted after their hard expiry.")                        \
	X(SUM, uint64_t, refused_nospace, SAME, TOTAL,                                            \
		"Answers not stored because there was no room.")                                  \
	X(SUM, uint64_t, refused_large, SAME, TOTAL,                                              \
		"Answers not stored because they were too large.")                                \
	X(SUM, uint64_t, refused_foreign, NONE, NONE, "Keys of another resolver's share.")        \
	X(SUM, uint64_t, recovered, SAME, NONE, "Answers kept by the last recovery.")             \
	X(SUM, uint64_t, discarded, SAME, NONE, "Answers discarded by the last recovery.")        \
	X(SUM, uint64_t, renewed, NONE, TOTAL, "Answers that refresh-ahead renewed.")             \
	X(SUM, uint64_t, renewed_used, NONE, TOTAL,                                               \
		"Of these, answers that a client asked for afterwards.")

#define L0_FIELD(merge, type, field, key, metric, help) type field;
struct l0_writer_stats {
	L0_COUNTS(L0_FIELD)
};

// `base`: the writable mapping of the region, `size` its bytes, `index` the resolver's. `fresh`:
// the region was just created (and its secret set by l0_region_init). Otherwise the share's index
// is walked: reachable, valid, unexpired records are live, everything else is free; nothing is
// reused before one grace period. So `epoch` must already wait for every worker that may be
// reading. -EPROTO: geometry and size disagree, or the geometry has no resolver `index`. -ENOMEM.
// The epoch writer must outlive it.
ATTR_MUST_CHECK int l0_writer_open(struct l0_writer **out, uint8_t *base, size_t size,
	unsigned index, bool fresh, struct epoch_writer *epoch, uint64_t now_ms);
void l0_writer_close(struct l0_writer *w);

// Sets the secret of a region that is not yet published.
ATTR_MUST_CHECK int l0_region_init(uint8_t *base, size_t size);

// Copies the live records of a table with another geometry, found by `from`, into a new table that
// no worker reads yet: first the fresh ones, then those past soft expiry, with their times. `w`:
// the writers of all shares of the new table, none of which runs yet. A share that has no room left
// without evicting takes no more; ends early when none has. `from` may be damaged, but nobody
// writes it any more. In steps of at most `buckets` buckets; *c starts zeroed. True: done.
struct l0_copy {
	uint64_t cursor;
	uint64_t copied, discarded; // discarded: damaged, or past hard expiry
	uint64_t later;             // not fresh: for the second round
	unsigned full;              // shares without room, one bit each
};
bool l0_writer_copy(struct l0_writer *const *w, const struct l0_reader *from, uint64_t now_ms,
	struct l0_copy *c, uint64_t buckets);

// A reader of the whole table. Records of another share than the writer's may be overwritten as
// they are read, because a resolver has no seen-epoch as workers have: look at its own alone.
const struct l0_reader *l0_writer_reader(const struct l0_writer *w);
const struct l0_share *l0_writer_share(const struct l0_writer *w);
// Is the key of this hash in the writer's share?
bool l0_writer_owns(const struct l0_writer *w, uint64_t hash);

// Stores, replacing a record of the same key. -ENOSPC (nothing free yet: the old record, if any,
// stays), -E2BIG (over L0_ANSWER_MAX bytes), -EINVAL (no name, or TTL offsets that overlap or
// leave the answer), -EXDEV (a key of another share). Bounded work: at most 64 evictions before
// and 64 after a failed search. The other calls find no record of a key of another share.
ATTR_MUST_CHECK int l0_writer_put(struct l0_writer *w, const struct l0_put *put);
// Fetches the lines that a put of a key of this hash is going to need, and changes nothing.
void l0_writer_look_ahead(const struct l0_writer *w, uint64_t hash);

// Writes the same answer again with a new stale_until_ms (upstreams fail; design 4). -ENOENT,
// -ENOSPC.
ATTR_MUST_CHECK int l0_writer_restamp(
	struct l0_writer *w, const struct l0_key *key, uint32_t stale_until_ms);
// Writes the same answer again, without a stamp; its hits are reported from the age refresh_ms on:
// what its mark says of a report is over. -ENOENT, -ENOSPC.
ATTR_MUST_CHECK int l0_writer_tell_from(
	struct l0_writer *w, const struct l0_key *key, uint32_t refresh_ms);

// Writes the same answer again with another mask (NULL or empty: without one), where it has
// another. -ENOENT; with -ENOSPC the record is gone, as what it was checked by no longer holds.
ATTR_MUST_CHECK int l0_writer_set_mask(
	struct l0_writer *w, const struct l0_key *key, const struct rule_set *mask);

// Replaces the answer by a copy that is `by_ms` older. -ENOENT; -ENOSPC: the record is deleted,
// because its stored age is too low.
ATTR_MUST_CHECK int l0_writer_age(struct l0_writer *w, const struct l0_key *key, uint32_t by_ms);

bool l0_writer_delete(struct l0_writer *w, const struct l0_key *key);
// Deletes all records of the name (any type), or of the name and everything below; number deleted.
// Walks the share's index: some milliseconds per million entries, so the caller does it in steps:
// `*cursor` starts at 0 and is 0 again when done; at most `buckets` buckets per call.
uint64_t l0_writer_flush(struct l0_writer *w, const struct dns_name *name, bool subtree,
	uint64_t *cursor, uint64_t buckets);

// Heat: how often clients ask for a record, kept through its replacements. Hits are those of the
// workers' marks, and of the puts. A full round of l0_writer_sweep takes them and folds them in:
// heat = heat * keep / 256 + hits * weigh / 256, in units of 1/L0_HEAT_ONE hit, saturating at
// UINT16_MAX. With keep = 1 - (time between rounds) / window its steady state is hits per window.
// Exact as long as no worker has more than MARK_HITS_MAX hits in a round. 4 bytes a slot; private,
// so a restart of the control plane begins with what the marks still hold.
enum { L0_HEAT_ONE = 16 };

struct l0_swept { // a record that a sweep met
	uint32_t record;
	uint32_t heat;
	uint32_t hits; // hits in this round
};
struct l0_sweep {
	uint64_t now_ms;
	uint32_t keep_256, weigh_256; // at most 256
	uint32_t heat_min;            // `met` is called for records with at least this heat
	void (*met)(void *arg, const struct l0_swept *s); // may not change the table
	void *arg;
};
// Deletes records past hard expiry and does the above for the others. A round has two parts: first
// the hits of all workers' marks are gathered in the order of units, some 0.1 ms per call with 32
// workers; then the index is walked, at most `buckets` buckets per call. Each call goes on where
// the last one stopped; true when a round is complete. A hit that comes after its unit was gathered
// counts in the next round. Clears the refresh marks of records past soft expiry as well: a request
// that came to nothing does not keep the next one from being made.
bool l0_writer_sweep(struct l0_writer *w, const struct l0_sweep *s, uint64_t buckets);
// The heat with the hits that are not folded in yet; 0: no such record.
uint32_t l0_writer_heat(const struct l0_writer *w, const struct l0_key *key);
// Counts hits that left no mark; the record has been visited, too.
void l0_writer_heat_add(struct l0_writer *w, const struct l0_key *key, unsigned hits);

// Gives retired units back once quiescent. Call once per loop turn; cheap when there is nothing.
void l0_writer_reclaim(struct l0_writer *w);

// The marks of worker n, `units` bytes; the writer only clears. Reads none of them: the next two
// rounds of the sweep clear refresh marks, because an earlier control plane got those requests.
// Forgets ended marks of that worker.
void l0_writer_set_marks(struct l0_writer *w, unsigned worker, _Atomic uint8_t *marks);
// Worker n ended. Its visits count until marks of a successor are set or these are forgotten; its
// hits since the last round are lost.
void l0_writer_end_marks(struct l0_writer *w, unsigned worker);
// Reads no marks of worker n from here on.
void l0_writer_forget_marks(struct l0_writer *w, unsigned worker);
// Sets the marks that readers in the writers' own process have in common; all 0, and not read here:
// a look at each would count pages as touched that are not.
void l0_writer_set_own_marks(struct l0_writer *w, _Atomic uint8_t *marks);
// Clears the refresh mark of a record after it was renewed (all workers).
void l0_writer_clear_refresh(struct l0_writer *w, uint32_t record);

void l0_writer_stats(const struct l0_writer *w, struct l0_writer_stats *out);
size_t l0_writer_memory(const struct l0_writer *w); // private bytes
