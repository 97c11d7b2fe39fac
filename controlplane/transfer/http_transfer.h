// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// HTTP exchanges with a server, GET or POST: one at a time, which blocks, or many on a loop
// (http_multi). Its source is the only includer of libcurl in the control plane. list_update.h,
// http_post.h and upstream_https.h decide what to transfer.
//
// http and https only; no proxy, no cookies, no .netrc, no redirect is followed. TLS certificates
// are always verified, against the system's authorities or those of a file. A name in the URL must
// come with its addresses (http_server.h), else libcurl asks the system's resolver, which may be
// this weir.
//
// A body is sent once: when a kept connection dies under it, libcurl must not begin again, for the
// server may have taken it. The sender decides.
//
// A reply that is packed in any other way than the request takes ends before its body
// (http_coding.h says why).
//
// A handle belongs to one thread at a time, keeps one connection, and costs some 100 KiB. Blocks;
// on_wait is called once a second at least and can end it.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/config.h>

enum { HTTP_TRANSFER_HEADERS_MAX = 8, HTTP_TRANSFER_WHY_MAX = 128 };

struct http_transfer;

ATTR_MUST_CHECK int http_transfer_open(struct http_transfer **out); // -ENOMEM
void http_transfer_close(struct http_transfer *t);                  // NULL is fine

struct http_transfer_result;

// Each may be NULL; those that return false end the transfer.
struct http_transfer_hooks {
	void (*on_header)(void *arg, const char *line, size_t len);
	// Called for a reply of this status, unpacked when takes_gzip.
	bool (*on_body)(void *arg, unsigned status, const char *bytes, size_t len);
	bool (*on_wait)(void *arg, uint64_t received);
	bool (*on_address)(void *arg, const struct ip_address *a); // before it is connected to
	// Of an exchange of a multi: it is about to be sent, perhaps once more, on a connection
	// that is there; and its end, once, as http_transfer would say it.
	bool (*on_sent)(void *arg, uint16_t local_port);
	void (*on_end)(void *arg, int err, const struct http_transfer_result *result);
};

struct http_transfer_request {
	const char *url;
	const char *addresses; // see http_server.h; NULL: the URL has no name
	const char *ca_file;   // PEM: these alone; NULL: the system's
	struct tls_peer *peer; // for an exchange of a multi: whom the server must be
	const char *header[HTTP_TRANSFER_HEADERS_MAX]; // "Name: value"; NULL behind the last
	const void *body;                              // NULL: GET
	size_t len;
	bool takes_gzip;     // the reply may be packed (http_coding.h)
	uint64_t max_bytes;  // that a reply may say it has; 0: any
	unsigned connect_ms; // a part of timeout_ms
	unsigned timeout_ms;
	unsigned low_speed_s; // abort after this time under 1 KiB/s; 0: never
	unsigned idle_s;      // a connection unused for longer is not used again; 0: libcurl's 118
	bool single;          // closes its connection, kept or new, behind it
	struct http_transfer_hooks hooks;
	void *arg;
};

struct http_transfer_result {
	unsigned status;  // 0: there was no reply
	unsigned version; // HTTP's: 1, 2; 0: there was no reply
	uint64_t received;
	uint64_t sent;          // bytes of the body that were handed to a connection
	uint64_t retry_after_s; // that the reply asks for (RFC 9110 10.2.3), rounded up; or 0
	const char *redirect;   // where a 3xx leads, absolute; NULL. Until the next transfer
	char why[HTTP_TRANSFER_WHY_MAX]; // "" when a whole reply came; printable
};

// 0: a whole reply came, whatever its status. -ECANCELED (a hook), -ETIMEDOUT, -EFBIG, -ENOMEM,
// -EKEYREJECTED (no trusted authority signed the server's certificate, or `ca_file` cannot be
// read), -EIO (all else).
ATTR_MUST_CHECK int http_transfer(struct http_transfer *t, const struct http_transfer_request *r,
	struct http_transfer_result *out);

// Counts all handles of the process but those of multis. Any thread.
struct http_transfer_counts {
	uint64_t handles, bytes; // memory without libcurl's
	uint64_t sockets;        // connections, those that are being made and kept ones
};
void http_transfer_counts(struct http_transfer_counts *out);

enum { HTTP_SCHEME_MAX = 16, HTTP_HOST_MAX = 256, HTTP_PORT_MAX = 8 };

// Parts of a URL as a transfer will see them.
struct http_url {
	char scheme[HTTP_SCHEME_MAX];
	char host[HTTP_HOST_MAX]; // an IPv6 address in its brackets
	char port[HTTP_PORT_MAX]; // the scheme's own when the URL has none
};

ATTR_MUST_CHECK int http_url_split(const char *url, struct http_url *out); // -EINVAL

// `text` for a parameter of a URL: all but letters, digits and -._~ as %XX. False: `cap` is short.
ATTR_MUST_CHECK bool http_url_escape(const char *text, char *out, size_t cap);

// Many HTTP exchanges at a time with one server, over few connections: HTTP/2, multiplexed, with
// TLS as a peer of tls.h demands. On one loop's thread; nothing blocks, as the addresses come with
// the request and libcurl looks up nothing.
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

// For on_sent: TLS of a connection that this exchange has made, as OpenSSL's SSL; NULL: others had
// used it before.
struct ssl_st *http_multi_new_tls(struct http_transfer *t);
