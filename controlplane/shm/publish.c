// SPDX-License-Identifier: BSD-3-Clause
// The publisher's directory, and what it says beside images: which life of the data plane reads,
// settings, heartbeats, evictions.

#include "base/rng.h"
#include "drop_list.h"
#include "publish_internal.h"

#include <errno.h>
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

// The data plane's word that says which of its runs reads the cache (struct reader_page). The
// writers of L0 have a pointer to it for their whole life; the file behind it may come later, or
// be replaced.
//
// Until there is a file the word is 0, since a data plane that makes one uses nothing of our
// directory before directory.reader_file names that file. If one runs already whose file is gone,
// the word is one that no run has, and everything waits until the file is back.

static const char READER_NAME[] = "reader";
enum { READER_SIZE = 2 * SHM_PAGE };

static const _Atomic uint64_t *publish_reader_life(const struct publisher *p)
{
	const struct reader_page *page = region_data(&p->reader);
	return &page->life;
}

// In place of a file that is not there.
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
		region_lost_end(why); // or its zeros would say that nobody reads
	if (rc != 1)
		return;
	FAULT_POINT(reader_mapped);
	// After the mapping, which all threads use from then on.
	atomic_store_explicit(&p->dir->reader_file, region_header_of(&p->reader)->incarnation,
		memory_order_release);
	FAULT_POINT(reader_file_stored);
}

static uint64_t huge_of_reader(const struct publisher *p)
{
	const struct reader_page *page = region_data(&p->reader);
	return atomic_load_explicit(&page->huge, memory_order_acquire);
}

bool publish_sees_huge(const struct publisher *p)
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

// Logs what changed.
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
	// In this order: a data plane that finds its file named here was seen.
	atomic_store(&p->dir->reader_file, 0);
	snprintf(path, sizeof(path), "%s/dataplane.lock", p->paths.run);
	return process_lock_probe(path) == 1 ? unknown_store(p, why) : 0;
}

// Settings for the workers, and the secrets of cookies with them: the configured ones, or random
// ones, which change within each day, at an unpredictable time (RFC 7873 7.1).

enum {
	OWN = 2, // today's, and yesterday's, by which cookies of the last hour are still right
	DAY_MS = 24 * 3600 * 1000, // less up to 40% of it, at random
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

// With the lock held: the secrets that none is configured for, new ones when they are due.
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

// With the lock held.
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

// With the lock held: the settings once more, when the cookies' secret has to change.
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

// The heartbeats of the resolvers and frontends. Each one's loop writes its own and looks at all
// others, so every loop that hangs is named as long as one runs. When none does, the data plane
// says so.

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

// Several loops may see the same: one of them logs it.
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
	// The process was stopped, or the machine suspended: the others need as long as we do for
	// their heartbeats. Half the time, because theirs may be a beat older than our own.
	if (now_ms > before_ms && now_ms - before_ms >= PUBLISH_HUNG_MS / 2)
		own->check_from_ms = now_ms + PUBLISH_HUNG_MS;
	if (now_ms < own->check_from_ms)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(p->beat); i++) {
		const uint64_t at_ms =
			atomic_load_explicit(&p->beat[i].at_ms, memory_order_relaxed);
		// 0: it has not begun, or no thread has that number.
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

// Eviction of workers whose heart has stopped while others beat: the writers of L0 no longer wait
// for such a worker (shm_epoch.h says why that is safe), old rule images are freed without it, and
// resolvers drop the answers for it. What it put on its miss ring is resolved, and what lies on its
// answer ring stays there for its return.
//
// Time is counted in beats of this loop, so that a pause of this process or of the machine is no
// worker's silence. When no worker beats, the data plane is stopped: nobody is served, and its
// workers would all return in the middle of a batch. Then none is evicted, and that time counts as
// no worker's silence.

// One that has not mapped the word yet would not see it.
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

	number += number == 0; // `out` 0 is nobody's
	// In this order: a writer that sees `out` writes into memory only after the worker can
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

// The words are in memory that the other process writes, and bits flip. `evicted` is written again;
// a worker that beats but has no right `returned` finds the next number, and returns once more.
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
	else if (beat != 0 && w->still < PUBLISH_EVICT_BEATS) // 0: before its first heartbeat
		w->still++;
	w->beat_ms = beat;
}

// With the lock held.
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
	// Else the first that beats after a stop would have all others evicted.
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

unsigned publish_workers_out(const struct publisher *p)
{
	unsigned out = 0;
	for (unsigned i = 0; i < p->worker_rings; i++)
		out += publisher_is_out(p, i);
	return out;
}

// Its life.

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
	// A new directory, so a new cache; from somewhere else on, as workers may use old numbers
	// for a moment longer.
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

// Files "<stem>.<number>" whose generation is not the one to keep.
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

void publish_unlink_old(struct publisher *p, const char *stem, uint64_t keep)
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
	publish_unlink_old(p, "rule_image", atomic_load(&p->dir->current[REGION_RULE_IMAGE]) >> 1);
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
	// In this order: a process that stored its run here held the lock then, and holds it until
	// it ends.
	uint64_t life = atomic_load_explicit(publish_reader_life(p), memory_order_acquire);
	// A file that is not there proves nothing once a life has read: it may have been deleted.
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

// Clocks are read at different places, so a heartbeat may lie ahead of now_ms.
static void watch_workers(struct publisher *p, uint64_t now_ms)
{
	uint64_t suspended_ms = clock_suspended_ms(p->suspended_ms);
	unsigned hung = 0;

	// After a suspend the workers need as long as we do for their next heartbeat.
	if (suspended_ms != p->suspended_ms)
		p->check_from_ms = now_ms + PUBLISH_HUNG_MS;
	p->suspended_ms = suspended_ms;
	if (now_ms < p->check_from_ms)
		return;
	for (unsigned i = 0; i < p->worker_rings; i++) {
		uint64_t beat =
			atomic_load_explicit(&p->rings[i]->heartbeat_ms, memory_order_relaxed);
		// 0: attached before its first heartbeat.
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

// With the lock held, for p->rules.
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
	// The lock is the one thing that a reader changes.
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
