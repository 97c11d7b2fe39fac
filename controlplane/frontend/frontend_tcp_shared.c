// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_shared.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

static struct tcp_shared_client *tcp_shared_join(
	struct frontend_tcp_shared *s, const uint8_t key[TCP_CLIENT_KEY]);
static void tcp_shared_leave(struct frontend_tcp_shared *s, struct tcp_shared_client *client);

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

int frontend_tcp_shared_new(struct frontend_tcp_shared **out, unsigned frontends)
{
	struct frontend_tcp_shared *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	int rc = keyhash_secret_make(&s->secret);
	if (rc < 0) {
		heap_free(s);
		return rc;
	}
	s->frontends = s->pending.threads = s->buffered.threads = frontends;
	frontend_sockets_init(&s->sockets, frontends > 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->tls_lock, NULL);
	pthread_mutex_init(&s->names_lock, NULL);
	*out = s;
	return 0;
}

void frontend_tcp_shared_certify(
	struct frontend_tcp_shared *s, struct tls_server *server, const char *why)
{
	struct tls_server *before = NULL;

	pthread_mutex_lock(&s->tls_lock);
	if (server || !why[0]) {
		before = s->tls;
		s->tls = server;
	}
	snprintf(s->tls_why, sizeof(s->tls_why), "%s", why);
	pthread_mutex_unlock(&s->tls_lock);
	tls_server_free(before);
}

struct tls_server *tcp_shared_tls(struct frontend_tcp_shared *s)
{
	pthread_mutex_lock(&s->tls_lock);
	struct tls_server *server = s->tls;
	if (server)
		tls_server_hold(server);
	pthread_mutex_unlock(&s->tls_lock);
	return server;
}

void frontend_tcp_shared_tls_why(struct frontend_tcp_shared *s, char why[TLS_WHY_MAX])
{
	pthread_mutex_lock(&s->tls_lock);
	memcpy(why, s->tls_why, TLS_WHY_MAX);
	pthread_mutex_unlock(&s->tls_lock);
}

bool tcp_shared_has_tls(struct frontend_tcp_shared *s)
{
	pthread_mutex_lock(&s->tls_lock);
	bool has = s->tls != NULL;
	pthread_mutex_unlock(&s->tls_lock);
	return has;
}

void frontend_tcp_shared_name(struct frontend_tcp_shared *s, const struct frontend_names *names)
{
	pthread_mutex_lock(&s->names_lock);
	s->names = *names;
	atomic_fetch_add(&s->names_turn, 1);
	pthread_mutex_unlock(&s->names_lock);
}

void tcp_shared_names(struct frontend_tcp_shared *s, unsigned *turn, struct frontend_names *out)
{
	if (atomic_load_explicit(&s->names_turn, memory_order_relaxed) == *turn)
		return;
	pthread_mutex_lock(&s->names_lock);
	*out = s->names;
	*turn = atomic_load(&s->names_turn);
	pthread_mutex_unlock(&s->names_lock);
}

size_t tcp_shared_memory(const struct frontend_tcp_shared *s)
{
	return sizeof(*s)
	       + atomic_load_explicit(&s->clients, memory_order_relaxed)
			 * sizeof(struct tcp_shared_client);
}

void frontend_tcp_shared_free(struct frontend_tcp_shared *s)
{
	if (!s)
		return;
	frontend_sockets_end(&s->sockets);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->tls_lock);
	pthread_mutex_destroy(&s->names_lock);
	tls_server_free(s->tls);
	heap_free(s);
}

static struct tcp_shared_client *client_find(
	struct frontend_tcp_shared *s, size_t at, const uint8_t key[TCP_CLIENT_KEY])
{
	struct tcp_shared_client *client;

	LIST_FOREACH (client, &s->bucket[at], chain)
		if (memcmp(client->key, key, TCP_CLIENT_KEY) == 0)
			return client;
	client = heap_calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	memcpy(client->key, key, TCP_CLIENT_KEY);
	LIST_INSERT_HEAD(&s->bucket[at], client, chain);
	atomic_fetch_add_explicit(&s->clients, 1, memory_order_relaxed);
	return client;
}

// Called for a frontend's first connection of a client. NULL: no memory.
static struct tcp_shared_client *tcp_shared_join(
	struct frontend_tcp_shared *s, const uint8_t key[TCP_CLIENT_KEY])
{
	size_t at = keyhash(&s->secret, key, TCP_CLIENT_KEY) % TCP_SHARED_BUCKETS;

	pthread_mutex_lock(&s->lock);
	struct tcp_shared_client *client = client_find(s, at, key);
	if (client)
		atomic_fetch_add_explicit(&client->frontends, 1, memory_order_relaxed);
	pthread_mutex_unlock(&s->lock);
	return client;
}

// Called for a frontend's last connection of a client.
static void tcp_shared_leave(struct frontend_tcp_shared *s, struct tcp_shared_client *client)
{
	pthread_mutex_lock(&s->lock);
	bool is_last = atomic_fetch_sub_explicit(&client->frontends, 1, memory_order_relaxed) == 1;
	if (is_last) {
		LIST_REMOVE(client, chain);
		atomic_fetch_sub_explicit(&s->clients, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&s->lock);
	if (is_last)
		heap_free(client);
}
