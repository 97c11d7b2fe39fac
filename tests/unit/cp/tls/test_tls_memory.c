// SPDX-License-Identifier: BSD-3-Clause

// A server's connection for which there is no memory.
#include "tests/unit/cp/memory/memory_fails.h"
#include "tests/unit/unit.h"
#include "tls_accept.h"

enum { ALLOCATIONS_MAX = 2000, HANDSHAKES = 100 };

// Of the accept; -ENOMEM is all that it may come to.
static bool accept_fails_at(unsigned long n)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.fd), 0);
	memory_fails_at(n, true);
	int rc = tls_conn_accept(&t.conn, t.server, t.fd[1], "\3dot");
	(void)memory_fails_end();
	assert_true(rc == 0 || rc == -ENOMEM);
	if (rc == 0)
		tls_conn_close(t.conn);
	t.conn = NULL;
	close(t.fd[0]);
	close(t.fd[1]);
	return rc < 0;
}

TEST(test_accept)
{
	unsigned long n = 1;

	t.server = good_server();
	while (accept_fails_at(n))
		assert_true(n++ < ALLOCATIONS_MAX);
	assert_true(n > 2);
	end();
}

TEST(test_read)
{
	char buf[8];

	open_good();
	exchange();
	assert_int_equal(tls_conn_write(t.client, "asked", 5), 5);
	memory_fails_at(1, true);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -ENOMEM);
	(void)memory_fails_end();
	assert_int_equal(tls_conn_write(t.conn, "x", 1), -EPIPE);
	close_both();
	end();
}

// Allocation `n` of the handshake fails; TLS_REFUSAL_COUNT: it goes on all the same.
static enum tls_refusal handshake_at(unsigned long n)
{
	enum tls_refusal refusal = TLS_REFUSAL_COUNT;

	accept_one();
	struct tls_side *side = tls_side_client(t.fd[0], 3, "\3dot");
	(void)tls_side_turn(side);
	memory_fails_at(n, false);
	int rc = tls_conn_handshake(t.conn);
	(void)memory_fails_end();
	if (rc == -EPROTO)
		refusal = tls_conn_refusal(t.conn, t.why);
	tls_side_free(side);
	close_both();
	return refusal;
}

// OpenSSL has made before what it keeps for the process. Not each of its errors names the cause.
TEST(test_handshake)
{
	unsigned by[TLS_REFUSAL_COUNT + 1] = {0};

	open_good();
	close_both();
	for (unsigned long n = 1; n <= HANDSHAKES; n++)
		by[handshake_at(n)]++;
	const unsigned failed = HANDSHAKES - by[TLS_REFUSAL_COUNT];
	print_message("# %u of %u handshakes failed, %u because there was no memory\n", failed,
		HANDSHAKES, by[TLS_REFUSED_memory]);
	assert_true(failed > 0 && by[TLS_REFUSED_memory] > 2 * (failed - by[TLS_REFUSED_memory]));
	end();
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
