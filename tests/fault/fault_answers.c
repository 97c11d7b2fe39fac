// SPDX-License-Identifier: BSD-3-Clause
#include "fault_answers.h"

#include "fault_run.h"

static void half_make(
	const struct shm_paths *paths, unsigned worker, unsigned resolver, uint64_t incarnation)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct region r;
	shm_name_answers(name, worker, resolver);
	const struct region_spec spec = {.name = name,
		.kind = REGION_ANSWERS,
		.generation = 1,
		.incarnation = incarnation_new(),
		.index = worker,
		.data_size = ANSWERS_SIZE - SHM_PAGE,
		.geometry = {0, RINGS_ANSWER_UNITS, 0, resolver, incarnation}};
	FAULT_CHECK(region_create(paths, &spec, &r, why) == 0);
	region_publish(&r);
	region_unmap(&r);
}

void fault_answers_make(const struct shm_paths *paths, struct worker_rings *l)
{
	for (unsigned i = 0; i < l->count * l->resolvers; i++)
		half_make(paths, i / l->resolvers, i % l->resolvers, l->incarnation);
	worker_rings_link(l, paths);
}
