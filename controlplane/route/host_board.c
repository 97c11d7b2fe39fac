// SPDX-License-Identifier: BSD-3-Clause
#include "host_board.h"

#include "base/table_registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct {
	pthread_mutex_t lock;
	_Atomic uint64_t turn;
	size_t bytes; // memory of the lookups
	unsigned count;
	struct host_state host[CONFIG_HOSTS_MAX];
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

// Under the lock. NULL: not on the board.
static struct host_state *find(const char *host, uint16_t port, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (shared.host[i].port == port && strcmp(shared.host[i].host, host) == 0)
			return &shared.host[i];
	return NULL;
}

static bool is_of(const struct host_state *h, const struct config_upstream *s)
{
	return h->port == s->address.port && strcmp(h->host, s->host) == 0;
}

// Moves the names that stay to the front, in whatever order.
static unsigned stay(const struct config_upstream *const *hosts, unsigned count)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < shared.count; i++) {
		unsigned k = 0;
		while (k < count && !is_of(&shared.host[i], hosts[k]))
			k++;
		if (k < count)
			shared.host[kept++] = shared.host[i];
	}
	return kept;
}

void host_board_configure(
	const struct config_upstream *const *hosts, unsigned count, uint64_t now_ms)
{
	pthread_mutex_lock(&shared.lock);
	shared.count = stay(hosts, count);
	for (unsigned i = 0; i < count && shared.count < CONFIG_HOSTS_MAX; i++) {
		if (find(hosts[i]->host, hosts[i]->address.port, shared.count))
			continue;
		struct host_state *h = &shared.host[shared.count++];
		*h = (struct host_state){.port = hosts[i]->address.port, .since_ms = now_ms};
		snprintf(h->host, sizeof(h->host), "%s", hosts[i]->host);
	}
	pthread_mutex_unlock(&shared.lock);
	atomic_fetch_add_explicit(&shared.turn, 1, memory_order_release);
}

bool host_state_same(const struct host_state *a, const struct host_state *b)
{
	bool same = a->count == b->count;

	for (unsigned i = 0; same && i < a->count; i++)
		same = a->address[i].version == b->address[i].version
		       && memcmp(a->address[i].bytes, b->address[i].bytes,
				  sizeof(a->address[i].bytes))
				  == 0;
	return same;
}

void host_board_put(const struct host_state *state)
{
	bool changes = false;

	pthread_mutex_lock(&shared.lock);
	struct host_state *h = find(state->host, state->port, shared.count);
	if (h) {
		const bool is_drained = h->is_drained;
		changes = !host_state_same(h, state) || !h->why[0] != !state->why[0];
		*h = *state;
		h->is_drained = is_drained;
	}
	pthread_mutex_unlock(&shared.lock);
	if (changes)
		atomic_fetch_add_explicit(&shared.turn, 1, memory_order_release);
}

uint64_t host_board_turn(void)
{
	return atomic_load_explicit(&shared.turn, memory_order_acquire);
}

bool host_board_get(const struct config_upstream *s, struct host_state *out)
{
	pthread_mutex_lock(&shared.lock);
	const struct host_state *h = find(s->host, s->address.port, shared.count);
	if (h) {
		*out = *h;
	} else {
		*out = (struct host_state){.port = s->address.port};
		memcpy(out->host, s->host, sizeof(out->host));
	}
	pthread_mutex_unlock(&shared.lock);
	return h;
}

bool host_board_at(unsigned i, struct host_state *out)
{
	pthread_mutex_lock(&shared.lock);
	const bool has = i < shared.count;
	if (has)
		*out = shared.host[i];
	pthread_mutex_unlock(&shared.lock);
	return has;
}

void host_board_drain(const struct config_upstream *s, bool is_drained)
{
	bool changes = false;

	pthread_mutex_lock(&shared.lock);
	struct host_state *h = find(s->host, s->address.port, shared.count);
	if (h) {
		changes = h->is_drained != is_drained;
		h->is_drained = is_drained;
	}
	pthread_mutex_unlock(&shared.lock);
	if (changes)
		atomic_fetch_add_explicit(&shared.turn, 1, memory_order_release);
}

void host_board_memory(size_t bytes)
{
	pthread_mutex_lock(&shared.lock);
	shared.bytes = bytes;
	pthread_mutex_unlock(&shared.lock);
}

void host_board_tables(struct table_registry *tables)
{
	pthread_mutex_lock(&shared.lock);
	unsigned used = shared.count;
	size_t bytes = shared.bytes;
	pthread_mutex_unlock(&shared.lock);
	table_register(tables, &(struct table_info){.name = "upstream_hosts",
				       .owner = "first resolver loop",
				       .eviction = "none: the configuration has no more",
				       .lifetime = "life of the name in the configuration",
				       .kind = TABLE_FIXED,
				       .cap = CONFIG_HOSTS_MAX,
				       .used = used,
				       .bytes = bytes});
}
