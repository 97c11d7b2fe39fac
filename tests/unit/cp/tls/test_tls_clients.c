// SPDX-License-Identifier: BSD-3-Clause

// Clients' certificates: the name that each gives, the refused ones, and the contents of a ticket.
#include "tests/unit/cp/rules/wall_ahead.h"
#include "tests/unit/unit.h"
#include "tls_accept.h"
#include "tls_client.h"

// In place of t.server, whose ticket keys go on.
static void server_asks(const char *ca, bool required)
{
	struct tls_rig_files files[2];
	struct tls_certificate_files given[2];
	const enum tls_rig_kind kinds[] = {TLS_RIG_GOOD, TLS_RIG_WRONG};
	for (unsigned i = 0; i < 2; i++) {
		tls_rig_files(kinds[i], &files[i]);
		given[i] = (struct tls_certificate_files){files[i].cert, files[i].key};
	}
	const struct tls_server_settings set = {
		.count = 2, .certificate = given, .client_ca = ca, .client_required = required};
	struct tls_server *before = t.server;
	assert_int_equal(tls_server_new(&t.server, &set, before, t.why), 0);
	tls_server_free(before);
}

static void asks(enum tls_client_ca ca, bool required)
{
	server_asks(tls_client_ca(ca), required);
}

struct meeting {
	enum tls_client_kind kind;
	int minor;
	const char *wants;              // SNI
	struct ssl_session_st *session; // that it offers
	struct tls_side *side;
};

// What weir's side comes to.
static int meet(struct meeting *m)
{
	accept_one();
	m->side = tls_side_client(t.fd[0], m->minor, NULL);
	tls_client_shows(m->side, m->kind);
	if (m->wants)
		tls_side_wants(m->side, m->wants);
	if (m->session)
		tls_client_resumes(m->side, m->session);
	return meet_side(m->side);
}

static void part(struct meeting *m)
{
	tls_side_free(m->side);
	close_both();
}

// By both versions of TLS.
static void name_is(enum tls_client_kind kind, bool is_certified, const char *name)
{
	for (int minor = 2; minor <= 3; minor++) {
		struct meeting m = {.kind = kind, .minor = minor};
		assert_int_equal(meet(&m), 1);
		assert_int_equal(tls_conn_is_certified(t.conn), is_certified);
		const char *known = tls_conn_client_name(t.conn);
		if (name)
			assert_string_equal(known, name);
		else
			assert_null(known);
		part(&m);
	}
}

static void refused(enum tls_client_kind kind, enum tls_refusal refusal)
{
	for (int minor = 2; minor <= 3; minor++) {
		struct meeting m = {.kind = kind, .minor = minor};
		assert_int_equal(meet(&m), -EPROTO);
		assert_int_equal(tls_conn_refusal(t.conn, t.why), refusal);
		assert_null(tls_conn_client_name(t.conn));
		assert_false(tls_conn_is_certified(t.conn));
		assert_true(tls_side_failed(m.side));
		part(&m);
	}
}

TEST_WITH(test_names, NULL, tls_accept_end)
{
	for (unsigned required = 0; required < 2; required++) {
		asks(TLS_CLIENT_CA_ONE, required);
		name_is(TLS_CLIENT_NAMED, true, "kid");
		name_is(TLS_CLIENT_BELOW, true, "kid.dns.example");
		name_is(TLS_CLIENT_COMMON, true, "kid");
		name_is(TLS_CLIENT_MAIL, true, "kid");
		name_is(TLS_CLIENT_TWO, true, NULL);
		name_is(TLS_CLIENT_WILD, true, NULL);
		name_is(TLS_CLIENT_TALK, true, NULL);
	}
}

// Whether it may do without a certificate or not: it may not show a bad one.
TEST_WITH(test_bad_certificates, NULL, tls_accept_end)
{
	static const enum tls_client_kind kinds[] = {
		TLS_CLIENT_EXPIRED, TLS_CLIENT_STRANGER, TLS_CLIENT_SERVING};
	for (unsigned required = 0; required < 2; required++) {
		asks(TLS_CLIENT_CA_ONE, required);
		for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
			refused(kinds[i], TLS_REFUSED_certificate);
	}
}

TEST_WITH(test_no_certificate, NULL, tls_accept_end)
{
	asks(TLS_CLIENT_CA_ONE, false);
	name_is(TLS_CLIENT_NONE, false, NULL);
	asks(TLS_CLIENT_CA_ONE, true);
	refused(TLS_CLIENT_NONE, TLS_REFUSED_no_certificate);
}

TEST_WITH(test_without_authorities, NULL, tls_accept_end)
{
	server_asks(NULL, false);
	name_is(TLS_CLIENT_NAMED, false, NULL);
}

TEST_WITH(test_long_chains, NULL, tls_accept_end)
{
	for (unsigned required = 0; required < 2; required++) {
		asks(TLS_CLIENT_CA_ONE, required);
		refused(TLS_CLIENT_LONG, TLS_REFUSED_other);
		name_is(TLS_CLIENT_CHAIN_3, true, "kid");
		refused(TLS_CLIENT_CHAIN_4, TLS_REFUSED_certificate);
		name_is(TLS_CLIENT_SIMPLE, true, "kid");
		refused(TLS_CLIENT_COMPLEX, TLS_REFUSED_certificate);
		name_is(TLS_CLIENT_WITH_SIMPLE, true, "kid");
		refused(TLS_CLIENT_WITH_COMPLEX, TLS_REFUSED_certificate);
		name_is(TLS_CLIENT_LARGE, true, "kid");
		refused(TLS_CLIENT_RELATIVE, TLS_REFUSED_certificate);
	}
}

TEST_WITH(test_revoked, NULL, tls_accept_end)
{
	asks(TLS_CLIENT_CA_ONE, true);
	name_is(TLS_CLIENT_REVOKED, true, "kid");
	asks(TLS_CLIENT_CA_LISTS, true);
	refused(TLS_CLIENT_REVOKED, TLS_REFUSED_certificate);
	name_is(TLS_CLIENT_NAMED, true, "kid");
	asks(TLS_CLIENT_CA_EACH, true);
	name_is(TLS_CLIENT_CHAIN_3, true, "kid");
	asks(TLS_CLIENT_CA_BETWEEN, true);
	refused(TLS_CLIENT_CHAIN_3, TLS_REFUSED_certificate);
	asks(TLS_CLIENT_CA_OLD_LISTS, true); // nobody can say who is revoked
	refused(TLS_CLIENT_NAMED, TLS_REFUSED_certificate);
}

// With the certificate that the client's SNI chooses.
TEST_WITH(test_another_certificate_of_ours, NULL, tls_accept_end)
{
	asks(TLS_CLIENT_CA_ONE, true);
	for (int minor = 2; minor <= 3; minor++) {
		struct meeting m = {TLS_CLIENT_NAMED, minor, .wants = "other.example"};
		assert_int_equal(meet(&m), 1);
		assert_string_equal(tls_conn_client_name(t.conn), "kid");
		part(&m);
		m = (struct meeting){TLS_CLIENT_NONE, minor, .wants = "other.example"};
		assert_int_equal(meet(&m), -EPROTO);
		part(&m);
	}
}

// A session of a client with this certificate.
static struct ssl_session_st *session_of(enum tls_client_kind kind, int minor)
{
	struct meeting m = {.kind = kind, .minor = minor};
	char byte;
	assert_int_equal(meet(&m), 1);
	for (unsigned i = 0; i < 3; i++) // the ticket
		(void)tls_side_read(m.side, &byte, 1);
	struct ssl_session_st *session = tls_client_session(m.side);
	tls_side_goodbye(m.side); // or its end makes the session a broken one
	part(&m);
	return session;
}

// The client offers the session and has no certificate any more.
static void comes_back(struct ssl_session_st *session, int minor, bool is_resumed, const char *name)
{
	struct meeting m = {.kind = TLS_CLIENT_NONE, .minor = minor, .session = session};
	assert_int_equal(meet(&m), 1);
	assert_int_equal(tls_conn_is_resumed(t.conn), is_resumed);
	assert_int_equal(tls_conn_is_certified(t.conn), name != NULL);
	if (name)
		assert_string_equal(tls_conn_client_name(t.conn), name);
	else
		assert_null(tls_conn_client_name(t.conn));
	part(&m);
}

TEST_WITH(test_a_ticket_keeps_the_name, NULL, tls_accept_end)
{
	for (int minor = 2; minor <= 3; minor++) {
		asks(TLS_CLIENT_CA_ONE, minor == 3);
		comes_back(session_of(TLS_CLIENT_NAMED, minor), minor, true, "kid");
		asks(TLS_CLIENT_CA_ONE, false);
		comes_back(session_of(TLS_CLIENT_NONE, minor), minor, true, NULL);
	}
}

TEST_WITH(test_a_ticket_ends_with_its_authorities, NULL, tls_accept_end)
{
	static const enum tls_client_ca others[] = {
		TLS_CLIENT_CA_STRANGER, TLS_CLIENT_CA_BOTH, TLS_CLIENT_CA_LISTS};
	for (int minor = 2; minor <= 3; minor++) {
		for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
			asks(TLS_CLIENT_CA_ONE, false);
			struct ssl_session_st *session = session_of(TLS_CLIENT_NAMED, minor);
			asks(others[i], false);
			comes_back(session, minor, false, NULL);
		}
		asks(TLS_CLIENT_CA_ONE, false);
		struct ssl_session_st *session = session_of(TLS_CLIENT_NAMED, minor);
		server_asks(NULL, false);
		comes_back(session, minor, false, NULL);
	}
}

// One that was made while clients could do without a certificate.
TEST_WITH(test_a_ticket_is_no_way_in, NULL, tls_accept_end)
{
	for (int minor = 2; minor <= 3; minor++) {
		asks(TLS_CLIENT_CA_ONE, false);
		struct meeting m = {.kind = TLS_CLIENT_NONE,
			.minor = minor,
			.session = session_of(TLS_CLIENT_NONE, minor)};
		asks(TLS_CLIENT_CA_ONE, true);
		assert_int_equal(meet(&m), -EPROTO);
		assert_int_equal(tls_conn_refusal(t.conn, t.why), TLS_REFUSED_no_certificate);
		part(&m);
	}
}

TEST_WITH(test_a_ticket_ends_with_its_certificate, NULL, tls_accept_end)
{
	for (int minor = 2; minor <= 3; minor++) {
		asks(TLS_CLIENT_CA_ONE, false);
		struct ssl_session_st *session = session_of(TLS_CLIENT_BRIEF, minor);
		wall_ahead_s = 700;
		comes_back(session, minor, false, NULL);
		wall_ahead_s = 0;
	}
}

static void bad_file(const char *ca, const char *why)
{
	assert_int_equal(good_server_with((struct tls_server_settings){.client_ca = ca}), -EINVAL);
	if (!strstr(t.why, why))
		fail_msg("\"%s\" does not say \"%s\"", t.why, why);
}

TEST_WITH(test_bad_files, NULL, tls_accept_end)
{
	struct tls_rig_files files;
	tls_rig_files(TLS_RIG_GOOD, &files);
	bad_file("/nowhere/ca.pem", "/nowhere/ca.pem: no such file");
	bad_file("/dev/zero", "/dev/zero: no such file");
	bad_file(files.key, files.key);
	bad_file(tls_client_ca(TLS_CLIENT_CA_33), "has 33 authorities, 1 to 32 are possible");
	asks(TLS_CLIENT_CA_32, false);
	name_is(TLS_CLIENT_NONE, false, NULL);
	refused(TLS_CLIENT_NAMED, TLS_REFUSED_certificate);
}

TEST_GROUP(tls_client_group_start, tls_client_group_stop)
