// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What tls.c (connections, peers, authorities, chains), tls_server.c (certificates, tickets,
// clients' certificates), tls_tickets.c and tls_crypto.c share.

#include "tls.h"
#include "tls_server.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;
struct x509_store_ctx_st;
struct x509_store_st;

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

// Ends the connection. -EPROTO.
int tls_conn_fail(struct tls_conn *c, enum tls_failure failure, const char *why);
// Ends a client's handshake. -EPROTO.
int tls_server_refuse(struct tls_conn *c, enum tls_refusal refusal, const char *why);
// What a handshake with a client came to, that is not done: -EAGAIN, or -EPROTO with `refusal`.
int tls_server_failed(struct tls_conn *c, int result);
// Settings of all contexts, of either side.
void tls_context_set(struct ssl_ctx_st *x);

// The connection that tls_server_lend gave; NULL: it did not.
struct ssl_st *tls_server_connection(struct tls_server *s, struct tls_conn *c);
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
