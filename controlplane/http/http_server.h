// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The control API's HTTP server, in clear text or over TLS: libevent's evhttp, and what evhttp
// leaves to its user: the peer's credentials, a cap on requests, replies that come later and their
// deadlines. docs/explanation/http.md lists what evhttp cannot do, and what weir does for it.
//
// Owned by one loop's thread. evhttp reads and writes nothing while a request is being served, so
// it cannot free the request meanwhile; only http_server_close can. The server sees a hang-up only
// when it writes the reply. The process must ignore SIGPIPE.

#include "base/allowance.h"
#include "bootstrap.h"
#include "http_conns.h"
#include "transfer/http_transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/attr.h>

// Resolves a URL's host by the configured servers (bootstrap.h) and not by the system, whose
// resolver may be this weir.

enum {
	HTTP_HOST_LINE_MAX = DNS_NAME_TEXT_MAX + BOOTSTRAP_ADDRESSES_MAX * SOCKET_ADDRESS_TEXT_MAX,
	HTTP_HOST_WHY_MAX = 160,
};

// Writes "host:port:address,address", as http_transfer wants it, or "" for a host that is an
// address or names this machine. -EPROTO: a name that is no plain ASCII; -ECANCELED, -ETIMEDOUT,
// -EIO of the lookup, with `why`. Blocks until b->deadline_ms.
ATTR_MUST_CHECK int http_host_addresses(const struct http_url *url, const struct bootstrap *b,
	char out[HTTP_HOST_LINE_MAX], char why[HTTP_HOST_WHY_MAX]);

// How often who may ask an HTTP server: HTTP_RATE_PLACES allowances of requests, each of a source
// or of a user, by a key. One more takes the place of the one that asked longest ago, and begins
// with all of its own. What a request takes of the loop's CPU time counts too: HTTP_RATE_COST_US of
// it as one request more. So a client that may send 50 a second takes a tenth of the loop, whatever
// the requests cost.
//
// A value; the thread of the server's loop. A call looks through the table.

enum { HTTP_RATE_PLACES = 256, HTTP_RATE_COST_US = 2000 };

struct http_rate_place {
	uint64_t key; // 0: free
	unsigned times;
	struct allowance left;
};

struct http_rate {
	unsigned each_s, burst;
	uint64_t refused, evicted; // ever
	struct http_rate_place place[HTTP_RATE_PLACES];
};

// The key of `len` bytes, which may not be 0.
uint64_t http_rate_key(char kind, const void *of, size_t len);
// `times`: the share, of each_s and burst. False: refused.
unsigned http_rate_used(const struct http_rate *r);

struct event_base;
struct http_rate;
struct ssl_st;
struct tls_server;
struct url_fields;
struct http_server;
struct http_exchange; // one request and its reply
struct http_stream;   // one whose reply goes on and on

enum {
	HTTP_HEADER_MAX = 8192,
	HTTP_BODY_MAX = 65536,
	HTTP_TIMEOUT_S = 2,
	HTTP_ACCEPT_PAUSE_MS = 100,
	HTTP_FORM_MAX = 4096,
	HTTP_WHO_MAX = 80,
	HTTP_FROM_MAX = 64,
	HTTP_REFUSALS_MAX = 32,
	HTTP_FAST_WEIGHT = 4,
	HTTP_TURNS_MAX = 3, // a sender's network, the sender, the user
};

struct http_settings {
	struct event_base *base;
	unsigned exchanges_max; // more at once are 503
	// Connections, and the time of each to send a request and to read its reply; one more gets
	// 503.
	unsigned connections_max, connection_ms;
	// May this peer send requests? `fd`: for more facts from the kernel. False: 403.
	bool (*admit)(void *arg, const struct ucred *peer, int fd);
	// Replies with http_reply, now or later (then it says http_defer first).
	void (*handle)(void *arg, struct http_exchange *x);
	// The client gets this status, or a stream; once for each exchange that was handled, while
	// http_path and the like still serve. May be NULL.
	void (*replied)(void *arg, struct http_exchange *x, unsigned status);
	// The status that a reply had had behind its 504; nothing of the request itself serves any
	// more. May be NULL.
	void (*late)(void *arg, struct http_exchange *x, unsigned status);
	// For http_conns.h: TLS, and whom it shuts out.
	struct ssl_st *(*lend)(void *arg);
	bool (*refuses)(void *arg, const struct sockaddr_storage *source);
	unsigned source_max, rate_max, source_rate_max;
	unsigned stream_ms; // life of a stream; 0: no bound
	// How often a client's address, or a local user, may ask; one more request is 429. Servers
	// may share it. NULL: as often as it likes.
	struct http_rate *rate;
	void *arg;
};

// `fd`: a listening unix socket, non-blocking; the server owns it, and closes it on failure too.
// -ENOMEM.
ATTR_MUST_CHECK int http_server_open(
	struct http_server **out, int fd, const struct http_settings *settings);
// Hangs up on everybody. Exchanges that still wait stay valid for their http_reply, which then only
// frees them; `replied` gets 503 for each.
void http_server_close(struct http_server *s);

struct http_counts {
	uint64_t requests; // complete ones, of which:
	uint64_t refused_full, refused_peer, refused_rate, bad_requests;
	uint64_t timeouts;             // replies that did not come in time
	unsigned waiting, waiting_max; // requests that are being served, and the most there may be
	unsigned waiting_most;         // that there ever were
	uint64_t since_ms;             // when the oldest of them came; 0 without one
	size_t bytes;                  // bytes of an exchange
	struct http_conns_counts conns;
};
void http_server_counts(const struct http_server *s, struct http_counts *out);
void http_counts_add(struct http_counts *sum, const struct http_counts *one);

// Requests that are being served, the oldest first, without `but`; at most `max`. How many.
struct http_waiting {
	char path[64]; // "": its client has had its reply, 504
	unsigned uid, pid;
	uint64_t since_ms;
};
unsigned http_server_waiting(const struct http_server *s, const struct http_exchange *but,
	struct http_waiting *out, unsigned max);

// What a live exchange has. http_param: a query parameter, decoded, or NULL. A request with a
// malformed query, or with a parameter twice, has had its 400.
bool http_is_post(const struct http_exchange *x);
bool http_is_put(const struct http_exchange *x);
bool http_is_change(const struct http_exchange *x);     // POST or PUT
const char *http_method(const struct http_exchange *x); // "GET", "HEAD", "POST", "PUT"
const char *http_path(const struct http_exchange *x);
const char *http_param(const struct http_exchange *x, const char *name);
const struct url_fields *http_params(const struct http_exchange *x);
const char *http_header(const struct http_exchange *x, const char *name); // NULL: it has none
// The client's address; of a unix socket the family alone.
const struct sockaddr_storage *http_source(const struct http_exchange *x);
// The name in the client's certificate; NULL: it shows none, or the connection has no TLS.
const char *http_client_name(const struct http_exchange *x);
// Is that name still good by `s`, whose certificates are in force? tls_lent_is_current.
bool http_client_is_current(const struct http_exchange *x, const struct tls_server *s);
// Who sends the request, and from where: "uid 0" and "pid 77", or "" and "192.0.2.7" until the
// server's owner knows better.
const char *http_who(const struct http_exchange *x);
const char *http_from(const struct http_exchange *x);
void http_set_who(struct http_exchange *x, const char *fmt, ...) ATTR_PRINTF(2, 3);
// A number of what gives this client its rights, for its streams. 0: it needs nothing.
void http_set_right(struct http_exchange *x, uint64_t right);
uint64_t http_right(const struct http_exchange *x);
// A number of the user (http_who), the same with all rights of that user, such as those of several
// sessions: for the share in what all users have together (job_runner.h). 0: needs no right.
uint64_t http_job_user(const struct http_exchange *x);
// Takes a request from the allowance of its user as well, by http_rate_key. False: that is used up,
// and 429 is the reply; or half of exchanges_max are this user's, or three quarters those of users
// who are no admins: 503.
ATTR_MUST_CHECK bool http_may_ask(struct http_exchange *x, uint64_t key, bool is_admin);
// CPU time of work for an exchange after its `handle` has returned: the sender of `x` pays for what
// lies between the two calls. `x` may end between them. Nobody pays once the server is closed.
struct http_turn {
	struct http_rate *rate; // NULL: it counts for nobody
	uint64_t key[HTTP_TURNS_MAX], began_us;
};
struct http_turn http_turn_begin(const struct http_exchange *x);
void http_turn_end(const struct http_turn *t);
// Has the sender of `x` a debt by now? Dear work that waited for something is not begun then: a
// debt has a cap, and of many requests at once only the first ones would be paid for.
bool http_owes(const struct http_exchange *x);
// Reads the body as a form, where it is application/x-www-form-urlencoded of at most HTTP_FORM_MAX
// bytes; else it has no field. Errors of url_fields_read. Overwritten when the exchange ends.
ATTR_MUST_CHECK int http_form_read(struct http_exchange *x, const struct url_fields **out);
// A field of it, once it is read; NULL: it has none of that name.
const char *http_form(const struct http_exchange *x, const char *name);
// A body of another kind: its bytes, at most HTTP_BODY_MAX.
size_t http_body_len(const struct http_exchange *x);
// Copies the body to `out`, which has room for its bytes, and empties it.
void http_body_move(struct http_exchange *x, char *out);
// The body with a zero byte behind it, which the caller frees; empty the second time. NULL: no
// memory.
char *http_body_take(struct http_exchange *x, size_t *len);
// Something of the owner's about the request; NULL until it is set.
void http_set_note(struct http_exchange *x, const void *note);
const void *http_note(const struct http_exchange *x);
// A field of the reply's header. `name`, `value`: constants.
void http_reply_header(struct http_exchange *x, const char *name, const char *value);

// Does the server still run? Only then may an asynchronous call use arguments of the server's
// owner.
bool http_is_served(const struct http_exchange *x);
// Does the request still need a reply, too? Not after its deadline.
bool http_is_live(const struct http_exchange *x);

// The reply comes later. After `deadline_ms` the client gets 504. The exchange stays valid, and
// counts, until http_reply, which must be called exactly once.
void http_defer(struct http_exchange *x, unsigned deadline_ms);
// Sends and frees. `body`: malloced JSON, which this call frees; NULL: out of memory, replied as
// 500.
void http_reply(struct http_exchange *x, unsigned status, char *body);
// http_reply with another type, such as "text/plain".
void http_reply_text(struct http_exchange *x, unsigned status, const char *type, char *body);
// http_reply with `len` bytes, which may be any.
void http_reply_bytes(
	struct http_exchange *x, unsigned status, const char *type, char *body, size_t len);
// http_reply of a body with a secret, which is overwritten once it has left, or cannot.
void http_reply_secret(struct http_exchange *x, unsigned status, char *body);

// A reply without an end, of lines of the given type: begins with status 200, and the exchange is
// freed and no longer counts: the caller bounds streams. NULL: replied to, with 500 (no memory), or
// with the header alone (HEAD).
// Timeouts of the server do not apply; http_stream_pending shows a client that reads nothing.
// Closed by its owner, before http_server_close.
struct http_stream *http_stream_begin(struct http_exchange *x, const char *type);
// The client has not hung up by now, and the stream is not over (stream_ms, http_streams_end).
bool http_stream_is_live(const struct http_stream *s);
// The owner of a stream: the user with `right` where the exchange was given one, else 0.
struct http_stream_user {
	char who[HTTP_WHO_MAX];
	uint64_t right;
};
const struct http_stream_user *http_stream_user(const struct http_stream *s);
// Streams whose user does not keep the right to them are over: their owners close them at their
// next look. `keeps` NULL: all. A server of NULL is fine.
void http_streams_end(
	struct http_server *s, bool (*keeps)(const void *arg, uint64_t right), const void *arg);
// False: no memory. Dropped if the client has hung up.
ATTR_MUST_CHECK bool http_stream_send(struct http_stream *s, const char *data, size_t len);
size_t http_stream_pending(const struct http_stream *s); // bytes that the kernel has no room for
void http_stream_close(struct http_stream *s);           // hangs up
