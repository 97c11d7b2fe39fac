// SPDX-License-Identifier: BSD-3-Clause
#include "tls_pair.h"

#include "tests/unit/unit.h"

struct tls_pair t;

const struct tls_target tls_pair_target = {
	.name = "dns.example", .ca_file = tls_rig_ca, .alpn = "dot"};

void peer_make(const struct tls_target *of)
{
	assert_int_equal(tls_peer_new(&t.peer, of, t.why), 0);
}

void open_both(void)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.fd), 0);
	assert_int_equal(tls_conn_connect(&t.conn, t.peer, t.fd[0]), 0);
	t.side = tls_side_new(t.context, t.fd[1]);
}

int handshake(void)
{
	int rc = -EAGAIN;
	for (unsigned i = 0; i < 20 && rc == -EAGAIN; i++) {
		rc = tls_conn_handshake(t.conn);
		(void)tls_side_turn(t.side);
	}
	if (rc == -EPROTO)
		t.failure = tls_conn_failure(t.conn, t.why);
	return rc;
}

void close_both(void)
{
	tls_conn_close(t.conn);
	tls_side_free(t.side);
	close(t.fd[0]);
	close(t.fd[1]);
	t.conn = NULL;
}

void end(void)
{
	tls_peer_free(t.peer);
	tls_rig_context_free(t.context);
	t.peer = NULL;
}

void pair_open(const struct tls_target *of, struct ssl_ctx_st *context, int rc)
{
	t.context = context;
	peer_make(of);
	open_both();
	assert_int_equal(handshake(), rc);
}

void pair_close(void)
{
	close_both();
	end();
}

int tls_pair_close(void **)
{
	pair_close();
	return 0;
}

int tls_pair_end(void **)
{
	end();
	return 0;
}

void exchange(void)
{
	char buf[16] = "";
	assert_int_equal(tls_conn_write(t.conn, "asked", 5), 5);
	assert_int_equal(tls_side_read(t.side, buf, sizeof(buf)), 5);
	assert_string_equal(buf, "asked");
	tls_side_write(t.side, "told", 4);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), 4);
	assert_string_equal(buf, "told");
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EAGAIN);
	assert_false(tls_conn_wants_write(t.conn));
}

void resumption(struct ssl_ctx_st *context, unsigned kept)
{
	t.context = context;
	peer_make(&tls_pair_target);
	for (unsigned i = 0; i < 3; i++) {
		open_both();
		assert_int_equal(handshake(), 1);
		assert_int_equal(tls_conn_is_resumed(t.conn), i > 0);
		assert_int_equal(tls_side_resumed(t.side), i > 0);
		exchange();
		close_both();
	}
	assert_int_equal(tls_peer_sessions(t.peer), kept);
}
