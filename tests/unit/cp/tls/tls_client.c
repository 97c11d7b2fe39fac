// SPDX-License-Identifier: BSD-3-Clause
#include "tls_client.h"

#include "tests/unit/unit.h"
#include "tls_issue.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { DAY_S = 86400, MANY = 33, CHAIN = 40, BETWEEN = 4, PATH_LEN = FOLDER_MAX + 16 };
// Of alternative names. The certificate around them has 38 elements, their list is one more.
enum { NAMES = 256 - 38 - 1, LONG_NAME = 5000, BYTES_MAX = 6000 };

static struct {
	char folder[FOLDER_MAX], path[TLS_CLIENT_CA_KINDS][PATH_LEN];
	EVP_PKEY *ca_key, *stranger_key, *key;
	X509 *ca, *stranger, *between[BETWEEN], *certificate[TLS_CLIENT_KINDS];
} rig_;

static X509 *by(
	bool is_ca, const char *common, const char *alternative, const char *usage, long until_s)
{
	return tls_issue(&(struct tls_issue){.key = rig_.key,
		.common = common,
		.alternative = alternative,
		.usage = usage,
		.until_s = until_s,
		.issuer = is_ca ? rig_.ca : rig_.stranger,
		.issuer_key = is_ca ? rig_.ca_key : rig_.stranger_key});
}

static X509 *authority(const char *common, EVP_PKEY *key)
{
	return tls_issue(&(struct tls_issue){
		.key = key, .common = common, .until_s = 30L * DAY_S, .issuer_key = key});
}

// Alternative names: kid, one of `len` bytes, and empty ones, `count` in all.
static const char *names_of(unsigned count, unsigned len)
{
	static char text[sizeof("DER") + 3 * BYTES_MAX];
	const unsigned bytes = 5 + 4 + len + 2 * (count - 2);
	char *p = text;

	assert_true(bytes + 4 < BYTES_MAX);
	p += sprintf(p, "DER:30:82:%02x:%02x:82:03:6b:69:64:82:82:%02x:%02x", bytes >> 8,
		bytes & 255, len >> 8, len & 255);
	for (unsigned i = 0; i < len; i++)
		p += sprintf(p, ":61");
	for (unsigned i = 2; i < count; i++)
		p += sprintf(p, ":82:00");
	return text;
}

static void certificates_make(void)
{
	static const char kid[] = "DNS:kid", user[] = "clientAuth";
	const long later = 3L * DAY_S;
	X509 **x = rig_.certificate;

	x[TLS_CLIENT_NAMED] = by(true, "guest", kid, NULL, later);
	x[TLS_CLIENT_BELOW] =
		by(true, "x", "DNS:kid.dns.example,DNS:guest.dns.example", user, later);
	x[TLS_CLIENT_COMMON] = by(true, "kid", NULL, user, later);
	x[TLS_CLIENT_MAIL] = by(true, "kid", "email:kid@dns.example", NULL, later);
	x[TLS_CLIENT_TWO] = by(true, "kid", NULL, NULL, later);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x[TLS_CLIENT_TWO]), "CN", MBSTRING_ASC,
		(const unsigned char *)"guest", -1, -1, 0);
	assert_true(X509_sign(x[TLS_CLIENT_TWO], rig_.ca_key, EVP_sha256()) > 0);
	x[TLS_CLIENT_WILD] = by(true, "kid", "DNS:*.dns.example", NULL, later);
	x[TLS_CLIENT_TALK] = by(true, "Kid's phone", NULL, NULL, later);
	x[TLS_CLIENT_EXPIRED] = by(true, "x", kid, NULL, -DAY_S);
	x[TLS_CLIENT_STRANGER] = by(false, "x", kid, NULL, later);
	x[TLS_CLIENT_SERVING] = by(true, "x", kid, "serverAuth", later);
	x[TLS_CLIENT_BRIEF] = by(true, "x", kid, NULL, 600);
	x[TLS_CLIENT_REVOKED] = by(true, "x", kid, NULL, later);
	x[TLS_CLIENT_LONG] = by(true, "x", kid, NULL, later);
	x[TLS_CLIENT_SIMPLE] = by(true, "x", names_of(NAMES, 300), NULL, later);
	x[TLS_CLIENT_COMPLEX] = by(true, "x", names_of(NAMES + 1, 300), NULL, later);
	x[TLS_CLIENT_LARGE] = by(true, "x", names_of(NAMES, LONG_NAME), NULL, later);
	x[TLS_CLIENT_WITH_SIMPLE] = by(true, "x", kid, NULL, later);
	x[TLS_CLIENT_WITH_COMPLEX] = by(true, "x", kid, NULL, later);
	x[TLS_CLIENT_RELATIVE] = by(true, "x", kid, NULL, later);
	tls_issue_extend(x[TLS_CLIENT_RELATIVE], rig_.ca, NID_crl_distribution_points,
		"DER:30:06:30:04:a0:02:a1:00");
	assert_true(X509_sign(x[TLS_CLIENT_RELATIVE], rig_.ca_key, EVP_sha256()) > 0);
}

// Each vouches for the next one.
static void chains_make(void)
{
	static const char *const name[BETWEEN] = {"first", "second", "third", "fourth"};
	struct tls_issue how = {.key = rig_.ca_key,
		.until_s = DAY_S,
		.issuer = rig_.ca,
		.is_authority = true,
		.issuer_key = rig_.ca_key};

	for (unsigned i = 0; i < BETWEEN; i++) {
		how.common = name[i];
		how.issuer = rig_.between[i] = tls_issue(&how);
	}
	how.key = rig_.key;
	how.common = "kid";
	how.is_authority = false;
	rig_.certificate[TLS_CLIENT_CHAIN_4] = tls_issue(&how);
	how.issuer = rig_.between[BETWEEN - 2];
	rig_.certificate[TLS_CLIENT_CHAIN_3] = tls_issue(&how);
}

static void many_write(FILE *f, unsigned count)
{
	char common[16];

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(common, sizeof(common), "one of %u", i);
		X509 *x = authority(common, rig_.stranger_key);
		assert_int_equal(PEM_write_X509(f, x), 1);
		X509_free(x);
	}
}

static void file_write(enum tls_client_ca kind)
{
	snprintf(rig_.path[kind], PATH_LEN, "%s/ca%u.pem", rig_.folder, (unsigned)kind);
	FILE *f = fopen(rig_.path[kind], "w");

	assert_non_null(f);
	if (kind == TLS_CLIENT_CA_32 || kind == TLS_CLIENT_CA_33)
		many_write(f, kind == TLS_CLIENT_CA_33 ? MANY : MANY - 1);
	else if (kind != TLS_CLIENT_CA_STRANGER)
		assert_int_equal(PEM_write_X509(f, rig_.ca), 1);
	if (kind == TLS_CLIENT_CA_STRANGER || kind == TLS_CLIENT_CA_BOTH)
		assert_int_equal(PEM_write_X509(f, rig_.stranger), 1);
	X509 *revoked = rig_.certificate[TLS_CLIENT_REVOKED];
	if (kind >= TLS_CLIENT_CA_LISTS && kind <= TLS_CLIENT_CA_BETWEEN)
		tls_issue_list(f, rig_.ca, rig_.ca_key,
			kind == TLS_CLIENT_CA_BETWEEN ? rig_.between[0] : revoked,
			kind == TLS_CLIENT_CA_OLD_LISTS ? -60 : DAY_S);
	for (unsigned i = 0; kind >= TLS_CLIENT_CA_EACH && kind <= TLS_CLIENT_CA_BETWEEN && i < 3;
		i++)
		tls_issue_list(f, rig_.between[i], rig_.ca_key, revoked, DAY_S);
	fclose(f);
}

void tls_client_start(void)
{
	rig_.ca_key = EVP_EC_gen("P-256");
	rig_.stranger_key = EVP_EC_gen("P-256");
	rig_.key = EVP_EC_gen("P-256");
	rig_.ca = authority("an authority of clients", rig_.ca_key);
	rig_.stranger = authority("a stranger", rig_.stranger_key);
	certificates_make();
	chains_make();
	assert_int_equal(folder_make(rig_.folder, "clients"), 0);
	for (enum tls_client_ca kind = 0; kind < TLS_CLIENT_CA_KINDS; kind++)
		file_write(kind);
}

void tls_client_stop(void)
{
	for (unsigned i = 0; i < TLS_CLIENT_KINDS; i++)
		X509_free(rig_.certificate[i]);
	for (unsigned i = 0; i < BETWEEN; i++)
		X509_free(rig_.between[i]);
	X509_free(rig_.ca);
	X509_free(rig_.stranger);
	EVP_PKEY_free(rig_.ca_key);
	EVP_PKEY_free(rig_.stranger_key);
	EVP_PKEY_free(rig_.key);
	(void)folder_remove(rig_.folder, "");
}

int tls_client_group_start(void **state)
{
	const int rc = tls_rig_group_start(state);
	tls_client_start();
	return rc;
}

int tls_client_group_stop(void **state)
{
	tls_client_stop();
	return tls_rig_group_stop(state);
}

const char *tls_client_ca(enum tls_client_ca kind)
{
	return rig_.path[kind];
}

void tls_client_shows(struct tls_side *s, enum tls_client_kind kind)
{
	SSL *ssl = tls_side_ssl(s);

	if (kind == TLS_CLIENT_NONE)
		return;
	assert_int_equal(SSL_use_certificate(ssl, rig_.certificate[kind]), 1);
	assert_int_equal(SSL_use_PrivateKey(ssl, rig_.key), 1);
	for (unsigned i = 0; kind == TLS_CLIENT_LONG && i < CHAIN; i++)
		assert_int_equal(SSL_add1_chain_cert(ssl, rig_.ca), 1);
	if (kind == TLS_CLIENT_WITH_SIMPLE || kind == TLS_CLIENT_WITH_COMPLEX)
		assert_int_equal(SSL_add1_chain_cert(ssl, rig_.certificate[kind - 2]), 1);
	const unsigned between =
		kind < TLS_CLIENT_CHAIN_3 ? 0 : kind - TLS_CLIENT_CHAIN_3 + BETWEEN - 1;
	for (unsigned i = between; i-- > 0;)
		assert_int_equal(SSL_add1_chain_cert(ssl, rig_.between[i]), 1);
}

struct ssl_session_st *tls_client_session(struct tls_side *s)
{
	return SSL_get1_session(tls_side_ssl(s));
}

void tls_client_resumes(struct tls_side *s, struct ssl_session_st *session)
{
	assert_int_equal(SSL_set_session(tls_side_ssl(s), session), 1);
	SSL_SESSION_free(session);
}

bool tls_client_early(
	struct tls_side *s, struct ssl_session_st *session, const void *bytes, size_t len)
{
	SSL *ssl = tls_side_ssl(s);
	size_t n = 0;

	assert_int_equal(SSL_SESSION_set_max_early_data(session, (uint32_t)len), 1);
	tls_client_resumes(s, session);
	assert_int_equal(SSL_write_early_data(ssl, bytes, len, &n), 1);
	assert_int_equal(n, len);
	assert_true(tls_side_turn(s));
	return SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED;
}
