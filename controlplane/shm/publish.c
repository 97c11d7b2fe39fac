// SPDX-License-Identifier: BSD-3-Clause
// The publisher: its directory, which run of the data plane reads, settings, heartbeats, evictions,
// and the images.

#include "publish.h"

#include "again.h"
#include "base/rng.h"
#include "drop_list.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/l0_writer.h>
#include <weir/log.h>
#include <weir/region_each.h>
#include <weir/shm_lost.h>
#include <weir/thread.h>

enum {
	PUBLISH_OLD_MAX = 2,       // images kept for workers that have not activated the newest
	PUBLISH_L0_MEAN_UNITS = 5, // units of a mean record, by which the index is sized
};

// One generation of the rule image, mapped here.
struct rule_image_region {
	struct region region;
	uint64_t generation;
};

// The groups of one policy image.
struct policy_kept {
	uint64_t generation;
	struct policy_group group[POLICY_GROUPS_MAX]; // numbers without a group have group 0
};

// How long a running worker has not activated the newest generation.
struct publish_lag {
	uint64_t since_ms, ms; // since_ms 0: all workers have
};

// The heartbeat of a resolver or a frontend. All their loops read `at_ms` and write `hangs`; only
// the thread's loop uses the rest.
struct publisher_beat {
	_Atomic uint64_t at_ms; // 0: no heartbeat yet
	_Atomic bool hangs;
	uint64_t check_from_ms; // until then heartbeats of others may be old
};

// The state of a worker for evictions.
struct publisher_worker {
	_Atomic uint64_t *evicted; // a word in the worker's answers; NULL: it cannot be evicted
	uint64_t answers;          // number of that file, which the worker must have mapped
	uint64_t beat_ms;          // the worker's last heartbeat
	unsigned still;            // beats of this loop without a new one
	unsigned unreturned;       // the worker's heartbeats while it is evicted
};

struct publisher {
	struct shm_paths paths;
	int lock_fd;
	struct region directory;
	struct directory *dir;
	struct region reader; // the data plane's file; zeros until there is one
	bool reader_told;     // the log says that the file cannot be used
	bool huge_apart;      // the log says that the data plane does not see our hugetlbfs
	uint64_t incarnation;
	struct epoch_writer epoch[SHM_RESOLVERS_MAX]; // used by the resolver's loop
	_Atomic uint64_t dead;                 // the run of the data plane that is known to be dead
	_Atomic uint64_t out[SHM_WORKERS_MAX]; // 0: the worker is not evicted (epoch_writer.out)
	unsigned resolvers;
	unsigned frontends;
	struct publisher_beat beat[SHM_RESOLVERS_MAX + EPOCH_OWN_MAX]; // resolvers, then frontends
	struct region l0;
	struct region l0_old; // L0 of the last life, of another size, until `l0` is published
	uint64_t l0_generation;
	bool l0_fresh;
	bool l0_stays; // L0 stays though the data plane may not see it: there is no other room
	uint64_t l0_seen_by;    // the last run of the data plane of which a worker has activated L0
	_Atomic uint8_t *marks; // shared by this process' readers
	struct reader_place {
		alignas(CACHE_LINE) _Atomic uint64_t seen;
	} place[EPOCH_OWN_MAX]; // one for each reader of this process
	uint64_t next_look_ms;  // when to check the files
	uint64_t suspended_ms;  // clock_suspended_ms, at the last heartbeat
	uint64_t check_from_ms; // until then a worker's heartbeat may be old because of a suspend

	_Atomic bool blocking_on, closed;
	_Atomic uint64_t pause_until_ms, block_all_pause_until_ms, watch_until_ms;

	pthread_mutex_t lock; // protects the fields below
	struct dp_watch watch;
	struct policy_kept kept[POLICY_KEPT]; // generation 0: no image
	unsigned kept_newest;
	const struct rings_dp_page *rings[SHM_WORKERS_MAX];
	unsigned worker_rings;
	uint64_t policy_generation; // generation of the last publish_policy
	struct region policy;       // image of policy_mapped; only checked for truncation
	uint64_t policy_mapped;
	uint64_t hops_generation;        // generation of the last publish_hops
	uint64_t rules_next;             // generation of the next publish_rules_prepare
	struct rule_image_region *rules; // the current image, or NULL
	struct rule_image_region *old[PUBLISH_OLD_MAX]; // retired images, oldest first
	unsigned old_count;
	uint64_t refused_busy;
	unsigned workers_hung;
	struct publisher_worker of_worker[SHM_WORKERS_MAX];
	uint64_t evict_ms, evictions; // time of the last check; number of evictions
	struct publish_lag rules_lag, policy_lag, hops_lag, l0_lag;
	bool policy_fails; // the newest groups are not published
	uint64_t policy_failures;
	struct again l0_again;               // when to check the file of L0
	struct dns_cookie_terms cookies;     // terms that are published
	struct dns_cookie_terms own_cookies; // random secrets, for a configuration without
	bool cookies_are_own;
	uint64_t cookies_rotate_ms;
};

static inline uint64_t generation_word(uint64_t generation, enum shm_where where)
{
	return generation << 1 | (uint64_t)where;
}

static void publish_hops_reset(struct publisher *p);
static void publish_l0_look(struct publisher *p);
static int publish_l0_open(struct publisher *p, const struct config *config, char why[SHM_WHY_MAX]);
static void publish_policy_status(const struct publisher *p, struct publish_status *out);
static void publish_rules_close(struct publisher *p);
static void publish_rules_lag_watch(struct publisher *p, uint64_t now_ms);
static void publish_rules_recover(struct publisher *p);
static void publish_rules_retire(struct publisher *p);

// The word in the data plane's file `reader` that says which run of the data plane reads the cache
// (struct reader_page). The writers of L0 point to it for their whole life; its file may come
// later, or be replaced.
//
// Without a file the word is 0, because a data plane that makes the file uses nothing of the
// directory before directory.reader_file names the file. If a data plane runs whose file is gone,
// the word is one that no run has, and everything waits until the file is back.

static const char READER_NAME[] = "reader";
enum { READER_SIZE = 2 * SHM_PAGE };

static const _Atomic uint64_t *publish_reader_life(const struct publisher *p)
{
	const struct reader_page *page = region_data(&p->reader);
	return &page->life;
}

// Stores a word that no run has, in place of a file that is gone.
static int unknown_store(struct publisher *p, char why[SHM_WHY_MAX])
{
	struct reader_page *page = region_data(&p->reader);
	int rc = mprotect(p->reader.base, p->reader.size, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
	if (rc < 0)
		snprintf(why, SHM_WHY_MAX, "reader: %s", strerror(-rc));
	else
		atomic_store(&page->life, UINT64_MAX);
	return rc;
}

void publisher_reader_look(struct publisher *p)
{
	char why[SHM_WHY_MAX];
	const bool was_there = p->reader.inode != 0;
	const int rc =
		region_attach_over(&p->paths, READER_NAME, REGION_READER, NULL, &p->reader, why);
	if (rc < 0 && rc != -ENOENT && !p->reader_told)
		log_error("data plane not used: %s; weir tries again", why);
	p->reader_told = rc < 0 && rc != -ENOENT;
	if (was_there && !p->reader.inode && unknown_store(p, why) < 0)
		region_lost_end(why); // a word of 0 would say that nobody reads
	if (rc != 1)
		return;
	FAULT_POINT(reader_mapped);
	// Stored after the mapping, which all threads use from then on.
	atomic_store_explicit(&p->dir->reader_file, region_header_of(&p->reader)->incarnation,
		memory_order_release);
	FAULT_POINT(reader_file_stored);
}

static uint64_t huge_of_reader(const struct publisher *p)
{
	const struct reader_page *page = region_data(&p->reader);
	return atomic_load_explicit(&page->huge, memory_order_acquire);
}

// Whether the data plane can read files on this process' hugetlbfs. Any thread.
static bool publish_sees_huge(const struct publisher *p)
{
	const uint64_t theirs = huge_of_reader(p);
	return theirs == 0 || theirs == shm_huge_place(&p->paths);
}

bool publisher_huge_apart(const struct publisher *p, char why[SHM_WHY_MAX])
{
	if (!p->paths.huge[0] || publish_sees_huge(p))
		return false;
	snprintf(why, SHM_WHY_MAX,
		"the control plane sees the hugetlbfs of %.150s, the data plane %s", p->paths.huge,
		huge_of_reader(p) == SHM_HUGE_NONE ? "sees none that it may use"
						   : "looks at another one");
	return true;
}

// Logs when the data plane begins or ceases to see this process' hugetlbfs.
static void publish_huge_look(struct publisher *p)
{
	char why[SHM_WHY_MAX];
	const bool is_apart = publisher_huge_apart(p, why);
	if (is_apart && !p->huge_apart)
		log_warning("%s: cache and rules go to a tmpfs", why);
	else if (!is_apart && p->huge_apart)
		log_info("the data plane sees the hugetlbfs of %s again", p->paths.huge);
	p->huge_apart = is_apart;
}

static int publish_reader_open(struct publisher *p, char why[SHM_WHY_MAX])
{
	char path[SHM_PATH_MAX + 32];
	int rc = region_place(READER_SIZE, &p->reader, why);
	if (rc < 0)
		return rc;
	publisher_reader_look(p);
	if (p->reader.inode)
		return 0;
	// The store comes before the probe: a data plane that finds its file named here was seen.
	atomic_store(&p->dir->reader_file, 0);
	snprintf(path, sizeof(path), "%s/dataplane.lock", p->paths.run);
	return process_lock_probe(path) == 1 ? unknown_store(p, why) : 0;
}

// Settings for the workers, with the secrets of cookies: configured secrets, or random ones that
// change within each day, at an unpredictable time (RFC 7873 7.1).

enum {
	OWN = 2, // the present secret and the previous one, which keeps older cookies valid
	DAY_MS = 24 * 3600 * 1000, // life of a secret, less up to 40% at random
	JITTER_MS = DAY_MS / 10 * 4,
};

static void own_rotate(struct publisher *p, uint64_t now_ms)
{
	struct dns_cookie_terms *own = &p->own_cookies;
	struct rng rng = {0};
	uint32_t less_ms;

	memcpy(own->secret[1], own->secret[0], DNS_COOKIE_SECRET_LEN);
	rng_bytes(&rng, own->secret[0], DNS_COOKIE_SECRET_LEN);
	rng_bytes(&rng, &less_ms, sizeof(less_ms));
	explicit_bzero(&rng, sizeof(rng));
	own->count += own->count < OWN;
	p->cookies_rotate_ms = now_ms + DAY_MS - less_ms % JITTER_MS;
}

// Fills in random secrets if no secret is configured, and new ones when they are due. Called with
// the lock held.
static void cookies_complete(struct publisher *p, struct dns_cookie_terms *terms, uint64_t now_ms)
{
	p->cookies_are_own = terms->is_on && terms->count == 0;
	if (p->cookies_are_own) {
		if (now_ms >= p->cookies_rotate_ms)
			own_rotate(p, now_ms);
		memcpy(terms->secret, p->own_cookies.secret, sizeof(terms->secret));
		terms->count = p->own_cookies.count;
	}
	p->cookies = *terms;
}

// Publishes settings in the next slot. Called with the lock held.
static void config_switch(struct publisher *p, const struct dp_config *c)
{
	uint64_t generation = atomic_load(&p->dir->config_generation) + 1;
	struct dp_config *slot = &p->dir->config[generation % DIRECTORY_CONFIG_SLOTS];
	*slot = *c;
	slot->watch = p->watch;
	FAULT_POINT(config_slot_written);
	atomic_store_explicit(&p->dir->config_generation, generation, memory_order_release);
	FAULT_POINT(config_switched);
}

// Publishes the settings again when the cookies' secret must change. Called with the lock held.
static void publish_config_beat(struct publisher *p, uint64_t now_ms)
{
	uint64_t generation = atomic_load(&p->dir->config_generation);
	struct dp_config c = p->dir->config[generation % DIRECTORY_CONFIG_SLOTS];

	if (!p->cookies_are_own || now_ms < p->cookies_rotate_ms)
		return;
	c.cookies.count = 0;
	cookies_complete(p, &c.cookies, now_ms);
	config_switch(p, &c);
}

void publish_config(struct publisher *p, const struct config *config, const uint64_t group_lists[4],
	bool blocking_on, uint64_t pause_until_ms, uint64_t block_all_pause_until_ms)
{
	struct dp_config c;
	config_for_workers(config, &c);
	c.blocking_on = !blocking_on              ? BLOCKING_OFF
			: config->blocking.closed ? BLOCKING_CLOSED
						  : BLOCKING_ON;
	c.pause_until_ms = pause_until_ms;
	c.block_all_pause_until_ms = block_all_pause_until_ms;
	memcpy(c.group_lists, group_lists, sizeof(c.group_lists));
	atomic_store(&p->blocking_on, blocking_on);
	atomic_store(&p->closed, c.blocking_on == BLOCKING_CLOSED);
	atomic_store(&p->pause_until_ms, pause_until_ms);
	atomic_store(&p->block_all_pause_until_ms, block_all_pause_until_ms);
	pthread_mutex_lock(&p->lock);
	cookies_complete(p, &c.cookies, clock_mono_ms());
	config_switch(p, &c);
	pthread_mutex_unlock(&p->lock);
}

bool publisher_is_watched(const struct publisher *p)
{
	const uint64_t until_ms = atomic_load_explicit(&p->watch_until_ms, memory_order_relaxed);
	return unlikely_(until_ms) && clock_mono_ms() < until_ms;
}

void publish_watch(struct publisher *p, const struct dp_watch *w)
{
	pthread_mutex_lock(&p->lock);
	p->watch = *w;
	atomic_store(&p->watch_until_ms, w->until_ms);
	uint64_t generation = atomic_load(&p->dir->config_generation);
	if (generation) {
		const struct dp_config c = p->dir->config[generation % DIRECTORY_CONFIG_SLOTS];
		config_switch(p, &c);
	}
	pthread_mutex_unlock(&p->lock);
}

bool publisher_blocks(const struct publisher *p, uint64_t now_ms)
{
	return atomic_load(&p->blocking_on) && now_ms >= atomic_load(&p->pause_until_ms);
}

bool publisher_closes(const struct publisher *p, uint64_t now_ms)
{
	return atomic_load(&p->closed) && publisher_blocks(p, now_ms);
}

bool publisher_blocks_all(const struct publisher *p, uint64_t now_ms)
{
	return atomic_load(&p->blocking_on) && now_ms >= atomic_load(&p->block_all_pause_until_ms);
}

void publisher_cookies(const struct publisher *p, struct dns_cookie_terms *out)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&p->lock;

	pthread_mutex_lock(lock);
	*out = p->cookies;
	pthread_mutex_unlock(lock);
}

// The heartbeats of the resolvers and frontends. Each loop writes its heartbeat and checks all
// others, so the log names every loop that hangs as long as one loop runs. When no loop runs, the
// data plane logs it.

static void hung_log(unsigned beat)
{
	if (beat < SHM_RESOLVERS_MAX)
		log_error("resolver %u hangs: no heartbeat for %d ms; clients wait for answers "
			  "that it has to resolve; restart weir-controlplane if it stays so",
			beat, PUBLISH_HUNG_MS);
	else
		log_error("frontend %u hangs: no heartbeat for %d ms; its clients over TCP wait, "
			  "and over UDP while no data plane runs; restart weir-controlplane if it "
			  "stays so",
			beat - SHM_RESOLVERS_MAX, PUBLISH_HUNG_MS);
}

static void back_log(unsigned beat)
{
	if (beat < SHM_RESOLVERS_MAX)
		log_info("resolver %u is back", beat);
	else
		log_info("frontend %u is back", beat - SHM_RESOLVERS_MAX);
}

// Notes that a thread hangs, or no longer does. Several loops may find it; one of them logs it.
static void hung_set(struct publisher *p, unsigned beat, bool hangs)
{
	if (atomic_exchange_explicit(&p->beat[beat].hangs, hangs, memory_order_relaxed) == hangs)
		return;
	if (hangs)
		hung_log(beat);
	else
		back_log(beat);
}

static void beat_look(struct publisher *p, unsigned own_beat, uint64_t now_ms)
{
	struct publisher_beat *own = &p->beat[own_beat];
	const uint64_t before_ms = atomic_load_explicit(&own->at_ms, memory_order_relaxed);

	atomic_store_explicit(&own->at_ms, now_ms, memory_order_relaxed);
	// The process was stopped, or the machine suspended: other threads need as long as this
	// one for their heartbeats. Half of PUBLISH_HUNG_MS, because theirs may be a beat older.
	if (now_ms > before_ms && now_ms - before_ms >= PUBLISH_HUNG_MS / 2)
		own->check_from_ms = now_ms + PUBLISH_HUNG_MS;
	if (now_ms < own->check_from_ms)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(p->beat); i++) {
		const uint64_t at_ms =
			atomic_load_explicit(&p->beat[i].at_ms, memory_order_relaxed);
		// 0: the thread has not begun, or there is no such thread.
		hung_set(p, i, at_ms != 0 && now_ms > at_ms && now_ms - at_ms > PUBLISH_HUNG_MS);
	}
}

void publisher_resolver_beat(struct publisher *p, unsigned resolver, uint64_t now_ms)
{
	beat_look(p, resolver, now_ms);
}

void publisher_frontend_beat(struct publisher *p, unsigned frontend, uint64_t now_ms)
{
	beat_look(p, SHM_RESOLVERS_MAX + frontend, now_ms);
}

bool publisher_serves(const struct publisher *p, uint64_t since_ms, uint64_t now_ms)
{
	unsigned begun = 0, resolving = 0;
	for (unsigned i = 0; i < ARRAY_LEN(p->beat); i++) {
		const uint64_t at_ms =
			atomic_load_explicit(&p->beat[i].at_ms, memory_order_relaxed);
		if (at_ms != 0 && now_ms > at_ms && now_ms - at_ms > PUBLISH_LOST_MS)
			return false;
		if (i < SHM_RESOLVERS_MAX && at_ms != 0) {
			begun++;
			resolving += at_ms > since_ms;
		}
	}
	return begun == 0 || resolving > 0;
}

bool publisher_resolver_hangs(const struct publisher *p, unsigned resolver)
{
	return atomic_load_explicit(&p->beat[resolver].hangs, memory_order_relaxed);
}

bool publisher_frontend_hangs(const struct publisher *p, unsigned frontend)
{
	return atomic_load_explicit(
		&p->beat[SHM_RESOLVERS_MAX + frontend].hangs, memory_order_relaxed);
}

static unsigned hung_of(const struct publisher *p, unsigned first, unsigned count)
{
	unsigned hung = 0;
	for (unsigned i = first; i < first + count; i++)
		hung += atomic_load_explicit(&p->beat[i].hangs, memory_order_relaxed);
	return hung;
}

static unsigned publish_resolvers_hung(const struct publisher *p)
{
	return hung_of(p, 0, p->resolvers);
}

// Any thread.
static unsigned publish_frontends_hung(const struct publisher *p)
{
	return hung_of(p, SHM_RESOLVERS_MAX, p->frontends);
}

// Eviction of workers that are silent while others beat. The writers of L0 no longer wait for such
// a worker (shm_epoch.h says why that is safe), old rule images are freed without it, and resolvers
// drop the answers for it. Misses on its miss ring are resolved, and messages on its answer ring
// stay there for its return.
//
// Time is counted in beats of this loop, so that a pause of this process or of the machine does not
// count as a worker's silence. When no worker beats, the data plane is stopped: it serves no
// client, and all its workers would return in the middle of a batch. Then no worker is evicted, and
// that time does not count as silence, either.

// Whether a worker can be evicted: a worker that has not mapped the word would not see it.
static bool may_be_evicted(const struct publisher *p, unsigned worker)
{
	const struct publisher_worker *w = &p->of_worker[worker];
	return w->evicted
	       && atomic_load_explicit(&p->rings[worker]->answers, memory_order_acquire)
			  == w->answers;
}

static bool is_silent(const struct publisher_worker *w)
{
	return w->still >= PUBLISH_EVICT_BEATS;
}

static void evict_as_next(struct publisher *p, unsigned worker)
{
	struct publisher_worker *w = &p->of_worker[worker];
	uint64_t number = atomic_load_explicit(w->evicted, memory_order_relaxed) + 1;

	number += number == 0; // 0 in `out` means not evicted
	// `evicted` comes first: a writer that sees `out` reuses memory only after the worker can
	// know.
	atomic_store_explicit(w->evicted, number, memory_order_relaxed);
	FAULT_POINT(worker_evicted_stored);
	atomic_store_explicit(&p->out[worker], number, memory_order_release);
	w->unreturned = 0;
}

static void evict(struct publisher *p, unsigned worker)
{
	evict_as_next(p, worker);
	p->evictions++;
	log_error("worker %u hangs: no heartbeat for %d ms; weir goes on without it: its clients "
		  "get no answers until it is back",
		worker, PUBLISH_EVICT_BEATS * PUBLISH_BEAT_MS);
}

// Repairs the words of an eviction, because bits flip, and the data plane writes `returned`. Writes
// `evicted` again; a worker that beats but has a wrong `returned` gets the next number, and returns
// once more.
static void words_heal(struct publisher *p, unsigned worker, uint64_t out, bool beats)
{
	struct publisher_worker *w = &p->of_worker[worker];

	atomic_store_explicit(w->evicted, out, memory_order_relaxed);
	w->unreturned += beats;
	if (w->unreturned >= PUBLISH_EVICT_BEATS)
		evict_as_next(p, worker);
}

static void look(struct publisher *p, unsigned worker)
{
	struct publisher_worker *w = &p->of_worker[worker];
	const struct rings_dp_page *page = p->rings[worker];
	uint64_t out = atomic_load_explicit(&p->out[worker], memory_order_relaxed);
	uint64_t beat = atomic_load_explicit(&page->heartbeat_ms, memory_order_relaxed);

	if (out && atomic_load_explicit(&page->returned, memory_order_acquire) == out) {
		atomic_store_explicit(&p->out[worker], 0, memory_order_release);
		log_info("worker %u is back", worker);
	} else if (out && w->evicted) {
		words_heal(p, worker, out, beat != w->beat_ms);
	}
	if (beat != w->beat_ms)
		w->still = 0;
	else if (beat != 0 && w->still < PUBLISH_EVICT_BEATS) // 0: the worker has not begun
		w->still++;
	w->beat_ms = beat;
}

// Checks all workers at a beat. Called with the lock held.
static void publish_evict_beat(struct publisher *p, uint64_t now_ms)
{
	const bool paused = now_ms - p->evict_ms >= PUBLISH_HUNG_MS / 2;
	bool beats = false;

	p->evict_ms = now_ms;
	for (unsigned i = 0; i < p->worker_rings; i++) {
		look(p, i);
		if (paused)
			p->of_worker[i].still = 0;
		beats |= p->of_worker[i].beat_ms && p->of_worker[i].still < PUBLISH_EVICT_BEATS / 2;
	}
	// Otherwise the first worker that beats after a stop would get all others evicted.
	for (unsigned i = 0; !beats && i < p->worker_rings; i++)
		p->of_worker[i].still = 0;
	for (unsigned i = 0; beats && i < p->worker_rings; i++)
		if (may_be_evicted(p, i) && is_silent(&p->of_worker[i]) && !publisher_is_out(p, i))
			evict(p, i);
}

void publisher_evicts(struct publisher *p, _Atomic uint64_t *const *evicted,
	const uint64_t *answers, unsigned count)
{
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		p->of_worker[i] = i < count ? (struct publisher_worker){.evicted = evicted[i],
					  .answers = answers[i]}
					    : (struct publisher_worker){0};
	pthread_mutex_unlock(&p->lock);
}

bool publisher_is_out(const struct publisher *p, unsigned worker)
{
	return atomic_load_explicit(&p->out[worker], memory_order_relaxed) != 0;
}

// The number of evicted workers. Called with the lock held.
static unsigned publish_workers_out(const struct publisher *p)
{
	unsigned out = 0;
	for (unsigned i = 0; i < p->worker_rings; i++)
		out += publisher_is_out(p, i);
	return out;
}

// Open and close of the publisher.

static const char DIRECTORY_NAME[] = "directory";
enum { LOOK_MS = 1000 };

static int lock_take(struct publisher *p, char why[SHM_WHY_MAX])
{
	char path[SHM_PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/" SHM_NAME_CONTROL_LOCK, p->paths.run);
	p->lock_fd = process_lock(path);
	if (p->lock_fd >= 0)
		return 0;
	if (p->lock_fd == -EAGAIN)
		snprintf(why, SHM_WHY_MAX, "%.200s: another control plane is running", path);
	return p->lock_fd == -EAGAIN ? -EAGAIN : process_lock_fail(path, p->lock_fd, why);
}

static int directory_open(struct publisher *p, char why[SHM_WHY_MAX])
{
	const struct region_spec spec = {
		.name = DIRECTORY_NAME,
		.kind = REGION_DIRECTORY,
		.generation = 1,
		.incarnation = p->incarnation,
		.data_size = sizeof(struct directory),
	};
	int rc = region_attach(
		&p->paths, SHM_IN_MEM, DIRECTORY_NAME, REGION_DIRECTORY, true, &p->directory, why);
	if (rc == 0 && region_data_size(&p->directory) < sizeof(struct directory)) {
		region_unmap(&p->directory);
		rc = -EPROTO;
	}
	bool reused = rc == 0;
	if (!reused) {
		if (rc != -ENOENT)
			log_warning(
				"directory of an earlier run not usable (%s); creating a new one",
				why);
		rc = region_create(&p->paths, &spec, &p->directory, why);
		if (rc < 0)
			return rc;
	}
	p->dir = region_data(&p->directory);
	drop_list_open(p->dir);
	if (!reused || atomic_load(&p->dir->epoch) == 0)
		atomic_store(&p->dir->epoch, 1);
	FAULT_POINT(directory_epoch_stored);
	atomic_store(&p->dir->state, CP_STARTING);
	atomic_store(&p->dir->incarnation, p->incarnation);
	FAULT_POINT(directory_incarnation_stored);
	// A new directory, so a new cache: view numbers begin elsewhere, because workers may use
	// old numbers for a moment.
	if (atomic_load(&p->dir->next_view) == 0)
		atomic_store(&p->dir->next_view, 1 + (uint32_t)(p->incarnation % 16384));
	atomic_store(&p->dir->heartbeat_ms, clock_mono_ms());
	rc = publish_reader_open(p, why);
	if (rc < 0)
		return rc;
	if (!reused)
		region_publish(&p->directory);
	FAULT_POINT(directory_opened);
	for (unsigned i = 0; i < SHM_RESOLVERS_MAX; i++)
		p->epoch[i] = (struct epoch_writer){.epoch = &p->dir->epoch,
			.reader = publish_reader_life(p),
			.dead = &p->dead,
			.out = p->out};
	for (unsigned i = 0; i < EPOCH_OWN_MAX; i++)
		atomic_store(&p->place[i].seen, EPOCH_OFFLINE);
	return 0;
}

// Files "<stem>.<number>" of other generations than `keep`.
struct leftovers {
	const struct shm_paths *paths;
	enum shm_where where;
	const char *stem;
	uint64_t keep;
};

static void unlink_old(void *arg, const char *name)
{
	const struct leftovers *l = arg;
	const size_t n = strlen(l->stem);
	char *end;

	if (strncmp(name, l->stem, n) != 0 || name[n] != '.')
		return;
	const unsigned long long generation = strtoull(name + n + 1, &end, 10);
	if (*end != 0 || end == name + n + 1 || generation == l->keep)
		return;
	(void)region_unlink(l->paths, l->where, name);
	FAULT_POINT(leftover_unlinked);
}

// Unlinks files "<stem>.<number>" of other generations than `keep`.
static void publish_unlink_old(struct publisher *p, const char *stem, uint64_t keep)
{
	struct leftovers l = {.paths = &p->paths, .stem = stem, .keep = keep};
	for (int where = SHM_IN_MEM; where <= SHM_IN_HUGE; where++) {
		l.where = (enum shm_where)where;
		region_each(&p->paths, l.where, unlink_old, &l);
	}
}

int publisher_open(struct publisher **out, const struct shm_paths *paths,
	const struct config *config, char why[SHM_WHY_MAX])
{
	struct publisher *p = heap_aligned_alloc(CACHE_LINE, sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p, 0, sizeof(*p));
	p->paths = *paths;
	p->lock_fd = -1;
	p->incarnation = incarnation_new();
	p->resolvers = config_resolvers(config, NULL);
	p->frontends = config_frontends(config, NULL);
	pthread_mutex_init(&p->lock, NULL);
	int rc = lock_take(p, why);
	if (rc == 0)
		rc = directory_open(p, why);
	if (rc == 0)
		rc = publish_l0_open(p, config, why);
	if (rc < 0) {
		publisher_close(p);
		return rc;
	}
	publish_rules_recover(p);
	p->policy_generation = atomic_load(&p->dir->current[REGION_POLICY]) >> 1;
	publish_unlink_old(p, "policy", p->policy_generation);
	publish_hops_reset(p);
	publish_unlink_old(p, "rule_image", p->rules ? p->rules->generation : 0);
	publish_unlink_old(p, "names", UINT64_MAX); // the former name of "rule_image"
	(void)publisher_probe_readers(p);
	*out = p;
	return 0;
}

void publisher_close(struct publisher *p)
{
	if (!p)
		return;
	if (p->dir)
		atomic_store(&p->dir->state, CP_STOPPING);
	publish_rules_close(p);
	region_unmap(&p->policy);
	region_unmap(&p->l0);
	region_unmap(&p->l0_old);
	FREE_AND_NULL(p->marks);
	region_unmap(&p->reader);
	region_unmap(&p->directory);
	if (p->lock_fd >= 0)
		close(p->lock_fd);
	pthread_mutex_destroy(&p->lock);
	heap_free(p);
}

uint64_t publisher_incarnation(const struct publisher *p)
{
	return p->incarnation;
}

unsigned publisher_resolvers(const struct publisher *p)
{
	return p->resolvers;
}

unsigned publisher_frontends(const struct publisher *p)
{
	return p->frontends;
}

const struct shm_paths *publisher_paths(const struct publisher *p)
{
	return &p->paths;
}

struct epoch_writer *publisher_epoch(struct publisher *p, unsigned resolver)
{
	return &p->epoch[resolver];
}

struct directory *publisher_directory(struct publisher *p)
{
	return p->dir;
}

bool publisher_probe_readers(struct publisher *p)
{
	char path[SHM_PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/dataplane.lock", p->paths.run);
	// The load comes before the probe: a process that stored its run here held the lock then,
	// and holds it until it ends.
	uint64_t life = atomic_load_explicit(publish_reader_life(p), memory_order_acquire);
	// A missing file proves nothing once a run has read: it may have been deleted.
	int held = process_lock_probe(path);
	if (held != 0 && (held != -ENOENT || life != 0))
		return false;
	atomic_store_explicit(&p->dead, life, memory_order_release);
	return true;
}

void publisher_rings(struct publisher *p, unsigned resolver, uint64_t incarnation,
	const struct rings_dp_page *const *pages, unsigned count)
{
	struct epoch_writer *e = &p->epoch[resolver];

	e->attached = incarnation;
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++) {
		e->seen[i] = i < count ? &pages[i]->seen_epoch : NULL;
		e->returned[i] = i < count ? &pages[i]->returned : NULL;
	}
	if (resolver != 0)
		return;
	pthread_mutex_lock(&p->lock);
	p->worker_rings = count;
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++) {
		p->rings[i] = i < count ? pages[i] : NULL;
		p->of_worker[i] = (struct publisher_worker){0};
		atomic_store_explicit(&p->out[i], 0, memory_order_release);
	}
	pthread_mutex_unlock(&p->lock);
}

bool publisher_has_workers(struct publisher *p)
{
	pthread_mutex_lock(&p->lock);
	bool has = p->worker_rings > 0;
	pthread_mutex_unlock(&p->lock);
	return has;
}

void publisher_no_rings(struct publisher *p, unsigned resolver)
{
	publisher_rings(p, resolver, 0, NULL, 0);
}

// Counts workers without a heartbeat. A heartbeat may be later than now_ms, because another thread
// has read the clock.
static void watch_workers(struct publisher *p, uint64_t now_ms)
{
	uint64_t suspended_ms = clock_suspended_ms(p->suspended_ms);
	unsigned hung = 0;

	// After a suspend the workers need as long as this thread for their next heartbeat, and
	// now_ms may be a time before the suspend: the time of the next check counts.
	if (suspended_ms != p->suspended_ms)
		p->check_from_ms = UINT64_MAX;
	else if (p->check_from_ms == UINT64_MAX)
		p->check_from_ms = now_ms + PUBLISH_HUNG_MS;
	p->suspended_ms = suspended_ms;
	if (now_ms < p->check_from_ms)
		return;
	for (unsigned i = 0; i < p->worker_rings; i++) {
		uint64_t beat =
			atomic_load_explicit(&p->rings[i]->heartbeat_ms, memory_order_relaxed);
		// 0: the worker was attached before its first heartbeat.
		hung += beat != 0 && now_ms > beat && now_ms - beat > PUBLISH_HUNG_MS;
	}
	if (hung > p->workers_hung)
		log_warning("the data plane hangs: no heartbeat of %u of %u workers for %d ms",
			hung, p->worker_rings, PUBLISH_HUNG_MS);
	else if (p->workers_hung && !hung && p->worker_rings)
		log_info("the data plane is back");
	p->workers_hung = hung;
}

static void look_at_file(
	const struct publisher *p, const struct region *r, const char *stem, uint64_t generation)
{
	char name[SHM_NAME_MAX];
	shm_name_generation(name, stem, generation);
	if (region_is_cut(&p->paths, r, name))
		region_lost_end(name);
}

// Ends this process if a file is truncated. Called with the lock held, for p->rules.
static void look_at_files(struct publisher *p, uint64_t now_ms)
{
	if (now_ms < p->next_look_ms)
		return;
	p->next_look_ms = now_ms + LOOK_MS;
	shm_keep(&p->paths, SHM_NAME_CONTROL_LOCK, &p->lock_fd);
	publish_huge_look(p);
	if (region_is_cut(&p->paths, &p->directory, DIRECTORY_NAME))
		region_lost_end(DIRECTORY_NAME);
	look_at_file(p, &p->l0, "l0", p->l0_generation);
	if (p->rules)
		look_at_file(p, &p->rules->region, "rule_image", p->rules->generation);
	look_at_file(p, &p->policy, "policy", p->policy_mapped);
}

void publisher_heartbeat(struct publisher *p, uint64_t now_ms)
{
	publisher_reader_look(p);
	atomic_store_explicit(&p->dir->heartbeat_ms, now_ms, memory_order_release);
	FAULT_POINT(directory_heartbeat_stored);
	pthread_mutex_lock(&p->lock);
	watch_workers(p, now_ms);
	publish_evict_beat(p, now_ms);
	publish_rules_retire(p);
	publish_rules_lag_watch(p, now_ms);
	publish_l0_look(p);
	look_at_files(p, now_ms);
	publish_config_beat(p, now_ms);
	pthread_mutex_unlock(&p->lock);
}

void publisher_state(struct publisher *p, enum cp_state state)
{
	atomic_store_explicit(&p->dir->state, state, memory_order_release);
}

void publish_status(const struct publisher *p, struct publish_status *out)
{
	// A reader changes nothing but the lock.
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&p->lock;

	*out = (struct publish_status){
		.l0_generation = p->l0_generation,
		.l0_bytes = p->l0.size,
		.l0_where = p->l0.where,
		.config_generation = atomic_load(&p->dir->config_generation),
		.resolvers = p->resolvers,
		.resolvers_hung = publish_resolvers_hung(p),
		.frontends = p->frontends,
		.frontends_hung = publish_frontends_hung(p),
	};
	pthread_mutex_lock(lock);
	publish_policy_status(p, out);
	out->hops_generation = p->hops_generation;
	if (p->rules) {
		out->rule_image_generation = p->rules->generation;
		out->rule_image_bytes = p->rules->region.size;
		out->rule_image_where = p->rules->region.where;
	}
	out->retired_waiting = p->old_count;
	for (unsigned i = 0; i < p->old_count; i++)
		out->retired_bytes += p->old[i]->region.size;
	out->refused_busy = p->refused_busy;
	out->workers_hung = p->workers_hung;
	out->workers_evicted = publish_workers_out(p);
	out->evictions = p->evictions;
	out->rules_lag_ms = p->rules_lag.ms;
	out->hops_lag_ms = p->hops_lag.ms;
	pthread_mutex_unlock(lock);
}

// Images that this process publishes by generation: the cache (L0), the groups' policies, next hops
// and rule images.

// The region of L0: reused or made, current once its writer has opened it, and checked while
// workers do not activate it.

// Copies a cache into huge pages, byte for byte, if it was made while too few of them were free.
// The file in ordinary memory stays current until publish_l0.
static void l0_to_huge(struct publisher *p, struct region_spec spec)
{
	const uint64_t start_ms = clock_mono_ms();
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct region moved;

	if (p->l0.where == SHM_IN_HUGE || !p->paths.huge[0] || !spec.want_huge
		|| region_data_size(&p->l0) < spec.data_size)
		return;
	spec.generation = p->l0_generation + 1;
	shm_name_generation(name, "l0", spec.generation);
	spec.name = name;
	spec.need_huge = true;
	spec.fill = (struct region_fill){.len = spec.data_size, .from = region_data(&p->l0)};
	if (region_create(&p->paths, &spec, &moved, why) < 0) {
		log_info("cache stays in ordinary memory: %s", why);
		return;
	}
	FAULT_POINT(l0_copied);
	region_publish(&moved);
	region_unmap(&p->l0);
	p->l0 = moved;
	p->l0_generation = spec.generation;
	log_info("cache moved to huge pages: %zu KiB in %" PRIu64 " ms", moved.size >> 10,
		clock_mono_ms() - start_ms);
}

// Maps the current L0 of the last life if it has the configured size and number of resolvers.
// `spec`: for a new L0, without its generation.
static bool l0_reuse(struct publisher *p, const struct region_spec *spec)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	uint64_t word = atomic_load(&p->dir->current[REGION_L0]);

	if (word == 0)
		return false;
	p->l0_generation = word >> 1;
	shm_name_generation(name, "l0", p->l0_generation);
	int rc = region_attach(
		&p->paths, (enum shm_where)(word & 1), name, REGION_L0, true, &p->l0, why);
	if (rc < 0) {
		log_warning("cache of an earlier run not usable: %s", why);
		return false;
	}
	const struct region_header *h = region_header_of(&p->l0);
	const bool is_seen = p->l0.where != SHM_IN_HUGE || publish_sees_huge(p);
	if (is_seen && h->generation == p->l0_generation
		&& memcmp(h->geometry, spec->geometry, sizeof(h->geometry)) == 0) {
		l0_to_huge(p, *spec);
		return true;
	}
	log_info("cache of an earlier run has another %s; creating a new one",
		is_seen ? "size or number of resolvers" : "place than the data plane sees");
	p->l0_old = p->l0;
	p->l0 = (struct region){0};
	return false;
}

// Keeps the present cache and its number of resolvers, if a cache for another number cannot be made
// beside it. `why`: why it cannot be made.
static bool l0_keep(struct publisher *p, const struct config *config, const char *why)
{
	uint64_t geometry[SHM_GEOMETRY_WORDS];
	size_t size;

	if (!p->l0_old.base)
		return false;
	const uint64_t *had = region_header_of(&p->l0_old)->geometry;
	const unsigned resolvers = (unsigned)had[4]; // a wrong number makes another geometry
	int rc = l0_plan((uint64_t)config->cache.l0_mb << 20, PUBLISH_L0_MEAN_UNITS, resolvers,
		geometry, &size);
	if (rc < 0 || memcmp(had, geometry, sizeof(geometry)) != 0)
		return false;
	log_error("controlplane.resolvers: a cache for %u cannot be made: %s; running with %u, as "
		  "before",
		p->resolvers, why, resolvers);
	p->resolvers = resolvers;
	p->l0 = p->l0_old;
	p->l0_old = (struct region){0};
	p->l0_generation--;
	p->l0_stays = true;
	return true;
}

// Reuses L0 of the last life, or makes one of the configured size.
static int publish_l0_open(struct publisher *p, const struct config *config, char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX];
	struct region_spec spec = {
		.name = name,
		.kind = REGION_L0,
		.incarnation = p->incarnation,
		.want_huge = publish_sees_huge(p),
	};
	int rc = l0_plan((uint64_t)config->cache.l0_mb << 20, PUBLISH_L0_MEAN_UNITS, p->resolvers,
		spec.geometry, &spec.data_size);
	if (rc < 0) {
		snprintf(why, SHM_WHY_MAX, "cache.l0_mb: %u is out of range", config->cache.l0_mb);
		return rc;
	}
	// Marks of records that no client of this process queries take no memory: no page is
	// touched.
	p->marks = heap_calloc(spec.geometry[1], 1);
	if (!p->marks) {
		snprintf(why, SHM_WHY_MAX, "cache.l0_mb: no memory for marks");
		return -ENOMEM;
	}
	if (l0_reuse(p, &spec))
		return 0;
	spec.generation = ++p->l0_generation;
	shm_name_generation(name, "l0", spec.generation);
	rc = region_create(&p->paths, &spec, &p->l0, why);
	if (rc < 0)
		return l0_keep(p, config, why) ? 0 : rc;
	rc = l0_region_init(p->l0.base, p->l0.size);
	if (rc < 0) {
		snprintf(why, SHM_WHY_MAX, "l0: no random bytes: %s", strerror(-rc));
		return rc;
	}
	FAULT_POINT(l0_secret_stored);
	region_publish(&p->l0);
	p->l0_fresh = true;
	return 0;
}

void publisher_l0(struct publisher *p, struct region *out, bool *fresh)
{
	*out = p->l0;
	*fresh = p->l0_fresh;
}

int publisher_reader(struct publisher *p, unsigned reader, struct publisher_reader *out)
{
	_Atomic uint64_t *seen = &p->place[reader].seen;

	out->epoch = (struct epoch_reader){.epoch = &p->dir->epoch, .seen = seen};
	out->marks = p->marks;
	for (unsigned i = 0; i < SHM_RESOLVERS_MAX; i++)
		p->epoch[i].own[reader] = seen;
	return l0_reader_init(&out->l0, p->l0.base, p->l0.size);
}

_Atomic uint8_t *publisher_marks(struct publisher *p)
{
	return p->marks;
}

const struct region *publisher_l0_old(const struct publisher *p)
{
	return p->l0_old.base ? &p->l0_old : NULL;
}

void publish_l0(struct publisher *p)
{
	atomic_store_explicit(&p->dir->current[REGION_L0],
		generation_word(p->l0_generation, p->l0.where), memory_order_release);
	FAULT_POINT(l0_switched);
	publish_unlink_old(p, "l0", p->l0_generation);
	region_unmap(&p->l0_old);
}

// Checks the file of a cache that a worker does not activate. This process' mapping outlives the
// file, which only a start makes again, so a missing or bad file ends this process. If the file is
// sound, the data plane refuses it, and logs why. Called with the lock held.
static void publish_l0_look(struct publisher *p)
{
	const bool is_seen = p->l0_seen_by == p->epoch[0].attached; // whatever it says now
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct region r = {0};

	if (!again_due(&p->l0_again, p->l0_lag.ms))
		return;
	shm_name_generation(name, "l0", p->l0_generation);
	int rc = region_attach(&p->paths, p->l0.where, name, REGION_L0, false, &r, why);
	if (rc == 0 && r.inode != p->l0.inode) {
		snprintf(why, sizeof(why), "%s: another file of that name", name);
		rc = -EPROTO;
	}
	region_unmap(&r);
	if (rc == 0 && p->l0.where == SHM_IN_HUGE && !p->l0_stays && !is_seen
		&& publisher_huge_apart(p, why))
		rc = -ENOENT;
	if (rc == -ENOENT || rc == -EPROTO)
		region_gone_end(why);
}

// Policies.

// The directory's word of the current policy image; 0: no image.
static uint64_t policy_word(const struct publisher *p)
{
	return atomic_load(&p->dir->current[REGION_POLICY]);
}

static void groups_keep(
	struct publisher *p, uint64_t generation, const struct policy_group *group, unsigned count)
{
	pthread_mutex_lock(&p->lock);
	p->kept_newest = (p->kept_newest + 1) % POLICY_KEPT;
	struct policy_kept *kept = &p->kept[p->kept_newest];
	kept->generation = generation;
	for (unsigned i = 0; i < POLICY_GROUPS_MAX; i++)
		kept->group[i] = group[i < count ? i : 0];
	pthread_mutex_unlock(&p->lock);
}

unsigned publisher_policy_last(struct publisher *p, struct policy_group group[POLICY_GROUPS_MAX])
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX], detail[128] = "";
	struct policy_reader *reader;
	struct region r = {0};
	uint64_t word = policy_word(p);
	unsigned count = 0;

	if (word == 0)
		return 0;
	shm_name_generation(name, "policy", word >> 1);
	if (region_load(&p->paths, (enum shm_where)(word & 1), name, REGION_POLICY, &r, why) < 0) {
		log_warning("groups of an earlier run not usable: %s", why);
		return 0;
	}
	reader = heap_malloc(sizeof(*reader));
	if (reader
		&& policy_reader_init(reader, region_data(&r), region_data_size(&r), detail) == 0) {
		count = reader->group_count;
		memcpy(group, reader->group, count * sizeof(*group));
		groups_keep(p, word >> 1, reader->group, count);
	} else {
		log_warning("groups of an earlier run not usable: %s", detail);
	}
	heap_free(reader);
	region_unmap(&r);
	return count;
}

void publisher_group_at(
	struct publisher *p, uint16_t generation, unsigned group, struct policy_group *out)
{
	pthread_mutex_lock(&p->lock);
	const struct policy_kept *kept = &p->kept[p->kept_newest];
	for (unsigned i = 0; i < POLICY_KEPT; i++)
		if (p->kept[i].generation && (uint16_t)p->kept[i].generation == generation)
			kept = &p->kept[i];
	*out = kept->group[group < POLICY_GROUPS_MAX ? group : 0];
	pthread_mutex_unlock(&p->lock);
}

static const struct policy_group *kept_in_view(const struct policy_kept *kept, unsigned view)
{
	for (unsigned i = 0; i < POLICY_GROUPS_MAX && kept->generation; i++)
		if (kept->group[i].view == view || kept->group[i].safe_view == view)
			return &kept->group[i];
	return NULL;
}

bool publisher_group_in_view(struct publisher *p, unsigned view, struct policy_group *out)
{
	const struct policy_group *group = NULL;

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < POLICY_KEPT && !group; i++)
		group = kept_in_view(
			&p->kept[(p->kept_newest + POLICY_KEPT - i) % POLICY_KEPT], view);
	if (group)
		*out = *group;
	pthread_mutex_unlock(&p->lock);
	return group != NULL;
}

uint64_t publisher_policy_generation(struct publisher *p)
{
	pthread_mutex_lock(&p->lock);
	uint64_t generation = p->policy_generation;
	pthread_mutex_unlock(&p->lock);
	return generation;
}

void publish_policy_fails(struct publisher *p, bool fails)
{
	pthread_mutex_lock(&p->lock);
	p->policy_fails = fails;
	p->policy_failures += fails;
	pthread_mutex_unlock(&p->lock);
}

// Called with the lock held.
static void publish_policy_status(const struct publisher *p, struct publish_status *out)
{
	out->policy_generation = p->policy_generation;
	out->policy_lag_ms = p->policy_lag.ms;
	out->policy_failures = p->policy_failures;
}

int publish_policy(struct publisher *p, const void *image, size_t size, char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX], old_name[SHM_NAME_MAX];
	struct region r;

	pthread_mutex_lock(&p->lock);
	uint64_t old = policy_word(p), generation = p->policy_generation + 1;
	pthread_mutex_unlock(&p->lock);
	shm_name_generation(name, "policy", generation);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_POLICY,
		.generation = generation,
		.incarnation = p->incarnation,
		.data_size = size,
		.geometry = {size},
	};
	int rc = region_create(&p->paths, &spec, &r, why);
	if (rc < 0)
		return rc;
	memcpy(region_data(&r), image, size);
	const struct policy_head *head = image;
	groups_keep(p, generation, head->group, head->group_count);
	region_publish(&r);
	atomic_store_explicit(&p->dir->current[REGION_POLICY], generation_word(generation, r.where),
		memory_order_release);
	pthread_mutex_lock(&p->lock);
	region_unmap(&p->policy);
	p->policy = r;
	p->policy_generation = p->policy_mapped = generation;
	pthread_mutex_unlock(&p->lock);
	if (old) {
		shm_name_generation(old_name, "policy", old >> 1);
		(void)region_unlink(&p->paths, (enum shm_where)(old & 1), old_name);
	}
	return 0;
}

// Next hops.

int publish_hops(struct publisher *p, const struct hops_image *image, char why[SHM_WHY_MAX])
{
	const uint64_t old = atomic_load(&p->dir->current[REGION_HOPS]);
	const uint64_t generation = p->hops_generation + 1;
	char name[SHM_NAME_MAX];
	struct region r;

	shm_name_generation(name, "hops", generation);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_HOPS,
		.generation = generation,
		.incarnation = p->incarnation,
		.data_size = sizeof(*image),
		.geometry = {sizeof(*image)},
	};
	int rc = region_create(&p->paths, &spec, &r, why);
	if (rc < 0)
		return rc;
	memcpy(region_data(&r), image, sizeof(*image));
	region_publish(&r);
	atomic_store_explicit(&p->dir->current[REGION_HOPS], generation_word(generation, r.where),
		memory_order_release);
	region_unmap(&r);
	pthread_mutex_lock(&p->lock);
	p->hops_generation = generation;
	pthread_mutex_unlock(&p->lock);
	if (old) {
		shm_name_generation(name, "hops", old >> 1);
		(void)region_unlink(&p->paths, (enum shm_where)(old & 1), name);
	}
	return 0;
}

// Replaces the last life's image by an empty one, because its ports may belong to other resolvers.
static void publish_hops_reset(struct publisher *p)
{
	struct hops_image none = {0};
	char why[SHM_WHY_MAX];

	p->hops_generation = atomic_load(&p->dir->current[REGION_HOPS]) >> 1;
	publish_unlink_old(p, "hops", p->hops_generation);
	if (p->hops_generation == 0)
		return;
	hops_image_seal(&none);
	if (publish_hops(p, &none, why) < 0)
		log_warning("next hops of an earlier run stay in use: %s", why);
}

// Rule images.

// Maps the current rule image of the last life, if it is whole. If not, the directory still names
// it until the next one is published: generations count on from that number, in further lives too,
// so that a worker never sees one number for two images.
static void publish_rules_recover(struct publisher *p)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX] = "no memory";
	uint64_t word = atomic_load(&p->dir->current[REGION_RULE_IMAGE]);

	p->rules_next = (word >> 1) + 1;
	if (word == 0)
		return;
	struct rule_image_region *r = heap_calloc(1, sizeof(*r));
	int rc = r ? 0 : -ENOMEM;
	if (r) {
		r->generation = word >> 1;
		shm_name_generation(name, "rule_image", r->generation);
		rc = region_attach(&p->paths, (enum shm_where)(word & 1), name, REGION_RULE_IMAGE,
			false, &r->region, why);
	}
	if (rc == 0) {
		p->rules = r;
		return;
	}
	log_warning("rule image of an earlier run not usable: %s", why);
	heap_free(r);
}

static void region_drop(struct rule_image_region *r)
{
	region_unmap(&r->region);
	heap_free(r);
}

static void *drop_work(void *region)
{
	thread_background();
	region_drop(region);
	return NULL;
}

// Unmaps a region on another thread: the last unmap frees its pages, 0.2 ms for each MiB, which is
// too long for the resolver loop. There are at most as many such threads as old images.
static void region_drop_aside(struct rule_image_region *r)
{
	pthread_t thread;
	if (thread_start(&thread, "weir-unmap", drop_work, r) == 0)
		(void)pthread_detach(thread);
	else
		region_drop(r);
}

void publish_rules_unmap(struct region *r)
{
	struct rule_image_region *aside = r->base ? heap_calloc(1, sizeof(*aside)) : NULL;
	if (aside) {
		aside->region = *r;
		*r = (struct region){0};
		region_drop_aside(aside);
	} else {
		region_unmap(r);
	}
}

static void publish_rules_close(struct publisher *p)
{
	for (unsigned i = 0; i < p->old_count; i++)
		region_drop(p->old[i]);
	if (p->rules)
		region_drop(p->rules);
}

int publish_rules_prepare(struct publisher *p, const struct region_fill *image,
	struct rule_image_region **out, char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX];
	struct rule_image_region *r = heap_calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	pthread_mutex_lock(&p->lock);
	r->generation = p->rules_next++;
	pthread_mutex_unlock(&p->lock);
	shm_name_generation(name, "rule_image", r->generation);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_RULE_IMAGE,
		.generation = r->generation,
		.incarnation = p->incarnation,
		.data_size = image->len,
		.geometry = {image->len},
		.want_huge = publish_sees_huge(p),
		.fill = *image,
	};
	int rc = region_create(&p->paths, &spec, &r->region, why);
	if (rc < 0) {
		heap_free(r);
		return rc;
	}
	FAULT_POINT(rules_filled);
	region_publish(&r->region);
	*out = r;
	return 0;
}

int publish_rules_map(struct publisher *p, const struct rule_image_region *r, struct region *out,
	char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX];
	shm_name_generation(name, "rule_image", r->generation);
	return region_attach(&p->paths, r->region.where, name, REGION_RULE_IMAGE, false, out, why);
}

static void rules_unlink(struct publisher *p, const struct rule_image_region *r)
{
	char name[SHM_NAME_MAX];
	shm_name_generation(name, "rule_image", r->generation);
	(void)region_unlink(&p->paths, r->region.where, name);
}

// Frees old images that no attached worker uses any more; an evicted worker does not count. A wrong
// word of a worker does no harm: the worker has its own mapping, so only the count here is wrong.
// Called with the lock held.
static void publish_rules_retire(struct publisher *p)
{
	uint64_t activated = p->rules ? p->rules->generation : 0;
	unsigned kept = 0;

	for (unsigned i = 0; i < p->worker_rings; i++) {
		const struct rings_dp_page *rings = p->rings[i];
		if (publisher_is_out(p, i))
			continue;
		uint64_t g = atomic_load_explicit(&rings->activated_rules, memory_order_acquire);
		if (g < activated)
			activated = g;
	}
	for (unsigned i = 0; i < p->old_count; i++) {
		if (p->old[i]->generation >= activated) {
			p->old[kept++] = p->old[i];
			continue;
		}
		region_drop_aside(p->old[i]);
		FAULT_POINT(rules_retired);
	}
	p->old_count = kept;
}

// Counts how long workers have not activated the newest image.
static void lag_count(struct publish_lag *lag, bool lags, uint64_t now_ms)
{
	if (!lags)
		lag->since_ms = 0;
	else if (!lag->since_ms)
		lag->since_ms = now_ms;
	lag->ms = lag->since_ms ? now_ms - lag->since_ms : 0;
}

// Finds images that a worker has not activated. While a worker hangs that is not evicted no lag is
// counted: it keeps all workers from the newest images, and is reported itself. Called with the
// lock held.
static void publish_rules_lag_watch(struct publisher *p, uint64_t now_ms)
{
	const uint64_t newest_rules = p->rules ? p->rules->generation : 0;
	const uint64_t newest_l0 = atomic_load(&p->dir->current[REGION_L0]) >> 1;
	const unsigned out = publish_workers_out(p);
	bool rules = false, policy = p->policy_fails, hops = false, l0 = false;

	for (unsigned i = 0; i < p->worker_rings && p->workers_hung <= out; i++) {
		const struct rings_dp_page *rings = p->rings[i];
		if (publisher_is_out(p, i))
			continue;
		rules |= atomic_load_explicit(&rings->activated_rules, memory_order_relaxed)
			 < newest_rules;
		policy |= atomic_load_explicit(&rings->activated_policy, memory_order_relaxed)
			  < p->policy_mapped;
		hops |= atomic_load_explicit(&rings->activated_hops, memory_order_relaxed)
			< p->hops_generation;
		const uint64_t has_l0 =
			atomic_load_explicit(&rings->activated_l0, memory_order_relaxed);
		l0 |= has_l0 < newest_l0;
		if (newest_l0 > 0 && has_l0 == newest_l0)
			p->l0_seen_by = p->epoch[0].attached;
	}
	lag_count(&p->l0_lag, l0, now_ms);
	lag_count(&p->rules_lag, rules, now_ms);
	lag_count(&p->policy_lag, policy, now_ms);
	lag_count(&p->hops_lag, hops, now_ms);
}

bool publish_rules_busy(struct publisher *p)
{
	pthread_mutex_lock(&p->lock);
	publish_rules_retire(p);
	bool busy = p->rules && p->old_count == PUBLISH_OLD_MAX;
	p->refused_busy += busy;
	pthread_mutex_unlock(&p->lock);
	return busy;
}

int publish_rules_publish(struct publisher *p, struct rule_image_region *r)
{
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	publish_rules_retire(p);
	if (p->rules && p->old_count == PUBLISH_OLD_MAX) {
		p->refused_busy++;
		rc = -EBUSY;
	} else {
		FAULT_POINT(rules_before_switch);
		atomic_store_explicit(&p->dir->current[REGION_RULE_IMAGE],
			generation_word(r->generation, r->region.where), memory_order_release);
		FAULT_POINT(rules_switched);
		if (p->rules) {
			rules_unlink(p, p->rules);
			FAULT_POINT(rules_unlinked);
			p->old[p->old_count++] = p->rules;
		}
		p->rules = r;
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void publish_rules_discard(struct publisher *p, struct rule_image_region *r)
{
	rules_unlink(p, r);
	region_drop(r);
}

void publisher_tables(const struct publisher *p, struct table_registry *tables)
{
	struct publish_status s;

	publish_status(p, &s);
	table_register(tables, &(struct table_info){.name = "rule_image",
				       .owner = "rules helper thread",
				       .eviction = "cannot be full: sized by its lists",
				       .lifetime = "until the next image",
				       .kind = TABLE_FIXED,
				       .cap = 1 + 2,
				       .used = (s.rule_image_generation != 0) + s.retired_waiting,
				       .bytes = s.rule_image_bytes + s.retired_bytes,
				       .shared = s.rule_image_bytes + s.retired_bytes,
				       .refused = s.refused_busy,
				       .has = TABLE_REFUSES});
	const uint64_t units = region_header_of(&p->l0)->geometry[1];
	table_register(tables, &(struct table_info){.name = "l0_marks",
				       .owner = "frontends",
				       .eviction = "cannot be full: one for each place in l0",
				       .lifetime = "of the process",
				       .kind = TABLE_FIXED,
				       .cap = units,
				       .used = units,
				       .bytes = units});
}
