// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// TLS over sockets that the caller owns, watches and closes: connections of either side, and the
// servers that weir itself asks (peers). Certificates of weir's own are in tls_server.h. What a
// server must prove, what sessions and handshakes cost, and all bounds are in
// docs/explanation/tls.md.
//
// A peer lives as long as its owner or a connection needs it; peer and connections belong to one
// thread. No function waits: a socket must be non-blocking. The process must ignore SIGPIPE.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/attr.h>
#include <weir/config_filter.h>

enum {
	TLS_SESSIONS_EACH = 4,
	TLS_MESSAGES_MAX = 64,
	TLS_STEPS_MAX = 512,
	TLS_TRUSTS_MAX = 64,
	TLS_WHY_MAX = 160,
	TLS_ABOUT_MAX = 64,
};

// Why there is no connection. name, contents
#define TLS_FAILURES(X)                                                                    \
	X(handshake, "the server ended or never finished the handshake, or speaks no TLS") \
	X(certificate, "the certificate is expired, not trusted, or not to be read")       \
	X(name, "the certificate is for another name or address")                          \
	X(pin, "the certificate has another key than the pinned ones")

enum tls_failure {
#define X(name, text) TLS_FAILURE_##name,
	TLS_FAILURES(X)
#undef X
		TLS_FAILURE_COUNT
};

extern const char *const tls_failure_names[TLS_FAILURE_COUNT];

// Has the library count its memory (heap_site.h). Before any other library uses it; any thread, any
// number of times.
void tls_start(void);

struct tls_target {
	const char *name; // NULL: the certificate must be for the address
	struct ip_address address;
	const char *ca_file; // PEM; NULL: the system's authorities
	const char *alpn;    // "dot"
	bool only_1_3;       // no TLS 1.2
	// The grace is on (clock_grace.h): dates of certificates and of lists of revoked ones do
	// not count while it is. Its connections end with it, and it keeps no sessions.
	bool any_date;
	unsigned pin_count;
	const uint8_t (*pin)[CONFIG_PIN_LEN]; // SHA-256 of public keys (SPKI, RFC 7858 4.2)
};

struct tls_peer;
// Copies what it needs. -ENOMEM; -EINVAL: the file gives no authorities, with `why`.
ATTR_MUST_CHECK int tls_peer_new(
	struct tls_peer **out, const struct tls_target *target, char why[TLS_WHY_MAX]);
void tls_peer_free(struct tls_peer *p); // NULL is fine; its connections may go on
// Do both take the same servers for good, with the same authorities?
bool tls_peer_same(const struct tls_peer *a, const struct tls_peer *b);
unsigned tls_peer_sessions(const struct tls_peer *p);
// Was it made for the grace, which has ended? No connection of it is good any more.
bool tls_peer_is_over(const struct tls_peer *p);
void tls_peer_hold(struct tls_peer *p); // once more; tls_peer_free gives it back

// For a library that makes connections by itself, each from an SSL_CTX of its own: what the peer
// must prove these must prove too, and its sessions are kept and offered, each once. The peer must
// outlive them. Of a session that is resumed tls_lent_is_good is to be called. Messages of TLS
// itself are counted as on all connections; each ends a call of SSL_read. Keys are exchanged by
// elliptic curves alone, as on all connections. 0, -ENOMEM.
struct ssl_ctx_st;
struct ssl_st;
ATTR_MUST_CHECK int tls_peer_lend(struct tls_peer *p, struct ssl_ctx_st *context);
// Why the latest certificate of these was refused; TLS_FAILURE_COUNT: it is not.
enum tls_failure tls_peer_verdict(const struct tls_peer *p, char why[TLS_WHY_MAX]);
bool tls_lent_is_good(const struct ssl_st *ssl); // is the certificate still valid?
bool tls_lent_is_resumed(const struct ssl_st *ssl);
// For a library that has no peer: has it refuse a server's chain beyond the bounds of tls.c
// before it verifies the chain, end what sends too many messages of TLS itself, and exchange keys
// by elliptic curves alone. Without bounds a chain of 35 KB can take 1 GB and 5 s of CPU.
void tls_chain_bound(struct ssl_ctx_st *context);

struct tls_conn;
// For the client's side of a socket that is connected or about to be. -ENOMEM.
ATTR_MUST_CHECK int tls_conn_connect(struct tls_conn **out, struct tls_peer *p, int fd);
// Tells the other side that nothing more will be written, if that does not wait.
void tls_conn_finish(struct tls_conn *c);
// That, and frees it. The socket stays open. NULL is fine.
void tls_conn_close(struct tls_conn *c);

// 1: done; -EAGAIN: when the socket is readable, or writable if tls_conn_wants_write says so;
// -EPROTO: never, tls_conn_failure says why.
ATTR_MUST_CHECK int tls_conn_handshake(struct tls_conn *c);
// Read and write after the handshake. Bytes; 0 from a read: the other side has ended it; -EAGAIN;
// -errno.
ATTR_MUST_CHECK ssize_t tls_conn_read(struct tls_conn *c, void *buf, size_t len);
ATTR_MUST_CHECK ssize_t tls_conn_write(struct tls_conn *c, const void *buf, size_t len);
bool tls_conn_wants_write(const struct tls_conn *c); // what the last -EAGAIN waits for
bool tls_conn_has_more(const struct tls_conn *c);

// After -EPROTO of a handshake.
enum tls_failure tls_conn_failure(const struct tls_conn *c, char why[TLS_WHY_MAX]);
bool tls_conn_is_resumed(const struct tls_conn *c);
// "TLSv1.3 TLS_AES_256_GCM_SHA384"
const char *tls_conn_about(const struct tls_conn *c, char out[TLS_ABOUT_MAX]);
const char *tls_lent_about(const struct ssl_st *ssl, char out[TLS_ABOUT_MAX]);
