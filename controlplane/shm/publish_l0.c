// SPDX-License-Identifier: BSD-3-Clause
// The region of L0: reused or made, current once its writer has opened it, and looked at while
// workers wait for it.
#include "publish_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/l0_writer.h>
#include <weir/log.h>
#include <weir/shm_lost.h>

// Maps the current l0 of the last life if it has the size and is for as many resolvers as the
// configuration asks for now.
static bool l0_reuse(struct publisher *p, const uint64_t geometry[SHM_GEOMETRY_WORDS])
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
		&& memcmp(h->geometry, geometry, sizeof(h->geometry)) == 0)
		return true;
	log_info("cache of an earlier run has another %s; creating a new one",
		is_seen ? "size or number of resolvers" : "place than the data plane sees");
	p->l0_old = p->l0;
	p->l0 = (struct region){0};
	return false;
}

// Where a cache for another number of resolvers cannot be made beside the one that is there, that
// one and its number stay. `why`: it cannot be made.
static bool l0_keep(struct publisher *p, const struct config *config, const char *why)
{
	uint64_t geometry[SHM_GEOMETRY_WORDS];
	size_t size;

	if (!p->l0_old.base)
		return false;
	const uint64_t *had = region_header_of(&p->l0_old)->geometry;
	const unsigned resolvers = (unsigned)had[4]; // a wrong one makes another geometry
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

int publish_l0_open(struct publisher *p, const struct config *config, char why[SHM_WHY_MAX])
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
	// Marks of records that no client of this process asks for are never touched: no memory.
	p->marks = heap_calloc(spec.geometry[1], 1);
	if (!p->marks) {
		snprintf(why, SHM_WHY_MAX, "cache.l0_mb: no memory for marks");
		return -ENOMEM;
	}
	if (l0_reuse(p, spec.geometry))
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

// For a cache that a worker does not activate. This process' mapping outlives the file, which only
// a start makes again. If the file is sound, the data plane refuses it, and logs why.
void publish_l0_look(struct publisher *p)
{
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
	if (rc == 0 && p->l0.where == SHM_IN_HUGE && !p->l0_stays && publisher_huge_apart(p, why))
		rc = -ENOENT;
	if (rc == -ENOENT || rc == -EPROTO)
		region_gone_end(why);
}
