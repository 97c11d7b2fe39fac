// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_shared.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

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

struct tcp_shared_client *tcp_shared_join(
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

void tcp_shared_leave(struct frontend_tcp_shared *s, struct tcp_shared_client *client)
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
