// SPDX-License-Identifier: BSD-3-Clause
#include "retention.h"

bool retention_is_steady(const struct retention *r, uint64_t mono_ms)
{
	return r->has_looked && mono_ms - r->since_ms >= RETENTION_PROOF_S * UINT64_C(1000);
}

unsigned retention_present(int64_t clock_s, const int64_t *start_s, unsigned count)
{
	while (count && start_s[count - 1] > clock_s + RETENTION_FUTURE_S)
		count--;
	return count;
}

static void look(struct retention *r, int64_t clock_s, uint64_t mono_ms)
{
	int64_t offset_s = clock_s - (int64_t)(mono_ms / 1000);
	int64_t step_s = offset_s - r->offset_s;
	if (!r->has_looked || step_s > RETENTION_STEP_S || step_s < -RETENTION_STEP_S)
		*r = (struct retention){
			.offset_s = offset_s, .since_ms = mono_ms, .has_looked = true};
}

// The last second of the newest trusted data. It is the end of the newest stretch (no gap in it
// exceeds a day) that has, with all later stretches, data of more than a day; else of the first
// stretch. So several wrong clocks, each with a short stretch, are not trusted, and a machine that
// runs for an hour now and then is.
static int64_t newest_s(int64_t clock_s, const int64_t *start_s, unsigned count, int64_t length_s)
{
	count = retention_present(clock_s, start_s, count);
	if (!count)
		return clock_s;
	const int64_t apart_s = RETENTION_PROOF_S + length_s;
	int64_t come_s = 0;
	unsigned last = count - 1;
	for (;;) {
		unsigned first = last;
		while (first > 0 && start_s[first] - start_s[first - 1] <= apart_s)
			first--;
		come_s += start_s[last] - start_s[first] + length_s;
		if (first == 0 || come_s >= apart_s + length_s)
			return start_s[last] + length_s - 1;
		last = first - 1;
	}
}

int64_t retention_now(struct retention *r, int64_t clock_s, uint64_t mono_ms,
	const int64_t *start_s, unsigned count, int64_t length_s)
{
	look(r, clock_s, mono_ms);
	if (retention_is_steady(r, mono_ms))
		return clock_s;
	int64_t data_s = newest_s(clock_s, start_s, count, length_s);
	return data_s < clock_s ? data_s : clock_s;
}
