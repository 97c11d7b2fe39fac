// SPDX-License-Identifier: BSD-3-Clause
#include "tls_rig.h"

#include "controlplane/tls/tls.h"
#include "tests/unit/unit.h"
#include "tls_issue.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/ioctl.h>

enum {
	DAY_S = 86400,
	ALPN_MAX = 64,
	RECORD_HEAD_LEN = 5,
	RECORD_LEAST = 512,
	RECORD_PADDED = 44,
	HELD_MAX = 4096,
	CHAIN = 400
};

static struct {
	char folder[FOLDER_MAX];
	EVP_PKEY *ca_key, *stranger_key, *key, *other_key;
	X509 *ca, *stranger, *certificate[TLS_RIG_KINDS];
} rig_;

char tls_rig_ca[FOLDER_MAX + 16];

struct tls_side {
	SSL *ssl;
	char alpn[ALPN_MAX];
	uint8_t held[HELD_MAX]; // of a ticket
	size_t held_len;
};

static X509 *certificate_new(EVP_PKEY *key, const char *name, const char *alternative, long until_s,
	X509 *issuer, EVP_PKEY *issuer_key)
{
	return tls_issue(&(struct tls_issue){.key = key,
		.common = name,
		.alternative = alternative,
		.until_s = until_s,
		.issuer = issuer,
		.issuer_key = issuer_key});
}

static void certificates_make(void)
{
	static const char names[] = "DNS:dns.example,IP:127.0.0.1";
	X509 **x = rig_.certificate;
	rig_.ca =
		certificate_new(rig_.ca_key, "an authority", NULL, 30L * DAY_S, NULL, rig_.ca_key);
	rig_.stranger = certificate_new(
		rig_.stranger_key, "a stranger", NULL, 30L * DAY_S, NULL, rig_.stranger_key);
	x[TLS_RIG_GOOD] =
		certificate_new(rig_.key, "server", names, 3L * DAY_S, rig_.ca, rig_.ca_key);
	x[TLS_RIG_OTHER_KEY] =
		certificate_new(rig_.other_key, "server", names, 3L * DAY_S, rig_.ca, rig_.ca_key);
	x[TLS_RIG_WRONG] = certificate_new(rig_.key, "server", "DNS:other.example,IP:192.0.2.1",
		3L * DAY_S, rig_.ca, rig_.ca_key);
	x[TLS_RIG_EXPIRED] =
		certificate_new(rig_.key, "server", names, -DAY_S, rig_.ca, rig_.ca_key);
	x[TLS_RIG_UNTRUSTED] = certificate_new(
		rig_.key, "server", names, 3L * DAY_S, rig_.stranger, rig_.stranger_key);
	x[TLS_RIG_SELF] = certificate_new(rig_.key, "server", names, 3L * DAY_S, NULL, rig_.key);
	x[TLS_RIG_BRIEF] = certificate_new(rig_.key, "server", names, 600, rig_.ca, rig_.ca_key);
	x[TLS_RIG_LONG] =
		certificate_new(rig_.key, "server", names, 3L * DAY_S, rig_.ca, rig_.ca_key);
	x[TLS_RIG_COMMON] =
		certificate_new(rig_.key, "dns.example", NULL, 3L * DAY_S, rig_.ca, rig_.ca_key);
	x[TLS_RIG_WILD] = certificate_new(
		rig_.other_key, "server", "DNS:*.kids.example", 3L * DAY_S, rig_.ca, rig_.ca_key);
	x[TLS_RIG_RELATIVE] =
		certificate_new(rig_.key, "server", names, 3L * DAY_S, rig_.ca, rig_.ca_key);
	tls_issue_extend(x[TLS_RIG_RELATIVE], rig_.ca, NID_crl_distribution_points,
		"DER:30:06:30:04:a0:02:a1:00");
	assert_true(X509_sign(x[TLS_RIG_RELATIVE], rig_.ca_key, EVP_sha256()) > 0);
}

void tls_rig_start(void)
{
	tls_start(); // before the library allocates
	rig_.ca_key = EVP_EC_gen("P-256");
	rig_.stranger_key = EVP_EC_gen("P-256");
	rig_.key = EVP_EC_gen("P-256");
	rig_.other_key = EVP_EC_gen("P-256");
	certificates_make();
	assert_int_equal(folder_make(rig_.folder, "tls"), 0);
	snprintf(tls_rig_ca, sizeof(tls_rig_ca), "%s/ca.pem", rig_.folder);
	FILE *f = fopen(tls_rig_ca, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, rig_.ca), 1);
	fclose(f);
}

char *tls_rig_ca_revoking(enum tls_rig_kind kind)
{
	char *path = NULL;
	assert_true(asprintf(&path, "%s/ca%u.pem", rig_.folder, (unsigned)kind) > 0);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, rig_.ca), 1);
	tls_issue_list(f, rig_.ca, rig_.ca_key, rig_.certificate[kind], DAY_S);
	fclose(f);
	return path;
}

void tls_rig_stop(void)
{
	for (unsigned i = 0; i < TLS_RIG_KINDS; i++)
		X509_free(rig_.certificate[i]);
	X509_free(rig_.ca);
	X509_free(rig_.stranger);
	EVP_PKEY_free(rig_.ca_key);
	EVP_PKEY_free(rig_.stranger_key);
	EVP_PKEY_free(rig_.key);
	EVP_PKEY_free(rig_.other_key);
	folder_remove(rig_.folder, "");
}

int tls_rig_group_start(void **)
{
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	tls_rig_start();
	return 0;
}

int tls_rig_group_stop(void **)
{
	tls_rig_stop();
	return 0;
}

static EVP_PKEY *key_of(enum tls_rig_kind kind)
{
	return kind == TLS_RIG_OTHER_KEY || kind == TLS_RIG_WILD ? rig_.other_key : rig_.key;
}

void tls_rig_files(enum tls_rig_kind kind, struct tls_rig_files *out)
{
	snprintf(out->cert, sizeof(out->cert), "%s/cert%u.pem", rig_.folder, (unsigned)kind);
	snprintf(out->key, sizeof(out->key), "%s/key%u.pem", rig_.folder, (unsigned)kind);
	FILE *f = fopen(out->cert, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, rig_.certificate[kind]), 1);
	fclose(f);
	f = fopen(out->key, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key_of(kind), NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

void tls_rig_pin(enum tls_rig_kind kind, uint8_t out[TLS_RIG_PIN_LEN])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key_of(kind), &der);
	assert_true(len > 0);
	assert_int_equal(EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *)
{
	struct tls_side *s = SSL_get_app_data(ssl);
	if (in_len < 2 || in[0] >= ALPN_MAX || in[0] >= in_len)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	memcpy(s->alpn, in + 1, in[0]);
	*out = in + 1;
	*out_len = in[0];
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context(enum tls_rig_kind kind, int most)
{
	SSL_CTX *x = SSL_CTX_new(TLS_server_method());
	assert_non_null(x);
	if (most == TLS1_1_VERSION) {
		SSL_CTX_set_security_level(x, 0);
		SSL_CTX_set_min_proto_version(x, TLS1_VERSION);
	}
	SSL_CTX_set_max_proto_version(x, most);
	assert_int_equal(SSL_CTX_use_certificate(x, rig_.certificate[kind]), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(x, key_of(kind)), 1);
	for (unsigned i = 0; kind == TLS_RIG_LONG && i < CHAIN; i++)
		assert_int_equal(SSL_CTX_add1_chain_cert(x, rig_.ca), 1);
	SSL_CTX_set_alpn_select_cb(x, on_alpn, NULL);
	SSL_CTX_set_session_id_context(x, (const unsigned char *)"rig", 3);
	return x;
}

struct ssl_ctx_st *tls_rig_context(enum tls_rig_kind kind)
{
	return context(kind, TLS1_3_VERSION);
}

struct ssl_ctx_st *tls_rig_context_1_2(enum tls_rig_kind kind)
{
	return context(kind, TLS1_2_VERSION);
}

struct ssl_ctx_st *tls_rig_context_1_1(enum tls_rig_kind kind)
{
	return context(kind, TLS1_1_VERSION);
}

void tls_rig_context_free(struct ssl_ctx_st *x)
{
	SSL_CTX_free(x);
}

struct tls_side *tls_side_client(int fd, int minor, const char *alpn)
{
	SSL_CTX *x = SSL_CTX_new(TLS_client_method());
	assert_non_null(x);
	SSL_CTX_set_security_level(x, 0);
	SSL_CTX_set_min_proto_version(x, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(x, TLS1_VERSION + minor);
	struct tls_side *s = tls_side_new(x, fd);
	SSL_CTX_free(x);
	SSL_set_connect_state(s->ssl);
	const unsigned char *wire = (const unsigned char *)alpn;
	if (alpn)
		assert_int_equal(SSL_set_alpn_protos(s->ssl, wire, (unsigned)strlen(alpn)), 0);
	return s;
}

struct ssl_st *tls_side_ssl(struct tls_side *s)
{
	return s->ssl;
}

void tls_side_wants(struct tls_side *s, const char *name)
{
	assert_true(SSL_set_tlsext_host_name(s->ssl, (uintptr_t)name)); // drops const by itself
}

struct tls_side *tls_side_new(struct ssl_ctx_st *x, int fd)
{
	struct tls_side *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	s->ssl = SSL_new(x);
	assert_non_null(s->ssl);
	SSL_set_app_data(s->ssl, s);
	SSL_set_fd(s->ssl, fd);
	SSL_set_accept_state(s->ssl);
	return s;
}

void tls_side_free(struct tls_side *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	ERR_clear_error();
	free(s);
}

bool tls_side_turn(struct tls_side *s)
{
	ERR_clear_error();
	return SSL_do_handshake(s->ssl) == 1;
}

bool tls_side_resumed(const struct tls_side *s)
{
	return SSL_session_reused(s->ssl);
}

const char *tls_side_name(const struct tls_side *s)
{
	return SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
}

bool tls_side_alpn(const struct tls_side *s, const char *wanted)
{
	return strcmp(s->alpn, wanted) == 0;
}

ssize_t tls_side_read(struct tls_side *s, void *buf, size_t len)
{
	size_t n = 0;
	ERR_clear_error();
	return SSL_read_ex(s->ssl, buf, len, &n) == 1 ? (ssize_t)n : -1;
}

bool tls_side_ended(struct tls_side *s)
{
	char byte;
	(void)tls_side_read(s, &byte, 1);
	return SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN;
}

bool tls_side_failed(struct tls_side *s)
{
	char byte;
	size_t n = 0;
	ERR_clear_error();
	int rc = SSL_read_ex(s->ssl, &byte, 1, &n);
	return rc != 1 && SSL_get_error(s->ssl, rc) == SSL_ERROR_SSL;
}

bool tls_side_tries(struct tls_side *s, const void *buf, size_t len)
{
	size_t n = 0;
	ERR_clear_error();
	return SSL_write_ex(s->ssl, buf, len, &n) == 1 && n == len;
}

void tls_side_write(struct tls_side *s, const void *buf, size_t len)
{
	assert_true(tls_side_tries(s, buf, len));
}

bool tls_side_renegotiate(struct tls_side *s)
{
	ERR_clear_error();
	return SSL_renegotiate(s->ssl) == 1 && SSL_do_handshake(s->ssl) == 1;
}

void tls_side_goodbye(struct tls_side *s)
{
	ERR_clear_error();
	(void)SSL_shutdown(s->ssl);
}

static void socket_write(const struct tls_side *s, const uint8_t *bytes, size_t len)
{
	assert_int_equal(send(SSL_get_rfd(s->ssl), bytes, len, MSG_NOSIGNAL), len);
}

void tls_side_tickets(struct tls_side *s, unsigned count)
{
	ERR_clear_error();
	while (count--) {
		assert_int_equal(SSL_new_session_ticket(s->ssl), 1);
		assert_int_equal(SSL_do_handshake(s->ssl), 1);
	}
}

size_t tls_rig_left(int fd)
{
	int left = 0;
	assert_int_equal(ioctl(fd, FIONREAD, &left), 0);
	return (size_t)left;
}

size_t tls_side_key_updates(struct tls_side *s, unsigned count)
{
	BIO *memory = BIO_new(BIO_s_mem());
	uint8_t *bytes;
	ERR_clear_error();
	BIO_up_ref(memory);
	SSL_set0_wbio(s->ssl, memory);
	// Records of 65 bytes: what OpenSSL takes off a socket at once always ends within one, so
	// that it never finds its buffer empty and goes on.
	assert_int_equal(SSL_set_block_padding(s->ssl, RECORD_PADDED), 1);
	while (count--) {
		assert_int_equal(SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(s->ssl), 1);
	}
	assert_int_equal(SSL_set_block_padding(s->ssl, 0), 1);
	SSL_set0_wbio(s->ssl, BIO_new_socket(SSL_get_rfd(s->ssl), BIO_NOCLOSE));
	const long len = BIO_get_mem_data(memory, &bytes);
	socket_write(s, bytes, (size_t)len);
	BIO_free(memory);
	return (size_t)len;
}

void tls_side_ticket_begin(struct tls_side *s)
{
	static const uint8_t data[2 * RECORD_LEAST];
	BIO *memory = BIO_new(BIO_s_mem());
	assert_int_equal(
		SSL_SESSION_set1_ticket_appdata(SSL_get_session(s->ssl), data, sizeof(data)), 1);
	SSL_set_max_send_fragment(s->ssl, RECORD_LEAST);
	SSL_set0_wbio(s->ssl, memory);
	assert_int_equal(SSL_new_session_ticket(s->ssl), 1);
	assert_int_equal(SSL_do_handshake(s->ssl), 1);
	int len = BIO_read(memory, s->held, sizeof(s->held));
	SSL_set0_wbio(s->ssl, BIO_new_socket(SSL_get_rfd(s->ssl), BIO_NOCLOSE));
	assert_in_range(len, 2 * RECORD_LEAST, sizeof(s->held) - 1);
	size_t first = RECORD_HEAD_LEN + get_u16(s->held + 3);
	socket_write(s, s->held, first);
	s->held_len = (size_t)len - first;
	memmove(s->held, s->held + first, s->held_len);
}

void tls_side_ticket_end(struct tls_side *s)
{
	socket_write(s, s->held, s->held_len);
}
