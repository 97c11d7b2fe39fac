// SPDX-License-Identifier: BSD-3-Clause
#include "publish_internal.h"

#include <string.h>
#include <weir/log.h>

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
