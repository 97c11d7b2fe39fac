// SPDX-License-Identifier: BSD-3-Clause
#include "dot_rig.h"

struct tls_server *dot_certificate(enum tls_rig_kind kind)
{
	struct tls_rig_files files;
	char why[TLS_WHY_MAX];
	struct tls_server *server = NULL;
	tls_rig_files(kind, &files);
	const struct tls_certificate_files given = {files.cert, files.key};
	const struct tls_server_settings set = {.count = 1, .certificate = &given};
	assert_int_equal(tls_server_new(&server, &set, NULL, why), 0);
	return server;
}

void dot_start(void)
{
	tcp_rig_dot = true;
	tcp_rig_certify(dot_certificate(TLS_RIG_GOOD));
	tcp_rig_start();
}

struct dot dot_connect(unsigned host)
{
	const int fd = tcp_connect_dot(host);
	const struct dot d = {fd, tls_side_client(fd, 3, "\3dot")};
	assert_true(tls_side_turn(d.side)); // the socket blocks: all of the handshake
	return d;
}

void dot_close(struct dot d)
{
	tls_side_free(d.side);
	close(d.fd);
}

bool dot_tries(struct dot d, uint16_t id, char order)
{
	uint8_t frame[2 + TCP_SHORTEST];
	return tls_side_tries(d.side, frame, tcp_message(frame, id, order, TCP_SHORTEST));
}

void dot_ask(struct dot d, uint16_t id, char order)
{
	assert_true(dot_tries(d, id, order));
}

static void read_all(struct dot d, uint8_t *out, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = tls_side_read(d.side, out + got, len - got);
		assert_true(n > 0);
		got += (size_t)n;
	}
}

size_t dot_reply(struct dot d, uint8_t *out)
{
	uint8_t len[2];
	read_all(d, len, 2);
	read_all(d, out, get_u16(len));
	return get_u16(len);
}

void dot_reply_is(struct dot d, uint16_t id, size_t len)
{
	static uint8_t msg[TCP_MESSAGE_MAX];
	assert_int_equal(dot_reply(d, msg), len);
	assert_int_equal(get_u16(msg), id);
	for (size_t i = 2; i < len; i++)
		assert_int_equal(msg[i], id & 0xff);
}

void dot_echo(struct dot d, uint16_t id)
{
	dot_ask(d, id, TCP_ECHO);
	dot_reply_is(d, id, TCP_SHORTEST);
}

void dot_gone(int fd)
{
	char buf[256];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;
	do {
		assert_int_equal(poll(&p, 1, TCP_WAIT_MS), 1);
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n > 0); // an alert
	close(fd);
}
