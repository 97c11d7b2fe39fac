// SPDX-License-Identifier: BSD-3-Clause
// A connection of either side: settings of contexts, the handshake, bytes, its end; and connections
// that a library makes and drives.

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

const char tls_why_pin[] = "the certificate's key is none of those pinned";

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

void tls_work_bound(struct ssl_ctx_st *x)
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

void tls_context_set(struct ssl_ctx_st *x)
{
	SSL_CTX_set_options(
		x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
				    | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(x, SSL_MODE_AUTO_RETRY);
	tls_work_bound(x);
	SSL_CTX_set_read_ahead(x, 1);
}

int tls_conn_connect(struct tls_conn **out, struct tls_peer *p, int fd)
{
	struct tls_conn *c = heap_calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->peer = p;
	c->ssl = tls_peer_connection(p, c);
	if (!c->ssl || !SSL_set_fd(c->ssl, fd)) {
		tls_peer_offered(c, TLS_OFFER_UNSEEN);
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
	tls_peer_offered(c, c->is_done                                     ? TLS_OFFER_DONE
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
	tls_peer_forget(c->peer);
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
	if (!tls_peer_in_time(c->peer, x))
		return mistrust(c, TLS_FAILURE_certificate, "certificate has expired");
	c->is_done = tls_peer_pinned(c->peer, x);
	return c->is_done ? 1 : mistrust(c, TLS_FAILURE_pin, tls_why_pin);
}

// A server that is not there, or not for long, may know its sessions when it is there again.
static int handshake_failed(struct tls_conn *c, int result)
{
	long verdict = SSL_get_verify_result(c->ssl);
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	if (result == -EPROTO)
		tls_peer_forget(c->peer);
	if (verdict != X509_V_OK) {
		c->failure = tls_verdict_failure(verdict, c->why);
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
	return x && tls_peer_in_time(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), x);
}

bool tls_lent_is_resumed(const SSL *ssl)
{
	return SSL_session_reused(ssl);
}

// Replaces OpenSSL's own verdict: makes the same checks, and that of the pins.
static int on_certificate(X509_STORE_CTX *x, void *peer)
{
	struct tls_peer *p = peer;
	if (tls_peer_any_date(p))
		X509_STORE_CTX_set_flags(x, X509_V_FLAG_NO_CHECK_TIME);
	bool is_good = tls_peer_chain_verify(x);

	p->verdict = TLS_FAILURE_COUNT;
	if (!is_good) {
		p->verdict = tls_verdict_failure(X509_STORE_CTX_get_error(x), p->why);
	} else if (!tls_peer_pinned(p, X509_STORE_CTX_get0_cert(x))) {
		p->verdict = TLS_FAILURE_pin;
		snprintf(p->why, sizeof(p->why), "%s", tls_why_pin);
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
		tls_peer_keep(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), copy);
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
		|| !tls_peer_expect(SSL_CTX_get0_param(x), p))
		return -ENOMEM;
	SSL_CTX_set_options(
		x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_clear_options(x, SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(x, SSL_MODE_AUTO_RETRY);
	tls_work_bound(x);
	SSL_CTX_set_app_data(x, p);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(x, on_lent_session);
	SSL_CTX_set_info_callback(x, on_lent_state);
	SSL_CTX_set1_cert_store(x, SSL_CTX_get_cert_store(tls_peer_context(p)));
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
