// SPDX-License-Identifier: BSD-3-Clause

// Maps rings that the data plane has made, and checks what their headers say.
#include "querylog/querylog.h"
#include "querylog/querylog_source.h"
#include "worker_rings_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RING_UNITS_MAX = 1 << 22 };

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

// Only this side's pages of it stay writable.
static int protect(const struct region *r, uint64_t miss, const char *name, char why[SHM_WHY_MAX])
{
	int rc = region_protect(r, RINGS_DP_PAGE, SHM_PAGE);
	if (rc == 0)
		rc = region_protect(r, RINGS_MISS_RING, miss * RING_UNIT);
	if (rc < 0)
		snprintf(why, SHM_WHY_MAX, "%s: cannot be protected: %s", name, strerror(-rc));
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
		publisher_paths(l->publisher), SHM_IN_MEM, name, REGION_RINGS, true, &r, why);
	if (rc < 0)
		return rc;
	const struct region_header *h = region_header_of(&r);
	uint64_t miss = geometry_of(&r, 0), answer = geometry_of(&r, 1);
	if (h->incarnation != incarnation || h->index != rings->index
		|| geometry_of(&r, 3) != resolver || !units_ok(miss) || !units_ok(answer)
		|| RINGS_MISS_RING + (miss + answer) * RING_UNIT > r.size)
		rc = not_ours(name, why);
	if (rc == 0)
		rc = protect(&r, miss, name, why);
	if (rc < 0) {
		region_unmap(&r);
		return rc;
	}
	struct rings_dp_page *dp = (struct rings_dp_page *)(void *)(r.base + RINGS_DP_PAGE);
	struct rings_cp_page *cp = (struct rings_cp_page *)(void *)(r.base + RINGS_CP_PAGE);
	ring_consumer_init(
		&rings->misses, &dp->miss_tail, &cp->miss_head, r.base + RINGS_MISS_RING, miss);
	ring_producer_init(&rings->answers, &cp->answer_tail, &dp->answer_head,
		r.base + RINGS_MISS_RING + miss * RING_UNIT, answer);
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
	region_unmap(&rings->first);
	*rings = (struct rings){.bell_fd = -1};
}

// The log ring lies behind the other two. It is mapped once more for the log thread, which reads
// the rest of a dead worker's ring after the worker rings are detached here.
int rings_map_log(const struct rings *rings, char why[SHM_WHY_MAX])
{
	const struct worker_rings *l = rings->owner;
	// Reads only the fields of the header that were not checked before: their owner may have
	// changed the others since.
	uint64_t before = rings->misses.units + rings->answers.units;
	uint64_t units = geometry_of(&rings->region, 2);
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
	int rc = region_attach(publisher_paths(l->publisher), SHM_IN_MEM, name, REGION_RINGS, true,
		&s.region, why);
	if (rc < 0)
		return rc;
	uint8_t *base = s.region.base;
	struct rings_dp_page *dp = (struct rings_dp_page *)(void *)(base + RINGS_DP_PAGE);
	struct rings_cp_page *cp = (struct rings_cp_page *)(void *)(base + RINGS_CP_PAGE);
	s.owed = &dp->log_owed;
	ring_consumer_init(&s.ring, &dp->log_tail, &cp->log_head,
		base + RINGS_MISS_RING + before * RING_UNIT, units);
	if (s.region.size == rings->region.size)
		rc = region_protect(&s.region, RINGS_DP_PAGE, SHM_PAGE);
	else
		rc = -EPROTO;
	if (rc == 0)
		rc = region_protect(&s.region, RINGS_MISS_RING, (before + units) * RING_UNIT);
	if (rc == 0)
		rc = querylog_add_source(l->log, &s);
	if (rc < 0) {
		region_unmap(&s.region);
		snprintf(why, SHM_WHY_MAX, "%s: log ring: %s", name, strerror(-rc));
	}
	return rc;
}
