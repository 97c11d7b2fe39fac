// SPDX-License-Identifier: BSD-3-Clause

// Marks of the workers, which the data plane makes once it has activated a cache.
#include "worker_rings_internal.h"

#include <weir/clock.h>

// The data plane puts marks where it found room, so both places are tried.
bool rings_map_marks(struct rings *rings)
{
	struct worker_rings *l = rings->owner;
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	const struct shm_paths *paths = publisher_paths(l->publisher);
	struct publish_status now;

	publish_status(l->publisher, &now);
	uint32_t units = l0_writer_reader(l->l0)->unit_count;
	shm_name_marks(name, rings->index, now.l0_generation);
	if (region_attach(paths, SHM_IN_MEM, name, REGION_MARKS, true, &rings->marks, why) < 0
		&& (!paths->huge[0]
			|| region_attach(
				   paths, SHM_IN_HUGE, name, REGION_MARKS, true, &rings->marks, why)
				   < 0))
		return false;
	const struct region_header *h = region_header_of(&rings->marks);
	if (h->incarnation != l->incarnation || h->index != rings->index
		|| h->generation != now.l0_generation || h->geometry[0] != units
		|| region_data_size(&rings->marks) < units) {
		region_unmap(&rings->marks);
		return false;
	}
	l0_writer_set_marks(l->l0, rings->index, region_data(&rings->marks));
	region_unmap(&l->ended_marks[rings->index]);
	return true;
}

void rings_end_marks(struct rings *rings)
{
	struct worker_rings *l = rings->owner;
	struct region *ended = &l->ended_marks[rings->index];

	if (!rings->marks.base)
		return;
	l0_writer_end_marks(l->l0, rings->index);
	region_unmap(ended);
	*ended = rings->marks;
	rings->marks = (struct region){0};
	l->marks_ended_ms = clock_mono_ms();
}

void rings_release_marks(struct worker_rings *l, bool now)
{
	const uint64_t start_us = clock_mono_us();

	if (!l->marks_ended_ms
		|| (!now && clock_mono_ms() < l->marks_ended_ms + RINGS_ENDED_MARKS_MS))
		return;
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++) {
		if (!l->ended_marks[i].base)
			continue;
		if (!now && clock_mono_us() >= start_us + RINGS_MARKS_US)
			return;
		l0_writer_forget_marks(l->l0, i);
		region_unmap(&l->ended_marks[i]);
	}
	l->marks_ended_ms = 0;
}

bool worker_rings_marked(const struct worker_rings *l, uint32_t record, uint8_t which)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct region *marks = &l->rings[i].marks;
		if (!marks->base || record >= region_data_size(marks))
			continue;
		const _Atomic uint8_t *mark = (const _Atomic uint8_t *)region_data(marks) + record;
		if (atomic_load_explicit(mark, memory_order_relaxed) & which)
			return true;
	}
	return false;
}
