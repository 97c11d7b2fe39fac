// SPDX-License-Identifier: BSD-3-Clause
#include "link.h"

#include <stdio.h>
#include <weir/clock.h>
#include <weir/log.h>

enum {
	COPY_MAX_MS = 600, // of the second that a restart may take
	COPY_STEP_BUCKETS = 4096,
};

// The cache of the last life, of another size, into the new one. A data plane that lives goes on
// with the old one meanwhile; only misses wait, so it may not take long.
static void l0_copy(const struct publisher *p, struct l0_writer *const *w)
{
	const struct region *old = publisher_l0_old(p);
	struct l0_copy c = {0};
	struct l0_reader from;

	if (!old)
		return;
	if (l0_reader_init(&from, old->base, old->size) < 0) {
		log_warning(
			"cache of an earlier run not usable: its geometry does not match its size");
		return;
	}
	uint64_t start_ms = clock_mono_ms(), now_ms = start_ms;
	bool done = false;
	while (!done && now_ms < start_ms + COPY_MAX_MS) {
		done = l0_writer_copy(w, &from, now_ms, &c, COPY_STEP_BUCKETS);
		now_ms = clock_mono_ms();
	}
	log_info("cache of the new size: %llu records copied in %llu ms, %llu discarded%s",
		(unsigned long long)c.copied, (unsigned long long)(now_ms - start_ms),
		(unsigned long long)c.discarded,
		c.full  ? ", the new one is full" // or a share of it
		: !done ? ", the rest not copied: out of time"
			: "");
}

int link_l0_open(struct publisher *p, struct l0_writer **out, char why[SHM_WHY_MAX])
{
	unsigned long long kept = 0, discarded = 0;
	struct l0_writer_stats stats;
	struct region region;
	bool fresh;

	publisher_l0(p, &region, &fresh);
	for (unsigned i = 0; i < publisher_resolvers(p); i++) {
		int rc = l0_writer_open(&out[i], region.base, region.size, i, fresh,
			publisher_epoch(p, i), clock_mono_ms());
		if (rc < 0) {
			snprintf(why, SHM_WHY_MAX, "cache: cannot be opened: %d", rc);
			return rc;
		}
		l0_writer_set_own_marks(out[i], publisher_marks(p));
		l0_writer_stats(out[i], &stats);
		kept += stats.recovered;
		discarded += stats.discarded;
	}
	l0_copy(p, out);
	publish_l0(p);
	if (!fresh)
		log_info("cache reused: %llu records kept, %llu discarded", kept, discarded);
	return 0;
}
