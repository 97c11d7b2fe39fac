// SPDX-License-Identifier: BSD-3-Clause
#include "refresh_policy.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/l0_writer.h>
#include <weir/shm_abi.h>

enum {
	HOT_RATE = 20,                   // hits a minute
	HOT_RATE_MIN = 2,                // least rate that follows from client_ttl_cap
	HEAT_MOST = UINT16_MAX * 9 / 10, // a saturated heat fades between two sweeps
	CAP_CLIENTS = 3,                 // clients with that cap that keep a name hot
	LEAST_MS = 1000, // a refresh takes its time; less is left of a record with a very short TTL
};

// Capped at the greatest heat: a record with the greatest countable rate is hot.
static uint32_t heat_of_rate(uint32_t per_minute, uint32_t window_s)
{
	uint64_t heat = (uint64_t)per_minute * window_s * L0_HEAT_ONE / 60;
	return heat < HEAT_MOST ? (uint32_t)heat : HEAT_MOST;
}

static uint32_t hot_rate(const struct config_refresh *c, uint32_t client_ttl_cap_s)
{
	if (c->hot_threshold_rate)
		return c->hot_threshold_rate;
	if (!client_ttl_cap_s)
		return HOT_RATE;
	uint32_t rate = CAP_CLIENTS * 60 / client_ttl_cap_s;
	uint32_t most = MARK_HITS_MAX * 60 / c->sweep_interval_s; // hits that one worker can count
	if (rate > most)
		rate = most;
	return rate > HOT_RATE_MIN ? rate : HOT_RATE_MIN;
}

void refresh_policy_of(
	const struct config_refresh *c, uint32_t client_ttl_cap_s, struct refresh_policy *out)
{
	uint32_t hot = hot_rate(c, client_ttl_cap_s), warm = c->warm_threshold;

	*out = (struct refresh_policy){
		.enabled = c->enabled,
		.past_auth = c->past_auth,
		.window_ms = c->hit_window_s * 1000,
		.hot_min = heat_of_rate(hot, c->hit_window_s),
		.warm_min = heat_of_rate(warm < hot ? warm : hot, c->hit_window_s),
		.hot_percent = c->hot_ttl_percent,
		.warm_percent = c->warm_ttl_percent,
		.cold_ms = c->min_ttl_s * 1000,
		.sweep_interval_ms = c->sweep_interval_s * 1000,
		.sweep_window_ms = c->sweep_window_s * 1000,
	};
}

// How long before its soft expiry a record is due.
static uint32_t left_ms(uint32_t soft_ms, uint32_t percent)
{
	uint32_t left = (uint32_t)((uint64_t)soft_ms * percent / 100);
	if (left >= LEAST_MS)
		return left;
	return soft_ms / 2 < LEAST_MS ? soft_ms / 2 : LEAST_MS;
}

static uint32_t cold_left_ms(const struct refresh_policy *p, uint32_t soft_ms)
{
	return p->cold_ms < soft_ms / 2 ? p->cold_ms : soft_ms / 2;
}

// Age at which the authority's own TTL is over; no sooner than the next sweep, or a record with TTL
// 0 would be renewed without a pause. REFRESH_NEVER: the record is kept no longer than that, or
// past_auth is off.
static uint32_t auth_end_ms(const struct refresh_policy *p, uint32_t soft_ms, uint32_t auth_ttl_s)
{
	uint64_t end = (uint64_t)auth_ttl_s * 1000;
	if (end < p->sweep_interval_ms)
		end = p->sweep_interval_ms;
	return p->past_auth && end < soft_ms ? (uint32_t)end : REFRESH_NEVER;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t life_ms(
	const struct refresh_policy *p, const struct refresh_record *r, uint32_t percent)
{
	return least(r->soft_ms - left_ms(r->soft_ms, percent),
		auth_end_ms(p, r->soft_ms, r->auth_ttl_s));
}

// Is a hit likely within this life?
static bool pays(const struct refresh_policy *p, uint32_t heat, uint32_t life)
{
	return (uint64_t)heat * life >= (uint64_t)L0_HEAT_ONE * p->window_ms;
}

enum refresh_heat refresh_heat_of(const struct refresh_policy *p, const struct refresh_record *r)
{
	if (r->heat >= p->hot_min && pays(p, r->heat, life_ms(p, r, p->hot_percent)))
		return REFRESH_HOT;
	if (r->heat >= p->warm_min && pays(p, r->heat, life_ms(p, r, p->warm_percent)))
		return REFRESH_WARM;
	return REFRESH_COLD;
}

uint32_t refresh_due_ms(const struct refresh_policy *p, const struct refresh_record *r)
{
	if (!p->enabled)
		return REFRESH_NEVER;
	switch (refresh_heat_of(p, r)) {
	case REFRESH_HOT:
		return life_ms(p, r, p->hot_percent);
	case REFRESH_WARM:
		return life_ms(p, r, p->warm_percent);
	case REFRESH_COLD:
		break;
	}
	return p->cold_ms ? r->soft_ms - cold_left_ms(p, r->soft_ms) : REFRESH_NEVER;
}

uint32_t refresh_swept_ms(const struct refresh_policy *p, const struct refresh_record *r)
{
	uint32_t due = refresh_due_ms(p, r);

	// A sweep plans no cold records: a hit must request them.
	if (due == REFRESH_NEVER || refresh_heat_of(p, r) == REFRESH_COLD)
		return REFRESH_NEVER;
	if (due == auth_end_ms(p, r->soft_ms, r->auth_ttl_s) || r->soft_ms < p->sweep_window_ms)
		return due;
	uint32_t window = r->soft_ms - p->sweep_window_ms;
	return due > window ? due : window;
}

uint32_t refresh_told_ms(const struct refresh_policy *p, uint32_t soft_ms, uint32_t auth_ttl_s)
{
	uint32_t percent = p->hot_percent > p->warm_percent ? p->hot_percent : p->warm_percent;

	if (!p->enabled)
		return REFRESH_NEVER;
	uint32_t ms =
		least(soft_ms - left_ms(soft_ms, percent), auth_end_ms(p, soft_ms, auth_ttl_s));
	return p->cold_ms ? least(ms, soft_ms - cold_left_ms(p, soft_ms)) : ms;
}

uint32_t refresh_rate(const struct refresh_policy *p, uint32_t heat)
{
	uint64_t per = (uint64_t)p->window_ms * L0_HEAT_ONE;
	return (uint32_t)(((uint64_t)heat * 60000 + per / 2) / per);
}

int refresh_plan_init(struct refresh_plan *p, uint32_t cap)
{
	*p = (struct refresh_plan){
		.entry = heap_calloc(cap, sizeof(*p->entry)), .limit = cap, .cap = cap};
	return p->entry ? 0 : -ENOMEM;
}

void refresh_plan_destroy(struct refresh_plan *p)
{
	FREE_AND_NULL(p->entry);
	*p = (struct refresh_plan){0};
}

// Orders later entries first; the record's number makes the order total, so that place_of finds an
// equal entry.
static bool before(const struct refresh_planned *a, const struct refresh_planned *b)
{
	return a->due_ms != b->due_ms ? a->due_ms > b->due_ms : a->record > b->record;
}

static uint32_t place_of(const struct refresh_plan *p, const struct refresh_planned *e)
{
	uint32_t low = 0, high = p->used;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (before(&p->entry[mid], e))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool refresh_plan_insert(struct refresh_plan *p, const struct refresh_planned *e)
{
	uint32_t at = place_of(p, e);

	if (at < p->used && p->entry[at].due_ms == e->due_ms && p->entry[at].record == e->record)
		return true;
	if (p->used < p->limit) {
		memmove(p->entry + at + 1, p->entry + at, (p->used - at) * sizeof(*e));
		p->entry[at] = *e;
		if (++p->used > p->most)
			p->most = p->used;
		return true;
	}
	p->dropped++;
	if (at > 0) {
		memmove(p->entry, p->entry + 1, (at - 1) * sizeof(*e));
		p->entry[at - 1] = *e;
	}
	return false;
}

bool refresh_plan_pop(struct refresh_plan *p, uint64_t now_ms, struct refresh_planned *out)
{
	if (p->used == 0 || p->entry[p->used - 1].due_ms > now_ms)
		return false;
	*out = p->entry[--p->used];
	return true;
}

void refresh_plan_limit(struct refresh_plan *p, uint32_t limit)
{
	p->limit = limit < p->cap ? limit : p->cap;
	if (p->used <= p->limit)
		return;
	memmove(p->entry, p->entry + (p->used - p->limit), p->limit * sizeof(*p->entry));
	p->used = p->limit;
}

// Minutes count from 1, as 0 marks an unused slot.
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
