// SPDX-License-Identifier: BSD-3-Clause

// Which servers are trusted, and which sessions are resumed.
#include "tests/unit/cp/rules/wall_ahead.h"
#include "tests/unit/unit.h"
#include "tls_pair.h"

static void refused(enum tls_rig_kind kind, const struct tls_target *of, enum tls_failure failure,
	const char *why)
{
	pair_open(of, tls_rig_context(kind), -EPROTO);
	assert_int_equal(t.failure, failure);
	if (!strstr(t.why, why))
		fail_msg("\"%s\" does not say \"%s\"", t.why, why);
	assert_int_equal(tls_conn_read(t.conn, &(char){0}, 1), 0);
	assert_int_equal(tls_conn_write(t.conn, "secret", 6), -EPIPE);
	pair_close();
}

TEST(test_an_address_in_place_of_a_name)
{
	struct tls_target of = {.ca_file = tls_rig_ca, .alpn = "dot"};
	assert_int_equal(ip_address_parse("127.0.0.1", &of.address), 0);
	pair_open(&of, tls_rig_context(TLS_RIG_GOOD), 1);
	assert_null(tls_side_name(t.side));
	exchange();
	pair_close();
	refused(TLS_RIG_WRONG, &of, TLS_FAILURE_name, "another name");
}

TEST(test_who_is_refused)
{
	const struct tls_target system = {.name = "dns.example", .alpn = "dot"};
	refused(TLS_RIG_WRONG, &tls_pair_target, TLS_FAILURE_name, "another name");
	refused(TLS_RIG_COMMON, &tls_pair_target, TLS_FAILURE_name, "another name");
	refused(TLS_RIG_EXPIRED, &tls_pair_target, TLS_FAILURE_certificate, "expired");
	refused(TLS_RIG_UNTRUSTED, &tls_pair_target, TLS_FAILURE_certificate, "issuer");
	refused(TLS_RIG_SELF, &tls_pair_target, TLS_FAILURE_certificate, "self-signed");
	refused(TLS_RIG_GOOD, &system, TLS_FAILURE_certificate, "issuer");
}

TEST_WITH(test_pins, NULL, tls_pair_close)
{
	uint8_t pin[2][CONFIG_PIN_LEN];
	struct tls_target of = tls_pair_target;
	tls_rig_pin(TLS_RIG_GOOD, pin[0]);
	tls_rig_pin(TLS_RIG_OTHER_KEY, pin[1]);
	of.pin = pin;
	of.pin_count = 1;
	refused(TLS_RIG_OTHER_KEY, &of, TLS_FAILURE_pin, "pinned");
	// A pin vouches for nothing by itself.
	refused(TLS_RIG_UNTRUSTED, &of, TLS_FAILURE_certificate, "issuer");
	of.pin_count = 2;
	pair_open(&of, tls_rig_context(TLS_RIG_OTHER_KEY), 1);
}

TEST(test_sessions_are_resumed)
{
	// Two tickets of each full handshake, one of each resumed one, which used one up.
	resumption(tls_rig_context(TLS_RIG_GOOD), 2);
	end();
	resumption(tls_rig_context_1_2(TLS_RIG_GOOD), 1);
	end();
}

// A server that ends connections itself, in one of three ways, still knows its sessions.
TEST_WITH(test_sessions_outlive_an_end, NULL, tls_pair_end)
{
	char buf[8];
	t.context = tls_rig_context(TLS_RIG_GOOD);
	peer_make(&tls_pair_target);
	for (unsigned i = 0; i < 4; i++) {
		open_both();
		assert_int_equal(handshake(), 1);
		assert_int_equal(tls_conn_is_resumed(t.conn), i > 0);
		exchange();
		if (i == 0)
			tls_side_goodbye(t.side);
		if (i == 2) { // a socket that is closed with bytes in it resets the connection
			assert_int_equal(tls_conn_write(t.conn, "asked", 5), 5);
			close(t.fd[1]);
			t.fd[1] = -1;
		} else {
			shutdown(t.fd[1], SHUT_WR);
		}
		assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), i == 2 ? -ECONNRESET : 0);
		close_both();
	}
}

// A resumed handshake shows no certificate: that of the session has its last day all the same.
TEST_WITH(test_a_session_ends_with_its_certificate, NULL, tls_pair_end)
{
	resumption(tls_rig_context(TLS_RIG_BRIEF), 2);
	wall_ahead_s = 700;
	open_both();
	assert_int_equal(handshake(), -EPROTO);
	assert_int_equal(t.failure, TLS_FAILURE_certificate);
	assert_string_equal(t.why, "certificate has expired");
	assert_true(tls_side_resumed(t.side));
	assert_int_equal(tls_peer_sessions(t.peer), 0);
	close_both();
	wall_ahead_s = 0;
}

// It never says a word to who offers a session: the next handshakes are full ones soon.
static void hangs_at_sessions(struct ssl_ctx_st *context, unsigned kept)
{
	resumption(context, kept);
	for (unsigned left = kept; left-- > 0;) {
		open_both();
		assert_int_equal(tls_conn_handshake(t.conn), -EAGAIN);
		close_both();
		assert_int_equal(tls_peer_sessions(t.peer), left);
	}
	end();
}

TEST(test_a_server_that_hangs_at_sessions)
{
	hangs_at_sessions(tls_rig_context(TLS_RIG_GOOD), 2);
	hangs_at_sessions(tls_rig_context_1_2(TLS_RIG_GOOD), 1);
}

// A peer has at most so many, however many come.
TEST_WITH(test_sessions_are_bounded, NULL, tls_pair_end)
{
	enum { CONNS = 6 };
	struct tls_conn *conn[CONNS];
	struct tls_side *side[CONNS];
	int fd[CONNS][2];
	t.context = tls_rig_context(TLS_RIG_GOOD);
	peer_make(&tls_pair_target);
	for (unsigned i = 0; i < CONNS; i++) {
		open_both();
		assert_int_equal(handshake(), 1);
		conn[i] = t.conn;
		side[i] = t.side;
		memcpy(fd[i], t.fd, sizeof(t.fd));
	}
	for (unsigned i = 0; i < CONNS; i++) {
		t.conn = conn[i];
		t.side = side[i];
		exchange();
	}
	assert_int_equal(tls_peer_sessions(t.peer), TLS_SESSIONS_EACH);
	for (unsigned i = 0; i < CONNS; i++) {
		t.conn = conn[i];
		t.side = side[i];
		memcpy(t.fd, fd[i], sizeof(t.fd));
		close_both();
	}
}

// After a restart the server has other keys for its tickets, and perhaps another certificate.
TEST_WITH(test_a_server_that_forgot, NULL, tls_pair_end)
{
	resumption(tls_rig_context(TLS_RIG_GOOD), 2);
	struct ssl_ctx_st *first = t.context;
	t.context = tls_rig_context(TLS_RIG_OTHER_KEY);
	open_both();
	assert_int_equal(handshake(), 1);
	assert_false(tls_conn_is_resumed(t.conn));
	exchange();
	close_both();
	tls_rig_context_free(t.context);
	t.context = tls_rig_context(TLS_RIG_WRONG);
	open_both();
	assert_int_equal(handshake(), -EPROTO);
	assert_int_equal(t.failure, TLS_FAILURE_name);
	assert_int_equal(tls_peer_sessions(t.peer), 0);
	close_both();
	tls_rig_context_free(first);
}

TEST(test_authorities_that_are_none)
{
	struct tls_target of = tls_pair_target;
	of.ca_file = "/nowhere/ca.pem";
	assert_int_equal(tls_peer_new(&t.peer, &of, t.why), -EINVAL);
	assert_non_null(strstr(t.why, "/nowhere/ca.pem"));
	of.ca_file = "/dev/null";
	assert_int_equal(tls_peer_new(&t.peer, &of, t.why), -EINVAL);
	t.peer = NULL;
}

static void *read_slowly(void *path)
{
	struct tls_target of = tls_pair_target;
	struct tls_peer *peer;
	char why[TLS_WHY_MAX];
	of.ca_file = path;
	assert_int_equal(tls_peer_new(&peer, &of, why), -EINVAL);
	return NULL;
}

// Another thread gets its peer while the file, a FIFO, is being read.
TEST(test_a_slow_file_of_authorities)
{
	char path[] = "/tmp/weir-tls-XXXXXX", file[64];
	pthread_t reader;
	int fd = -1;
	assert_non_null(mkdtemp(path));
	snprintf(file, sizeof(file), "%s/ca", path);
	assert_int_equal(mkfifo(file, 0600), 0);
	alarm(60);
	assert_int_equal(pthread_create(&reader, NULL, read_slowly, file), 0);
	WAIT_FOR((fd = open(file, O_WRONLY | O_NONBLOCK)) >= 0); // until the reader is there
	peer_make(&tls_pair_target);
	tls_peer_free(t.peer);
	t.peer = NULL;
	close(fd);
	assert_int_equal(pthread_join(reader, NULL), 0);
	alarm(0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(path), 0);
}

// Nobody was there, or the connection ended in the handshake: of the sessions only what was sent is
// used up.
TEST_WITH(test_a_server_that_is_away, NULL, tls_pair_close)
{
	resumption(tls_rig_context(TLS_RIG_GOOD), 2);
	open_both();
	shutdown(t.fd[1], SHUT_RDWR);
	assert_int_equal(tls_conn_handshake(t.conn), -EPROTO);
	assert_int_equal(tls_conn_failure(t.conn, t.why), TLS_FAILURE_handshake);
	close_both();
	assert_int_equal(tls_peer_sessions(t.peer), 2);
	open_both();
	assert_int_equal(tls_conn_handshake(t.conn), -EAGAIN);
	shutdown(t.fd[1], SHUT_RDWR);
	assert_int_equal(tls_conn_handshake(t.conn), -EPROTO);
	close_both();
	assert_int_equal(tls_peer_sessions(t.peer), 1);
	open_both();
	assert_int_equal(handshake(), 1);
	assert_true(tls_conn_is_resumed(t.conn));
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
