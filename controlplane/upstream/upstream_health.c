// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_health.h"

#include "base/table_registry.h"

#include <pthread.h>
#include <string.h>

static struct {
	pthread_mutex_t lock;
	unsigned touched, used; // records that were ever used, and that are
	uint64_t refused;
	struct upstream_health record[UPSTREAM_HEALTH_MAX];
} healths = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct upstream_health *record_find(const union upstream_peer *address)
{
	struct upstream_health *free = NULL;

	for (unsigned i = 0; i < healths.touched; i++) {
		struct upstream_health *h = &healths.record[i];
		if (h->users > 0 && upstream_same_address(&h->address, address))
			return h;
		if (h->users == 0 && !free)
			free = h;
	}
	if (!free && healths.touched < UPSTREAM_HEALTH_MAX)
		free = &healths.record[healths.touched++];
	if (free) {
		memset(free, 0, sizeof(*free));
		free->address = *address;
	}
	return free;
}

struct upstream_health *upstream_health_take(const union upstream_peer *address)
{
	pthread_mutex_lock(&healths.lock);
	struct upstream_health *h = record_find(address);
	if (h)
		healths.used += h->users++ == 0;
	else
		healths.refused++;
	pthread_mutex_unlock(&healths.lock);
	return h;
}

void upstream_health_give(struct upstream_health *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&healths.lock);
	healths.used -= --h->users == 0;
	pthread_mutex_unlock(&healths.lock);
}

void upstream_health_tables(struct table_registry *tables)
{
	pthread_mutex_lock(&healths.lock);
	unsigned used = healths.used;
	uint64_t refused = healths.refused;
	pthread_mutex_unlock(&healths.lock);
	table_register(tables, &(struct table_info){.name = "upstream_health",
				       .owner = "all resolver loops",
				       .eviction = "refuse: known to one set alone",
				       .lifetime = "life of the server in the configuration",
				       .kind = TABLE_FIXED,
				       .cap = UPSTREAM_HEALTH_MAX,
				       .used = used,
				       .refused = refused,
				       .has = TABLE_REFUSES});
}
