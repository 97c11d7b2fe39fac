// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The control plane's side of shared memory: the directory, generations of names and l0, lanes.
//
// Owned by the resolver loop's thread unless a function says otherwise. A new generation is made
// and filled by whoever likes (a helper thread), then switched to on the loop by one release store
// in the directory; its predecessor is unlinked at once (mappings keep it alive) and kept mapped
// here until every attached worker has adopted the new one, at most two old ones at a time: a third
// is refused with -EBUSY (a stuck worker then keeps the current image, and status says so).

#include "loop.h"

#include <weir/config.h>
#include <weir/rule_image.h>
#include <weir/shm_epoch.h>
#include <weir/shm_region.h>

struct publisher;

ATTR_MUST_CHECK int publisher_open(struct publisher **out, const struct shm_paths *paths,
	const struct config *config, char why[SHM_WHY_MAX]);
void publisher_close(struct publisher *p);

uint64_t publisher_incarnation(const struct publisher *p);
struct epoch_writer *publisher_epoch(struct publisher *p);
struct directory *publisher_directory(struct publisher *p); // writable mapping

// Settings for the workers; `group_lists` are the lists that apply to everyone.
void publish_config(struct publisher *p, const struct config *config, const uint64_t group_lists[4],
	bool blocking_on);

// Step 1, any thread: a region of the next generation with a copy of the image. Step 2, resolver
// loop: make it current. A region that is not published is unlinked with names_discard.
struct names_region;
ATTR_MUST_CHECK int names_prepare(struct publisher *p, const void *image, size_t size,
	struct names_region **out, char why[SHM_WHY_MAX]);
ATTR_MUST_CHECK int names_publish(struct publisher *p, struct names_region *r); // -EBUSY; takes r
void names_discard(struct publisher *p, struct names_region *r);

struct publish_status {
	uint64_t l0_generation, names_generation, config_generation;
	uint64_t l0_bytes, names_bytes;
	enum shm_where l0_where, names_where;
	unsigned retired_waiting; // old generations that some worker still uses
	uint64_t refused_busy;
};
void publish_status(const struct publisher *p, struct publish_status *out);
