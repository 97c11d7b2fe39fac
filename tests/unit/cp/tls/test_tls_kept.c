// SPDX-License-Identifier: BSD-3-Clause

// What a connection keeps of the certificates that its client has shown, in bytes of the heap.
#include "tests/unit/unit.h"
#include "tls_accept.h"
#include "tls_client.h"

#include <malloc.h>
#include <weir/config.h>
#include <weir/mem_plan.h>

enum { CONNECTIONS = 16, SLACK = 2048 };

static void server_asks(void)
{
	const struct tls_server_settings set = {.client_ca = tls_client_ca(TLS_CLIENT_CA_ONE)};
	assert_int_equal(good_server_with(set), 0);
}

// The client's side of it is gone.
static struct tls_conn *one(enum tls_client_kind kind, int minor, int *fd)
{
	accept_one();
	struct tls_side *side = tls_side_client(t.fd[0], minor, NULL);
	tls_client_shows(side, kind);
	assert_int_equal(meet_side(side), 1);
	assert_int_equal(tls_conn_is_certified(t.conn), kind != TLS_CLIENT_NONE);
	tls_side_free(side);
	close(t.fd[0]);
	*fd = t.fd[1];
	return t.conn;
}

static size_t bytes_of_one(enum tls_client_kind kind, int minor)
{
	struct tls_conn *c[CONNECTIONS];
	int fd[CONNECTIONS];
	const size_t before = mallinfo2().uordblks;

	for (unsigned i = 0; i < CONNECTIONS; i++)
		c[i] = one(kind, minor, &fd[i]);
	const size_t after = mallinfo2().uordblks;
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		tls_conn_close(c[i]);
		close(fd[i]);
	}
	return (after - before) / CONNECTIONS;
}

// Beside what a connection takes without.
static size_t bytes_of(enum tls_client_kind kind, int minor)
{
	(void)bytes_of_one(kind, minor); // what OpenSSL keeps for the process
	const size_t with = bytes_of_one(kind, minor),
		     without = bytes_of_one(TLS_CLIENT_NONE, minor);
	print_message("# TLS 1.%d, certificate %d: %zd bytes\n", minor, (int)kind,
		(ssize_t)(with - without));
	assert_true(with > without);
	return with - without;
}

static size_t planned(void)
{
	static char there[] = "/a/ca.pem";
	struct config c = {.tls = {.client_ca = there}, .dot.enabled = true, .tcp.connections = 1};
	struct mem_plan p;

	mem_plan_make(&p, &c);
	for (unsigned i = 0; i < p.count; i++)
		if (strcmp(p.line[i].what, "their certificates") == 0)
			return p.line[i].bytes;
	fail();
	return 0;
}

TEST(test_the_plan)
{
	static const enum tls_client_kind kinds[] = {
		TLS_CLIENT_NAMED, TLS_CLIENT_CHAIN_3, TLS_CLIENT_SIMPLE, TLS_CLIENT_LARGE};
	server_asks();
	for (int minor = 2; minor <= 3; minor++)
		for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
			assert_true(bytes_of(kinds[i], minor) <= planned());
	end();
}

// Of the others in a chain nothing is kept, whether they vouch for it or not.
TEST(test_the_clients_own_alone)
{
	server_asks();
	for (int minor = 2; minor <= 3; minor++) {
		const size_t own = bytes_of(TLS_CLIENT_NAMED, minor);
		assert_true(bytes_of(TLS_CLIENT_WITH_SIMPLE, minor) < own + SLACK);
		assert_true(bytes_of(TLS_CLIENT_CHAIN_3, minor) < own + SLACK);
	}
	end();
}

TEST_GROUP(tls_client_group_start, tls_client_group_stop)
