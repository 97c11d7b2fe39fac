// SPDX-License-Identifier: BSD-3-Clause
// Who counts as one client over TCP.

#include "controlplane/frontend/frontend_tcp_shared.h"
#include "tests/unit/unit.h"

enum { MANY = 20000, JOINED_MAX = 16 };

static struct frontend_tcp_shared *shared;
static struct tcp_clients *clients;
static struct tcp_client *joined[JOINED_MAX]; // by join, and not left yet
static unsigned joined_count;

static int each_start(void **)
{
	return frontend_tcp_shared_new(&shared, 1) < 0 ? -1 : tcp_clients_new(&clients, shared);
}

static void leave_last(void)
{
	struct tcp_client *client = joined[--joined_count];
	tcp_place_give(&client->shared->open);
	tcp_client_leave(clients, client);
}

static int each_end(void **)
{
	while (joined_count)
		leave_last();
	assert_int_equal(shared->clients, tcp_clients_count(clients));
	tcp_clients_free(clients);
	frontend_tcp_shared_free(shared);
	return 0;
}

static union client_address address_of(const char *text)
{
	union client_address a = {0};

	a.any.sa_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	void *at = strchr(text, ':') ? (void *)&a.v6.sin6_addr : (void *)&a.v4.sin_addr;
	assert_int_equal(inet_pton(a.any.sa_family, text, at), 1);
	return a;
}

static struct tcp_client *join(const char *text)
{
	const union client_address a = address_of(text);
	struct tcp_client *client = tcp_client_join(clients, &a);
	assert_non_null(client);
	assert_true(joined_count < JOINED_MAX);
	assert_true(tcp_place_take(&client->shared->open, JOINED_MAX));
	joined[joined_count++] = client;
	return client;
}

TEST_WITH(test_same, each_start, each_end)
{
	struct tcp_client *four = join("198.18.0.2"), *six = join("fd53::2");

	assert_ptr_equal(join("198.18.0.2"), four);
	assert_ptr_equal(join("::ffff:198.18.0.2"), four);
	assert_ptr_not_equal(join("198.18.0.3"), four);
	assert_ptr_equal(join("fd53::ffff:ffff:ffff:ffff"), six);
	assert_ptr_not_equal(join("fd53:0:0:1::2"), six);
	// An address whose bytes are those of the other family's is another client.
	assert_ptr_not_equal(join("c612:2::"), four);
	assert_int_equal(four->count, 3);
	assert_int_equal(six->count, 2);
	assert_int_equal(tcp_clients_count(clients), 5);
}

TEST_WITH(test_busiest, each_start, each_end)
{
	struct ip_address most;

	assert_int_equal(tcp_clients_busiest(clients, &most), 0);
	assert_int_equal(most.version, 0);
	(void)join("198.18.0.2");
	assert_ptr_equal(join("fd53::2"), join("fd53::3"));
	assert_int_equal(tcp_clients_busiest(clients, &most), 2);
	assert_int_equal(most.version, 6);
	assert_int_equal(most.prefix_len, 64);
	assert_int_equal(most.bytes[0], 0xfd);
	leave_last();
	leave_last();
	assert_int_equal(tcp_clients_busiest(clients, &most), 1);
	assert_int_equal(most.bytes[3], 2);
}

TEST_WITH(test_many, each_start, each_end)
{
	static struct tcp_client *all[MANY];
	union client_address a = address_of("198.18.0.0");
	size_t empty = tcp_clients_memory(clients);

	for (uint32_t i = 0; i < MANY; i++) {
		a.v4.sin_addr.s_addr = htonl(0xc6120000 + i);
		all[i] = tcp_client_join(clients, &a);
		assert_non_null(all[i]);
		assert_int_equal(all[i]->count, 1);
	}
	assert_int_equal(tcp_clients_count(clients), MANY);
	for (unsigned i = 0; i < MANY; i++)
		tcp_client_leave(clients, all[i]);
	assert_int_equal(tcp_clients_count(clients), 0);
	assert_int_equal(tcp_clients_memory(clients), empty);
}
