// SPDX-License-Identifier: BSD-3-Clause

#include "tables.h"

#include <weir/fault.h>
#include <weir/heap_site.h>

static void unmap_marks(struct region marks[SHM_WORKERS_MAX])
{
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		region_unmap(&marks[i]);
}

void tables_unlink_marks(const struct tables_source *src, unsigned worker, uint64_t generation)
{
	char name[SHM_NAME_MAX];
	shm_name_marks(name, worker, generation);
	(void)region_unlink(&src->paths, SHM_IN_MEM, name);
}

// What a set uses and another one uses too.
struct shared {
	bool names, policy, hops, l0;
	bool marks; // the files of its marks: the newer set may have made its own under their names
};

static struct shared shared_with(
	const struct tables_set *set, const struct tables_set *const *kept, unsigned count)
{
	struct shared s = {0};
	for (unsigned i = 0; i < count; i++) {
		s.names |= kept[i]->names.base == set->names.base;
		s.policy |= kept[i]->policy.base == set->policy.base;
		s.hops |= kept[i]->hops.base == set->hops.base;
		s.l0 |= kept[i]->l0.base == set->l0.base;
		s.marks |= kept[i]->t.l0_generation == set->t.l0_generation;
	}
	return s;
}

void tables_free(struct tables_set *set, const struct tables_set *const *kept, unsigned count,
	const struct tables_source *src)
{
	if (!set)
		return;
	const struct shared shared = shared_with(set, kept, count);
	if (!shared.names)
		region_unmap(&set->names);
	if (!shared.policy)
		region_unmap(&set->policy);
	if (!shared.hops)
		region_unmap(&set->hops);
	if (!shared.l0) {
		region_unmap(&set->l0);
		unmap_marks(set->marks);
		for (unsigned i = 0; set->t.has_l0 && !shared.marks && i < src->workers; i++) {
			tables_unlink_marks(src, i, set->t.l0_generation);
			FAULT_POINT(marks_unlinked);
		}
	}
	heap_free(set);
}
