// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a connection of the TCP server speaks: DNS messages with their length (RFC 7766) in clear
// text or over TLS (RFC 7858), or in HTTP (RFC 8484, frontend_tcp_doh.c).
//
// Each listener has a kind, and so have its connections. All else is the same for every kind:
// places, deadlines, eviction, access, the TLS handshake, buffers of what a client does not read
// (frontend_tcp_conn.h). A kind sees clear bytes alone. This is its contract:
// * `take` gets all bytes that a client sends, in order and in pieces of any size. A kind with an
//   incomplete message keeps it by conn_in_keep, which gives the message its deadline, or in an
//   object of its own at conn->of_kind.
// * It asks by conn_question_take, which may refuse: too much is in progress. Then it keeps what it
//   has, sets conn->held, calls conn_hold, and is called by `resume` later. Bytes that the client
//   sends meanwhile wait in the kernel. With a place it calls conn_ask, for a session of its own
//   making: one for each destination of replies. A session that ends with questions (`pending`)
//   gives their places back by conn_pending_end, before engine.end.
// * A reply at once is the result of conn_ask. A later one comes by session->reply, which calls
//   conn_pending_end(conn, 1), sends, and ends with conn_answered, which may free the connection.
// * It sends by conn_out_put, any bytes, as many as it likes up to CONN_OUT_MAX unread ones.
// * A result other than FRONTEND_TCP_OPEN ends the connection. conn->last set to a reason ends it
//   once all is answered.
// Runs on the frontend's loop.

#include "frontend_tcp.h"

struct frontend_conn;

struct tcp_kind {
	enum frontend_transport transport; // of its questions
	const char *alpn;                  // protocols in wire form, best first; NULL: clear text
	// Of kinds over TLS: the handshake of a new connection is done. NULL: nothing to do.
	enum frontend_tcp_end (*begin)(struct frontend_conn *c);
	enum frontend_tcp_end (*take)(struct frontend_conn *c, const uint8_t *p, size_t len);
	enum frontend_tcp_end (*resume)(struct frontend_conn *c); // a held one has a turn
	void (*end)(struct frontend_conn *c); // frees of_kind, once begin was called. NULL: nothing
	// Of kinds with requests or replies in an object of their own; all three or none. When
	// `expire` is due, UINT64_MAX: no part of a request or response is there; no questions any
	// more.
	uint64_t (*deadline)(const struct frontend_conn *c);
	enum frontend_tcp_end (*expire)(struct frontend_conn *c, uint64_t now_ms);
	enum frontend_tcp_end (*part)(struct frontend_conn *c);
	// Has it replies that leave only after the client has sent more? NULL: never. Such a
	// connection is read to its end, though it asks nothing more.
	bool (*owes)(const struct frontend_conn *c);
};

extern const struct tcp_kind tcp_kind_doh; // frontend_tcp_doh.c
const struct tcp_kind *tcp_kind_of(enum frontend_tcp_kind kind);
