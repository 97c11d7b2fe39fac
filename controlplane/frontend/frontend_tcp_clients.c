// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/keyhash.h>

enum { BUCKETS = 4096 };

struct tcp_clients {
	struct keyhash_secret secret;
	unsigned count;
	LIST_HEAD(, tcp_client) bucket[BUCKETS];
};

int tcp_clients_new(struct tcp_clients **out)
{
	struct tcp_clients *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	int rc = keyhash_secret_make(&c->secret);
	if (rc < 0) {
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void tcp_clients_free(struct tcp_clients *c)
{
	free(c);
}

static void key_make(const union client_address *address, uint8_t key[9])
{
	unsigned version;
	const uint8_t *bytes = client_bytes(address, &version);

	memset(key, 0, 9);
	key[0] = (uint8_t)version;
	memcpy(key + 1, bytes, version == 4 ? 4 : 8);
}

struct tcp_client *tcp_client_join(struct tcp_clients *c, const union client_address *address)
{
	uint8_t key[9];
	struct tcp_client *client;

	key_make(address, key);
	size_t at = keyhash(&c->secret, key, sizeof(key)) % BUCKETS;
	LIST_FOREACH (client, &c->bucket[at], chain) {
		if (memcmp(client->key, key, sizeof(key)) == 0)
			break;
	}
	if (!client) {
		client = calloc(1, sizeof(*client));
		if (!client)
			return NULL;
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
	free(client);
}

unsigned tcp_clients_count(const struct tcp_clients *c)
{
	return c->count;
}

size_t tcp_clients_memory(const struct tcp_clients *c)
{
	return sizeof(*c) + c->count * sizeof(struct tcp_client);
}

unsigned tcp_clients_busiest(const struct tcp_clients *c, struct ip_address *out)
{
	const struct tcp_client *most = NULL, *client;

	*out = (struct ip_address){0};
	for (unsigned i = 0; i < BUCKETS; i++)
		LIST_FOREACH (client, &c->bucket[i], chain)
			if (!most || client->count > most->count)
				most = client;
	if (!most)
		return 0;
	out->version = most->key[0];
	out->prefix_len = out->version == 4 ? 32 : 64;
	memcpy(out->bytes, most->key + 1, out->version == 4 ? 4 : 8);
	return most->count;
}
