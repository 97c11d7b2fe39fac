// SPDX-License-Identifier: BSD-3-Clause
#include "process_peers.h"

#include <string.h>
#include <weir/keyhash.h>

// "[2001:db8::1]" of "[2001:db8::1]:53"; of a unix socket all.
static size_t host_len(const struct process_socket *s)
{
	const char *port = strncmp(s->kind, "unix", 4) == 0 ? NULL : strrchr(s->peer, ':');
	return port ? (size_t)(port - s->peer) : strlen(s->peer);
}

static bool is_peer(const struct process_peer *p, const struct process_socket *s, size_t len)
{
	return strcmp(p->kind, s->kind) == 0 && strlen(p->host) == len
	       && memcmp(p->host, s->peer, len) == 0;
}

// The peer's entry, or the common one of all peers without one. A quarter of the slots is used at
// most.
static struct process_peer *peer_of(struct process_peers *p, const struct process_socket *s)
{
	const size_t len = host_len(s);
	uint64_t at = contenthash(s->peer, len) + contenthash(s->kind, strlen(s->kind));
	uint16_t *slot;
	while (*(slot = &p->slot[at % ARRAY_LEN(p->slot)])) {
		if (is_peer(&p->peer[*slot - 1], s, len))
			return &p->peer[*slot - 1];
		at++;
	}
	if (p->count == PROCESS_PEERS_MAX)
		return &p->others;
	struct process_peer *new = &p->peer[p->count++];
	*slot = (uint16_t)p->count;
	new->kind = s->kind;
	memcpy(new->host, s->peer, len);
	new->host[len] = '\0';
	return new;
}

void process_peers_add(struct process_peers *p, const struct process_socket *s)
{
	struct process_peer *peer = peer_of(p, s);
	peer->sockets++;
	peer->unread += s->unread;
	peer->unsent += s->unsent;
}
