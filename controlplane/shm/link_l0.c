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
static void l0_copy(const struct publisher *p, struct l0_writer *w)
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
		c.full  ? ", the new one is full"
		: !done ? ", the rest not copied: out of time"
			: "");
}

int link_l0_open(struct publisher *p, struct l0_writer **out, char why[SHM_WHY_MAX])
{
	struct l0_writer_stats stats;
	struct l0_writer *w;
	struct region region;
	bool fresh;

	publisher_l0(p, &region, &fresh);
	int rc = l0_writer_open(
		&w, region.base, region.size, fresh, publisher_epoch(p), clock_mono_ms());
	if (rc < 0) {
		snprintf(why, SHM_WHY_MAX, "cache: cannot be opened: %d", rc);
		return rc;
	}
	l0_copy(p, w);
	publish_l0(p);
	l0_writer_stats(w, &stats);
	if (!fresh)
		log_info("cache reused: %llu records kept, %llu discarded",
			(unsigned long long)stats.recovered, (unsigned long long)stats.discarded);
	*out = w;
	return 0;
}
