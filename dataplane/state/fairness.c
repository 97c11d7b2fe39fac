// SPDX-License-Identifier: BSD-3-Clause
#include "fairness.h"

#include <string.h>
#include <weir/sketch.h>

enum { WHO_ADDRESS_MAX = 8, FAIRNESS_FEW = 8 };

// The main lcore shows it (table_report.c).
static void sum_set(struct fairness *c, uint32_t sum)
{
	__atomic_store_n(&c->sum, sum, __ATOMIC_RELAXED);
}

static void halve(struct fairness *c)
{
	for (unsigned i = 0; i < ARRAY_LEN(c->cell); i++)
		c->cell[i] /= 2;
	sum_set(c, c->sum / 2);
}

// Counts it; is it over its share? Also before the checks begin, so that the count does not fall to
// the zones above.
static bool weigh(struct fairness *c, uint64_t hash)
{
	sketch_add(c->cell, FAIRNESS_BITS, (uint32_t)hash);
	uint32_t least = sketch_count(c->cell, FAIRNESS_BITS, (uint32_t)hash);
	return least > FAIRNESS_FEW && least > c->sum / FAIRNESS_PART;
}

static uint64_t client_hash(const struct keyhash_secret *secret, const struct fairness_client *who)
{
	uint8_t key[1 + WHO_ADDRESS_MAX] = {who->ip_version};
	size_t len = who->ip_version == 6 ? 8 : 4;
	memcpy(key + 1, who->address, len);
	return keyhash(secret, key, 1 + len);
}

// The last `labels` labels of a name that has more.
static bool weigh_zone(struct fairness *c, const struct keyhash_secret *secret,
	const struct dns_name *name, unsigned labels)
{
	unsigned at = 0;
	for (unsigned n = name->labels; n > labels; n--)
		at += name->wire[at] + 1u;
	return weigh(c, keyhash(secret, name->wire + at, (size_t)name->len - at));
}

bool fairness_ask(struct fairness *c, const struct keyhash_secret *secret,
	const struct fairness_client *who, uint64_t now_ms)
{
	if (now_ms >= c->last_ms + FAIRNESS_PAUSE_MS) {
		memset(c->cell, 0, sizeof(c->cell));
		sum_set(c, 0);
	}
	c->last_ms = now_ms;
	sum_set(c, c->sum + 1);
	if (c->sum >= FAIRNESS_SUM)
		halve(c);
	bool is_over_share = weigh(c, client_hash(secret, who));
	for (unsigned labels = 3; labels >= 2 && !is_over_share; labels--)
		is_over_share =
			who->name->labels > labels && weigh_zone(c, secret, who->name, labels);
	return is_over_share && c->sum >= FAIRNESS_LEAST;
}
