// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The directory region that a control plane publishes, for tests of activation. The test unmaps it.

#include "tests/unit/unit.h"

#include <weir/shm_abi.h>
#include <weir/shm_region.h>

// In place of the one in `region`, which may be empty. `reader`: the reader page of the data plane.
static inline struct directory *directory_make(struct region *region, const struct shm_paths *paths,
	uint64_t incarnation, const struct region *reader)
{
	char why[SHM_WHY_MAX] = "";
	const struct region_spec spec = {.name = "directory",
		.kind = REGION_DIRECTORY,
		.generation = 1,
		.incarnation = incarnation,
		.data_size = sizeof(struct directory)};
	region_unmap(region);
	assert_int_equal(region_create(paths, &spec, region, why), 0);
	struct directory *d = region_data(region);
	atomic_store(&d->epoch, 1);
	d->reader_file = region_header_of(reader)->incarnation;
	region_publish(region);
	return d;
}
