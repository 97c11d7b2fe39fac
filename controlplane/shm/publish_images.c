// SPDX-License-Identifier: BSD-3-Clause
// Images that this process publishes by generation: the cache (L0), the groups' policies, next hops
// and rule images.

#include "publish_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/l0_writer.h>
#include <weir/log.h>
#include <weir/shm_lost.h>
#include <weir/thread.h>

// The region of L0: reused or made, current once its writer has opened it, and looked at while
// workers wait for it.

// A cache that was made while too few huge pages were free is copied into them, byte for byte, as
// soon as a start finds enough. The file in ordinary memory stays current until publish_l0.
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

// Maps the current l0 of the last life if it has the size and is for as many resolvers as the
// configuration asks for now. `spec`: of a new one, without its generation.
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

// Policies.

// Where the last life's image is; 0: no image.
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

void publish_policy_status(const struct publisher *p, struct publish_status *out)
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

void publish_hops_reset(struct publisher *p)
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

// Generations count on from the highest one that the last life may have used, so that a worker
// never sees the same number for another image.
void publish_rules_recover(struct publisher *p)
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
	atomic_store(&p->dir->current[REGION_RULE_IMAGE], 0);
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

// The last unmap of a region frees its pages, 0.2 ms for each MiB: too long for the resolver loop.
// At most as many threads at a time as there are old images.
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

void publish_rules_close(struct publisher *p)
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

// Frees old images that no attached worker uses any more, but for one that is evicted. A false word
// of a worker does no harm: it has its own mapping, so only the count here is wrong.
void publish_rules_retire(struct publisher *p)
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

// A worker that hangs keeps all of them from the newest image, and is reported as such, until it is
// evicted.
static void lag_count(struct publish_lag *lag, bool lags, uint64_t now_ms)
{
	if (!lags)
		lag->since_ms = 0;
	else if (!lag->since_ms)
		lag->since_ms = now_ms;
	lag->ms = lag->since_ms ? now_ms - lag->since_ms : 0;
}

void publish_rules_lag_watch(struct publisher *p, uint64_t now_ms)
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
		l0 |= atomic_load_explicit(&rings->activated_l0, memory_order_relaxed) < newest_l0;
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
