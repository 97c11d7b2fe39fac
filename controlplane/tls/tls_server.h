// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// TLS for clients: the certificates that weir shows, and the server's side of a connection. tls.h
// has the calls for an established connection; docs/explanation/tls.md has certificates of clients,
// tickets, bounds and costs.
//
// A server is a set of certificates with their keys, read from files, and the keys of session
// tickets. It never changes and is counted, so all threads share one and a newer one takes its
// place without a lost connection. Deadlines are the caller's. Nothing waits but tls_server_new,
// which reads files.

#include "base/config_files.h"
#include "tls.h"

struct tls_server;
struct tls_tickets;

enum {
	TLS_CERTIFICATES_MAX = 16,
	TLS_SECRETS_MAX = 4,
	TLS_SECRET_LEN = 32,
	TLS_TICKET_PERIOD_S = 8 * 3600,
	TLS_HELLO_MAX = 192 * 1024,
	TLS_NAMES_MAX = 128,
	TLS_CLIENT_AUTHORITIES_MAX = 32, // their names are sent in each handshake
	TLS_CLIENT_CHAIN_MAX = 3,
	TLS_CLIENT_BYTES_MAX = 6 * 1024,
	TLS_CLIENT_ELEMENTS_MAX = 256, // ASN.1 elements in each certificate of a client's chain
};

// Why a client's handshake failed, or never began. X(name, text); the caller counts the two that
// end the list.
#define TLS_REFUSALS(X)                                                                    \
	X(ended, "the client ended the connection")                                        \
	X(not_tls, "what the client sent is not TLS")                                      \
	X(version, "the client speaks no version of TLS that is allowed")                  \
	X(cipher, "no cipher, group or signature in common")                               \
	X(protocol, "the client wants another protocol (ALPN)")                            \
	X(distrust, "the client does not accept the certificate")                          \
	X(no_certificate, "the client shows no certificate, and must")                     \
	X(certificate, "the client's certificate is expired, not trusted, or not its own") \
	X(memory, "no memory left for TLS")                                                \
	X(other, "another error")                                                          \
	X(late, "not done in tcp.query_timeout")                                           \
	X(evicted, "closed to make room for another connection")

enum tls_refusal {
#define X(name, text) TLS_REFUSED_##name,
	TLS_REFUSALS(X)
#undef X
		TLS_REFUSAL_COUNT
};
extern const char *const tls_refusal_names[TLS_REFUSAL_COUNT];

struct tls_certificate_files {
	const char *cert, *key; // PEM; the chain may follow the certificate
};

struct tls_server_settings {
	unsigned count; // 1 to TLS_CERTIFICATES_MAX
	const struct tls_certificate_files *certificate;
	unsigned secret_count; // to TLS_SECRETS_MAX; 0: keys of tickets are random
	const uint8_t (*secret)[TLS_SECRET_LEN];
	bool only_1_3;
	const char *client_ca; // PEM: who vouches for clients; NULL: weir asks for no certificate
	bool client_required;  // the handshake fails without a certificate
};

// `before`: its random ticket keys go on; may be NULL. -ENOMEM; -EINVAL: a file is bad, `why`
// names it. Any thread.
ATTR_MUST_CHECK int tls_server_new(struct tls_server **out, const struct tls_server_settings *set,
	const struct tls_server *before, char why[TLS_WHY_MAX]);
void tls_server_hold(struct tls_server *s);
void tls_server_free(struct tls_server *s); // NULL is fine; the last one that held it frees it

struct tls_certificate_about {
	char names[TLS_NAMES_MAX]; // alternative names, cut at the end
	int64_t until_unix_s;
};
unsigned tls_server_certificates(const struct tls_server *s);
// `i` below that number.
void tls_server_about(const struct tls_server *s, unsigned i, struct tls_certificate_about *out);

// For a connected non-blocking socket, which stays the caller's. `alpn`: protocols in wire form,
// best first ("\3dot"), which must outlive the handshake; a client that names only others is
// refused. Holds the server. -ENOMEM.
ATTR_MUST_CHECK int tls_conn_accept(
	struct tls_conn **out, struct tls_server *s, int fd, const char *alpn);
// After -EPROTO of its handshake.
enum tls_refusal tls_conn_refusal(const struct tls_conn *c, char why[TLS_WHY_MAX]);
// After the handshake: the name that the client wants a certificate for (SNI), of any bytes but 0.
// NULL: it names no server. Good until the next call for this connection.
const char *tls_conn_server_name(const struct tls_conn *c);
// After the handshake: has the client shown a good certificate, in it or in that of its session?
bool tls_conn_is_certified(const struct tls_conn *c);
// The name in that certificate, the name of a host or a label; or NULL.
const char *tls_conn_client_name(const struct tls_conn *c);
// After the handshake: did both sides agree on this protocol, "h2" say?
bool tls_conn_agreed(const struct tls_conn *c, const char *protocol);

// For a library that has connections of its own (libevent): a connection without a socket, which
// shows the certificates of `s` and holds it. The caller frees it by SSL_free(). Its messages are
// counted as on all connections; deadlines are the caller's. `alpn` as above. NULL: no memory.
struct ssl_st *tls_server_lend(struct tls_server *s, const char *alpn);
// The name in the client's certificate once the handshake is done; else NULL.
const char *tls_lent_client_name(const struct ssl_st *ssl);
// Would a new handshake be of the same certificates, authorities and lists (CRL): did `s` lend the
// connection, and has the client's certificate not expired since?
bool tls_lent_is_current(const struct ssl_st *ssl, const struct tls_server *s);
size_t tls_conn_memory(void); // bytes of one connection, without what OpenSSL takes for it

// The files that a server's certificates come from, so that a look tells without reading whether
// they, or the other settings, have changed since the last read. A file that is not there is
// another one at each look; so is one that had changed shortly before the read, until
// it is read again. A value; one thread at a time. Blocks as stat does; tls_watch_read reads the
// files.
struct tls_watch {
	bool is_read, only_1_3, client_required;
	unsigned count;
	struct file_seen seen[2 * TLS_CERTIFICATES_MAX + 1]; // certificates, keys, client_ca
};

// tls_server_new, and notes what it read, also where it fails.
ATTR_MUST_CHECK int tls_watch_read(struct tls_watch *w, const struct tls_server_settings *set,
	const struct tls_server *before, struct tls_server **out, char why[TLS_WHY_MAX]);
// Is all as it was read? False: nothing has been read.
bool tls_watch_same(const struct tls_watch *w, const struct tls_server_settings *set);
