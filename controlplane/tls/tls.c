// SPDX-License-Identifier: BSD-3-Clause
// Settings of contexts; servers that weir connects to, with the verdict on their chains of
// certificates, their authorities and sessions; connections of either side; and connections that a
// library makes and drives.

#include "tls.h"

#include "base/clock_grace.h"
#include "base/config_files.h"
#include "tls_internal.h"
#include "tls_server.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

struct tls_trust;

struct tls_peer {
	unsigned users; // the owner, and connections
	struct tls_trust *trust;
	char *name; // may be NULL
	struct ip_address address;
	unsigned char alpn[32]; // begins with its length
	unsigned alpn_len, pin_count, sessions;
	bool only_1_3, any_date;
	uint8_t pin[CONFIG_PINS_MAX][CONFIG_PIN_LEN];
	SSL_SESSION *session[TLS_SESSIONS_EACH]; // the latest one last
	enum tls_failure verdict; // a lent context's; TLS_FAILURE_COUNT: good, or not known yet
	char why[TLS_WHY_MAX];    // why that verdict
};

// The end of the session that the connection was to offer.
enum tls_offer {
	TLS_OFFER_UNSEEN, // it never left
	TLS_OFFER_LOST,   // it left, and the handshake was never done
	TLS_OFFER_DONE,
};

static const char why_pin[] = "the certificate's key is none of those pinned";

const char *const tls_failure_names[TLS_FAILURE_COUNT] = {
#define X(name, text) [TLS_FAILURE_##name] = #name,
	TLS_FAILURES(X)
#undef X
};

// What came that is not data: a record of a handshake, a message in it, an alert each count one, so
// a message in a record of its own counts two. The count of a connection stands in place of a
// pointer of it.
#define FINISHED ((uintptr_t)1 << 16) // the handshake is over; the count began again
static int steps_index = -1;

static void steps_start(void)
{
	steps_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static uintptr_t steps(const SSL *ssl)
{
	return (uintptr_t)SSL_get_ex_data(ssl, steps_index);
}

static bool is_too_many(const SSL *ssl)
{
	const uintptr_t n = steps(ssl);
	return (n & (FINISHED - 1)) > (n & FINISHED ? 2 * TLS_MESSAGES_MAX : TLS_STEPS_MAX);
}

// OpenSSL goes from one record of a handshake to the next within one call, for as long as the peer
// sends them: a connection with too many counts as ended by the peer, which every such loop heeds.
static void on_message(int is_write, int, int type, const void *buf, size_t len, SSL *ssl, void *)
{
	const uint8_t *first = buf;
	const bool is_record = type == SSL3_RT_HEADER || type == SSL3_RT_INNER_CONTENT_TYPE;

	if (is_write || !len || (!is_record && type != SSL3_RT_HANDSHAKE)
		|| (is_record && *first == SSL3_RT_APPLICATION_DATA))
		return;
	const bool ends = type == SSL3_RT_HANDSHAKE && *first == SSL3_MT_FINISHED;
	(void)SSL_set_ex_data(ssl, steps_index, (void *)(ends ? FINISHED : steps(ssl) + 1));
	if (is_too_many(ssl))
		SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

// OpenSSL multiplies with whatever share a hello or a server has: 8,192 bits of a finite field take
// 100 ms, P-384, the slowest curve of its default, 1 ms (CVE-2022-40735). It asks this of each
// group and each cipher before it names or takes one, and the rest is as openssl.cnf says.
typedef int security_fn(
	const SSL *ssl, const SSL_CTX *x, int what, int bits, int nid, void *other, void *more);
static _Atomic(security_fn *) usual;

static int on_security(
	const SSL *ssl, const SSL_CTX *x, int what, int bits, int nid, void *other, void *more)
{
	const bool is_cipher = (what & SSL_SECOP_OTHER_TYPE) == SSL_SECOP_OTHER_CIPHER;
	const bool is_group = (what & SSL_SECOP_OTHER_TYPE) == SSL_SECOP_OTHER_CURVE;

	if ((is_cipher && SSL_CIPHER_get_kx_nid(other) == NID_kx_dhe)
		|| (is_group && nid >= NID_ffdhe2048 && nid <= NID_ffdhe8192))
		return 0;
	return usual(ssl, x, what, bits, nid, other, more);
}

static void groups_bound(SSL_CTX *x)
{
	security_fn *const now = SSL_CTX_get_security_callback(x);

	if (now == on_security)
		return;
	usual = now; // all contexts have the same
	SSL_CTX_set_security_callback(x, on_security);
}

// Makes connections end when their peer sends too many messages of TLS itself, and exchange keys by
// elliptic curves alone.
static void work_bound(SSL_CTX *x)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, steps_start);
	SSL_CTX_set_msg_callback(x, on_message);
	groups_bound(x);
#ifdef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION // OpenSSL 3.2: else unpacked before the chain's bounds
	SSL_CTX_set_options(
		x, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION | SSL_OP_NO_TX_CERTIFICATE_COMPRESSION);
#endif
}

void tls_context_set(SSL_CTX *x)
{
	SSL_CTX_set_options(
		x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
				    | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(x, SSL_MODE_AUTO_RETRY);
	work_bound(x);
	SSL_CTX_set_read_ahead(x, 1);
}

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

// Dates of the peer's certificates do not count now.
static bool peer_any_date(const struct tls_peer *p)
{
	return p->any_date && clock_grace_is_on();
}

// The certificate has not expired, or dates do not count.
static bool peer_in_time(const struct tls_peer *p, const X509 *x)
{
	return peer_any_date(p) || X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
}

// Checks a server's chain: its bounds, and OpenSSL's own verdict.
static bool peer_chain_verify(X509_STORE_CTX *x)
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
	return peer_chain_verify(x);
}

void tls_chain_bound(SSL_CTX *context)
{
	SSL_CTX_set_cert_verify_callback(context, on_chain, NULL);
	work_bound(context);
}

// Sessions of it are worth nothing.
static void peer_forget(struct tls_peer *p)
{
	while (p->sessions > 0)
		SSL_SESSION_free(p->session[--p->sessions]);
}

// The session is the peer's now.
static void peer_keep(struct tls_peer *p, SSL_SESSION *session)
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
	peer_keep(c->peer, session);
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

// Authorities.

// Authorities of one file in one state, in a context that connections are made from.
struct tls_trust {
	SSL_CTX *context;
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
	SSL_CTX **context, bool *is_full)
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
	SSL_CTX *context = NULL;
	bool is_full;

	if (ca_file)
		seen = file_seen_now(ca_file);
	bool found = trust_use(out, !ca_file, &seen, &context, &is_full);
	if (!found && !is_full) {
		context = client_context_new(ca_file, why);
		if (!context)
			return -EINVAL;
		found = trust_use(out, !ca_file, &seen, &context, &is_full);
		SSL_CTX_free(context); // another thread was faster, or all are used
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
		SSL_CTX_free(t->context);
		t->context = NULL;
	}
	pthread_mutex_unlock(&trusts.lock);
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
	peer_forget(p);
	trust_give(p->trust);
	FREE_AND_NULL(p->name);
	heap_free(p);
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

// Has the certificate one of the pinned keys? True where there are none.
static bool peer_pinned(const struct tls_peer *p, const X509 *x)
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

// What OpenSSL says of a certificate that it refuses.
static enum tls_failure verdict_failure(long verdict, char why[TLS_WHY_MAX])
{
	bool is_name = verdict == X509_V_ERR_HOSTNAME_MISMATCH
		       || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;

	snprintf(why, TLS_WHY_MAX, "%s",
		is_name ? "the certificate is for another name"
			: X509_verify_cert_error_string(verdict));
	return is_name ? TLS_FAILURE_name : TLS_FAILURE_certificate;
}

// What a certificate must show; false: no memory.
static bool peer_expect(X509_VERIFY_PARAM *v, const struct tls_peer *p)
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
static void peer_offered(struct tls_conn *c, enum tls_offer offer)
{
	SSL_SESSION *s = c->offered;

	c->offered = NULL;
	if (!s)
		return;
	if (offer == TLS_OFFER_UNSEEN && is_used_once(s)) {
		peer_keep(c->peer, s);
		return;
	}
	if (offer == TLS_OFFER_LOST)
		session_drop(c->peer, s);
	SSL_SESSION_free(s);
}

// A connection with whatever the peer's certificate must show. NULL: no memory.
static struct ssl_st *peer_connection(struct tls_peer *p, struct tls_conn *c)
{
	SSL *ssl = SSL_new(p->trust->context);

	if (!ssl)
		return NULL;
	// SSL_set_alpn_protos returns 0 for success.
	if (!SSL_set_app_data(ssl, c)
		|| !SSL_set_min_proto_version(ssl, p->only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION)
		|| (p->name && !SSL_set_tlsext_host_name(ssl, p->name))
		|| !peer_expect(SSL_get0_param(ssl), p)
		|| SSL_set_alpn_protos(ssl, p->alpn, p->alpn_len) != 0) {
		SSL_free(ssl);
		return NULL;
	}
	// certificate_check asks again whether the grace is on.
	if (peer_any_date(p))
		X509_VERIFY_PARAM_set_flags(SSL_get0_param(ssl), X509_V_FLAG_NO_CHECK_TIME);
	session_offer(ssl, p, c);
	return ssl;
}

int tls_conn_connect(struct tls_conn **out, struct tls_peer *p, int fd)
{
	struct tls_conn *c = heap_calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->peer = p;
	c->ssl = peer_connection(p, c);
	if (!c->ssl || !SSL_set_fd(c->ssl, fd)) {
		peer_offered(c, TLS_OFFER_UNSEEN);
		SSL_free(c->ssl);
		heap_free(c);
		return -ENOMEM;
	}
	SSL_set_connect_state(c->ssl);
	tls_peer_hold(p);
	*out = c;
	return 0;
}

int tls_conn_accept(struct tls_conn **out, struct tls_server *s, int fd, const char *alpn)
{
	struct tls_conn *c = heap_calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->server = s;
	c->alpn = alpn;
	c->ssl = tls_server_connection(s, c);
	if (!c->ssl || !SSL_set_fd(c->ssl, fd)) {
		SSL_free(c->ssl);
		heap_free(c);
		return -ENOMEM;
	}
	SSL_set_accept_state(c->ssl);
	tls_server_hold(s);
	*out = c;
	return 0;
}

// OpenSSL takes a session without a shutdown for a broken one. Nobody reads the errors that it
// queues.
void tls_conn_finish(struct tls_conn *c)
{
	if (!c->is_over && c->is_done)
		(void)SSL_shutdown(c->ssl);
	ERR_clear_error();
}

void tls_conn_close(struct tls_conn *c)
{
	if (!c)
		return;
	tls_conn_finish(c);
	peer_offered(c, c->is_done                                     ? TLS_OFFER_DONE
			: BIO_number_written(SSL_get_wbio(c->ssl)) > 0 ? TLS_OFFER_LOST
								       : TLS_OFFER_UNSEEN);
	SSL_free(c->ssl);
	tls_peer_free(c->peer);
	tls_server_free(c->server);
	FREE_AND_NULL(c->client_name);
	heap_free(c);
}

int tls_conn_fail(struct tls_conn *c, enum tls_failure failure, const char *why)
{
	c->failure = failure;
	snprintf(c->why, sizeof(c->why), "%s", why);
	c->is_over = true;
	return -EPROTO;
}

// -EAGAIN, 0: the other side has ended it, or -errno; `rc` is what the call returned.
static int result_of(struct tls_conn *c, int rc)
{
	int err = errno, what = SSL_get_error(c->ssl, rc);

	c->wants_write = what == SSL_ERROR_WANT_WRITE;
	if (what == SSL_ERROR_WANT_READ || c->wants_write)
		return -EAGAIN;
	// A client may end its side and wait for its replies.
	if (what == SSL_ERROR_ZERO_RETURN && c->server && c->is_done)
		return 0;
	c->is_over = true;
	if (what != SSL_ERROR_ZERO_RETURN && what != SSL_ERROR_SYSCALL)
		return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ? -ENOMEM : -EPROTO;
	// The server or the network ended it, which says nothing against its latest session.
	SSL_set_shutdown(c->ssl, SSL_get_shutdown(c->ssl) | SSL_SENT_SHUTDOWN);
	return what == SSL_ERROR_SYSCALL && err ? -err : 0;
}

static const char too_many[] = "too many messages of TLS";

static int mistrust(struct tls_conn *c, enum tls_failure failure, const char *why)
{
	peer_forget(c->peer);
	return tls_conn_fail(c, failure, why);
}

// The certificate of the handshake, or of the session that it resumes.
static int certificate_check(struct tls_conn *c)
{
	X509 *x = SSL_get0_peer_certificate(c->ssl);

	if (!x || SSL_get_verify_result(c->ssl) != X509_V_OK)
		return mistrust(c, TLS_FAILURE_certificate, "no certificate");
	if (tls_peer_is_over(c->peer))
		return mistrust(c, TLS_FAILURE_certificate, "the grace of the clock has ended");
	if (!peer_in_time(c->peer, x))
		return mistrust(c, TLS_FAILURE_certificate, "certificate has expired");
	c->is_done = peer_pinned(c->peer, x);
	return c->is_done ? 1 : mistrust(c, TLS_FAILURE_pin, why_pin);
}

// A server that is not there, or not for long, may know its sessions when it is there again.
static int handshake_failed(struct tls_conn *c, int result)
{
	long verdict = SSL_get_verify_result(c->ssl);
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (result == -EPROTO)
		peer_forget(c->peer);
	if (verdict != X509_V_OK) {
		c->failure = verdict_failure(verdict, c->why);
		c->is_over = true;
		return -EPROTO;
	}
	if (result == -EPROTO)
		return tls_conn_fail(c, TLS_FAILURE_handshake, reason ? reason : "no TLS");
	return tls_conn_fail(c, TLS_FAILURE_handshake,
		result ? strerror(-result) : "the server ended the connection");
}

int tls_conn_handshake(struct tls_conn *c)
{
	if (c->is_over)
		return -EPROTO;
	ERR_clear_error();
	errno = 0;
	int rc = SSL_do_handshake(c->ssl);
	if (is_too_many(c->ssl))
		return c->server ? tls_server_refuse(c, TLS_REFUSED_other, too_many)
				 : mistrust(c, TLS_FAILURE_handshake, too_many);
	if (rc == 1 && c->peer)
		return certificate_check(c);
	c->is_done = rc == 1;
	if (c->is_done) {
		tls_clients_know(c);
		return 1;
	}
	int result = result_of(c, rc);
	if (c->server)
		return tls_server_failed(c, result);
	return result == -EAGAIN ? -EAGAIN : handshake_failed(c, result);
}

// Nothing that the server has sent, or gets, counts once its certificate's dates do.
static bool grace_is_over(const struct tls_conn *c)
{
	return c->peer && tls_peer_is_over(c->peer);
}

// A message of TLS itself ends a call of SSL_read without bytes (SSL_MODE_AUTO_RETRY is off),
// though the next record may be here already. So that this ends, a connection has only so many of
// them.
ssize_t tls_conn_read(struct tls_conn *c, void *buf, size_t len)
{
	size_t n = 0;
	uintptr_t seen;
	ssize_t rc;

	if (c->is_over || grace_is_over(c))
		return 0;
	do {
		seen = steps(c->ssl);
		ERR_clear_error();
		errno = 0;
		int done = SSL_read_ex(c->ssl, buf, len, &n);
		rc = done == 1 ? (ssize_t)n : result_of(c, done);
	} while (rc == -EAGAIN && !c->wants_write && steps(c->ssl) != seen);
	if (!is_too_many(c->ssl))
		return rc;
	c->is_over = true;
	return -EPROTO;
}

ssize_t tls_conn_write(struct tls_conn *c, const void *buf, size_t len)
{
	size_t n = 0;

	if (c->is_over || grace_is_over(c))
		return -EPIPE;
	ERR_clear_error();
	errno = 0;
	int rc = SSL_write_ex(c->ssl, buf, len, &n);
	if (rc == 1)
		return (ssize_t)n;
	rc = result_of(c, rc);
	return rc ? rc : -EPIPE;
}

bool tls_conn_wants_write(const struct tls_conn *c)
{
	return c->wants_write;
}

bool tls_conn_has_more(const struct tls_conn *c)
{
	return !c->is_over && SSL_has_pending(c->ssl);
}

enum tls_failure tls_conn_failure(const struct tls_conn *c, char why[TLS_WHY_MAX])
{
	memcpy(why, c->why, TLS_WHY_MAX);
	return c->failure;
}

enum tls_refusal tls_conn_refusal(const struct tls_conn *c, char why[TLS_WHY_MAX])
{
	memcpy(why, c->why, TLS_WHY_MAX);
	return c->refusal;
}

bool tls_conn_agreed(const struct tls_conn *c, const char *protocol)
{
	const unsigned char *agreed;
	unsigned len;

	SSL_get0_alpn_selected(c->ssl, &agreed, &len);
	return len == strlen(protocol) && memcmp(agreed, protocol, len) == 0;
}

size_t tls_conn_memory(void)
{
	return sizeof(struct tls_conn);
}

bool tls_conn_is_resumed(const struct tls_conn *c)
{
	return SSL_session_reused(c->ssl);
}

const char *tls_lent_about(const SSL *ssl, char out[TLS_ABOUT_MAX])
{
	snprintf(out, TLS_ABOUT_MAX, "%s %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
	return out;
}

const char *tls_conn_about(const struct tls_conn *c, char out[TLS_ABOUT_MAX])
{
	return tls_lent_about(c->ssl, out);
}

bool tls_lent_is_good(const SSL *ssl)
{
	const X509 *x = SSL_get0_peer_certificate(ssl);
	return x && peer_in_time(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), x);
}

bool tls_lent_is_resumed(const SSL *ssl)
{
	return SSL_session_reused(ssl);
}

// Replaces OpenSSL's own verdict: makes the same checks, and that of the pins.
static int on_certificate(X509_STORE_CTX *x, void *peer)
{
	struct tls_peer *p = peer;
	if (peer_any_date(p))
		X509_STORE_CTX_set_flags(x, X509_V_FLAG_NO_CHECK_TIME);
	bool is_good = peer_chain_verify(x);

	p->verdict = TLS_FAILURE_COUNT;
	if (!is_good) {
		p->verdict = verdict_failure(X509_STORE_CTX_get_error(x), p->why);
	} else if (!peer_pinned(p, X509_STORE_CTX_get0_cert(x))) {
		p->verdict = TLS_FAILURE_pin;
		snprintf(p->why, sizeof(p->why), "%s", why_pin);
		X509_STORE_CTX_set_error(x, X509_V_ERR_APPLICATION_VERIFICATION);
	}
	return p->verdict == TLS_FAILURE_COUNT;
}

// A copy: the library may free a connection without saying goodbye, and then OpenSSL takes its
// session for a broken one.
static int on_lent_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_is_resumable(session) ? SSL_SESSION_dup(session) : NULL;

	if (copy)
		peer_keep(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), copy);
	return 0;
}

// The latest session is offered, once: a server may hang at it.
static void on_lent_state(const SSL *ssl, int where, int)
{
	struct tls_peer *p = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (!(where & SSL_CB_HANDSHAKE_START) || p->sessions == 0)
		return;
	SSL_SESSION *s = p->session[--p->sessions];
	(void)SSL_set_session((SSL *)(uintptr_t)ssl, s); // if it fails the handshake is a full one
	SSL_SESSION_free(s);
}

int tls_peer_lend(struct tls_peer *p, SSL_CTX *x)
{
	p->verdict = TLS_FAILURE_COUNT;
	if (!SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION)
		|| !peer_expect(SSL_CTX_get0_param(x), p))
		return -ENOMEM;
	SSL_CTX_set_options(
		x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_clear_options(x, SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(x, SSL_MODE_AUTO_RETRY);
	work_bound(x);
	SSL_CTX_set_app_data(x, p);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(x, on_lent_session);
	SSL_CTX_set_info_callback(x, on_lent_state);
	SSL_CTX_set1_cert_store(x, SSL_CTX_get_cert_store(p->trust->context));
	SSL_CTX_set_verify(x, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(x, on_certificate, p);
	return 0;
}

enum tls_failure tls_peer_verdict(const struct tls_peer *p, char why[TLS_WHY_MAX])
{
	if (p->verdict < TLS_FAILURE_COUNT)
		memcpy(why, p->why, TLS_WHY_MAX);
	return p->verdict;
}
