// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One TCP connection to an upstream server, shared by many queries; perhaps with TLS on it
// (RFC 7858). Resolver loop's thread only. Which connection a query gets is upstream_streams.h's to
// say, and why one takes no more of them.
//
// With TLS it is there when the handshake is done, which has UPSTREAM_STREAM_HANDSHAKE_MS from the
// opening on; queries wait meanwhile. Each query is padded to a multiple of 128 bytes (RFC 8467).

#include "base/age_list.h"
#include "base/wheel.h"
#include "tls/tls.h"
#include "upstream_socket.h"

#include <event2/event_struct.h>

enum {
	UPSTREAM_STREAM_QUERIES = 100,
	UPSTREAM_STREAM_LOST = 50,
	UPSTREAM_STREAM_OUT = 16384,
	UPSTREAM_STREAM_READS = 64,
	UPSTREAM_STREAM_CRUMB = 64,
	UPSTREAM_STREAM_CRUMBS = 1000,
	UPSTREAM_STREAM_IDLE_MS = 3000,
	UPSTREAM_STREAM_TOLD_MS = 60000,
	UPSTREAM_STREAM_STALL_MS = 500,
	UPSTREAM_STREAM_HANDSHAKE_MS = 3000,
};

struct upstream_leg;
struct upstream_streams;

// A query on its connection; `leg` NULL: no leg waits for it any more.
struct upstream_stream_query {
	struct upstream_leg *leg;
	uint64_t sent_ms; // that it was put on the connection
	uint64_t end;     // the bytes of the connection up to and with it
	uint16_t id;
	bool written; // the kernel has all of it
};

// All fields are upstream_stream*.c's to write.
struct upstream_stream {
	struct upstream_streams *pool;
	struct upstream_stream *next, **link;
	int fd;
	struct event readable, writable, again; // `again`: in the next turn
	struct tls_conn *tls;                   // NULL: in clear text
	const struct tls_peer *tls_peer;        // whose it is
	struct wheel_timer idle;                // or the end of the handshake
	struct age_link age;
	uint64_t heard_ms, idle_ms, rested_ms;
	uint64_t part_ms; // the first byte of the message being read
	unsigned uses;
	unsigned taken, answered; // queries, ever
	unsigned held, live;      // under way; of these waited for
	unsigned reads;           // left to this turn
	unsigned crumbs;          // reads, ever, of few bytes amid a message
	unsigned ends;            // of its server when it was opened: its owner's
	bool there;               // connected, after the handshake
	bool retired;             // no more queries
	bool stalled;             // as nothing came for too long
	bool leaving;             // its queries are to go elsewhere
	bool probe;               // for more queries than its server is known to take: its owner's
	bool asked;               // for how long it may be idle
	bool busy;                // being read: not to be freed
	bool closing;             // its queries are being notified; then it is freed
	bool missed;              // no handshake; one leg is to count it: its owner's
	bool is_silent;           // a wait was over before the handshake: its owner's
	bool learnt;              // its end has shown how many queries the server takes
	bool ours;                // we end it, or have left it for its silence
	int error;                // -errno of a send
	socklen_t peer_len;
	union upstream_peer peer;
	uint64_t put, wrote; // bytes, ever: of queries put on it, and of these the kernel has
	uint32_t out_len, out_pos;
	uint8_t *out; // NULL: nothing waits
	uint32_t in_pos;
	uint16_t in_len; // 0: the length itself is being read
	uint8_t *in;
	uint8_t head[2];
	struct upstream_stream_query query[UPSTREAM_STREAM_QUERIES]; // `held` of them
};

// For `limit` queries (0: any number) at most, to the leg's server. 0; -EHOSTDOWN: a server over
// TLS that has left the list, or failed a moment ago, or a leg in clear text to such a server;
// -errno.
ATTR_MUST_CHECK int upstream_stream_open(struct upstream_streams *p, const struct upstream_leg *leg,
	unsigned limit, struct upstream_stream **out);
void upstream_stream_close(struct upstream_stream *s); // and tells those who wait
// Is there room for one more query?
bool upstream_stream_has_room(const struct upstream_stream *s);
// Puts the query behind what waits; upstream_stream_flush sends what can be sent. 0, -ENOBUFS,
// -ENOMEM, -EMSGSIZE.
ATTR_MUST_CHECK int upstream_stream_put(struct upstream_stream *s, struct upstream_leg *leg);
void upstream_stream_flush(struct upstream_stream *s);
// The query with this id, or UPSTREAM_STREAM_QUERIES.
unsigned upstream_stream_find(const struct upstream_stream *s, uint16_t id);
// Nobody waits for the leg's reply any more.
void upstream_stream_drop(struct upstream_stream *s, const struct upstream_leg *leg);
// Its queries go elsewhere, but one whose reply is being read. Not to be called in a call.
void upstream_stream_leave(struct upstream_stream *s);
void upstream_stream_forget(struct upstream_stream *s, unsigned i); // query i is off the connection
// After anything that may have been its last query: closes it, or begins to count its idle time.
void upstream_stream_settle(struct upstream_stream *s);
// Has nothing come since the leg's query, for too long? Never before the connection is there.
bool upstream_stream_is_silent(const struct upstream_stream *s, const struct upstream_leg *leg);
void upstream_stream_on_readable(evutil_socket_t fd, short what, void *arg);
void upstream_stream_on_writable(evutil_socket_t fd, short what, void *arg);
