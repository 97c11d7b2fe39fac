// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What tls_peer.c (authorities, peers, their sessions), tls_server.c (certificates, tickets) and
// tls_conn.c (connections) share.

#include "tls.h"
#include "tls_server.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

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

// Settings of all contexts, of either side.
void tls_context_set(struct ssl_ctx_st *x);

// A connection with whatever the peer's certificate must show. NULL: no memory.
struct ssl_st *tls_peer_connection(struct tls_peer *p, struct tls_conn *c);
void tls_peer_hold(struct tls_peer *p); // tls_peer_free gives it back
// Sessions of it are worth nothing.
void tls_peer_forget(struct tls_peer *p);
// The end of the session that the connection was to offer.
enum tls_offer {
	TLS_OFFER_UNSEEN, // it never left
	TLS_OFFER_LOST,   // it left, and the handshake was never done
	TLS_OFFER_DONE,
};
void tls_peer_offered(struct tls_conn *c, enum tls_offer offer);
// Is the key of the certificate, in DER, one of the pinned ones? True where there are none.
bool tls_peer_pinned(const struct tls_peer *p, const uint8_t *key, size_t len);

// A connection that shows the first certificate, until the client has named a server. NULL: no
// memory.
struct ssl_st *tls_server_connection(struct tls_server *s, struct tls_conn *c);
// HMAC-SHA-512 of the label, keyed by the secret.
void tls_digest(
	const uint8_t secret[TLS_SECRET_LEN], const uint8_t label[16], uint8_t out[TLS_DIGEST_LEN]);
