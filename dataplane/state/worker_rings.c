// SPDX-License-Identifier: BSD-3-Clause

#include "worker_rings.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/build.h>
#include <weir/clock.h>
#include <weir/fault.h>
#include <weir/log.h>
#include <weir/numa.h>
#include <weir/region_each.h>
#include <weir/shm_lost.h>

static void unlink_former(void *paths, const char *name)
{
	// The second is the former name.
	if (strncmp(name, "rings.", 6) == 0 || strncmp(name, "lane.", 5) == 0) {
		(void)region_unlink(paths, SHM_IN_MEM, name);
		FAULT_POINT(former_rings_unlinked);
	}
}

// Deletes the rings of an earlier run: no process needs them, and a run with more workers would
// leave some behind for good. tables.c handles its marks.
static void sweep_former_life(const struct shm_paths *paths)
{
	region_each(paths, SHM_IN_MEM, unlink_former, (void *)(uintptr_t)paths);
}

// Not published yet.
static int rings_create(struct region *out, const struct shm_paths *paths, unsigned worker,
	unsigned resolver, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX];
	shm_name_rings(name, worker, resolver);
	const size_t miss_size = (size_t)RINGS_MISS_UNITS * RING_UNIT;
	const unsigned log_units = resolver == 0 ? RINGS_LOG_UNITS : 0;
	const size_t log_size = (size_t)log_units * RING_UNIT;
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_RINGS,
		.generation = 1,
		.incarnation = incarnation,
		.index = worker,
		.data_size = RINGS_MISS_RING - SHM_PAGE + miss_size + log_size,
		.geometry = {RINGS_MISS_UNITS, 0, log_units, resolver},
	};
	int rc = region_create(paths, &spec, out, why);
	if (rc)
		return rc;
	struct rings_dp_page *dp = (void *)(out->base + RINGS_DP_PAGE);
	atomic_store_explicit(&dp->seen_epoch, EPOCH_OFFLINE, memory_order_relaxed);
	FAULT_POINT(rings_offline_stored);
	return 0;
}

static void give(const char *path, const char *key, const char *group)
{
	errno = 0;
	const struct group *g = group[0] ? getgrnam(group) : NULL;
	if (group[0] && !g)
		log_warning("%s: no group %s; only the owner can read statistics", key, group);
	else if (g && chown(path, (uid_t)-1, g->gr_gid) != 0)
		log_warning("%s: chown to group %s: %s", path, group, strerror(errno));
}

// Not fatal: root still can read the statistics. The directories of one user are for members of
// runtime.group to pass. Where two users share the runtime directory, the directories are theirs,
// and the user of this process is no member of runtime.group.
static void give_to_groups(const struct shm_paths *paths, const struct rings_spec_all *spec)
{
	char stats[SHM_PATH_MAX + SHM_NAME_MAX];
	snprintf(stats, sizeof(stats), "%s/stats", paths->mem);
	if (!paths->two_users) {
		give(paths->run, "runtime.group", spec->group);
		give(paths->mem, "runtime.group", spec->group);
	}
	if (spec->stats_group[0])
		give(stats, "runtime.stats_group", spec->stats_group);
	else if (!paths->two_users)
		give(stats, "runtime.group", spec->group);
}

// How the previous run ended: its statistics are still in the place of this run's.
static unsigned former_end(const struct shm_paths *paths, uint64_t *incarnation)
{
	char why[SHM_WHY_MAX];
	struct region r;
	if (region_attach(paths, SHM_IN_MEM, "stats", REGION_STATS, false, &r, why) < 0)
		return STATS_UNTOLD;
	unsigned end = STATS_UNTOLD;
	if (region_data_size(&r) >= sizeof(struct stats_region)) {
		const struct stats_region *s = region_data(&r);
		uint32_t told = atomic_load_explicit(&s->ended, memory_order_relaxed);
		end = told == STATS_STOPPED || told == STATS_FAILED ? told : STATS_FELL;
		*incarnation = ((const struct region_header *)r.base)->incarnation;
	}
	region_unmap(&r);
	return end;
}

static int stats_create(struct worker_rings *l, const struct shm_paths *paths,
	const struct rings_spec_all *spec, char why[SHM_WHY_MAX])
{
	const struct region_spec region = {
		.name = "stats",
		.kind = REGION_STATS,
		.generation = 1,
		.incarnation = spec->incarnation,
		.data_size =
			sizeof(struct stats_region) + spec->workers * sizeof(struct stats_worker),
		.geometry = {spec->workers, spec->port_count, VERDICT_COUNT, COUNTER_COUNT,
			STATS_WORKER_TABLES, STATS_PROCESS_TABLES},
	};
	uint64_t former = 0;
	unsigned end = former_end(paths, &former);
	int rc = region_create(paths, &region, &l->stats, why);
	if (rc)
		return rc;
	struct stats_region *s = worker_rings_stats(l);
	uint64_t now_ms = clock_mono_ms();
	atomic_store_explicit(&s->start_ms, now_ms, memory_order_relaxed);
	atomic_store_explicit(&s->heartbeat_ms, now_ms, memory_order_relaxed);
	atomic_store_explicit(&s->pid, (uint32_t)getpid(), memory_order_relaxed);
	atomic_store_explicit(&s->former_end, end, memory_order_relaxed);
	atomic_store_explicit(&s->former_incarnation, former, memory_order_relaxed);
	snprintf(s->version, sizeof(s->version), "%s", build_this()->version);
	snprintf(s->commit, sizeof(s->commit), "%s", build_this()->commit);
	for (unsigned i = 0; i < spec->port_count; i++) {
		memcpy(s->port[i].name, spec->port_name[i], STATS_PORT_NAME);
		s->port[i].name[STATS_PORT_NAME - 1] = '\0';
		atomic_store_explicit(
			&s->port[i].is_exception, spec->port_is_exception[i], memory_order_relaxed);
	}
	FAULT_POINT(stats_filled);
	region_publish(&l->stats);
	give_to_groups(paths, spec);
	return 0;
}

static int bells_open(struct worker_rings *l, char why[SHM_WHY_MAX])
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < l->count; i++)
		rc = bell_open(l->rings[i].bell);
	for (unsigned r = 0; rc == 0 && r < SHM_RESOLVERS_MAX; r++) {
		l->gong[r] = gong_open();
		rc = l->gong[r] < 0 ? l->gong[r] : 0;
	}
	if (rc)
		snprintf(why, SHM_WHY_MAX, "bells of the workers: %s", strerror(-rc));
	return rc;
}

static void bells_close(const int *bells, unsigned count)
{
	for (unsigned k = 0; k < count; k++)
		if (bells[k] >= 0)
			close(bells[k]);
}

void worker_rings_bells(const struct worker_rings *l, int out[LINK_BELLS_MAX])
{
	unsigned n = 0;
	for (unsigned i = 0; i < l->count; i++) {
		out[n++] = l->rings[i].bell[BELL_HEARS];
		out[n++] = l->rings[i].bell[BELL_RINGS];
	}
	for (unsigned r = 0; r < SHM_RESOLVERS_MAX; r++)
		out[n++] = l->gong[r];
}

static void rings_discard(struct region *r, const struct shm_paths *paths)
{
	char name[SHM_NAME_MAX];

	if (!r->base)
		return;
	const struct region_header *h = region_header_of(r);
	shm_name_rings(name, h->index, (unsigned)h->geometry[3]);
	region_unmap(r);
	(void)region_unlink(paths, SHM_IN_MEM, name);
}

// The rings of one more resolver, on the nodes of the workers' lcores (NULL: anywhere). They are
// published once all are there: the control plane keeps what it has mapped, and would not see those
// that a later try makes.
static int resolver_create(struct worker_rings *l, const struct shm_paths *paths,
	const unsigned *lcores, char why[SHM_WHY_MAX])
{
	unsigned r = l->resolvers;
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < l->count; i++) {
		if (lcores)
			(void)numa_place(numa_nodes_of(NULL, &lcores[i], 1));
		rc = rings_create(&l->rings[i].region[r], paths, i, r, l->incarnation, why);
		if (rc == 0)
			rc = region_place(ANSWERS_SIZE, &l->rings[i].answers[r], why);
	}
	if (lcores)
		(void)numa_place(0);
	for (unsigned i = 0; i < l->count; i++) {
		struct region *made = &l->rings[i].region[r];
		if (rc) {
			rings_discard(made, paths);
			region_unmap(&l->rings[i].answers[r]);
			continue;
		}
		region_publish(made);
		FAULT_POINT(rings_made);
	}
	l->resolvers += rc == 0;
	l->missing |= rc == 0;
	return rc;
}

int worker_rings_create(struct worker_rings *out, const struct shm_paths *paths,
	const struct rings_spec_all *spec, char why[SHM_WHY_MAX])
{
	struct worker_rings l = {.count = spec->workers, .incarnation = spec->incarnation};
	for (unsigned i = 0; i < l.count; i++)
		l.rings[i].bell[BELL_HEARS] = l.rings[i].bell[BELL_RINGS] = -1;
	memset(l.gong, -1, sizeof(l.gong));
	sweep_former_life(paths);
	int rc = worker_rings_reader_open(&l, paths, why);
	if (rc == 0)
		rc = stats_create(&l, paths, spec, why);
	if (rc == 0)
		rc = bells_open(&l, why);
	if (rc == 0)
		rc = resolver_create(&l, paths, spec->lcores, why);
	if (rc) {
		rings_fail(&l);
		worker_rings_close(&l);
		return rc;
	}
	*out = l;
	return 0;
}

static void end_tell(const struct worker_rings *l, enum stats_end end)
{
	uint32_t untold = STATS_UNTOLD;
	if (l->stats.base)
		(void)atomic_compare_exchange_strong(&worker_rings_stats(l)->ended, &untold, end);
}

void rings_fail(const struct worker_rings *l)
{
	end_tell(l, STATS_FAILED);
}

void worker_rings_close(struct worker_rings *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		for (unsigned r = 0; r < l->resolvers; r++) {
			region_unmap(&l->rings[i].region[r]);
			region_unmap(&l->rings[i].answers[r]);
		}
		bells_close(l->rings[i].bell, BELL_ENDS);
	}
	if (l->count > 0)
		bells_close(l->gong, SHM_RESOLVERS_MAX);
	end_tell(l, STATS_STOPPED); // a killed process does not get here
	region_unmap(&l->stats);
	region_unmap(&l->reader);
	*l = (struct worker_rings){0};
}

void worker_rings_check(struct worker_rings *l, const struct shm_paths *paths)
{
	char name[SHM_NAME_MAX];
	for (unsigned i = 0; i < l->count * l->resolvers; i++) {
		unsigned worker = i / l->resolvers, r = i % l->resolvers;
		shm_name_rings(name, worker, r);
		if (region_is_cut(paths, &l->rings[worker].region[r], name))
			region_lost_end(name);
	}
	if (region_is_cut(paths, &l->stats, "stats"))
		region_lost_end("stats");
	worker_rings_reader_check(l, paths);
	worker_rings_link(l, paths);
}

struct stats_region *worker_rings_stats(const struct worker_rings *l)
{
	return region_data(&l->stats);
}

static void resolver_bind(const struct worker_rings *l, struct worker *w, unsigned r)
{
	uint8_t *base = l->rings[w->index].region[r].base;
	const uint8_t *answers = l->rings[w->index].answers[r].base;
	struct rings_dp_page *dp = (void *)(base + RINGS_DP_PAGE);
	const struct rings_cp_page *cp = (const void *)(answers + ANSWERS_CP_PAGE);
	w->gong[r] = l->gong[r];
	ring_producer_init(&w->miss[r], &dp->miss_tail, &cp->miss_head, base + RINGS_MISS_RING,
		RINGS_MISS_UNITS);
	ring_consumer_init(&w->answer[r], &cp->answer_tail, &dp->answer_head,
		answers + ANSWERS_RING, RINGS_ANSWER_UNITS);
}

int worker_rings_grow(struct worker_rings *l, const struct shm_paths *paths,
	struct worker *const *workers, unsigned resolvers, char why[SHM_WHY_MAX])
{
	unsigned lcores[SHM_WORKERS_MAX];
	for (unsigned i = 0; i < l->count; i++)
		lcores[i] = workers[i]->lcore;
	while (l->resolvers < resolvers) {
		int rc = resolver_create(l, paths, lcores, why);
		if (rc)
			return rc;
		for (unsigned i = 0; i < l->count; i++)
			resolver_bind(l, workers[i], l->resolvers - 1);
	}
	return 0;
}

void worker_rings_bind(const struct worker_rings *l, struct worker *w)
{
	const struct rings *rings = &l->rings[w->index];
	uint8_t *base = rings->region[0].base;
	struct rings_dp_page *dp = (void *)(base + RINGS_DP_PAGE);
	const struct rings_cp_page *cp = (const void *)(rings->answers[0].base + ANSWERS_CP_PAGE);
	w->rings = dp;
	w->bell = rings->bell[BELL_HEARS];
	w->bell_far = rings->bell[BELL_RINGS];
	w->stats = &worker_rings_stats(l)->worker[w->index];
	w->epoch.seen = &dp->seen_epoch;
	w->epoch.evicted = &cp->evicted;
	w->epoch.returned = &dp->returned;
	w->resolvers = 1;
	resolver_bind(l, w, 0);
	log_writer_init(&w->log, &dp->log_tail, &cp->log_head,
		base + RINGS_MISS_RING + (size_t)RINGS_MISS_UNITS * RING_UNIT, RINGS_LOG_UNITS,
		&dp->log_owed);
}
