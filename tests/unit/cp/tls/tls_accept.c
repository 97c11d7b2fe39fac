// SPDX-License-Identifier: BSD-3-Clause
#include "tls_accept.h"

#include "tests/unit/unit.h"

struct tls_accept t;

struct tls_server *server_of(const enum tls_rig_kind *kind, unsigned count,
	const uint8_t (*secret)[TLS_SECRET_LEN], const struct tls_server *before)
{
	struct tls_rig_files files[4];
	struct tls_certificate_files given[4];
	struct tls_server *out = NULL;
	for (unsigned i = 0; i < count; i++) {
		tls_rig_files(kind[i], &files[i]);
		given[i] = (struct tls_certificate_files){files[i].cert, files[i].key};
	}
	const struct tls_server_settings set = {.count = count,
		.certificate = given,
		.secret_count = secret ? 1 : 0,
		.secret = secret};
	assert_int_equal(tls_server_new(&out, &set, before, t.why), 0);
	return out;
}

struct tls_server *good_server(void)
{
	return server_of(&(enum tls_rig_kind){TLS_RIG_GOOD}, 1, NULL, NULL);
}

int good_server_with(struct tls_server_settings set)
{
	struct tls_rig_files files;
	tls_rig_files(TLS_RIG_GOOD, &files);
	const struct tls_certificate_files given = {files.cert, files.key};
	set.count = 1;
	set.certificate = &given;
	return tls_server_new(&t.server, &set, NULL, t.why);
}

void peer_make(const char *name)
{
	const struct tls_target target = {.name = name, .ca_file = tls_rig_ca, .alpn = "dot"};
	assert_int_equal(tls_peer_new(&t.peer, &target, t.why), 0);
}

void accept_one(void)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.fd), 0);
	assert_int_equal(tls_conn_accept(&t.conn, t.server, t.fd[1], "\3dot"), 0);
}

void open_both(void)
{
	accept_one();
	assert_int_equal(tls_conn_connect(&t.client, t.peer, t.fd[0]), 0);
}

int handshake(int *of_client)
{
	int rc = -EAGAIN, other = -EAGAIN;
	for (unsigned i = 0; i < 20 && (rc == -EAGAIN || other == -EAGAIN); i++) {
		if (other == -EAGAIN)
			other = tls_conn_handshake(t.client);
		if (rc == -EAGAIN)
			rc = tls_conn_handshake(t.conn);
	}
	*of_client = other;
	return rc;
}

int meet_side(struct tls_side *side)
{
	int rc = -EAGAIN;
	for (unsigned i = 0; i < 10 && rc == -EAGAIN; i++) {
		(void)tls_side_turn(side);
		rc = tls_conn_handshake(t.conn);
	}
	return rc;
}

void open_good(void)
{
	int of_client;
	t.server = good_server();
	peer_make("dns.example");
	open_both();
	assert_int_equal(handshake(&of_client), 1);
}

void exchange(void)
{
	char buf[16] = "";
	assert_int_equal(tls_conn_write(t.client, "asked", 5), 5);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), 5);
	assert_string_equal(buf, "asked");
	assert_int_equal(tls_conn_write(t.conn, "told", 4), 4);
	assert_int_equal(tls_conn_read(t.client, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "told", 4);
	assert_int_equal(tls_conn_read(t.conn, buf, sizeof(buf)), -EAGAIN);
}

void close_both(void)
{
	tls_conn_close(t.client);
	tls_conn_close(t.conn);
	close(t.fd[0]);
	close(t.fd[1]);
	t.client = t.conn = NULL;
}

void end(void)
{
	tls_peer_free(t.peer);
	tls_server_free(t.server);
	t.peer = NULL;
	t.server = NULL;
}

int tls_accept_end(void **)
{
	end();
	return 0;
}

bool connects_resumed(void)
{
	int of_client;
	open_both();
	assert_int_equal(handshake(&of_client), 1);
	assert_int_equal(of_client, 1);
	exchange();
	bool resumed = tls_conn_is_resumed(t.conn);
	assert_int_equal(tls_conn_is_resumed(t.client), resumed);
	close_both();
	return resumed;
}
