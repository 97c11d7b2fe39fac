// SPDX-License-Identifier: BSD-3-Clause
// Certificates, names and tickets of a server, connections that it lends, and the files that its
// certificates come from.

#include "tls_server.h"

#include "base/config_files.h"
#include "tls_internal.h"
#include "tls_tickets.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/heap_site.h>

static void tls_clients_free(struct tls_clients *k);
static bool tls_file_is_there(const char *path, char why[TLS_WHY_MAX]);
static struct tls_conn *tls_lent_conn(const SSL *ssl);
static void tls_reason_tell(const char *path, const char *fallback, char why[TLS_WHY_MAX]);

// Clients: the authorities that vouch for their certificates, the name in one, and why a handshake
// failed.

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

// -ENOMEM; -EINVAL: the file is bad, `why` names it.
static int tls_clients_load(
	struct tls_clients *k, const char *file, bool required, char why[TLS_WHY_MAX])
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

static void tls_clients_free(struct tls_clients *k)
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

// Has the connections of a context ask for a certificate, if there are authorities. False: no
// memory.
static bool tls_clients_ask(const struct tls_clients *k, SSL_CTX *x)
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

enum { WHY_FILE = 100, TICKETS_A_HANDSHAKE = 1, IV_LEN = 16 };

const char *const tls_refusal_names[TLS_REFUSAL_COUNT] = {
#define X(name, text) [TLS_REFUSED_##name] = #name,
	TLS_REFUSALS(X)
#undef X
};

struct tls_server {
	_Atomic unsigned users; // the owners, and connections
	struct tls_tickets *tickets;
	struct tls_clients clients;
	unsigned count;
	SSL_CTX *context[TLS_CERTIFICATES_MAX]; // one for each certificate
	struct tls_certificate_about about[TLS_CERTIFICATES_MAX];
};

static bool mac_set(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end()};
	return EVP_MAC_CTX_set_params(mac, p) == 1;
}

// 0: a full handshake; 1: the key is set; 2: and the client gets a new ticket.
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int makes)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);
	struct tls_ticket_key key;
	int result = 1;
	bool set;

	if (makes) {
		tls_tickets_now(c->server->tickets, &key);
		memcpy(name, key.name, sizeof(key.name));
		set = RAND_bytes(iv, IV_LEN) == 1
		      && EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv);
	} else {
		enum tls_ticket found = tls_tickets_find(c->server->tickets, name, &key);
		if (found == TLS_TICKET_UNKNOWN)
			return 0;
		// A client uses a ticket of TLS 1.3 once, so it needs another one each time.
		result = found == TLS_TICKET_OLD || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
		set = EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv);
	}
	set = set && mac_set(mac, &key);
	explicit_bzero(&key, sizeof(key));
	return set ? result : 0;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);
	unsigned char *found;

	if (SSL_select_next_proto(&found, out_len, (const unsigned char *)c->alpn,
		    (unsigned)strlen(c->alpn), in, in_len)
		!= OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static bool is_for(SSL_CTX *x, const char *name, unsigned flags)
{
	return X509_check_host(SSL_CTX_get0_certificate(x), name, 0,
		       flags | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL)
	       == 1;
}

static SSL_CTX *context_for(const struct tls_server *s, const char *name)
{
	static const unsigned flags[] = {
		X509_CHECK_FLAG_NO_WILDCARDS, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS};

	for (unsigned k = 0; k < ARRAY_LEN(flags); k++)
		for (unsigned i = 0; i < s->count; i++)
			if (is_for(s->context[i], name, flags[k]))
				return s->context[i];
	return NULL;
}

static int on_name(SSL *ssl, int *, void *)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *x = name ? context_for(c->server, name) : NULL;

	if (!x)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_set_SSL_CTX(ssl, x) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// A key with a password would be asked for at the terminal.
static int on_password(char *, int, int, void *)
{
	return 0;
}

// What OpenSSL says about a file, or else `fallback`.
static void tls_reason_tell(const char *path, const char *fallback, char why[TLS_WHY_MAX])
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
						     : ERR_reason_error_string(error);

	snprintf(why, TLS_WHY_MAX, "%.*s: %.50s", WHY_FILE, path, reason ? reason : fallback);
}

// A file that is none would be waited for.
static bool tls_file_is_there(const char *path, char why[TLS_WHY_MAX])
{
	struct file_seen seen = file_seen_now(path);

	if (seen.path_hash)
		return true;
	snprintf(why, TLS_WHY_MAX, "%.*s: no such file", WHY_FILE, path);
	return false;
}

static bool pair_load(SSL_CTX *x, const struct tls_certificate_files *f, char why[TLS_WHY_MAX])
{
	ERR_clear_error();
	if (!tls_file_is_there(f->cert, why) || !tls_file_is_there(f->key, why))
		return false;
	if (SSL_CTX_use_certificate_chain_file(x, f->cert) != 1) {
		tls_reason_tell(f->cert, "no certificate in it", why);
		return false;
	}
	bool is_key = SSL_CTX_use_PrivateKey_file(x, f->key, SSL_FILETYPE_PEM) == 1;
	if (is_key && SSL_CTX_check_private_key(x) == 1)
		return true;
	if (is_key || ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		snprintf(why, TLS_WHY_MAX, "%.65s is not the key of %.65s", f->key, f->cert);
	else
		tls_reason_tell(f->key, "no private key in it", why);
	return false;
}

static SSL_CTX *context_new(const struct tls_clients *clients,
	const struct tls_certificate_files *f, bool only_1_3, char why[TLS_WHY_MAX])
{
	SSL_CTX *x = SSL_CTX_new(TLS_server_method());

	if (!x || !tls_clients_ask(clients, x)
		|| !SSL_CTX_set_min_proto_version(x, only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION)) {
		SSL_CTX_free(x);
		snprintf(why, TLS_WHY_MAX, "no memory");
		return NULL;
	}
	tls_context_set(x);
	SSL_CTX_set_options(x, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(x, TICKETS_A_HANDSHAKE);
	SSL_CTX_set_timeout(x, TLS_TICKET_PERIOD_S);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(x, on_ticket);
	SSL_CTX_set_alpn_select_cb(x, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(x, on_name);
	SSL_CTX_set_default_passwd_cb(x, on_password);
	if (pair_load(x, f, why))
		return x;
	SSL_CTX_free(x);
	return NULL;
}

static int64_t unix_of(const ASN1_TIME *at)
{
	int days = 0, seconds = 0;

	if (!at || ASN1_TIME_diff(&days, &seconds, NULL, at) != 1)
		return 0;
	return (int64_t)time(NULL) + (int64_t)days * 86400 + seconds;
}

static void about_fill(const X509 *x, struct tls_certificate_about *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	size_t len = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const ASN1_STRING *text =
			GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
		int n = type == GEN_DNS ? ASN1_STRING_length(text) : 0;
		if (n <= 0 || len + (size_t)n + 2 > sizeof(out->names))
			continue;
		len += (size_t)snprintf(out->names + len, sizeof(out->names) - len, "%s%.*s",
			len ? " " : "", n, (const char *)ASN1_STRING_get0_data(text));
	}
	GENERAL_NAMES_free(names);
	out->until_unix_s = unix_of(X509_get0_notAfter(x));
}

int tls_server_new(struct tls_server **out, const struct tls_server_settings *set,
	const struct tls_server *before, char why[TLS_WHY_MAX])
{
	tls_start();
	struct tls_server *s = heap_calloc(1, sizeof(*s));
	int rc = s ? tls_tickets_new(&s->tickets, set->secret, set->secret_count,
			 before ? before->tickets : NULL)
		   : -ENOMEM;

	if (rc < 0)
		snprintf(why, TLS_WHY_MAX, "no memory");
	else
		s->users = 1;
	if (rc == 0 && set->client_ca)
		rc = tls_clients_load(&s->clients, set->client_ca, set->client_required, why);
	for (unsigned i = 0; i < set->count && i < TLS_CERTIFICATES_MAX && rc == 0; i++) {
		s->context[i] = context_new(&s->clients, &set->certificate[i], set->only_1_3, why);
		rc = s->context[i] ? 0 : -EINVAL;
		if (rc < 0)
			break;
		s->count++;
		about_fill(SSL_CTX_get0_certificate(s->context[i]), &s->about[i]);
	}
	ERR_clear_error();
	if (rc == 0 && s->count == 0) {
		snprintf(why, TLS_WHY_MAX, "no certificate is configured");
		rc = -EINVAL;
	}
	if (rc == 0)
		*out = s;
	else if (s && s->tickets)
		tls_server_free(s);
	else
		heap_free(s);
	return rc;
}

void tls_server_hold(struct tls_server *s)
{
	atomic_fetch_add_explicit(&s->users, 1, memory_order_relaxed);
}

void tls_server_free(struct tls_server *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->users, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < s->count; i++)
		SSL_CTX_free(s->context[i]);
	tls_clients_free(&s->clients);
	tls_tickets_free(s->tickets);
	heap_free(s);
}

unsigned tls_server_certificates(const struct tls_server *s)
{
	return s->count;
}

void tls_server_about(const struct tls_server *s, unsigned i, struct tls_certificate_about *out)
{
	*out = s->about[i];
}

static int lent_index = -1;

// OpenSSL calls it when it frees the connection, which holds its own reference to the context.
static void on_lent_free(void *, void *conn, CRYPTO_EX_DATA *, int, long, void *)
{
	struct tls_conn *c = conn;

	if (!c)
		return;
	tls_server_free(c->server);
	FREE_AND_NULL(c->client_name);
	heap_free(c);
}

static void lent_start(void)
{
	lent_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_lent_free);
}

SSL *tls_server_lend(struct tls_server *s, const char *alpn)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls_conn *c = heap_calloc(1, sizeof(*c));
	SSL *ssl = c ? tls_server_connection(s, c) : NULL;

	(void)pthread_once(&once, lent_start);
	if (!ssl || lent_index < 0 || !SSL_set_ex_data(ssl, lent_index, c)) {
		SSL_free(ssl);
		heap_free(c);
		return NULL;
	}
	c->ssl = ssl;
	c->alpn = alpn;
	c->server = s;
	tls_server_hold(s);
	// The library asks the socket alone whether there is more, and reads whole records.
	SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
	SSL_set_read_ahead(ssl, 0);
	return ssl;
}

// The connection that tls_server_lend gave; NULL: it did not.
static struct tls_conn *tls_lent_conn(const SSL *ssl)
{
	return lent_index >= 0 ? SSL_get_ex_data(ssl, lent_index) : NULL;
}

struct ssl_st *tls_server_connection(struct tls_server *s, struct tls_conn *c)
{
	SSL *ssl = SSL_new(s->context[0]);

	if (ssl && SSL_set_app_data(ssl, c))
		return ssl;
	SSL_free(ssl);
	return NULL;
}

// The path of file `i`; NULL: there are no more.
static const char *path_of(const struct tls_server_settings *set, unsigned i)
{
	if (i < 2 * set->count)
		return i % 2 ? set->certificate[i / 2].key : set->certificate[i / 2].cert;
	return i == 2 * set->count ? set->client_ca : NULL;
}

static void files_see(const struct tls_server_settings *set, struct tls_watch *out)
{
	*out = (struct tls_watch){
		.only_1_3 = set->only_1_3, .client_required = set->client_required};
	for (const char *path; (path = path_of(set, out->count)); out->count++)
		out->seen[out->count] = file_seen_now(path);
}

int tls_watch_read(struct tls_watch *w, const struct tls_server_settings *set,
	const struct tls_server *before, struct tls_server **out, char why[TLS_WHY_MAX])
{
	const time_t began_unix_s = time(NULL);
	files_see(set, w);
	w->is_read = true;
	const int rc = tls_server_new(out, set, before, why);
	// A later look compares with what cannot have changed unseen since.
	for (unsigned i = 0; i < w->count; i++)
		w->seen[i] = file_seen_settled(&w->seen[i], path_of(set, i), began_unix_s);
	return rc;
}

bool tls_watch_same(const struct tls_watch *w, const struct tls_server_settings *set)
{
	struct tls_watch now;
	files_see(set, &now);
	if (!w->is_read || now.count != w->count || now.only_1_3 != w->only_1_3
		|| now.client_required != w->client_required)
		return false;
	for (unsigned i = 0; i < now.count; i++)
		if (!file_seen_same(&w->seen[i], &now.seen[i]))
			return false;
	return true;
}
