// SPDX-License-Identifier: BSD-3-Clause

// Connections over TLS: their handshake, their bytes, their end.
#include "library_memory.h"
#include "tls_pair.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

TEST_WITH(test_a_good_server, NULL, tls_pair_close)
{
	char about[TLS_ABOUT_MAX];
	pair_open(&tls_pair_target, tls_rig_context(TLS_RIG_GOOD), 1);
	assert_string_equal(tls_side_name(t.side), "dns.example");
	assert_true(tls_side_alpn(t.side, "dot"));
	exchange();
	assert_non_null(strstr(tls_conn_about(t.conn, about), "TLSv1.3 TLS_AES"));
}

TEST(test_old_versions)
{
	char about[TLS_ABOUT_MAX];
	pair_open(&tls_pair_target, tls_rig_context_1_2(TLS_RIG_GOOD), 1);
	exchange();
	assert_non_null(strstr(tls_conn_about(t.conn, about), "TLSv1.2"));
	pair_close();
	pair_open(&tls_pair_target, tls_rig_context_1_1(TLS_RIG_GOOD), -EPROTO);
	assert_int_equal(t.failure, TLS_FAILURE_handshake);
	assert_non_null(strstr(t.why, "version"));
	pair_close();
}

// A handshake of two contexts: 1, or -1.
static int in_memory(SSL_CTX *of_client, SSL_CTX *of_server)
{
	SSL *client = SSL_new(of_client), *server = SSL_new(of_server);
	BIO *a, *b;
	assert_int_equal(BIO_new_bio_pair(&a, 1 << 16, &b, 1 << 16), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_verify(client, SSL_VERIFY_NONE, NULL);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	int rc = -1;
	for (unsigned turn = 0; turn < 10 && rc != 1; turn++) {
		rc = SSL_do_handshake(client);
		rc = SSL_do_handshake(server) == 1 && rc == 1 ? 1 : -1;
	}
	ERR_clear_error();
	SSL_free(client);
	SSL_free(server);
	return rc;
}

static void speaks_curves_alone(SSL_CTX *x)
{
	SSL *ssl = SSL_new(x);
	STACK_OF(SSL_CIPHER) *list = SSL_get1_supported_ciphers(ssl);
	assert_true(sk_SSL_CIPHER_num(list) > 3); // those of TLS 1.3
	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++)
		assert_int_not_equal(
			SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(list, i)), NID_kx_dhe);
	sk_SSL_CIPHER_free(list);
	SSL_free(ssl);
	SSL_CTX_free(x);
}

// A server without a certificate that is good may say the group of its share.
TEST_WITH(test_keys_by_curves_alone, NULL, tls_pair_close)
{
	SSL_CTX *x = tls_rig_context(TLS_RIG_GOOD);
	assert_int_equal(SSL_CTX_set1_groups_list(x, "ffdhe2048"), 1);
	pair_open(&tls_pair_target, x, -EPROTO);
	assert_int_equal(t.failure, TLS_FAILURE_handshake);
	SSL_CTX *lent = SSL_CTX_new(TLS_client_method()), *bound = SSL_CTX_new(TLS_client_method());
	assert_int_equal(tls_peer_lend(t.peer, lent), 0);
	speaks_curves_alone(lent);
	tls_chain_bound(bound);
	speaks_curves_alone(bound);
}

// OpenSSL reads openssl.cnf into each new context.
TEST(test_what_is_configured_stays)
{
	static const char only[] = "ECDHE-ECDSA-AES256-GCM-SHA384";
	SSL_CTX *x = SSL_CTX_new(TLS_method()), *server = tls_rig_context(TLS_RIG_GOOD);
	assert_int_equal(SSL_CTX_set_cipher_list(x, only), 1);
	assert_int_equal(SSL_CTX_set1_groups_list(x, "P-384"), 1);
	assert_int_equal(SSL_CTX_set1_groups_list(server, "X25519:P-256"), 1);
	SSL_CTX_set_security_level(x, 2);
	tls_chain_bound(x);
	tls_chain_bound(x); // once more
	assert_int_equal(SSL_CTX_get_security_level(x), 2);
	unsigned old = 0;
	for (int i = 0; i < sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(x)); i++) {
		const SSL_CIPHER *c = sk_SSL_CIPHER_value(SSL_CTX_get_ciphers(x), i);
		old += SSL_CIPHER_get_kx_nid(c) != NID_kx_any;
		if (SSL_CIPHER_get_kx_nid(c) != NID_kx_any)
			assert_string_equal(SSL_CIPHER_get_name(c), only);
	}
	assert_int_equal(old, 1);
	assert_int_equal(in_memory(x, server), -1); // no group of both
	assert_int_equal(SSL_CTX_set1_groups_list(server, "P-384"), 1);
	assert_int_equal(in_memory(x, server), 1);
	SSL_CTX_free(x);
	SSL_CTX_free(server);
}

static void broken_handshake(const char *bytes, const char *why)
{
	t.context = tls_rig_context(TLS_RIG_GOOD);
	peer_make(&tls_pair_target);
	open_both();
	assert_int_equal(tls_conn_handshake(t.conn), -EAGAIN);
	assert_int_equal(tls_conn_handshake(t.conn), -EAGAIN); // a server that says nothing
	if (*bytes)
		assert_int_equal(write(t.fd[1], bytes, strlen(bytes)), strlen(bytes));
	shutdown(t.fd[1], SHUT_WR);
	assert_int_equal(tls_conn_handshake(t.conn), -EPROTO);
	assert_int_equal(tls_conn_failure(t.conn, t.why), TLS_FAILURE_handshake);
	if (!strstr(t.why, why))
		fail_msg("\"%s\" does not say \"%s\"", t.why, why);
	pair_close();
}

TEST(test_no_handshake)
{
	broken_handshake("", "ended");
	broken_handshake("220 mail.example ESMTP\r\n", "version");
	broken_handshake("\x16\x03\x03", "ended");
}

TEST_WITH(test_ends, NULL, tls_pair_end)
{
	char buf[8];
	t.context = tls_rig_context(TLS_RIG_GOOD);
	peer_make(&tls_pair_target);
	for (unsigned i = 0; i < 3; i++) {
		open_both();
		assert_int_equal(handshake(), 1);
		exchange();
		if (i == 0)
			tls_side_goodbye(t.side);
		if (i < 2) {
			shutdown(t.fd[1], SHUT_WR);
			assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), 0);
			assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), 0);
		} else {
			tls_conn_close(t.conn);
			t.conn = NULL;
			assert_true(tls_side_ended(t.side));
		}
		close_both();
	}
}

TEST_WITH(test_no_renegotiation, NULL, tls_pair_close)
{
	char buf[8];
	pair_open(&tls_pair_target, tls_rig_context_1_2(TLS_RIG_GOOD), 1);
	exchange();
	(void)tls_side_renegotiate(t.side);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EAGAIN);
	assert_true(tls_side_failed(t.side)); // no_renegotiation
}

TEST_WITH(test_bytes_behind_those_read, NULL, tls_pair_close)
{
	char buf[4];
	pair_open(&tls_pair_target, tls_rig_context(TLS_RIG_GOOD), 1);
	exchange();
	assert_false(tls_conn_has_more(t.conn));
	tls_side_write(t.side, "12345678", 8);
	tls_side_write(t.side, "9", 1);
	assert_int_equal(tls_conn_read(t.conn, buf, 4), 4);
	assert_true(tls_conn_has_more(t.conn)); // of the same record
	assert_int_equal(tls_conn_read(t.conn, buf, 4), 4);
	assert_true(tls_conn_has_more(t.conn)); // of the next one, already off the socket
	assert_int_equal(tls_conn_read(t.conn, buf, 4), 1);
	assert_false(tls_conn_has_more(t.conn));
}

TEST_WITH(test_too_long_a_chain, NULL, tls_pair_close)
{
	pair_open(&tls_pair_target, tls_rig_context(TLS_RIG_LONG), -EPROTO);
	assert_int_equal(t.failure, TLS_FAILURE_handshake);
	assert_non_null(strstr(t.why, "excessive message size"));
}

// One of an authority that weir trusts; without these points it is good.
TEST_WITH(test_points_relative_to_the_issuer, NULL, tls_pair_close)
{
	pair_open(&tls_pair_target, tls_rig_context(TLS_RIG_RELATIVE), -EPROTO);
	assert_non_null(strstr(t.why, "certificate chain too long"));
}

// Lists of revoked certificates in the file of the authorities count.
TEST_WITH(test_a_revoked_server, NULL, tls_pair_close)
{
	for (int revoked = 0; revoked < 2; revoked++) {
		struct tls_target to = tls_pair_target;
		char *ca = tls_rig_ca_revoking(revoked ? TLS_RIG_GOOD : TLS_RIG_WILD);
		to.ca_file = ca;
		pair_open(&to, tls_rig_context(TLS_RIG_GOOD), revoked ? -EPROTO : 1);
		free(ca);
		if (!revoked) {
			exchange();
			pair_close();
		}
	}
	assert_non_null(strstr(t.why, "revoked"));
}

// A few are kept, more are read all the same, and too many end the connection.
TEST_WITH(test_a_flood_of_tickets, NULL, tls_pair_close)
{
	char buf[8];
	pair_open(&tls_pair_target, tls_rig_context(TLS_RIG_GOOD), 1);
	tls_side_tickets(t.side, 20);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(tls_peer_sessions(t.peer), TLS_SESSIONS_EACH);
	exchange();
	tls_side_tickets(t.side, TLS_MESSAGES_MAX);
	tls_side_write(t.side, "told", 4);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EPROTO);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), 0);
	assert_int_equal(tls_peer_sessions(t.peer), TLS_SESSIONS_EACH);
}

// Of a library: each call comes back, though the next message is there already.
TEST_WITH(test_a_flood_of_tickets_on_a_lent_connection, NULL, tls_pair_close)
{
	char buf[8];
	size_t n = 0;
	unsigned calls = 0;
	t.context = tls_rig_context(TLS_RIG_GOOD);
	peer_make(&tls_pair_target);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.fd), 0);
	SSL_CTX *x = SSL_CTX_new(TLS_client_method());
	assert_int_equal(tls_peer_lend(t.peer, x), 0);
	SSL *ssl = SSL_new(x);
	SSL_set_fd(ssl, t.fd[0]);
	t.side = tls_side_new(t.context, t.fd[1]);
	while (SSL_connect(ssl) != 1 || !tls_side_turn(t.side)) {
		(void)tls_side_turn(t.side);
		assert_true(calls++ < 20);
	}
	tls_side_tickets(t.side, 20);
	tls_side_write(t.side, "data", 4);
	for (calls = 0; SSL_read_ex(ssl, buf, sizeof(buf), &n) != 1; calls++)
		assert_true(calls < 100);
	assert_int_equal(n, 4);
	assert_true(calls >= 20);
	assert_int_equal(tls_peer_sessions(t.peer), TLS_SESSIONS_EACH);
	tls_side_key_updates(t.side, TLS_RIG_UPDATES);
	for (calls = 0;
		SSL_get_error(ssl, SSL_read_ex(ssl, buf, sizeof(buf), &n)) == SSL_ERROR_WANT_READ;
		calls++)
		assert_true(calls <= TLS_MESSAGES_MAX);
	assert_true(tls_rig_left(t.fd[0]) > 0);
	SSL_free(ssl);
	SSL_CTX_free(x);
}

TEST_WITH(test_a_flood_of_changed_keys, NULL, tls_pair_close)
{
	char buf[8];
	pair_open(&tls_pair_target, tls_rig_context(TLS_RIG_GOOD), 1);
	exchange();
	tls_side_key_updates(t.side, TLS_MESSAGES_MAX / 2);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EAGAIN);
	exchange();
	const size_t sent = tls_side_key_updates(t.side, TLS_RIG_UPDATES);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EPROTO);
	assert_true(tls_rig_left(t.fd[0]) > sent - TLS_RIG_READ_MAX);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), 0);
}

// In clear text, before the server has proven anything.
TEST_WITH(test_a_flood_of_wishes_to_begin_again, NULL, tls_pair_close)
{
	static const uint8_t record[5 + 16384] = {22, 3, 3, 64, 0}; // of 4,096 HelloRequests
	t.context = tls_rig_context(TLS_RIG_GOOD);
	peer_make(&tls_pair_target);
	open_both();
	assert_int_equal(tls_conn_handshake(t.conn), -EAGAIN);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(write(t.fd[1], record, sizeof(record)), sizeof(record));
	assert_int_equal(tls_conn_handshake(t.conn), -EPROTO);
	assert_true(tls_rig_left(t.fd[0]) > 2 * sizeof(record));
	assert_int_equal(tls_conn_failure(t.conn, t.why), TLS_FAILURE_handshake);
	assert_string_equal(t.why, "too many messages of TLS");
}

TEST_WITH(test_a_server_that_reads_nothing, NULL, tls_pair_close)
{
	static char much[4 << 20], buf[65536];
	size_t put = 0, got = 0;
	ssize_t n;
	pair_open(&tls_pair_target, tls_rig_context(TLS_RIG_GOOD), 1);
	while ((n = tls_conn_write(t.conn, much + put, sizeof(much) - put)) > 0)
		put += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_true(tls_conn_wants_write(t.conn));
	while (got < put && (n = tls_side_read(t.side, buf, sizeof(buf))) > 0)
		got += (size_t)n;
	assert_int_equal(got, put);
	assert_true(tls_conn_write(t.conn, much + put, sizeof(much) - put) > 0);
}

// One round after another takes no more than the one before it.
TEST(test_memory_comes_back)
{
	uint64_t before = 0, rounds = 0;
	for (; rounds < 4; rounds++) {
		resumption(tls_rig_context(TLS_RIG_GOOD), 2);
		end();
		struct mem_sum sum = library_memory();
		assert_true(sum.made > 1000);
		if (rounds > 1)
			assert_int_equal(sum.blocks, before);
		before = sum.blocks;
	}
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
