// SPDX-License-Identifier: BSD-3-Clause
#include "refresh_stats.h"

// Minutes count from 1, as 0 is an unused slot's.
static uint64_t minute_of(uint64_t now_ms)
{
	return now_ms / 60000 + 1;
}

struct refresh_counts *refresh_stats_now(struct refresh_stats *s, uint64_t now_ms)
{
	uint64_t minute = minute_of(now_ms);
	unsigned i = (unsigned)(minute % REFRESH_MINUTES);

	if (s->minute[i] != minute) {
		s->minute[i] = minute;
		s->count[i] = (struct refresh_counts){0};
	}
	return &s->count[i];
}

const struct refresh_counts *refresh_stats_at(
	const struct refresh_stats *s, uint64_t now_ms, unsigned ago)
{
	uint64_t minute = minute_of(now_ms);

	if (ago >= REFRESH_MINUTES || ago >= minute)
		return NULL;
	minute -= ago;
	unsigned i = (unsigned)(minute % REFRESH_MINUTES);
	return s->minute[i] == minute ? &s->count[i] : NULL;
}

static void add(uint32_t *to, uint32_t n)
{
	*to = n > UINT32_MAX - *to ? UINT32_MAX : *to + n;
}

void refresh_stats_sum(const struct refresh_stats *s, uint64_t now_ms, unsigned minutes,
	struct refresh_counts *out)
{
	*out = (struct refresh_counts){0};
	for (unsigned ago = 0; ago < minutes; ago++) {
		const struct refresh_counts *c = refresh_stats_at(s, now_ms, ago);
		if (!c)
			continue;
		add(&out->asked, c->asked);
		add(&out->done, c->done);
		add(&out->failed, c->failed);
		add(&out->dropped, c->dropped);
		add(&out->held_back, c->held_back);
		add(&out->used, c->used);
		add(&out->hot_stale, c->hot_stale);
		add(&out->hot_missed, c->hot_missed);
		add(&out->late_ms, c->late_ms);
	}
}
