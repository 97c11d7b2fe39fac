// SPDX-License-Identifier: BSD-3-Clause

#include <weir/fault.h>
#include <weir/shm_epoch.h>

// Two orders carry the protocol.
//
// Reuse: a reader's last read of something precedes (release) its store to `seen`, which the
// writer loads (acquire) before it reuses the memory. And what the writer took out of sight before
// its release store of `epoch` is out of sight for a reader that loaded (acquire) that epoch.
//
// Coming online (Dekker): the reader stores `seen`, then loads pointers; the writer changes
// pointers, then loads `seen`. Without a full fence on both sides each could miss the other: the
// writer sees "offline" and reuses, the reader still finds the old pointer. With both fences, in
// their one total order, either the writer's comes second and finds the reader online, or the
// reader's comes second and finds the pointer changed. The word that names the reading process goes
// the same way: stored before any of its workers is online, loaded behind the writer's fence.

void epoch_online(struct epoch_reader *r)
{
	r->last = atomic_load_explicit(r->epoch, memory_order_acquire);
	// Release, although nothing is held yet: this store may hide the one of epoch_offline from
	// the writer, which must still see the reads before that as done.
	atomic_store_explicit(r->seen, r->last, memory_order_release);
	FAULT_POINT(epoch_online_stored);
	atomic_thread_fence(memory_order_seq_cst);
}

void epoch_offline(struct epoch_reader *r)
{
	r->last = EPOCH_OFFLINE;
	atomic_store_explicit(r->seen, EPOCH_OFFLINE, memory_order_release);
	FAULT_POINT(epoch_offline_stored);
}

void epoch_return(struct epoch_reader *r)
{
	r->evictions = atomic_load_explicit(r->evicted, memory_order_acquire);
	atomic_store_explicit(r->returned, r->evictions, memory_order_release);
	FAULT_POINT(epoch_return_stored);
	atomic_thread_fence(memory_order_seq_cst);
}

uint64_t epoch_advance(struct epoch_writer *w)
{
	FAULT_POINT(epoch_before_advance);
	// One operation, as other writers advance it too. A reader that loads a later writer's
	// epoch has this one's retirements as well: it is of the same release sequence.
	uint64_t epoch = atomic_fetch_add_explicit(w->epoch, 1, memory_order_release) + 1;
	FAULT_POINT(epoch_advanced);
	atomic_thread_fence(memory_order_seq_cst);
	return epoch;
}

// A word that no life ever wrote, or a bit of it that flipped: unknown, so it delays.
static bool readers_known(const struct epoch_writer *w)
{
	if (!w->reader)
		return true;
	uint64_t life = atomic_load_explicit(w->reader, memory_order_acquire);
	return life == w->attached
	       || (w->dead && life == atomic_load_explicit(w->dead, memory_order_acquire));
}

// `word`: of one reader; NULL: no reader has this place.
static bool reader_passed(
	const struct epoch_writer *w, const _Atomic uint64_t *word, uint64_t epoch)
{
	if (!word)
		return true;
	uint64_t seen = atomic_load_explicit(word, memory_order_acquire);
	if (seen == EPOCH_OFFLINE)
		return true;
	// An epoch that was never given out is nonsense, or belongs to another directory: it proves
	// nothing, so it delays. Loaded after `seen`, because another writer may have advanced it
	// meanwhile.
	return seen >= epoch && seen <= atomic_load_explicit(w->epoch, memory_order_relaxed);
}

// Evicted, and not back: its memory may be reused under it, with what shm_epoch.h says of that. By
// order, not by equality: this load of `out` may still give the eviction before the last one, whose
// number the worker is past.
static bool reader_is_out(const struct epoch_writer *w, unsigned worker)
{
	uint64_t out = w->out ? atomic_load_explicit(&w->out[worker], memory_order_acquire) : 0;
	if (out == 0 || atomic_load_explicit(w->returned[worker], memory_order_acquire) >= out)
		return false;
	// Before what the caller writes into the memory.
	atomic_thread_fence(memory_order_release);
	return true;
}

bool epoch_passed(const struct epoch_writer *w, uint64_t epoch)
{
	if (!readers_known(w))
		return false;
	for (unsigned i = 0; i < EPOCH_OWN_MAX; i++)
		if (!reader_passed(w, w->own[i], epoch))
			return false;
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		if (!reader_passed(w, w->seen[i], epoch) && !reader_is_out(w, i))
			return false;
	return true;
}
