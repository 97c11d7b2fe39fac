// SPDX-License-Identifier: BSD-3-Clause
#include "publish_internal.h"

#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>

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
