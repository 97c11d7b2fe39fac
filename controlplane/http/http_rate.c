// SPDX-License-Identifier: BSD-3-Clause
#include "http_rate.h"

#include <weir/keyhash.h>

uint64_t http_rate_key(char kind, const void *of, size_t len)
{
	return (keyhash_here(of, len) ^ (uint64_t)kind) | 1;
}

static struct http_rate_place *place_find(struct http_rate *r, uint64_t key)
{
	for (unsigned i = 0; i < HTTP_RATE_PLACES; i++)
		if (r->place[i].key == key)
			return &r->place[i];
	return NULL;
}

// A free one, or the one that asked longest ago.
static struct http_rate_place *place_take(
	struct http_rate *r, uint64_t key, unsigned times, uint64_t now_ms)
{
	struct http_rate_place *oldest = &r->place[0];
	for (unsigned i = 0; i < HTTP_RATE_PLACES && oldest->key; i++)
		if (!r->place[i].key || r->place[i].left.at_ms < oldest->left.at_ms)
			oldest = &r->place[i];
	r->evicted += oldest->key != 0;
	*oldest = (struct http_rate_place){
		.key = key, .times = times, .left = allowance_full(r->burst * times, now_ms)};
	return oldest;
}

bool http_rate_take(struct http_rate *r, uint64_t key, unsigned times, uint64_t now_ms)
{
	struct http_rate_place *p = place_find(r, key);
	if (!p)
		p = place_take(r, key, times, now_ms);
	const bool may =
		allowance_take(&p->left, r->each_s * p->times, r->burst * p->times, now_ms);
	r->refused += !may;
	return may;
}

void http_rate_charge(struct http_rate *r, uint64_t key, uint64_t us)
{
	struct http_rate_place *p = key ? place_find(r, key) : NULL;
	if (p)
		allowance_charge(&p->left, us / HTTP_RATE_COST_US, r->burst * p->times);
}

unsigned http_rate_used(const struct http_rate *r)
{
	unsigned n = 0;
	for (unsigned i = 0; i < HTTP_RATE_PLACES; i++)
		n += r->place[i].key != 0;
	return n;
}
