// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The control plane's side of shared memory: the directory, generations of the rule image and l0,
// worker rings.
//
// Owned by the resolver loop's thread unless a function says otherwise (a mutex, held for a few
// stores, covers those). Any thread may make and fill a new generation. The loop activates it by
// one release store in the directory and unlinks its predecessor at once (mappings keep it alive).
// The predecessor stays mapped here until every attached worker has activated the new one. At most
// two old ones stay: a third is refused with -EBUSY (workers that are stuck together then keep the
// current image, and status says so). One that is stuck alone is evicted (publish.c).

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

// Takes <run>/control/controlplane.lock; reuses a valid directory (the epoch goes on, the
// incarnation is new), the current rule image and, when its geometry equals the configured one, l0
// (copied into huge pages where it lies in others and enough are free); makes what is missing;
// unlinks images that are not current. -EAGAIN: another control plane lives.
ATTR_MUST_CHECK int publisher_open(struct publisher **out, const struct shm_paths *paths,
	const struct config *config, char why[SHM_WHY_MAX]);
void publisher_close(
	struct publisher *p); // NULL is fine; no region is unlinked: a successor reuses

uint64_t publisher_incarnation(const struct publisher *p);
unsigned publisher_resolvers(const struct publisher *p); // that share l0
unsigned publisher_frontends(const struct publisher *p); // that answer clients
const struct shm_paths *publisher_paths(const struct publisher *p);
// The book of a resolver, which its loop alone uses.
struct epoch_writer *publisher_epoch(struct publisher *p, unsigned resolver);
struct directory *publisher_directory(struct publisher *p); // writable mapping

// The l0 region and whether it was just made; it becomes current by publish_l0, once its writer
// has opened it. Until then the one of the last life stays, in case we die before; if that is whole
// but of another size, publisher_l0_old gives it to copy from (else NULL).
void publisher_l0(struct publisher *p, struct region *out, bool *fresh);
const struct region *publisher_l0_old(const struct publisher *p);
void publish_l0(struct publisher *p);

// What a thread of this process reads L0 by, as a worker does: a place in the epoch of all
// resolvers, offline at first, and marks, a byte for each unit, that all these threads have in
// common (of two stores at one time one may be lost). `reader`: the thread's number, below
// EPOCH_OWN_MAX. After publish_l0, and before the resolvers' loops run; good until
// publisher_close. -EPROTO.
struct publisher_reader {
	struct epoch_reader epoch;
	struct l0_reader l0;
	_Atomic uint8_t *marks;
};
ATTR_MUST_CHECK int publisher_reader(
	struct publisher *p, unsigned reader, struct publisher_reader *out);
_Atomic uint8_t *publisher_marks(struct publisher *p);

// Is no data plane there? Then none of the lives that the directory names so far reads any more.
// A data plane that lives without attached worker rings holds the epoch back.
bool publisher_probe_readers(struct publisher *p);
// Maps the data plane's `reader` if there is another one than before. For the first resolver's
// loop, at each beat and when a data plane says hello.
void publisher_reader_look(struct publisher *p);

// Worker rings of the data plane of this life as a resolver has them mapped, on its loop: for the
// quiescence that it waits for; of the first one also for heartbeats and retirement. A page must
// stay mapped until that resolver has detached it.
void publisher_rings(struct publisher *p, unsigned resolver, uint64_t incarnation,
	const struct rings_dp_page *const *pages, unsigned count);
void publisher_no_rings(struct publisher *p, unsigned resolver); // its process is dead
// On the first resolver's loop, after publisher_rings: the words that tell each of these workers
// that it is evicted (rings_cp_page.evicted), and the numbers of the files that these are in.
// Without it none is. Good until they are detached.
void publisher_evicts(struct publisher *p, _Atomic uint64_t *const *evicted,
	const uint64_t *answers, unsigned count);
bool publisher_is_out(const struct publisher *p, unsigned worker); // evicted now? Any thread.

// Each 100 ms on the resolver loop: writes the heartbeat, frees old generations that no worker
// uses, and finds workers that are silent or run without the newest rule image, because the data
// plane refuses it (rules.c publishes it again). Such workers are reported and keep their
// memory, but for one that is silent for PUBLISH_EVICT_BEATS while others beat. A worker that runs
// without the cache, because its file is gone or damaged, ends this process. Once a second it
// checks the files: a truncated one ends this process (shm_lost.h), because the data plane cannot
// go on without it.
void publisher_heartbeat(struct publisher *p, uint64_t now_ms);
// Each 100 ms on the loop of each resolver and each frontend: its heartbeat, and a look at those of
// all others. One without a heartbeat for PUBLISH_HUNG_MS is logged and counted.
void publisher_resolver_beat(struct publisher *p, unsigned resolver, uint64_t now_ms);
void publisher_frontend_beat(struct publisher *p, unsigned frontend, uint64_t now_ms);
// Is the process worth keeping? A resolver has beaten after `since_ms`, so misses are answered, and
// none of the threads has been silent for PUBLISH_LOST_MS, which only a restart brings back.
// Threads that have not begun do not count. Any thread.
bool publisher_serves(const struct publisher *p, uint64_t since_ms, uint64_t now_ms);
// Is it such a one? Any thread.
bool publisher_resolver_hangs(const struct publisher *p, unsigned resolver);
bool publisher_frontend_hangs(const struct publisher *p, unsigned frontend);
void publisher_state(struct publisher *p, enum cp_state state); // any thread

// Settings for the workers; `group_lists` are the lists that apply to everyone, `pause_until_ms`
// (clock_mono_ms; 0: no pause) is when rules block again, and `block_all_pause_until_ms` when
// groups with block_all are blocked again. Any thread. A worker that copies a slot while it is
// overwritten (four reloads later) sees a new generation next, so a mixed copy lasts one batch.
void publish_config(struct publisher *p, const struct config *config, const uint64_t group_lists[4],
	bool blocking_on, uint64_t pause_until_ms, uint64_t block_all_pause_until_ms);

// Step 1, any thread: a region of the next generation, with a copy of the image. Step 2, resolver
// loop (or before it runs): make it current. A region that is not published is unlinked with
// publish_rules_discard, any thread. publish_rules_map is a read-only mapping of a prepared one,
// the caller's own: it outlives the region's file and its life here.
struct rule_image_region;
ATTR_MUST_CHECK int publish_rules_prepare(struct publisher *p, const struct region_fill *image,
	struct rule_image_region **out, char why[SHM_WHY_MAX]);
ATTR_MUST_CHECK int publish_rules_map(struct publisher *p, const struct rule_image_region *r,
	struct region *out, char why[SHM_WHY_MAX]);
// Unmaps such a mapping (one that is not mapped is fine) on a thread of its own: the last unmap of
// an image frees its pages, 0.2 ms for each MiB.
void publish_rules_unmap(struct region *r);
// Takes r, unless it says -EBUSY (two older ones are still in use): then r stays the caller's.
ATTR_MUST_CHECK int publish_rules_publish(struct publisher *p, struct rule_image_region *r);
// Would publish_rules_publish say -EBUSY? Resolver loop.
bool publish_rules_busy(struct publisher *p);
void publish_rules_discard(struct publisher *p, struct rule_image_region *r);

// Publishes the groups of clients. The image is small, so this makes, activates and unmaps it at
// once; workers map it themselves. One caller at a time; any thread. -errno with `why`: the
// previous one stays.
ATTR_MUST_CHECK int publish_policy(
	struct publisher *p, const void *image, size_t size, char why[SHM_WHY_MAX]);
// Newer groups could not be published, or now are. While they are not, no worker can have activated
// them: policy_lag_ms says for how long. Any thread.
void publish_policy_fails(struct publisher *p, bool fails);
// Publishes the servers and next hops of upstream queries (hops.h), in the same way.
ATTR_MUST_CHECK int publish_hops(
	struct publisher *p, const struct hops_image *image, char why[SHM_WHY_MAX]);

// Of the last publish_policy; the next one has the next.
uint64_t publisher_policy_generation(struct publisher *p);
// The groups of the current image, the last life's until the first publish_policy; their number, 0:
// none.
unsigned publisher_policy_last(struct publisher *p, struct policy_group group[POLICY_GROUPS_MAX]);

// A group as the workers have it, by the image of that generation modulo 65536: a number may mean
// another group in the next image, and a waiting client keeps the group of its own image. Keeps the
// last POLICY_KEPT images (90 KiB), those of an earlier run too, as a client waits for 3 s at most.
// An older generation gets the group of the newest image. Any thread; copies one group under the
// lock.
enum { POLICY_KEPT = 16 };
void publisher_group_at(
	struct publisher *p, uint16_t generation, unsigned group, struct policy_group *out);
// The first group whose questions, or those with safe search, that view resolves, by the newest of
// these images that has one, as a number is never given to another view. False: none has. Any
// thread; copies one group under the lock.
ATTR_MUST_CHECK bool publisher_group_in_view(
	struct publisher *p, unsigned view, struct policy_group *out);
// The present terms for making and checking cookies. Any thread.
void publisher_cookies(const struct publisher *p, struct dns_cookie_terms *out);
// Do workers block now, by the last publish_config? Any thread.
bool publisher_blocks(const struct publisher *p, uint64_t now_ms);
// Does every client get SERVFAIL while there are no rules (blocking.closed)? Any thread.
bool publisher_closes(const struct publisher *p, uint64_t now_ms);
// Do workers block groups with block_all at this time? Any thread.
bool publisher_blocks_all(const struct publisher *p, uint64_t now_ms);

// What workers show of queries from now on, until w->until_ms. Any thread.
struct dp_watch;
void publish_watch(struct publisher *p, const struct dp_watch *w);
bool publisher_is_watched(const struct publisher *p); // any thread
bool publisher_has_workers(struct publisher *p);      // a data plane is attached; any thread
// Does the data plane not see our hugetlbfs? `why` says which process sees what. Then new rules go
// to a tmpfs, and this process ends if the cache is on hugetlbfs: the next life moves it. Any
// thread.
bool publisher_huge_apart(const struct publisher *p, char why[SHM_WHY_MAX]);

struct publish_status {
	uint64_t l0_generation, rule_image_generation, config_generation, policy_generation,
		hops_generation;
	uint64_t l0_bytes, rule_image_bytes;
	enum shm_where l0_where, rule_image_where;
	unsigned retired_waiting; // old generations that some worker still uses
	uint64_t retired_bytes;
	uint64_t refused_busy;
	unsigned workers_hung;    // no heartbeat for PUBLISH_HUNG_MS
	unsigned workers_evicted; // now
	uint64_t evictions;       // so far
	unsigned resolvers, resolvers_hung, frontends, frontends_hung;
	// How long a running worker has not activated the newest image; 0: all have.
	uint64_t rules_lag_ms, policy_lag_ms, hops_lag_ms;
	uint64_t policy_failures; // attempts to publish groups
};
void publish_status(const struct publisher *p, struct publish_status *out); // any thread
void publisher_tables(const struct publisher *p, struct table_registry *tables);
