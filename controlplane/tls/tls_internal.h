// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What tls_peer.c (authorities, chains, peers, their sessions), tls_server.c (certificates,
// tickets), tls_server.c (clients' certificates), tls_tickets.c, tls_crypto.c and tls_conn.c
// (connections) share.

#include "tls.h"
#include "tls_server.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;
struct X509_VERIFY_PARAM_st;
struct x509_st;
struct x509_store_ctx_st;
struct x509_store_st;

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
	struct ssl_session_st *session[TLS_SESSIONS_EACH]; // the latest one last
	enum tls_failure verdict; // a lent context's; TLS_FAILURE_COUNT: good, or not known yet
	char why[TLS_WHY_MAX];    // why that verdict
};

enum { TLS_DIGEST_LEN = 64, TLS_MARK_LEN = 32 };

struct tls_conn {
	struct ssl_st *ssl;
	struct tls_peer *peer;     // holds it; NULL: a client's connection
	struct tls_server *server; // for a client's connection; holds it
	const char *alpn;          // for a client's connection; wire form
	bool wants_write;
	bool is_done;                   // the handshake, with a certificate that is good
	bool is_over;                   // it may not even be told goodbye
	bool is_certified;              // the client has shown a certificate that is good
	char *client_name;              // the name in it; may be NULL
	struct ssl_session_st *offered; // TLS 1.3: taken from the peer; may be NULL
	enum tls_failure failure;
	enum tls_refusal refusal; // why a client's handshake was refused
	char why[TLS_WHY_MAX];
};

// Bounds of a chain that the other side shows, before OpenSSL decodes its extensions: bytes in DER,
// authorities between, ASN.1 elements of each certificate. A chain with CRL distribution points
// that are relative to the issuer never fits. False: the error is set.
struct tls_chain_bounds {
	int bytes, authorities;
	unsigned elements;
};
bool tls_chain_fits(struct x509_store_ctx_st *x, const struct tls_chain_bounds *b);
// Checks a server's chain: its bounds, and OpenSSL's own verdict.
bool tls_peer_chain_verify(struct x509_store_ctx_st *x);
// Dates of the peer's certificates do not count now.
bool tls_peer_any_date(const struct tls_peer *p);
// The certificate has not expired, or dates do not count.
bool tls_peer_in_time(const struct tls_peer *p, const struct x509_st *x);

// Ends the connection. -EPROTO.
int tls_conn_fail(struct tls_conn *c, enum tls_failure failure, const char *why);
// Ends a client's handshake. -EPROTO.
int tls_server_refuse(struct tls_conn *c, enum tls_refusal refusal, const char *why);
// What a handshake with a client came to, that is not done: -EAGAIN, or -EPROTO with `refusal`.
int tls_server_failed(struct tls_conn *c, int result);
// Makes connections end when their peer sends too many messages of TLS itself, and exchange keys by
// elliptic curves alone.
void tls_work_bound(struct ssl_ctx_st *x);
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

// The connection that tls_server_lend gave; NULL: it did not.
struct ssl_st *tls_server_connection(struct tls_server *s, struct tls_conn *c);
// What OpenSSL says about a file, or else `fallback`.
struct tls_clients {
	struct x509_store_st *store; // NULL: weir asks for no certificate
	bool required, has_lists;    // lists: of revoked certificates
	uint8_t mark[TLS_MARK_LEN];  // made of the file's contents; tickets are good for these
				     // contents only
};
// -ENOMEM; -EINVAL: the file is bad, `why` names it.
void tls_clients_know(struct tls_conn *c);
// HMAC-SHA-512 of the label, keyed by the secret.
void tls_digest(
	const uint8_t secret[TLS_SECRET_LEN], const uint8_t label[16], uint8_t out[TLS_DIGEST_LEN]);
