// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The side of a TLS server, played by the test itself over a non-blocking socket, with an authority
// and certificates that are made for it. Nothing here waits.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tls_rig_kind {
	TLS_RIG_GOOD,      // for dns.example and 127.0.0.1
	TLS_RIG_OTHER_KEY, // the same with another key
	TLS_RIG_WRONG,     // for other.example and 192.0.2.1
	TLS_RIG_EXPIRED,   // since yesterday
	TLS_RIG_UNTRUSTED, // of an authority that nobody knows
	TLS_RIG_SELF,      // vouched for by itself
	TLS_RIG_BRIEF,     // for dns.example, for ten minutes
	TLS_RIG_LONG,      // with a chain of 400 certificates
	TLS_RIG_COMMON,    // its common name is dns.example; no alternative name
	TLS_RIG_WILD,      // for *.kids.example, with the other key
	TLS_RIG_RELATIVE,  // for dns.example, with CRL distribution points relative to the issuer
	TLS_RIG_KINDS,
};

enum {
	TLS_RIG_PIN_LEN = 32,
	TLS_RIG_UPDATES = 2000,   // messages of a flood
	TLS_RIG_READ_MAX = 17000, // what OpenSSL takes off a socket at a time
};

extern char tls_rig_ca[]; // the file with the authority
// The same with its list of revoked certificates, which has this one. The path, for free().
char *tls_rig_ca_revoking(enum tls_rig_kind kind);

void tls_rig_start(void); // makes all of it, in a folder of its own
void tls_rig_stop(void);
// The same for a TEST_GROUP.
int tls_rig_group_start(void **state);
int tls_rig_group_stop(void **state);
void tls_rig_pin(enum tls_rig_kind kind, uint8_t out[TLS_RIG_PIN_LEN]);

// The certificate and its key, written to files.
struct tls_rig_files {
	char cert[160], key[160];
};
void tls_rig_files(enum tls_rig_kind kind, struct tls_rig_files *out);

// What servers have in common; its tickets can be resumed with another side of the same context.
struct ssl_ctx_st;
struct ssl_st;
struct ssl_ctx_st *tls_rig_context(enum tls_rig_kind kind);
// Speaks TLS up to 1.2, or at most 1.1.
struct ssl_ctx_st *tls_rig_context_1_2(enum tls_rig_kind kind);
struct ssl_ctx_st *tls_rig_context_1_1(enum tls_rig_kind kind);
void tls_rig_context_free(struct ssl_ctx_st *x);

struct tls_side;
// The side of a client that trusts everyone and speaks TLS up to this minor version (1 to 3).
// `alpn`: in wire form, or NULL.
struct tls_side *tls_side_client(int fd, int minor, const char *alpn);
struct ssl_st *tls_side_ssl(struct tls_side *s);
void tls_side_wants(struct tls_side *s, const char *name);   // SNI, before the handshake
struct tls_side *tls_side_new(struct ssl_ctx_st *x, int fd); // the socket stays the caller's
void tls_side_free(struct tls_side *s);
bool tls_side_turn(struct tls_side *s); // of the handshake; true: it is done
bool tls_side_resumed(const struct tls_side *s);
const char *tls_side_name(const struct tls_side *s);                  // SNI, or NULL
bool tls_side_alpn(const struct tls_side *s, const char *wanted);     // did the client say it?
ssize_t tls_side_read(struct tls_side *s, void *buf, size_t len);     // -1: nothing now
bool tls_side_ended(struct tls_side *s);                              // it has said goodbye
bool tls_side_failed(struct tls_side *s);                             // what came is no good
void tls_side_write(struct tls_side *s, const void *buf, size_t len); // all of it
// The same, where the other side may have closed; was it written?
bool tls_side_tries(struct tls_side *s, const void *buf, size_t len);
bool tls_side_renegotiate(struct tls_side *s); // of TLS 1.2; asks for it
void tls_side_goodbye(struct tls_side *s);
void tls_side_tickets(struct tls_side *s, unsigned count);       // of TLS 1.3
size_t tls_rig_left(int fd);                                     // bytes that nobody has read
size_t tls_side_key_updates(struct tls_side *s, unsigned count); // of TLS 1.3, at once; bytes sent
// With TLS 1.3: a session ticket in several records, of which the first one leaves; the rest.
void tls_side_ticket_begin(struct tls_side *s);
void tls_side_ticket_end(struct tls_side *s);
