// SPDX-License-Identifier: BSD-3-Clause
// Servers that weir connects to: OpenSSL's memory, the verdict on their chains of certificates, the
// authorities that vouch for them, and peers with their sessions.

#include "base/clock_grace.h"
#include "base/config_files.h"
#include "tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

static void *library_malloc(size_t n, const char *, int)
{
	return heap_openssl_malloc(n);
}

static void *library_realloc(void *p, size_t n, const char *, int)
{
	if (n > 0)
		return heap_openssl_realloc(p, n);
	heap_free(p);
	return NULL;
}

static void library_free(void *p, const char *, int)
{
	heap_free(p);
}

// OpenSSL refuses the hooks once it has allocated, and is not counted then.
static void start_once(void)
{
	(void)!CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free);
}

void tls_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, start_once);
}

// Chains of certificates.

// The elements of bytes in DER: about the number of objects that OpenSSL makes of them.
static unsigned elements_of(const unsigned char *bytes, long len)
{
	const unsigned char *const end = bytes + len;
	unsigned count = 0;

	for (long inside; bytes < end; count++) {
		int tag, class;
		const int form = ASN1_get_object(&bytes, &inside, &tag, &class, end - bytes);
		if (form & 0x80) // no DER: OpenSSL makes nothing of it either
			break;
		if (!(form & V_ASN1_CONSTRUCTED))
			bytes += inside;
	}
	return count;
}

// OpenSSL writes the issuer's whole name into each of them: 24 MB and 0.1 s for 6 KiB.
static bool has_relative_points(const X509 *x)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_DIST_POINT_num(points) && !found; i++) {
		const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
		found = name && name->type == 1;
	}
	CRL_DIST_POINTS_free(points);
	return found;
}

// OpenSSL decodes extensions too: an empty name of two bytes takes 120 bytes of memory.
static bool is_simple(X509 *x, int len, unsigned most)
{
	unsigned char *der = NULL;
	unsigned count = i2d_X509(x, &der) == len ? elements_of(der, len) : most + 1;

	OPENSSL_free(der);
	for (int i = 0; i < X509_get_ext_count(x); i++) {
		const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(x, i));
		count += elements_of(ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
	}
	return count <= most && !has_relative_points(x);
}

static bool is_within(X509_STORE_CTX *x, const struct tls_chain_bounds *b)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(x);
	int left = b->bytes;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		X509 *one = sk_X509_value(chain, i);
		const int len = i2d_X509(one, NULL);
		if (i > b->authorities || len < 0 || len > left
			|| !is_simple(one, len, b->elements))
			return false;
		left -= len;
	}
	return true;
}

bool tls_chain_fits(X509_STORE_CTX *x, const struct tls_chain_bounds *b)
{
	ERR_set_mark();
	const bool fits = is_within(x, b);
	ERR_pop_to_mark();
	if (!fits)
		X509_STORE_CTX_set_error(x, X509_V_ERR_CERT_CHAIN_TOO_LONG);
	return fits;
}

// Lists of revoked certificates, which OpenSSL reads with the authorities and then leaves alone.
static bool has_lists(X509_STORE *store)
{
	bool has = false;
	X509_STORE_lock(store); // a folder's authorities join it when they are first looked for
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	for (int i = 0; !has && i < sk_X509_OBJECT_num(objects); i++)
		has = X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL;
	X509_STORE_unlock(store);
	return has;
}

bool tls_peer_is_over(const struct tls_peer *p)
{
	return p->any_date && !clock_grace_is_on();
}

bool tls_peer_any_date(const struct tls_peer *p)
{
	return p->any_date && clock_grace_is_on();
}

bool tls_peer_in_time(const struct tls_peer *p, const X509 *x)
{
	return tls_peer_any_date(p) || X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
}

bool tls_peer_chain_verify(X509_STORE_CTX *x)
{
	static const struct tls_chain_bounds bounds = {32 << 10, 10, 2048};
	if (!tls_chain_fits(x, &bounds))
		return false;
	if (has_lists(X509_STORE_CTX_get0_store(x)))
		X509_STORE_CTX_set_flags(x, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return X509_verify_cert(x) > 0;
}

static int on_chain(X509_STORE_CTX *x, void *)
{
	return tls_peer_chain_verify(x);
}

void tls_chain_bound(SSL_CTX *context)
{
	SSL_CTX_set_cert_verify_callback(context, on_chain, NULL);
	tls_work_bound(context);
}

void tls_peer_forget(struct tls_peer *p)
{
	while (p->sessions > 0)
		SSL_SESSION_free(p->session[--p->sessions]);
}

void tls_peer_keep(struct tls_peer *p, SSL_SESSION *session)
{
	if (p->any_date) { // what resumes it would not be checked
		SSL_SESSION_free(session);
		return;
	}
	if (p->sessions == TLS_SESSIONS_EACH) {
		SSL_SESSION_free(p->session[0]);
		memmove(p->session, p->session + 1, --p->sessions * sizeof(p->session[0]));
	}
	p->session[p->sessions++] = session;
}

// The server offers to resume a session; 1: it is ours now. Of a connection that is in use, so its
// certificate is a good one.
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);

	if (!SSL_SESSION_is_resumable(session))
		return 0;
	tls_peer_keep(c->peer, session);
	return 1;
}

// Reads the authorities. NULL: `why`.
static SSL_CTX *client_context_new(const char *ca_file, char why[TLS_WHY_MAX])
{
	ERR_clear_error();
	SSL_CTX *x = SSL_CTX_new(TLS_client_method());
	if (!x || !SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION)) {
		SSL_CTX_free(x);
		snprintf(why, TLS_WHY_MAX, "no memory");
		return NULL;
	}
	tls_context_set(x);
	SSL_CTX_set_verify(x, SSL_VERIFY_PEER, NULL);
	tls_chain_bound(x);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(x, on_session);
	if (ca_file ? SSL_CTX_load_verify_file(x, ca_file) : SSL_CTX_set_default_verify_paths(x))
		return x;
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
						     : ERR_reason_error_string(error);
	snprintf(why, TLS_WHY_MAX, "%.100s: %.40s", ca_file ? ca_file : "the system's authorities",
		reason ? reason : "no certificate in it");
	SSL_CTX_free(x);
	return NULL;
}

// Reads them. NULL: `why`.
// NULL is fine
static void client_context_free(SSL_CTX *x)
{
	SSL_CTX_free(x);
}

// Authorities.

// Authorities of one file in one state, in a context that connections are made from.
struct tls_trust {
	struct ssl_ctx_st *context;
	unsigned users;
	bool is_system; // else of the file
	struct file_seen seen;
};

static struct {
	pthread_mutex_t lock;
	struct tls_trust trust[TLS_TRUSTS_MAX]; // `users` 0: free
} trusts = {.lock = PTHREAD_MUTEX_INITIALIZER};

// One with the same file in the same state, or else a free one to be filled. NULL: full.
static struct tls_trust *trust_find(bool is_system, const struct file_seen *seen)
{
	struct tls_trust *spare = NULL;

	for (struct tls_trust *t = trusts.trust; t < trusts.trust + TLS_TRUSTS_MAX; t++) {
		if (t->users == 0)
			spare = spare ? spare : t;
		else if (t->is_system == is_system && (is_system || file_seen_same(&t->seen, seen)))
			return t;
	}
	return spare;
}

// One more user of what is there, or of *context, which is NULL then. False: neither exists.
static bool trust_use(struct tls_trust **out, bool is_system, const struct file_seen *seen,
	struct ssl_ctx_st **context, bool *is_full)
{
	pthread_mutex_lock(&trusts.lock);
	struct tls_trust *t = trust_find(is_system, seen);
	bool found = t && (t->users > 0 || *context);
	if (found && t->users == 0) {
		*t = (struct tls_trust){.context = *context, .is_system = is_system, .seen = *seen};
		*context = NULL;
	}
	if (found) {
		t->users++;
		*out = t;
	}
	*is_full = !t;
	pthread_mutex_unlock(&trusts.lock);
	return found;
}

// Authorities of a file, or of the system (NULL), that are loaded or read now. The file is read
// without the lock: it may be on a slow disk, and other threads want other files. Any thread.
// -ENOMEM, -EINVAL with `why`.
static int trust_take(struct tls_trust **out, const char *ca_file, char why[TLS_WHY_MAX])
{
	struct file_seen seen = {0};
	struct ssl_ctx_st *context = NULL;
	bool is_full;

	if (ca_file)
		seen = file_seen_now(ca_file);
	bool found = trust_use(out, !ca_file, &seen, &context, &is_full);
	if (!found && !is_full) {
		context = client_context_new(ca_file, why);
		if (!context)
			return -EINVAL;
		found = trust_use(out, !ca_file, &seen, &context, &is_full);
		client_context_free(context); // another thread was faster, or all are used
	}
	if (found)
		return 0;
	snprintf(why, TLS_WHY_MAX, "more than %d files of authorities", TLS_TRUSTS_MAX);
	return -ENOMEM;
}

static void trust_give(struct tls_trust *t)
{
	pthread_mutex_lock(&trusts.lock);
	if (--t->users == 0) {
		client_context_free(t->context);
		t->context = NULL;
	}
	pthread_mutex_unlock(&trusts.lock);
}

// The context of a connection to a server.
static struct ssl_ctx_st *trust_context(const struct tls_trust *t)
{
	return t->context;
}

// Peers.

int tls_peer_new(struct tls_peer **out, const struct tls_target *target, char why[TLS_WHY_MAX])
{
	tls_start();
	struct tls_peer *p = heap_calloc(1, sizeof(*p));
	char *name = p && target->name ? heap_strdup(target->name) : NULL;
	int rc = p && (name || !target->name) ? trust_take(&p->trust, target->ca_file, why)
					      : -ENOMEM;
	if (rc < 0) {
		heap_free(name);
		heap_free(p);
		return rc;
	}
	p->users = 1;
	p->verdict = TLS_FAILURE_COUNT;
	p->name = name;
	p->address = target->address;
	p->only_1_3 = target->only_1_3;
	p->any_date = target->any_date;
	p->alpn_len = (unsigned)snprintf((char *)p->alpn, sizeof(p->alpn), "%c%.30s",
		(int)strnlen(target->alpn, 30), target->alpn);
	p->pin_count = target->pin_count < CONFIG_PINS_MAX ? target->pin_count : CONFIG_PINS_MAX;
	if (p->pin_count > 0)
		memcpy(p->pin, target->pin, p->pin_count * sizeof(p->pin[0]));
	*out = p;
	return 0;
}

void tls_peer_hold(struct tls_peer *p)
{
	p->users++;
}

void tls_peer_free(struct tls_peer *p)
{
	if (!p || --p->users > 0)
		return;
	tls_peer_forget(p);
	trust_give(p->trust);
	FREE_AND_NULL(p->name);
	heap_free(p);
}

SSL_CTX *tls_peer_context(const struct tls_peer *p)
{
	return trust_context(p->trust);
}

bool tls_peer_same(const struct tls_peer *a, const struct tls_peer *b)
{
	return a->trust == b->trust && a->pin_count == b->pin_count
	       && memcmp(a->pin, b->pin, sizeof(a->pin)) == 0
	       && strcmp(a->name ? a->name : "", b->name ? b->name : "") == 0
	       && a->address.version == b->address.version
	       && memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes)) == 0
	       && a->only_1_3 == b->only_1_3 && a->any_date == b->any_date
	       && memcmp(a->alpn, b->alpn, sizeof(a->alpn)) == 0;
}

unsigned tls_peer_sessions(const struct tls_peer *p)
{
	return p->sessions;
}

bool tls_peer_pinned(const struct tls_peer *p, const X509 *x)
{
	uint8_t digest[EVP_MAX_MD_SIZE], *key = NULL;
	unsigned size = 0;
	bool found = p->pin_count == 0;

	if (found)
		return true;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &key);
	bool made = len > 0 && EVP_Digest(key, (size_t)len, digest, &size, EVP_sha256(), NULL);
	OPENSSL_free(key);
	for (unsigned i = 0; made && i < p->pin_count; i++)
		found |= size == CONFIG_PIN_LEN && memcmp(p->pin[i], digest, size) == 0;
	return found;
}

enum tls_failure tls_verdict_failure(long verdict, char why[TLS_WHY_MAX])
{
	bool is_name = verdict == X509_V_ERR_HOSTNAME_MISMATCH
		       || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;

	snprintf(why, TLS_WHY_MAX, "%s",
		is_name ? "the certificate is for another name"
			: X509_verify_cert_error_string(verdict));
	return is_name ? TLS_FAILURE_name : TLS_FAILURE_certificate;
}

bool tls_peer_expect(X509_VERIFY_PARAM *v, const struct tls_peer *p)
{
	X509_VERIFY_PARAM_set_hostflags(
		v, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (p->name)
		return X509_VERIFY_PARAM_set1_host(v, p->name, 0);
	return X509_VERIFY_PARAM_set1_ip(v, p->address.bytes, p->address.version == 4 ? 4 : 16);
}

static bool is_used_once(const SSL_SESSION *s)
{
	return SSL_SESSION_get_protocol_version(s) >= TLS1_3_VERSION;
}

// A ticket of TLS 1.3 that is seen twice would tell onlookers that both are of one client.
static void session_offer(SSL *ssl, struct tls_peer *p, struct tls_conn *c)
{
	if (p->sessions == 0)
		return;
	SSL_SESSION *s = p->session[p->sessions - 1];
	(void)SSL_set_session(ssl, s); // if it fails the handshake is a full one
	c->offered = s;
	if (is_used_once(s))
		p->sessions--;
	else
		SSL_SESSION_up_ref(s);
}

static void session_drop(struct tls_peer *p, const SSL_SESSION *session)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < p->sessions; i++)
		if (p->session[i] == session)
			SSL_SESSION_free(p->session[i]);
		else
			p->session[kept++] = p->session[i];
	p->sessions = kept;
}

// A server may hang at a session. One that is used once is gone; another one is given up.
void tls_peer_offered(struct tls_conn *c, enum tls_offer offer)
{
	SSL_SESSION *s = c->offered;

	c->offered = NULL;
	if (!s)
		return;
	if (offer == TLS_OFFER_UNSEEN && is_used_once(s)) {
		tls_peer_keep(c->peer, s);
		return;
	}
	if (offer == TLS_OFFER_LOST)
		session_drop(c->peer, s);
	SSL_SESSION_free(s);
}

struct ssl_st *tls_peer_connection(struct tls_peer *p, struct tls_conn *c)
{
	SSL *ssl = SSL_new(tls_peer_context(p));

	if (!ssl)
		return NULL;
	// SSL_set_alpn_protos returns 0 for success.
	if (!SSL_set_app_data(ssl, c)
		|| !SSL_set_min_proto_version(ssl, p->only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION)
		|| (p->name && !SSL_set_tlsext_host_name(ssl, p->name))
		|| !tls_peer_expect(SSL_get0_param(ssl), p)
		|| SSL_set_alpn_protos(ssl, p->alpn, p->alpn_len) != 0) {
		SSL_free(ssl);
		return NULL;
	}
	// certificate_check asks again whether the grace is on.
	if (tls_peer_any_date(p))
		X509_VERIFY_PARAM_set_flags(SSL_get0_param(ssl), X509_V_FLAG_NO_CHECK_TIME);
	session_offer(ssl, p, c);
	return ssl;
}
