// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_clients.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

enum { BUCKETS = 4096 };

struct tcp_clients {
	struct keyhash_secret secret;
	struct frontend_tcp_shared *shared;
	unsigned count;
	LIST_HEAD(, tcp_client) bucket[BUCKETS];
};

int tcp_clients_new(struct tcp_clients **out, struct frontend_tcp_shared *shared)
{
	struct tcp_clients *c = heap_calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	int rc = keyhash_secret_make(&c->secret);
	if (rc < 0) {
		heap_free(c);
		return rc;
	}
	c->shared = shared;
	*out = c;
	return 0;
}

void tcp_clients_free(struct tcp_clients *c)
{
	heap_free(c);
}

static void key_make(const union client_address *address, uint8_t key[TCP_CLIENT_KEY])
{
	unsigned version;
	const uint8_t *bytes = client_bytes(address, &version);

	memset(key, 0, TCP_CLIENT_KEY);
	key[0] = (uint8_t)version;
	memcpy(key + 1, bytes, version == 4 ? 4 : 8);
}

static size_t bucket_of(const struct tcp_clients *c, const uint8_t key[TCP_CLIENT_KEY])
{
	return keyhash(&c->secret, key, TCP_CLIENT_KEY) % BUCKETS;
}

static struct tcp_client *bucket_find(
	struct tcp_clients *c, size_t at, const uint8_t key[TCP_CLIENT_KEY])
{
	struct tcp_client *client;

	LIST_FOREACH (client, &c->bucket[at], chain)
		if (memcmp(client->key, key, TCP_CLIENT_KEY) == 0)
			return client;
	return NULL;
}

struct tcp_client *tcp_client_find(struct tcp_clients *c, const uint8_t key[TCP_CLIENT_KEY])
{
	return bucket_find(c, bucket_of(c, key), key);
}

struct tcp_client *tcp_client_join(struct tcp_clients *c, const union client_address *address)
{
	uint8_t key[TCP_CLIENT_KEY];

	key_make(address, key);
	const size_t at = bucket_of(c, key);
	struct tcp_client *client = bucket_find(c, at, key);
	if (!client) {
		client = heap_calloc(1, sizeof(*client));
		if (!client)
			return NULL;
		client->shared = tcp_shared_join(c->shared, key);
		if (!client->shared) {
			heap_free(client);
			return NULL;
		}
		memcpy(client->key, key, sizeof(key));
		TAILQ_INIT(&client->conns);
		LIST_INSERT_HEAD(&c->bucket[at], client, chain);
		c->count++;
	}
	client->count++;
	return client;
}

void tcp_client_leave(struct tcp_clients *c, struct tcp_client *client)
{
	if (--client->count > 0)
		return;
	LIST_REMOVE(client, chain);
	c->count--;
	tcp_shared_leave(c->shared, client->shared);
	heap_free(client);
}

unsigned tcp_clients_count(const struct tcp_clients *c)
{
	return c->count;
}

size_t tcp_clients_memory(const struct tcp_clients *c)
{
	return sizeof(*c) + c->count * sizeof(struct tcp_client);
}

static unsigned open_of(const struct tcp_client *client)
{
	return atomic_load_explicit(&client->shared->open, memory_order_relaxed);
}

unsigned tcp_clients_busiest(const struct tcp_clients *c, struct ip_address *out)
{
	const struct tcp_client *busiest = NULL, *client;
	unsigned most = 0;

	*out = (struct ip_address){0};
	for (unsigned i = 0; i < BUCKETS; i++) {
		LIST_FOREACH (client, &c->bucket[i], chain) {
			const unsigned open = open_of(client);
			busiest = open > most ? client : busiest;
			most = open > most ? open : most;
		}
	}
	if (!busiest)
		return 0;
	out->version = busiest->key[0];
	out->prefix_len = out->version == 4 ? 32 : 64;
	memcpy(out->bytes, busiest->key + 1, out->version == 4 ? 4 : 8);
	return most;
}
