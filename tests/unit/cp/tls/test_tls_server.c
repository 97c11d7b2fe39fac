// SPDX-License-Identifier: BSD-3-Clause

// TLS for clients: which certificate they see, and what is refused.
#include "library_memory.h"
#include "tls_accept.h"

#include <openssl/ssl.h>

static void sees_certificate_for(const char *name, bool is_there)
{
	int of_client;
	peer_make(name);
	open_both();
	int rc = handshake(&of_client);
	assert_int_equal(of_client, is_there ? 1 : -EPROTO);
	assert_int_equal(rc, of_client);
	if (is_there) {
		exchange();
	} else {
		assert_int_equal(tls_conn_failure(t.client, t.why), TLS_FAILURE_name);
		assert_int_equal(tls_conn_refusal(t.conn, t.why), TLS_REFUSED_distrust);
	}
	close_both();
	tls_peer_free(t.peer);
	t.peer = NULL;
}

TEST_WITH(test_certificates_by_name, NULL, tls_accept_end)
{
	const enum tls_rig_kind kinds[] = {TLS_RIG_GOOD, TLS_RIG_WILD, TLS_RIG_WRONG};
	struct tls_certificate_about about;
	t.server = server_of(kinds, 3, NULL, NULL);
	sees_certificate_for("dns.example", true);
	sees_certificate_for("other.example", true);
	sees_certificate_for("tom.kids.example", true);
	sees_certificate_for("KIDS.example", false);
	sees_certificate_for("a.tom.kids.example", false);
	sees_certificate_for("nobody.example", false); // and gets the first
	assert_int_equal(tls_server_certificates(t.server), 3);
	tls_server_about(t.server, 1, &about);
	assert_string_equal(about.names, "*.kids.example");
	assert_in_range(about.until_unix_s, time(NULL) + 2 * 86400, time(NULL) + 3 * 86400 + 60);
}

TEST_WITH(test_another_certificate_beside_a_live_connection, NULL, tls_accept_end)
{
	open_good();
	struct tls_server *newer =
		server_of(&(enum tls_rig_kind){TLS_RIG_OTHER_KEY}, 1, NULL, t.server);
	tls_server_free(t.server);
	exchange();
	close_both();
	t.server = newer;
	assert_true(connects_resumed()); // random keys of tickets go on
}

static void bad_files(const char *cert, const char *key, const char *why)
{
	const struct tls_certificate_files files = {cert, key};
	const struct tls_server_settings set = {.count = 1, .certificate = &files};
	struct tls_server *server = NULL;
	assert_int_equal(tls_server_new(&server, &set, NULL, t.why), -EINVAL);
	assert_null(server);
	if (!strstr(t.why, why))
		fail_msg("\"%s\" does not say \"%s\"", t.why, why);
}

TEST(test_bad_files)
{
	struct tls_rig_files good, other;
	const struct tls_server_settings none = {.count = 0};
	tls_rig_files(TLS_RIG_GOOD, &good);
	tls_rig_files(TLS_RIG_OTHER_KEY, &other);
	bad_files("/nowhere/cert.pem", good.key, "/nowhere/cert.pem: no such file");
	bad_files(good.cert, "/nowhere/key.pem", "/nowhere/key.pem: no such file");
	bad_files(good.cert, "/dev/zero", "/dev/zero: no such file");
	bad_files(good.key, good.key, "key0.pem: ");
	bad_files(good.cert, good.cert, "cert0.pem: ");
	bad_files(good.cert, other.key, "is not the key of ");
	assert_int_equal(tls_server_new(&t.server, &none, NULL, t.why), -EINVAL);
}

// With a client that speaks as it likes.
static void refused(int minor, const char *alpn, enum tls_refusal refusal)
{
	accept_one();
	struct tls_side *side = tls_side_client(t.fd[0], minor, alpn);
	assert_int_equal(meet_side(side), -EPROTO);
	assert_int_equal(tls_conn_refusal(t.conn, t.why), refusal);
	assert_false(tls_side_turn(side));
	tls_side_free(side);
	close_both();
}

static void refused_bytes(const char *bytes, size_t len, enum tls_refusal refusal)
{
	accept_one();
	assert_int_equal(tls_conn_handshake(t.conn), -EAGAIN);
	assert_int_equal(write(t.fd[0], bytes, len), len);
	shutdown(t.fd[0], SHUT_WR);
	assert_int_equal(tls_conn_handshake(t.conn), -EPROTO);
	assert_int_equal(tls_conn_refusal(t.conn, t.why), refusal);
	assert_int_equal(tls_conn_read(t.conn, &(char){0}, 1), 0);
	assert_int_equal(tls_conn_write(t.conn, "secret", 6), -EPIPE);
	close_both();
}

// What a client that knows one group alone comes to.
static int handshake_in(const char *group)
{
	accept_one();
	struct tls_side *side = tls_side_client(t.fd[0], 3, NULL);
	assert_int_equal(SSL_set1_groups_list(tls_side_ssl(side), group), 1);
	int rc = meet_side(side);
	tls_side_free(side);
	close_both();
	return rc;
}

TEST_WITH(test_who_is_refused, NULL, tls_accept_end)
{
	t.server = good_server();
	refused(1, NULL, TLS_REFUSED_version);
	refused(3, "\2h2\10http/1.1", TLS_REFUSED_protocol);
	refused_bytes("", 0, TLS_REFUSED_ended);
	refused_bytes("\x16\x03\x01\x02", 4, TLS_REFUSED_ended);
	refused_bytes("GET / HTTP/1.0\r\n\r\n", 18, TLS_REFUSED_not_tls);
	refused_bytes(
		"\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0", 14, TLS_REFUSED_not_tls); // DNS over TCP
}

// One hello with a share of 8,192 bits takes as long as a hundred others.
TEST_WITH(test_keys_by_curves_alone, NULL, tls_accept_end)
{
	static const char *const of_field[] = {"ffdhe2048", "ffdhe8192"}, *const of_curve[] = {
										  "X25519", "P-256",
										  "P-384", "P-521",
										  "X448"};
	t.server = good_server();
	for (unsigned i = 0; i < ARRAY_LEN(of_field); i++)
		assert_int_equal(handshake_in(of_field[i]), -EPROTO);
	for (unsigned i = 0; i < ARRAY_LEN(of_curve); i++)
		assert_int_equal(handshake_in(of_curve[i]), 1);
}

TEST_WITH(test_only_1_3, NULL, tls_accept_end)
{
	assert_int_equal(good_server_with((struct tls_server_settings){.only_1_3 = true}), 0);
	refused(2, "\3dot", TLS_REFUSED_version);
}

TEST_WITH(test_no_renegotiation, NULL, tls_accept_end)
{
	char buf[8];
	t.server = good_server();
	accept_one();
	struct tls_side *side = tls_side_client(t.fd[0], 2, NULL);
	assert_int_equal(meet_side(side), 1);
	(void)tls_side_turn(side);
	(void)tls_side_renegotiate(side);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EAGAIN);
	assert_true(tls_side_failed(side)); // no_renegotiation
	tls_side_free(side);
	close_both();
}

// Bytes from one socket to another, `most` at a time; false: there were none.
static bool pass(int from, int to, size_t most)
{
	char buf[64];
	ssize_t n = recv(from, buf, most < sizeof(buf) ? most : sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		assert_int_equal(send(to, buf, (size_t)n, MSG_NOSIGNAL), n);
	return n > 0;
}

// Each record of the client's handshake comes byte by byte.
TEST_WITH(test_a_handshake_in_pieces, NULL, tls_accept_end)
{
	int between[2], rc = -EAGAIN, other = -EAGAIN;
	t.server = good_server();
	peer_make("dns.example");
	accept_one();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, between), 0);
	assert_int_equal(tls_conn_connect(&t.client, t.peer, between[0]), 0);
	for (unsigned i = 0; i < 20000 && (rc == -EAGAIN || other == -EAGAIN); i++) {
		if (other == -EAGAIN)
			other = tls_conn_handshake(t.client);
		(void)pass(between[1], t.fd[0], 1);
		if (rc == -EAGAIN)
			rc = tls_conn_handshake(t.conn);
		while (pass(t.fd[0], between[1], 64))
			;
	}
	assert_int_equal(rc, 1);
	assert_int_equal(other, 1);
	close(between[1]);
	close_both();
	close(between[0]);
}

// A client that says it sends nothing more still gets what it asked for.
TEST_WITH(test_a_half_close, NULL, tls_accept_end)
{
	char buf[8];
	open_good();
	exchange();
	tls_conn_finish(t.client);
	shutdown(t.fd[0], SHUT_WR);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), 0);
	assert_int_equal(tls_conn_write(t.conn, "told", 4), 4);
	assert_int_equal(tls_conn_read(t.client, buf, sizeof(buf)), 4);
	close_both();
}

// OpenSSL would go on within one read for as long as the client sends.
TEST_WITH(test_a_client_that_changes_its_keys_for_ever, NULL, tls_accept_end)
{
	char buf[8];
	t.server = good_server();
	accept_one();
	struct tls_side *side = tls_side_client(t.fd[0], 3, NULL);
	assert_int_equal(meet_side(side), 1);
	const size_t sent = tls_side_key_updates(side, TLS_RIG_UPDATES);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EPROTO);
	assert_true(tls_rig_left(t.fd[1]) > sent - TLS_RIG_READ_MAX);
	tls_side_free(side);
	close_both();
}

// Of libevent, whose calls go on as long as there are messages.
TEST_WITH(test_a_client_of_a_lent_connection_changes_its_keys_for_ever, NULL, tls_accept_end)
{
	char buf[8];
	size_t n = 0;
	int rc = 0;
	t.server = good_server();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.fd), 0);
	SSL *ssl = tls_server_lend(t.server, "\3dot");
	SSL_set_fd(ssl, t.fd[1]);
	SSL_set_accept_state(ssl);
	struct tls_side *side = tls_side_client(t.fd[0], 3, "\3dot");
	for (unsigned i = 0; i < 10 && rc != 1; i++) {
		(void)tls_side_turn(side);
		rc = SSL_do_handshake(ssl);
	}
	assert_int_equal(rc, 1);
	const size_t sent = tls_side_key_updates(side, TLS_RIG_UPDATES);
	rc = SSL_read_ex(ssl, buf, sizeof(buf), &n);
	assert_int_not_equal(SSL_get_error(ssl, rc), SSL_ERROR_WANT_READ);
	assert_true(tls_rig_left(t.fd[1]) > sent - TLS_RIG_READ_MAX);
	SSL_free(ssl);
	tls_side_free(side);
	close_both();
}

TEST(test_memory_comes_back)
{
	uint64_t before = 0;
	for (unsigned round = 0; round < 4; round++) {
		t.server = good_server();
		peer_make("dns.example");
		(void)connects_resumed();
		(void)connects_resumed();
		refused(1, NULL, TLS_REFUSED_version);
		end();
		if (round > 1)
			assert_int_equal(library_memory().blocks, before);
		before = library_memory().blocks;
		assert_true(before > 100);
	}
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
