// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The control plane's side of shared memory: the directory, generations of the rule image and L0,
// worker rings.
//
// Owned by the first resolver's loop, except functions that say otherwise, for which a mutex is
// held for a few stores. Any thread may make and fill a new generation. The loop activates it by
// one release store in the directory and unlinks its predecessor at once (mappings keep it alive).
// The predecessor stays mapped here until every attached worker has activated the new generation.
// At most two old rule images stay: a third is refused with -EBUSY (workers that are stuck together
// then keep the current image, and status says so). A worker that is stuck alone is evicted
// (publish.c).

#include "base/loop.h"
#include "base/table_registry.h"

#include <weir/config.h>
#include <weir/hops.h>
#include <weir/l0_table.h>
#include <weir/policy.h>
#include <weir/rule_image.h>
#include <weir/shm_epoch.h>
#include <weir/shm_region.h>

struct publisher;
struct l0_writer;

enum {
	PUBLISH_BEAT_MS = 100,
	PUBLISH_HUNG_MS = 1000,
	PUBLISH_LOST_MS = 300000,
	PUBLISH_EVICT_BEATS = 20,
};

// Takes <run>/control/controlplane.lock. Reuses a valid directory (the epoch goes on, the
// incarnation is new), the current rule image and, if its geometry is the configured one, L0
// (copied into huge pages if it lies in others and enough are free). Makes what is missing, and
// unlinks images that are not current. -EAGAIN: another control plane runs.
ATTR_MUST_CHECK int publisher_open(struct publisher **out, const struct shm_paths *paths,
	const struct config *config, char why[SHM_WHY_MAX]);
void publisher_close(
	struct publisher *p); // NULL is fine; unlinks no region: a successor reuses them

uint64_t publisher_incarnation(const struct publisher *p);
unsigned publisher_resolvers(const struct publisher *p); // number of resolvers, which share L0
unsigned publisher_frontends(const struct publisher *p); // number of frontends
const struct shm_paths *publisher_paths(const struct publisher *p);
// A resolver's side of the epoch, which only the resolver's loop uses.
struct epoch_writer *publisher_epoch(struct publisher *p, unsigned resolver);
struct directory *publisher_directory(struct publisher *p); // writable mapping

// The L0 region, and whether it was just made. It becomes current by publish_l0, once its writer
// has opened it. Until then L0 of the last life stays, in case this process dies before. If that is
// whole but of another size, publisher_l0_old returns it to copy from (else NULL).
void publisher_l0(struct publisher *p, struct region *out, bool *fresh);
const struct region *publisher_l0_old(const struct publisher *p);
void publish_l0(struct publisher *p);

// A reader of L0 in this process, which reads as a worker does: a place in the epoch of all
// resolvers, offline at first, and marks, a byte for each unit, which all these threads share (of
// two stores at one time one may be lost). `reader`: the thread's number, below EPOCH_OWN_MAX.
// Called after publish_l0, and before the resolvers' loops run; good until publisher_close.
// -EPROTO.
struct publisher_reader {
	struct epoch_reader epoch;
	struct l0_reader l0;
	_Atomic uint8_t *marks;
};
ATTR_MUST_CHECK int publisher_reader(
	struct publisher *p, unsigned reader, struct publisher_reader *out);
_Atomic uint8_t *publisher_marks(struct publisher *p);

// Whether no data plane runs. Then no run of a data plane that the file `reader` has named reads
// any more. A data plane that runs without attached worker rings holds the epoch back.
bool publisher_probe_readers(struct publisher *p);
// Maps the data plane's file `reader` if it is another file than before. Called on the first
// resolver's loop, at each beat and at a data plane's hello.
void publisher_reader_look(struct publisher *p);

// Sets the worker rings of a data plane, as a resolver has mapped them, on the resolver's loop: for
// the quiescence that it waits for, and those of the first resolver also for heartbeats and
// retirement. A page must stay mapped until the resolver has detached it.
void publisher_rings(struct publisher *p, unsigned resolver, uint64_t incarnation,
	const struct rings_dp_page *const *pages, unsigned count);
void publisher_no_rings(struct publisher *p, unsigned resolver); // the data plane is dead
// Called on the first resolver's loop, after publisher_rings: the words that tell each worker that
// it is evicted (rings_cp_page.evicted), and the numbers of the files with these words. Without
// this call no worker is evicted. Good until the rings are detached.
void publisher_evicts(struct publisher *p, _Atomic uint64_t *const *evicted,
	const uint64_t *answers, unsigned count);
bool publisher_is_out(const struct publisher *p, unsigned worker); // evicted now? Any thread.

// Called each 100 ms on the first resolver's loop. Writes the heartbeat, frees old generations that
// no worker uses, and finds workers that are silent, or that run without the newest rule image
// because the data plane refuses it (rules.c publishes it again). Such workers are reported and
// keep their memory, except a worker that is silent for PUBLISH_EVICT_BEATS while others beat. A
// worker that runs without the cache, because the file is gone or damaged, ends this process. Once
// a second the call checks the files: a truncated file ends this process (shm_lost.h), because the
// data plane cannot go on without it.
void publisher_heartbeat(struct publisher *p, uint64_t now_ms);
// Called each 100 ms on the loop of each resolver and each frontend: writes the thread's heartbeat,
// and checks those of all others. A thread without a heartbeat for PUBLISH_HUNG_MS hangs, and is
// logged and counted.
void publisher_resolver_beat(struct publisher *p, unsigned resolver, uint64_t now_ms);
void publisher_frontend_beat(struct publisher *p, unsigned frontend, uint64_t now_ms);
// Whether the process is worth keeping: a resolver has beaten after `since_ms`, so misses are
// answered, and no thread has been silent for PUBLISH_LOST_MS, after which only a restart helps.
// Threads that have not begun do not count. Any thread.
bool publisher_serves(const struct publisher *p, uint64_t since_ms, uint64_t now_ms);
// Whether the thread hangs. Any thread.
bool publisher_resolver_hangs(const struct publisher *p, unsigned resolver);
bool publisher_frontend_hangs(const struct publisher *p, unsigned frontend);
void publisher_state(struct publisher *p, enum cp_state state); // any thread

// Publishes settings for the workers. `group_lists`: the lists that apply to everyone;
// `pause_until_ms` (clock_mono_ms; 0: no pause): when rules block again;
// `block_all_pause_until_ms`: when groups with block_all are blocked again. Any thread. A worker
// that copies a slot while it is overwritten (four reloads later) sees a new generation next, so a
// mixed copy lasts one batch.
void publish_config(struct publisher *p, const struct config *config, const uint64_t group_lists[4],
	bool blocking_on, uint64_t pause_until_ms, uint64_t block_all_pause_until_ms);

// Step 1, on any thread: publish_rules_prepare makes a region of the next generation, with a copy
// of the image. Step 2, on the first resolver's loop or before it runs: publish_rules_publish makes
// it current. publish_rules_discard unlinks a region that is not published, on any thread.
// publish_rules_map maps a prepared region read-only for the caller; the mapping outlives the
// region's file and the region here.
struct rule_image_region;
ATTR_MUST_CHECK int publish_rules_prepare(struct publisher *p, const struct region_fill *image,
	struct rule_image_region **out, char why[SHM_WHY_MAX]);
ATTR_MUST_CHECK int publish_rules_map(struct publisher *p, const struct rule_image_region *r,
	struct region *out, char why[SHM_WHY_MAX]);
// Unmaps a mapping of publish_rules_map (`r` may be not mapped) on another thread, because the last
// unmap of an image frees its pages, 0.2 ms for each MiB.
void publish_rules_unmap(struct region *r);
// Makes `r` current, and takes it. -EBUSY: two older images are still in use, and `r` stays the
// caller's.
ATTR_MUST_CHECK int publish_rules_publish(struct publisher *p, struct rule_image_region *r);
// Whether publish_rules_publish would return -EBUSY. First resolver's loop.
bool publish_rules_busy(struct publisher *p);
void publish_rules_discard(struct publisher *p, struct rule_image_region *r);

// Publishes the groups of clients. The image is small, so one call makes and activates it; workers
// map it themselves. One caller at a time; any thread. -errno with `why`: the previous image stays.
ATTR_MUST_CHECK int publish_policy(
	struct publisher *p, const void *image, size_t size, char why[SHM_WHY_MAX]);
// Notes that newer groups could not be published, or that they are now. While they are not, no
// worker can activate them: policy_lag_ms tells how long. Any thread.
void publish_policy_fails(struct publisher *p, bool fails);
// Publishes the servers and next hops of upstream queries (hops.h). One caller at a time; any
// thread. -errno with `why`: the previous image stays.
ATTR_MUST_CHECK int publish_hops(
	struct publisher *p, const struct hops_image *image, char why[SHM_WHY_MAX]);

// The generation of the last publish_policy; the next call has the next generation.
uint64_t publisher_policy_generation(struct publisher *p);
// Reads the groups of the current image, before the first publish_policy that of the last life.
// Returns their number; 0: there is no image.
unsigned publisher_policy_last(struct publisher *p, struct policy_group group[POLICY_GROUPS_MAX]);

// A group as the workers have it, by the image of `generation` modulo 65536: a number may mean
// another group in the next image, and a waiting client keeps the group of its image. The publisher
// keeps the last POLICY_KEPT images (90 KiB), also those of an earlier run: a client waits for 3 s
// at most. An older generation gets the group of the newest image. Any thread; copies one group
// under the lock.
enum { POLICY_KEPT = 16 };
void publisher_group_at(
	struct publisher *p, uint16_t generation, unsigned group, struct policy_group *out);
// The first group whose questions, or safe search's questions, `view` resolves, by the newest kept
// image with such a group: a view's number is never used for another view. False: no image has such
// a group. Any thread; copies one group under the lock.
ATTR_MUST_CHECK bool publisher_group_in_view(
	struct publisher *p, unsigned view, struct policy_group *out);
// The present terms for making and checking cookies. Any thread.
void publisher_cookies(const struct publisher *p, struct dns_cookie_terms *out);
// Whether workers block now, by the last publish_config. Any thread.
bool publisher_blocks(const struct publisher *p, uint64_t now_ms);
// Whether every client gets SERVFAIL while there are no rules (blocking.closed). Any thread.
bool publisher_closes(const struct publisher *p, uint64_t now_ms);
// Whether workers block groups with block_all at this time. Any thread.
bool publisher_blocks_all(const struct publisher *p, uint64_t now_ms);

// Publishes the filter of queries that workers show until w->until_ms. Any thread.
struct dp_watch;
void publish_watch(struct publisher *p, const struct dp_watch *w);
bool publisher_is_watched(const struct publisher *p); // any thread
bool publisher_has_workers(struct publisher *p);      // a data plane is attached; any thread
// Whether the data plane does not see the control plane's hugetlbfs; `why` says which process sees
// which. Then new rules go to a tmpfs, and this process ends if the cache is on hugetlbfs: the next
// start moves it. Any thread.
bool publisher_huge_apart(const struct publisher *p, char why[SHM_WHY_MAX]);

struct publish_status {
	uint64_t l0_generation, rule_image_generation, config_generation, policy_generation,
		hops_generation;
	uint64_t l0_bytes, rule_image_bytes;
	enum shm_where l0_where, rule_image_where;
	unsigned retired_waiting; // old generations that some worker still uses
	uint64_t retired_bytes;
	uint64_t refused_busy;
	unsigned workers_hung;    // workers without a heartbeat for PUBLISH_HUNG_MS
	unsigned workers_evicted; // workers that are evicted now
	uint64_t evictions;       // evictions since the start
	unsigned resolvers, resolvers_hung, frontends, frontends_hung;
	// How long a running worker has not activated the newest image; 0: all workers have.
	uint64_t rules_lag_ms, policy_lag_ms, hops_lag_ms;
	uint64_t policy_failures; // failed attempts to publish groups
};
void publish_status(const struct publisher *p, struct publish_status *out); // any thread
void publisher_tables(const struct publisher *p, struct table_registry *tables);
