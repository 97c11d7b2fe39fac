// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A connection over TLS, both ends of which are of the test: weir's on one end of a socket pair,
// and the server of tls_rig.h on the other one.

#include "controlplane/tls/tls.h"
#include "tls_rig.h"

struct tls_pair {
	struct ssl_ctx_st *context;
	struct tls_peer *peer;
	struct tls_conn *conn;
	struct tls_side *side;
	int fd[2]; // weir's, the server's
	char why[TLS_WHY_MAX];
	enum tls_failure failure;
};

extern struct tls_pair t;
extern const struct tls_target tls_pair_target; // dns.example, of the rig's authority

void peer_make(const struct tls_target *of);
void open_both(void);
int handshake(void); // what tls_conn_handshake comes to, at last
void close_both(void);
// A peer of a server with `context`, and a connection whose handshake comes to `rc`.
void pair_open(const struct tls_target *of, struct ssl_ctx_st *context, int rc);
void pair_close(void);            // close_both, end
int tls_pair_close(void **state); // the same after a case
int tls_pair_end(void **state);   // end after a case
void end(void);                   // of peer and context
void exchange(void); // a message each way; the tickets of TLS 1.3 come with the second one
// Three connections one after another, the later ones resumed; leaves peer and context.
void resumption(struct ssl_ctx_st *context, unsigned kept);
