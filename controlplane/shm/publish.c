// SPDX-License-Identifier: BSD-3-Clause
#include "drop_list.h"
#include "publish_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/l0_writer.h>
#include <weir/log.h>
#include <weir/region_each.h>
#include <weir/shm_lost.h>

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
