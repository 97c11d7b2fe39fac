// SPDX-License-Identifier: BSD-3-Clause

// Maps rings that the data plane has made, checks what their headers say, and makes our half of
// them.
#include "querylog/querylog.h"
#include "querylog/querylog_source.h"
#include "worker_rings_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/fault.h>
#include <weir/page.h>
#include <weir/region_each.h>

enum { RING_UNITS_MAX = 1 << 22 };
#define EVICTIONS_APART (UINT64_C(1) << 32)

static bool units_ok(uint64_t units)
{
	return units >= 64 && units <= RING_UNITS_MAX && (units & (units - 1)) == 0;
}

// Read once: it can change under us.
static uint64_t geometry_of(const struct region *rings, unsigned which)
{
	return *(const volatile uint64_t *)&region_header_of(rings)->geometry[which];
}

static int not_ours(const char *name, char why[SHM_WHY_MAX])
{
	snprintf(why, SHM_WHY_MAX, "%s: of another process or shape", name);
	return -EPROTO;
}

// A new half in place of one that the data plane has used, and that its worker reads until this one
// is mapped. Misses and log records are taken from where the worker stands. Its place on the answer
// ring moves on by what the former half holds, a lap at most: this tail is further ahead, so the
// ring counts as full until the worker has found it and begun again there. Nor has the worker taken
// up this number of evictions: one that was evicted by the former half finds that out here.
static void indices_take(struct rings_cp_page *cp, const struct rings_dp_page *dp)
{
	if (atomic_load_explicit(&dp->answers, memory_order_acquire) == 0)
		return;
	cp->miss_head.units = atomic_load_explicit(&dp->miss_tail.units, memory_order_acquire);
	cp->answer_tail.units = atomic_load_explicit(&dp->answer_head.units, memory_order_acquire)
				+ UINT64_C(3) * RINGS_ANSWER_UNITS;
	cp->log_head.units = atomic_load_explicit(&dp->log_tail.units, memory_order_acquire);
	cp->evicted = atomic_load_explicit(&dp->returned, memory_order_acquire) + EVICTIONS_APART;
}

// Our half of rings of `incarnation`: that of our last life, with its indices, or a new one.
static int answers_open(struct rings *rings, const struct rings_dp_page *dp, unsigned resolver,
	uint64_t incarnation, struct region *out, char why[SHM_WHY_MAX])
{
	const struct shm_paths *paths = publisher_paths(rings->owner->publisher);
	char name[SHM_NAME_MAX];

	shm_name_answers(name, rings->index, resolver);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_ANSWERS,
		.generation = 1,
		.incarnation = incarnation_new(), // of this file, for rings_dp_page.answers
		.index = rings->index,
		.data_size = ANSWERS_SIZE - SHM_PAGE,
		.geometry = {0, RINGS_ANSWER_UNITS, 0, resolver, incarnation},
	};
	if (region_attach(paths, SHM_IN_MEM, name, REGION_ANSWERS, true, out, why) == 0) {
		if (out->size == page_up(ANSWERS_SIZE)
			&& memcmp(region_header_of(out)->geometry, spec.geometry,
				   sizeof(spec.geometry))
				   == 0)
			return 0;
		region_unmap(out);
	}
	int rc = region_create(paths, &spec, out, why);
	if (rc == 0) {
		indices_take(rings_cp(out), dp);
		region_publish(out);
	}
	FAULT_POINT(answers_made);
	return rc;
}

int rings_map_of(
	struct rings *rings, unsigned resolver, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	const struct worker_rings *l = rings->owner;
	char name[SHM_NAME_MAX];
	struct region r;

	shm_name_rings(name, rings->index, resolver);
	int rc = region_attach(
		publisher_paths(l->publisher), SHM_IN_MEM, name, REGION_RINGS, false, &r, why);
	if (rc < 0)
		return rc;
	const struct region_header *h = region_header_of(&r);
	uint64_t miss = geometry_of(&r, 0);
	if (h->incarnation != incarnation || h->index != rings->index
		|| geometry_of(&r, 3) != resolver || !units_ok(miss)
		|| RINGS_MISS_RING + miss * RING_UNIT > r.size)
		rc = not_ours(name, why);
	if (rc == 0)
		rc = answers_open(rings, rings_dp(&r), resolver, incarnation, &rings->answers, why);
	if (rc < 0) {
		region_unmap(&r);
		return rc;
	}
	const struct rings_dp_page *dp = rings_dp(&r);
	struct rings_cp_page *cp = rings_cp(&rings->answers);
	ring_consumer_init(
		&rings->misses, &dp->miss_tail, &cp->miss_head, r.base + RINGS_MISS_RING, miss);
	ring_producer_init(&rings->answer_ring, &cp->answer_tail, &dp->answer_head,
		rings->answers.base + ANSWERS_RING, RINGS_ANSWER_UNITS);
	rings->apart = true;
	rings->region = r;
	return 0;
}

int rings_map_own(struct rings *rings, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	return rings_map_of(rings, rings->owner->resolver, incarnation, why);
}

// Of the first resolver's rings another one reads the seen-epoch alone.
static int map_first(struct rings *rings, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX];

	shm_name_rings(name, rings->index, 0);
	int rc = region_attach(publisher_paths(rings->owner->publisher), SHM_IN_MEM, name,
		REGION_RINGS, false, &rings->first, why);
	if (rc < 0)
		return rc;
	const struct region_header *h = region_header_of(&rings->first);
	if (h->incarnation == incarnation && h->index == rings->index
		&& rings->first.size >= RINGS_DP_PAGE + SHM_PAGE)
		return 0;
	return not_ours(name, why);
}

int rings_map(struct rings *rings, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	if (rings->owner->resolver == 0)
		return rings_map_own(rings, incarnation, why);
	int rc = map_first(rings, incarnation, why);
	if (rc == 0) // made later, as a rule
		(void)!rings_map_own(rings, incarnation, why);
	return rc;
}

void rings_unmap(struct rings *rings)
{
	region_unmap(&rings->marks);
	region_unmap(&rings->region);
	region_unmap(&rings->answers);
	region_unmap(&rings->first);
	*rings = (struct rings){.bell_fd = -1};
}

struct present {
	const struct shm_paths *paths;
	unsigned workers, resolvers;
};

static void unlink_former(void *arg, const char *name)
{
	const struct present *p = arg;
	unsigned worker = 0, resolver = 0;
	if (sscanf(name, "answers.%u.%u", &worker, &resolver) < 1
		|| (worker < p->workers && resolver < p->resolvers))
		return;
	(void)region_unlink(p->paths, SHM_IN_MEM, name);
	FAULT_POINT(leftover_unlinked);
}

void rings_sweep(const struct worker_rings *l, unsigned workers, unsigned resolvers)
{
	struct present p = {publisher_paths(l->publisher), workers, resolvers};
	region_each(p.paths, SHM_IN_MEM, unlink_former, &p);
}

// The log ring lies behind the miss ring. Both files are mapped once more for the log thread, which
// reads the rest of a dead worker's ring after the worker rings are detached here.
int rings_map_log(const struct rings *rings, char why[SHM_WHY_MAX])
{
	const struct worker_rings *l = rings->owner;
	const struct shm_paths *paths = publisher_paths(l->publisher);
	// Reads only the fields of the header that were not checked before: their owner may have
	// changed the others since.
	const uint64_t before = rings->misses.units, units = geometry_of(&rings->region, 2);
	struct querylog_source s = {0};
	char name[SHM_NAME_MAX];

	if (!l->log || units == 0)
		return 0;
	shm_name_rings(name, rings->index, 0);
	if (!units_ok(units)
		|| RINGS_MISS_RING + (before + units) * RING_UNIT > rings->region.size) {
		snprintf(why, SHM_WHY_MAX, "%s: log ring of another shape", name);
		return -EPROTO;
	}
	int rc = region_attach(paths, SHM_IN_MEM, name, REGION_RINGS, false, &s.rings, why);
	if (rc < 0)
		return rc;
	shm_name_answers(name, rings->index, 0);
	rc = region_attach(paths, SHM_IN_MEM, name, REGION_ANSWERS, true, &s.region, why);
	if (rc == 0 && (s.rings.size != rings->region.size || s.region.size != rings->answers.size))
		rc = not_ours(name, why);
	if (rc == 0) {
		const struct rings_dp_page *dp = rings_dp(&s.rings);
		s.owed = &dp->log_owed;
		ring_consumer_init(&s.ring, &dp->log_tail, &rings_cp(&s.region)->log_head,
			s.rings.base + RINGS_MISS_RING + before * RING_UNIT, units);
		rc = querylog_add_source(l->log, &s);
		if (rc < 0)
			snprintf(why, SHM_WHY_MAX, "%s: log ring: %s", name, strerror(-rc));
	}
	if (rc < 0) {
		region_unmap(&s.region);
		region_unmap(&s.rings);
	}
	return rc;
}
