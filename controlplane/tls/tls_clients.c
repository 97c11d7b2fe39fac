// SPDX-License-Identifier: BSD-3-Clause

// Clients: the authorities that vouch for their certificates, the name in one, and why a handshake
// failed.
#include "tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

enum { DIGEST_MAX = EVP_MAX_MD_SIZE, HOST_MAX = 253 };

static const struct tls_chain_bounds bounds = {
	TLS_CLIENT_BYTES_MAX, TLS_CLIENT_CHAIN_MAX, TLS_CLIENT_ELEMENTS_MAX};

static const unsigned char no_clients[] = "weir";

// What a session was made under: another file, or another answer to "required", takes no ticket.
struct mark {
	EVP_MD_CTX *digest;
	unsigned authorities, lists;
};

static bool object_add(struct mark *m, const X509_OBJECT *object)
{
	unsigned char digest[DIGEST_MAX];
	unsigned len = 0;
	int rc = 0;

	if (X509_OBJECT_get_type(object) == X509_LU_X509) {
		m->authorities++;
		rc = X509_digest(X509_OBJECT_get0_X509(object), EVP_sha256(), digest, &len);
	} else {
		m->lists++;
		rc = X509_CRL_digest(X509_OBJECT_get0_X509_CRL(object), EVP_sha256(), digest, &len);
	}
	return rc == 1 && EVP_DigestUpdate(m->digest, digest, len) == 1;
}

static bool mark_make(struct tls_clients *k, struct mark *m)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(k->store);
	const unsigned char required = k->required;
	bool made = m->digest && EVP_DigestInit_ex(m->digest, EVP_sha256(), NULL) == 1
		    && EVP_DigestUpdate(m->digest, &required, 1) == 1;

	for (int i = 0; made && i < sk_X509_OBJECT_num(objects); i++)
		made = object_add(m, sk_X509_OBJECT_value(objects, i));
	return made && EVP_DigestFinal_ex(m->digest, k->mark, NULL) == 1;
}

static int store_fill(struct tls_clients *k, const char *file, char why[TLS_WHY_MAX])
{
	struct mark m = {.digest = NULL};

	if (!tls_file_is_there(file, why))
		return -EINVAL;
	if (X509_STORE_load_file(k->store, file) != 1) {
		tls_reason_tell(file, "no certificate in it", why);
		return -EINVAL;
	}
	m.digest = EVP_MD_CTX_new();
	const bool made = mark_make(k, &m);
	EVP_MD_CTX_free(m.digest);
	if (!made) {
		snprintf(why, TLS_WHY_MAX, "no memory");
		return -ENOMEM;
	}
	if (m.authorities == 0 || m.authorities > TLS_CLIENT_AUTHORITIES_MAX) {
		snprintf(why, TLS_WHY_MAX, "%.100s: has %u authorities, 1 to %d are possible", file,
			m.authorities, TLS_CLIENT_AUTHORITIES_MAX);
		return -EINVAL;
	}
	k->has_lists = m.lists > 0;
	return 0;
}

int tls_clients_load(struct tls_clients *k, const char *file, bool required, char why[TLS_WHY_MAX])
{
	ERR_clear_error();
	*k = (struct tls_clients){.required = required, .store = X509_STORE_new()};
	int rc = k->store ? store_fill(k, file, why) : -ENOMEM;
	if (!k->store)
		snprintf(why, TLS_WHY_MAX, "no memory");
	if (rc < 0)
		tls_clients_free(k);
	ERR_clear_error();
	return rc;
}

void tls_clients_free(struct tls_clients *k)
{
	X509_STORE_free(k->store);
	k->store = NULL;
}

// Any other certificate ends the handshake before the client's signature is checked: OpenSSL would
// keep a stranger's certificate and compute with its key. Of a good chain it keeps the first one.
static int on_chain(X509_STORE_CTX *x, void *)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(x);

	if (!tls_chain_fits(x, &bounds) || X509_verify_cert(x) <= 0)
		return 0;
	X509_STORE_CTX_set0_verified_chain(x, NULL);
	while (sk_X509_num(chain) > 1)
		X509_free(sk_X509_pop(chain));
	return 1;
}

// A session lasts no longer than the certificate in it: then the client shows one again.
static SSL_TICKET_RETURN on_session(SSL *, SSL_SESSION *session, const unsigned char *, size_t,
	SSL_TICKET_STATUS status, void *)
{
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	const X509 *x = SSL_SESSION_get0_peer(session);
	if (x && X509_cmp_current_time(X509_get0_notAfter(x)) <= 0)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

// The names of the authorities, by which a client chooses among its certificates.
static bool names_set(const struct tls_clients *k, SSL_CTX *x)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(k->store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *one = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		if (one && SSL_CTX_add_client_CA(x, one) != 1)
			return false;
	}
	return true;
}

bool tls_clients_ask(const struct tls_clients *k, SSL_CTX *x)
{
	if (!k->store)
		return SSL_CTX_set_session_id_context(x, no_clients, sizeof(no_clients) - 1) == 1;
	SSL_CTX_set_verify(
		x, SSL_VERIFY_PEER | (k->required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	SSL_CTX_set_verify_depth(x, TLS_CLIENT_CHAIN_MAX);
	SSL_CTX_set_max_cert_list(x, TLS_CLIENT_BYTES_MAX);
	SSL_CTX_set_cert_verify_callback(x, on_chain, NULL);
	if (k->has_lists)
		X509_VERIFY_PARAM_set_flags(
			SSL_CTX_get0_param(x), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return SSL_CTX_set_session_ticket_cb(x, NULL, on_session, NULL) == 1
	       && SSL_CTX_set1_verify_cert_store(x, k->store) == 1 && names_set(k, x)
	       && SSL_CTX_set_session_id_context(x, k->mark, sizeof(k->mark)) == 1;
}

// A copy, or NULL where it is not the name of a host.
static char *host_copy(const unsigned char *bytes, int len)
{
	char name[HOST_MAX + 1];

	if (len <= 0 || len > HOST_MAX)
		return NULL;
	memcpy(name, bytes, (size_t)len);
	name[len] = '\0';
	const size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789-_.");
	return good == (size_t)len ? heap_strdup(name) : NULL;
}

// The only one: of several nobody knows which is meant.
static char *common_name(const X509 *x)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	const int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *text = NULL;

	if (i < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, i) >= 0)
		return NULL;
	const int len = ASN1_STRING_to_UTF8(
		&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
	char *name = host_copy(text, len);
	OPENSSL_free(text);
	return name;
}

static char *name_of(const X509 *x)
{
	int critical, type = -1;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	const ASN1_STRING *text = NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && type != GEN_DNS; i++)
		text = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
	char *name = NULL;
	if (type == GEN_DNS)
		name = host_copy(ASN1_STRING_get0_data(text), ASN1_STRING_length(text));
	else if (names || critical == -1) // else there are such names, which are not to be read
		name = common_name(x);
	GENERAL_NAMES_free(names);
	return name;
}

void tls_clients_know(struct tls_conn *c)
{
	const X509 *x = SSL_get0_peer_certificate(c->ssl);

	c->is_certified = x && SSL_get_verify_result(c->ssl) == X509_V_OK;
	if (c->is_certified)
		c->client_name = name_of(x);
	ERR_clear_error();
}

bool tls_conn_is_certified(const struct tls_conn *c)
{
	return c->is_certified;
}

const char *tls_conn_client_name(const struct tls_conn *c)
{
	return c->client_name;
}

const char *tls_lent_client_name(const SSL *ssl)
{
	struct tls_conn *c = tls_lent_conn(ssl);

	if (!c || !SSL_is_init_finished(ssl))
		return NULL;
	if (!c->is_done) {
		c->is_done = true;
		tls_clients_know(c);
	}
	return c->is_certified ? c->client_name : NULL;
}

bool tls_lent_is_current(const SSL *ssl, const struct tls_server *s)
{
	const struct tls_conn *c = tls_lent_conn(ssl);
	const X509 *x = SSL_get0_peer_certificate(ssl);

	return c && c->server == s && (!x || X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
}

const char *tls_conn_server_name(const struct tls_conn *c)
{
	return SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
}

// What OpenSSL's error says about a client.
static enum tls_refusal refusal_of(unsigned long error)
{
	switch (ERR_GET_REASON(error)) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return TLS_REFUSED_version;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
		return TLS_REFUSED_cipher;
	case SSL_R_NO_APPLICATION_PROTOCOL:
		return TLS_REFUSED_protocol;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return TLS_REFUSED_no_certificate;
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_BAD_SIGNATURE:
		return TLS_REFUSED_certificate;
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
		return TLS_REFUSED_distrust;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_RECORD_LENGTH_MISMATCH:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_LENGTH_MISMATCH:
		return TLS_REFUSED_not_tls;
	default:
		return TLS_REFUSED_other;
	}
}

int tls_server_refuse(struct tls_conn *c, enum tls_refusal refusal, const char *why)
{
	c->refusal = refusal;
	return tls_conn_fail(c, TLS_FAILURE_handshake, why);
}

int tls_server_failed(struct tls_conn *c, int result)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);

	if (result == -EAGAIN)
		return BIO_number_read(SSL_get_rbio(c->ssl)) > TLS_HELLO_MAX
			       ? tls_server_refuse(c, TLS_REFUSED_other, "too many bytes")
			       : -EAGAIN;
	if (result == -EPROTO || result == -ENOMEM)
		return tls_server_refuse(c,
			result == -ENOMEM ? TLS_REFUSED_memory : refusal_of(error),
			reason ? reason : "no TLS");
	return tls_server_refuse(c, TLS_REFUSED_ended, "the client ended the connection");
}
