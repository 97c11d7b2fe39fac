// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One POST after the other to one server, over one kept connection. Owned by one thread, a sink's;
// blocks.
//
// No redirects, no proxy, no cookies; private addresses are fine, the operator wrote the URL. The
// configured servers resolve a name in it (http_server.h), again after HTTP_POST_ADDRESS_S and
// after a failure. All of a reply is read, so that the connection can go on, and its first bytes
// are kept; over HTTP_POST_REPLY_MAX bytes end the transfer. It never sends a request again by
// itself: after an unclear end the caller decides.

#include "transfer/http_transfer.h"

enum {
	HTTP_POST_CONNECT_MS = 2000,
	HTTP_POST_IDLE_S = 90,
	HTTP_POST_ADDRESS_S = 60,
	HTTP_POST_REPLY_MAX = 1 << 20,
	HTTP_POST_KEPT = 2048, // bytes of a reply, its NUL included
	HTTP_POST_WHY_MAX = 160,
};

struct http_post;

struct http_post_settings {
	unsigned server_count; // servers that resolve names; copied
	const struct socket_address *servers;
	const _Atomic bool *stop; // ends every wait once it turns true; may be NULL
	// While it is true no connection is kept (the toggle http.keepalive); may be NULL.
	const _Atomic bool *single;
	const char *ca_file; // see http_transfer.h; NULL or "": the system's. Outlives the post
};

ATTR_MUST_CHECK int http_post_open(
	struct http_post **out, const struct http_post_settings *s); // -ENOMEM
void http_post_close(struct http_post *p);                           // NULL is fine
// Replaces the servers that resolve names; copied. On the thread that posts.
void http_post_name_servers(
	struct http_post *p, const struct socket_address *servers, unsigned count);

struct http_post_request {
	const char *url;                               // parameters encoded (http_url_escape)
	const char *header[HTTP_TRANSFER_HEADERS_MAX]; // "Name: value"; NULL behind the last
	const void *body;                              // not NULL
	size_t len;
	char *keep;      // gets more of the reply's body, NUL-terminated; NULL: only `body` does
	size_t keep_cap; // bytes of `keep`, the NUL included
	unsigned timeout_ms; // for the addresses, connecting, sending and the reply
};

struct http_post_reply {
	unsigned status;             // 0: there was none
	bool is_unsent;              // no byte of the body can have reached a server
	uint64_t retry_after_s;      // see http_transfer.h
	char body[HTTP_POST_KEPT];   // the beginning of the reply's body, NUL-terminated
	char why[HTTP_POST_WHY_MAX]; // "" when a whole reply came; no secret of the URL
};

// 0: a whole reply came, whatever its status. -ETIMEDOUT, -ECANCELED (stop), -EFBIG (the reply),
// -ENOMEM, -EPROTO (no URL), -EKEYREJECTED (the certificate), -EIO.
ATTR_MUST_CHECK int http_post(
	struct http_post *p, const struct http_post_request *request, struct http_post_reply *out);
