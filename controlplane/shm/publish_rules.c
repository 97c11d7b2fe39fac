// SPDX-License-Identifier: BSD-3-Clause
#include "publish_internal.h"

#include <errno.h>
#include <string.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

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
