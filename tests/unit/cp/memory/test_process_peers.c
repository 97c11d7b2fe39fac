// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/memory/process.h"
#include "tests/unit/unit.h"

static struct process_peers *peers;

static void add(const char *kind, const char *peer, uint64_t unread)
{
	struct process_socket s = {.kind = kind, .unread = unread, .unsent = 1};
	snprintf(s.peer, sizeof(s.peer), "%s", peer);
	process_peers_add(peers, &s);
}

static const struct process_peer *find(const char *kind, const char *host)
{
	for (unsigned i = 0; i < peers->count; i++)
		if (strcmp(peers->peer[i].kind, kind) == 0
			&& strcmp(peers->peer[i].host, host) == 0)
			return &peers->peer[i];
	return NULL;
}

static void assert_peer(const char *kind, const char *host, unsigned sockets, uint64_t unread)
{
	const struct process_peer *p = find(kind, host);
	assert_non_null(p);
	assert_int_equal(p->sockets, sockets);
	assert_int_equal(p->unread, unread);
	assert_int_equal(p->unsent, sockets);
}

TEST(test_by_kind_and_host)
{
	peers = calloc(1, sizeof(*peers));
	add("tcp", "198.18.0.1:1024", 2);
	add("tcp", "198.18.0.1:1025", 3);
	add("udp", "198.18.0.1:53", 0);
	add("tcp", "198.18.0.10:1024", 0);
	add("tcp", "[2001:db8::1]:53", 5);
	add("tcp", "[2001:db8::1]:54", 0);
	add("tcp listener", "", 0);
	add("unix", "/run/a:1", 0);
	add("unix", "/run/a:2", 0);
	assert_peer("tcp", "198.18.0.1", 2, 5);
	assert_peer("udp", "198.18.0.1", 1, 0);
	assert_peer("tcp", "198.18.0.10", 1, 0);
	assert_peer("tcp", "[2001:db8::1]", 2, 5);
	assert_peer("tcp listener", "", 1, 0);
	assert_peer("unix", "/run/a:1", 1, 0); // no port there
	assert_int_equal(peers->count, 7);
	assert_int_equal(peers->others.sockets, 0);
	free(peers);
}

// Those for whom there is no place are counted all the same, and who has one keeps it.
TEST(test_too_many)
{
	enum { MORE = 500 };
	char peer[64];
	peers = calloc(1, sizeof(*peers));
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < PROCESS_PEERS_MAX + MORE; i++) {
			snprintf(peer, sizeof(peer), "10.0.%u.%u:%u", i / 256, i % 256, round);
			add("tcp", peer, 1);
		}
	}
	assert_int_equal(peers->count, PROCESS_PEERS_MAX);
	assert_int_equal(peers->others.sockets, 2 * MORE);
	assert_int_equal(peers->others.unread, 2 * MORE);
	for (unsigned i = 0; i < PROCESS_PEERS_MAX; i++)
		assert_int_equal(peers->peer[i].sockets, 2);
	free(peers);
}
