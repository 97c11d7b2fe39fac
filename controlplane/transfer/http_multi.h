// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Many HTTP exchanges at a time with one server, over few connections: HTTP/2, multiplexed, with
// TLS as a peer of tls.h demands. On one loop's thread; nothing blocks, as the addresses come with
// the request (http_transfer.h) and libcurl looks up nothing.
//
// The owner watches sockets and one timer, and calls http_multi_turn when one is ready or due.
// Exchanges end there, each with its `on_end`, which may begin and end others of the same multi; no
// other hook may. The hooks `on_header`, `on_body`, `on_sent` and `on_address` come in a turn too.
//
// libcurl repeats a request once its connection ends before any byte of the reply, if others had
// used the connection before: the server may have closed it while it was idle. tls.h checks
// certificates and keeps TLS sessions: libcurl loads no authorities.
//
// Cost: 30 KiB for each exchange (docs/measurements/tls.md).

#include "http_transfer.h"

enum { HTTP_MULTI_IDLE_S = 90 };

struct http_multi;

struct http_multi_calls {
	// Neither: no longer.
	void (*watch)(void *arg, int fd, bool reads, bool writes);
	void (*timer)(void *arg, long ms); // http_multi_turn is due then; -1: no longer
	void *arg;
};

// `connections`: the most there may be.
ATTR_MUST_CHECK int http_multi_open(struct http_multi **out, const struct http_multi_calls *calls,
	unsigned connections); // -ENOMEM
// Closes its connections. NULL is fine; it may have no handle.
void http_multi_close(struct http_multi *m);
unsigned http_multi_sockets(const struct http_multi *m); // connections, and those being made

// A handle for exchanges of this multi alone; http_transfer_close ends it.
ATTR_MUST_CHECK int http_multi_transfer(struct http_multi *m, struct http_transfer **out);
// The request must live until `on_end`. -ENOMEM.
ATTR_MUST_CHECK int http_multi_begin(
	struct http_transfer *t, const struct http_transfer_request *r);
void http_multi_give_up(struct http_transfer *t); // no on_end; one that has ended is fine
// fd -1: the timer.
void http_multi_turn(struct http_multi *m, int fd, bool is_readable, bool is_writable);

// In on_sent: TLS of a connection that this exchange has made, as OpenSSL's SSL; NULL: others had
// used it before.
struct ssl_st *http_multi_new_tls(struct http_transfer *t);
