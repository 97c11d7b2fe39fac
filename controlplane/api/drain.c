// SPDX-License-Identifier: BSD-3-Clause
#include "drain.h"

void drain_begin(struct drain *d, uint64_t now_ms, unsigned grace_s)
{
	if (d->state > DRAIN_GRACE)
		return;
	d->state = DRAIN_GRACE;
	d->until_ms = now_ms + UINT64_C(1000) * grace_s;
}

bool drain_see(struct drain *d, uint64_t now_ms, unsigned leaving)
{
	const bool is_over = now_ms >= d->until_ms;
	switch (d->state) {
	case DRAIN_OFF:
	case DRAIN_DONE:
		return false;
	case DRAIN_GRACE:
		if (!is_over)
			return false;
		*d = (struct drain){DRAIN_PARTS, now_ms + DRAIN_PART_MS};
		return true;
	case DRAIN_PARTS:
		if (leaving > 0 && !is_over)
			return false;
		*d = leaving > 0 ? (struct drain){DRAIN_CUTS, now_ms + DRAIN_CUT_MS}
				 : (struct drain){.state = DRAIN_DONE};
		return true;
	case DRAIN_CUTS:
		if (leaving > 0 && !is_over)
			return false;
		*d = (struct drain){.state = DRAIN_DONE};
		return true;
	}
	return false;
}

const char *drain_name(const struct drain *d)
{
	return d->state == DRAIN_OFF ? "serving" : d->state == DRAIN_DONE ? "drained" : "draining";
}

uint64_t drain_grace_left_ms(const struct drain *d, uint64_t now_ms)
{
	return d->state == DRAIN_GRACE && d->until_ms > now_ms ? d->until_ms - now_ms : 0;
}
