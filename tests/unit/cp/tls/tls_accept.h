// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's connection over TLS, both ends of which are of the test: weir's server on one end of a
// socket pair, and on the other one weir as a client.

#include "controlplane/tls/tls_server.h"
#include "tls_rig.h"

struct tls_accept {
	struct tls_server *server;
	struct tls_peer *peer;
	struct tls_conn *client, *conn;
	int fd[2]; // the client's, weir's
	char why[TLS_WHY_MAX];
};

extern struct tls_accept t;

struct tls_server *server_of(const enum tls_rig_kind *kind, unsigned count,
	const uint8_t (*secret)[TLS_SECRET_LEN], const struct tls_server *before);
struct tls_server *good_server(void);
int good_server_with(struct tls_server_settings set); // as t.server; what tls_server_new comes to
void peer_make(const char *name);                     // a client that wants this name
void accept_one(void);                                // weir's side alone
void open_both(void);
int meet_side(struct tls_side *side); // what weir's side comes to with that one
int handshake(int *of_client);        // what weir's side comes to; *of_client: the other one
void open_good(void);                 // both of a good server and dns.example, which is well
void exchange(void);                  // a message each way, and the ticket of TLS 1.3
void close_both(void);
void end(void);                   // of peer and server
int tls_accept_end(void **state); // the same after a case
// A connection with the present server and peer; is its session an old one?
bool connects_resumed(void);
