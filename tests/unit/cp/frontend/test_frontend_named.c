// SPDX-License-Identifier: BSD-3-Clause
// The group of a client by its certificate, or by the name that it uses: the server's name in its
// handshake, over TLS and HTTPS, and the end of its path.

#include "dot_rig.h"
#include "tests/unit/cp/tls/tls_client.h"

enum { KIDS = 1, GUESTS = 2, TEXT = 512 };

static void names_set(void)
{
	static char server[] = "dns.example", kid[] = "kid", guest[] = "guest";
	static char *kids_names[] = {kid}, *guests_names[] = {guest};
	static struct config_group groups[] = {
		{.client_names = kids_names, .client_name_count = 1},
		{.client_names = guests_names, .client_name_count = 1},
	};
	const struct config c = {.tls = {.name = server}, .groups = groups, .group_count = 2};

	frontend_names_of(&c, &tcp_rig_names);
}

static struct dot connect_with(
	enum frontend_tcp_kind kind, const char *server, int minor, enum tls_client_kind shows)
{
	const int fd = tcp_connect_kind(kind, 1);
	const struct dot d = {
		fd, tls_side_client(fd, minor, kind == FRONTEND_TCP_DOT ? "\3dot" : "\10http/1.1")};

	if (server)
		tls_side_wants(d.side, server);
	tls_client_shows(d.side, shows);
	assert_true(tls_side_turn(d.side));
	return d;
}

static struct dot connect_as(enum frontend_tcp_kind kind, const char *server, int minor)
{
	return connect_with(kind, server, minor, TLS_CLIENT_NONE);
}

TEST_WITH(test_server_names, tcp_rig_each_start, tcp_rig_each_end)
{
	static const struct {
		const char *server;
		unsigned group;
	} rows[] = {{"kid.dns.example", KIDS}, {"GUEST.dns.example", GUESTS}, {"dns.example", 0},
		{"nobody.dns.example", 0}, {"kid.other.example", 0}, {NULL, 0}};

	names_set();
	dot_start();
	for (unsigned i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		struct dot d = connect_as(FRONTEND_TCP_DOT, rows[i / 2].server, 2 + (int)i % 2);
		dot_echo(d, 1);
		assert_int_equal(tcp_rig_group, rows[i / 2].group);
		dot_close(d);
	}
}

// A live connection has the groups in force: those of a configuration once they are published.
TEST_WITH(test_another_configuration, tcp_rig_each_start, tcp_rig_each_end)
{
	names_set();
	dot_start();
	struct dot d = connect_as(FRONTEND_TCP_DOT, "kid.dns.example", 3);
	dot_echo(d, 1);
	assert_int_equal(tcp_rig_group, KIDS);
	tcp_rig_names.count = 0;
	tcp_rig_configure();
	dot_echo(d, 2);
	assert_int_equal(tcp_rig_group, KIDS);
	tcp_rig_name();
	dot_echo(d, 3);
	assert_int_equal(tcp_rig_group, 0);
	dot_close(d);
}

static unsigned post(struct dot d, const char *path)
{
	uint8_t text[TEXT], framed[2 + TCP_SHORTEST];
	char head[TEXT] = "";
	int n = sprintf((char *)text,
		"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"
		"Content-Type: application/dns-message\r\n\r\n",
		path, TCP_SHORTEST);
	(void)tcp_message(framed, 1, TCP_ECHO, TCP_SHORTEST);
	memcpy(text + n, framed + 2, TCP_SHORTEST);
	tls_side_write(d.side, text, (size_t)n + TCP_SHORTEST);
	for (size_t got = 0; !strstr(head, "\r\n\r\n"); got++) {
		assert_true(got < sizeof(head) - 1);
		assert_int_equal(tls_side_read(d.side, head + got, 1), 1);
	}
	size_t left = strtoul(strstr(head, "content-length: ") + 16, NULL, 10);
	for (uint8_t byte; left > 0; left--)
		assert_int_equal(tls_side_read(d.side, &byte, 1), 1);
	return (unsigned)strtoul(head + strlen("HTTP/1.1 "), NULL, 10);
}

TEST_WITH(test_paths, tcp_rig_each_start, tcp_rig_each_end)
{
	names_set();
	tcp_rig_doh = true;
	tcp_rig_certify(dot_certificate(TLS_RIG_GOOD));
	tcp_rig_start();
	struct dot d = connect_as(FRONTEND_TCP_DOH, "guest.dns.example", 3);
	assert_int_equal(post(d, "/dns-query"), 200);
	assert_int_equal(tcp_rig_group, GUESTS);
	assert_int_equal(post(d, "/dns-query/kid"), 200);
	assert_int_equal(tcp_rig_group, KIDS); // the path before the server
	assert_int_equal(post(d, "/dns-query/Guest"), 200);
	assert_int_equal(tcp_rig_group, GUESTS);
	const unsigned asked = tcp_rig_asked();
	for (unsigned i = 0; i < 2 * tcp_config.queries; i++) // it keeps no place
		assert_int_equal(post(d, "/dns-query/nobody"), 404);
	assert_int_equal(tcp_rig_asked(), asked);
	assert_int_equal(post(d, "/dns-query"), 200);
	tcp_rig_until(doh.counts.responses[DOH_404], 2 * tcp_config.queries);
	tcp_rig_until(pending, 0);
	dot_close(d);
}

static void server_asks(bool required)
{
	struct tls_rig_files files;
	char why[TLS_WHY_MAX];
	struct tls_server *server = NULL;
	tls_rig_files(TLS_RIG_GOOD, &files);
	const struct tls_certificate_files given = {files.cert, files.key};
	const struct tls_server_settings set = {.count = 1,
		.certificate = &given,
		.client_ca = tls_client_ca(TLS_CLIENT_CA_ONE),
		.client_required = required};
	assert_int_equal(tls_server_new(&server, &set, NULL, why), 0);
	tcp_rig_certify(server);
}

// A certificate that no group knows leaves it to the name that the client uses.
TEST_WITH(test_certificates, tcp_rig_each_start, tcp_rig_each_end)
{
	static const struct {
		enum tls_client_kind shows;
		unsigned group;
	} rows[] = {{TLS_CLIENT_NAMED, KIDS}, {TLS_CLIENT_BELOW, KIDS}, {TLS_CLIENT_COMMON, KIDS},
		{TLS_CLIENT_TALK, GUESTS}, {TLS_CLIENT_NONE, GUESTS}};

	names_set();
	tcp_rig_dot = true;
	server_asks(false);
	tcp_rig_start();
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct dot d = connect_with(
			FRONTEND_TCP_DOT, "guest.dns.example", 2 + (int)i % 2, rows[i].shows);
		dot_echo(d, 1);
		assert_int_equal(tcp_rig_group, rows[i].group);
		dot_close(d);
	}
	tcp_rig_until(tls.handshakes, ARRAY_LEN(rows));
	tcp_rig_until(tls.certified, 4);
}

TEST_WITH(test_certificates_before_paths, tcp_rig_each_start, tcp_rig_each_end)
{
	names_set();
	tcp_rig_doh = true;
	server_asks(false);
	tcp_rig_start();
	struct dot d = connect_with(FRONTEND_TCP_DOH, "guest.dns.example", 3, TLS_CLIENT_NAMED);
	assert_int_equal(post(d, "/dns-query"), 200);
	assert_int_equal(tcp_rig_group, KIDS);
	assert_int_equal(post(d, "/dns-query/guest"), 200);
	assert_int_equal(tcp_rig_group, KIDS);
	assert_int_equal(post(d, "/dns-query/nobody"), 404);
	dot_close(d);
}

// With TLS 1.3 the client's handshake is done before, and a query may be written before, too.
static void fails(enum tls_client_kind shows)
{
	struct dot d = connect_with(FRONTEND_TCP_DOT, "kid.dns.example", 3, shows);
	(void)dot_tries(d, 1, TCP_ECHO);
	assert_true(tls_side_failed(d.side));
	dot_close(d);
}

TEST_WITH(test_certificates_are_required, tcp_rig_each_start, tcp_rig_each_end)
{
	names_set();
	tcp_rig_dot = true;
	server_asks(true);
	tcp_rig_start();
	struct dot d = connect_with(FRONTEND_TCP_DOT, NULL, 3, TLS_CLIENT_NAMED);
	dot_echo(d, 1);
	assert_int_equal(tcp_rig_group, KIDS);
	dot_close(d);
	const unsigned asked = tcp_rig_asked();
	fails(TLS_CLIENT_NONE);
	fails(TLS_CLIENT_EXPIRED);
	tcp_rig_until(tls.failed[TLS_REFUSED_no_certificate], 1);
	tcp_rig_until(tls.failed[TLS_REFUSED_certificate], 1);
	tcp_rig_until(tls.certified, 1);
	assert_int_equal(tcp_rig_asked(), asked);
}

TEST_WITH(test_bad_certificates, tcp_rig_each_start, tcp_rig_each_end)
{
	names_set();
	tcp_rig_dot = true;
	server_asks(false);
	tcp_rig_start();
	const unsigned asked = tcp_rig_asked();
	fails(TLS_CLIENT_STRANGER);
	fails(TLS_CLIENT_EXPIRED);
	tcp_rig_until(tls.failed[TLS_REFUSED_certificate], 2);
	assert_int_equal(tcp_rig_asked(), asked);
}

TEST_GROUP(tls_client_group_start, tls_client_group_stop)
