// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What tls_trust.c (authorities), tls_peer.c (peers, their sessions), tls_server.c (certificates,
// tickets) and tls_conn.c (connections) share.

#include "tls.h"
#include "tls_server.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;
struct X509_VERIFY_PARAM_st;
struct x509_st;

struct tls_trust;

struct tls_peer {
	unsigned users; // its owner, and connections
	struct tls_trust *trust;
	char *name; // NULL: none
	struct ip_address address;
	unsigned char alpn[32]; // with its length first
	unsigned alpn_len, pin_count, sessions;
	bool only_1_3;
	uint8_t pin[CONFIG_PINS_MAX][CONFIG_PIN_LEN];
	struct ssl_session_st *session[TLS_SESSIONS_EACH]; // the latest one last
	enum tls_failure verdict; // of a lent context; TLS_FAILURE_COUNT: good, or none yet
	char why[TLS_WHY_MAX];    // of it
};

enum { TLS_DIGEST_LEN = 64 };

struct tls_conn {
	struct ssl_st *ssl;
	struct tls_peer *peer;     // holds it; NULL: a client's connection
	struct tls_server *server; // of such a one; holds it
	const char *alpn;          // of such a one; wire form
	bool wants_write;
	bool is_done;                   // the handshake, with a certificate that is good
	bool is_over;                   // it may not even be told goodbye
	struct ssl_session_st *offered; // of TLS 1.3: taken from the peer; NULL: none
	unsigned messages;              // after the handshake: tickets, changes of keys
	enum tls_failure failure;
	enum tls_refusal refusal; // of a client's handshake
	char why[TLS_WHY_MAX];
};

// Authorities of a file, or of the system (NULL), that are loaded or read now. Any thread. -ENOMEM,
// -EINVAL with `why`.
ATTR_MUST_CHECK int tls_trust_take(
	struct tls_trust **out, const char *ca_file, char why[TLS_WHY_MAX]);
void tls_trust_give(struct tls_trust *t);
struct ssl_ctx_st *tls_trust_context(const struct tls_trust *t); // of a connection to a server
// Reads them. NULL: `why`.
struct ssl_ctx_st *tls_client_context_new(const char *ca_file, char why[TLS_WHY_MAX]);
void tls_client_context_free(struct ssl_ctx_st *x); // NULL is fine

// Ends the connection. -EPROTO.
int tls_conn_fail(struct tls_conn *c, enum tls_failure failure, const char *why);
// What a handshake with a client came to, that is not done: -EAGAIN, or -EPROTO with `refusal`.
int tls_server_failed(struct tls_conn *c, int result);
// Settings of all contexts, of either side.
void tls_context_set(struct ssl_ctx_st *x);

// A connection with whatever the peer's certificate must show. NULL: no memory.
struct ssl_st *tls_peer_connection(struct tls_peer *p, struct tls_conn *c);
// The session is the peer's now.
void tls_peer_keep(struct tls_peer *p, struct ssl_session_st *session);
// What a certificate must show; false: no memory.
bool tls_peer_expect(struct X509_VERIFY_PARAM_st *v, const struct tls_peer *p);
struct ssl_ctx_st *tls_peer_context(const struct tls_peer *p);
// Sessions of it are worth nothing.
void tls_peer_forget(struct tls_peer *p);
// The end of the session that the connection was to offer.
enum tls_offer {
	TLS_OFFER_UNSEEN, // it never left
	TLS_OFFER_LOST,   // it left, and the handshake was never done
	TLS_OFFER_DONE,
};
void tls_peer_offered(struct tls_conn *c, enum tls_offer offer);
// Has the certificate one of the pinned keys? True where there are none.
bool tls_peer_pinned(const struct tls_peer *p, const struct x509_st *x);
extern const char tls_why_pin[];
// What OpenSSL says of a certificate that it refuses.
enum tls_failure tls_verdict_failure(long verdict, char why[TLS_WHY_MAX]);

// A connection that shows the first certificate, until the client has named a server. NULL: no
// memory.
struct ssl_st *tls_server_connection(struct tls_server *s, struct tls_conn *c);
// HMAC-SHA-512 of the label, keyed by the secret.
void tls_digest(
	const uint8_t secret[TLS_SECRET_LEN], const uint8_t label[16], uint8_t out[TLS_DIGEST_LEN]);
