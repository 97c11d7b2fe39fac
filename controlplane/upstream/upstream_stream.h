// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// TCP connections to upstream servers, each shared by many queries (RFC 7766 6.2.1, 6.2.2), perhaps
// with TLS (RFC 7858). Resolver loop's thread only. docs/explanation/upstreams.md says which
// connection a query gets, when a connection ends, and what happens to the queries on it.
//
// Bounds: UPSTREAM_STREAMS_EACH connections to a server and UPSTREAM_STREAMS_MAX in all;
// UPSTREAM_STREAM_QUERIES queries on each; UPSTREAM_STREAMS_WAITING queries that wait for a
// connection, UPSTREAM_STREAMS_WAITING_EACH to one server, the next one is refused (`full`);
// UPSTREAM_STREAM_OUT bytes that wait for a slow server; one message being read, of 64 KiB at most;
// UPSTREAM_STREAM_READS reads for a connection in a turn of the loop. More than
// UPSTREAM_STREAM_CRUMBS reads of fewer than UPSTREAM_STREAM_CRUMB bytes end a connection (`bad`).

#include "base/age_list.h"
#include "base/wheel.h"
#include "tls/tls.h"
#include "upstream.h"
#include "upstream_udp.h"

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
	uint64_t sent_ms; // when it was put on the connection
	uint64_t end;     // bytes of the connection up to its last one
	uint16_t id;
	bool written; // the kernel has all of it
};

// All fields are upstream_stream*.c's to write.
struct upstream_stream {
	struct upstream_streams *pool;
	struct upstream_stream *next, **link;
	int fd;
	struct event readable, writable, again; // `again`: in the next iteration
	struct tls_conn *tls;                   // NULL: clear text
	const struct tls_peer *tls_peer;        // the peer that the connection is to
	struct wheel_timer idle; // closes an idle connection, or one whose handshake takes too long
	struct age_link age;
	uint64_t heard_ms, idle_ms, rested_ms;
	uint64_t part_ms; // time of the first byte of the message being read
	unsigned uses;
	unsigned taken, answered; // queries so far
	unsigned held, live;      // queries on it; those with a leg
	unsigned reads;           // reads left in this iteration
	unsigned crumbs;          // reads so far of few bytes amid a message
	unsigned ends;            // the owner's: upstream_limit.ends when it was opened
	bool there;               // connected, after the handshake
	bool retired;             // takes no more queries
	bool stalled;             // nothing came for too long
	bool leaving;             // queries are to go elsewhere
	bool probe;               // the owner's: for more queries than the server is known to take
	bool asked;               // a query has asked how long it may be idle
	bool busy;                // being read: not to be freed
	bool closing;             // queries are being notified; then it is freed
	bool missed;              // the owner's: no handshake, and one leg is to count it
	bool is_silent;           // the owner's: a wait was over before the handshake
	bool learnt;              // the end shows no more of how many queries the server takes
	bool ours;                // weir ends it, or has left it for its silence
	int error;                // -errno that ends it
	socklen_t peer_len;
	union upstream_peer peer;
	uint64_t put, wrote; // bytes so far: of queries put on it, and taken by the kernel
	uint32_t out_len, out_pos;
	uint8_t *out; // NULL: nothing waits
	uint32_t in_pos;
	uint16_t in_len; // 0: the length itself is being read
	uint8_t *in;
	uint8_t head[2];
	struct upstream_stream_query query[UPSTREAM_STREAM_QUERIES]; // `held` of them
};

// Has nothing come for too long since the leg's query? False while a handshake goes on.
bool upstream_stream_is_silent(const struct upstream_stream *s, const struct upstream_leg *leg);

enum {
	UPSTREAM_STREAMS_MAX = 256,
	UPSTREAM_STREAMS_WAITING = 1024,
	UPSTREAM_STREAMS_WAITING_EACH = UPSTREAM_STREAMS_WAITING / 2,
	UPSTREAM_STREAM_SPREAD = 16,
	UPSTREAM_STREAM_USES = 4096,
};

struct upstreams;

// Where a query is: its owner embeds it, and sets `leg` and `alone`.
struct upstream_stream_place {
	struct upstream_leg *leg;
	bool alone;                                 // it needs a connection of its own
	struct upstream_stream *stream;             // NULL: on no connection, or not yet
	struct upstream_stream_place *next, **link; // links of the queue; `link` NULL: not queued
};

// `stream` of the leg's place is its owner's to clear in `reply` and `broken`.
struct upstream_stream_calls {
	// How many queries the connection of this leg may be for; 0: any number.
	unsigned (*limit)(const struct upstream_leg *leg);
	// All bytes of a query to this server have gone to the kernel; `leg` NULL: no leg waits for
	// the reply any more. It calls nothing here.
	void (*written)(struct upstreams *u, const struct upstream_leg *leg,
		const union upstream_peer *peer);
	// The peer that the leg's connection is to over TLS, or NULL: clear text. 0; -EHOSTDOWN: no
	// connection is opened now, or not of that kind.
	int (*peer)(struct upstreams *u, const struct upstream_leg *leg, struct tls_peer **out);
	// The handshake of the connection is done, or never will be: then it is closed next. They
	// call nothing here.
	void (*secure)(const struct upstream_stream *s);
	void (*insecure)(struct upstream_stream *s, enum tls_failure failure, const char *why);
	// A query that had to wait has a connection.
	void (*placed)(struct upstream_leg *leg, struct upstream_stream *s);
	// The reply to the leg's query, which is off the connection by now: with its question, or
	// without one.
	void (*reply)(
		struct upstream_leg *leg, struct upstream_stream *s, uint8_t *msg, size_t len);
	// The connection has ended before the reply, or the query has left it for its silence; it
	// serves only to say why. NULL: after its wait the query got no connection.
	void (*broken)(struct upstream_leg *leg, struct upstream_stream *s);
};

struct upstream_streams {
	struct loop *loop;
	struct rng *rng;
	struct upstreams *owner;
	struct upstream_stream_calls calls;
	struct upstream_stream *first;
	struct age_list ages;
	struct upstream_stream_place *waiting, **waiting_end; // queries, first come first served
	struct event wake; // waiting queries may have a place now
	unsigned uses_max;
	struct upstream_streams_stats stats; // all but `queries` and `bytes`
};

ATTR_MUST_CHECK int upstream_streams_new(struct upstream_streams **out, struct loop *loop,
	struct rng *rng, struct upstreams *owner,
	const struct upstream_stream_calls *calls);     // -ENOMEM
void upstream_streams_free(struct upstream_streams *p); // NULL is fine; none may have a query
// Takes the present servers: connections to others get no more queries. `tls`: the peers that
// connections must be to; NULL: clear text.
void upstream_streams_configure(struct upstream_streams *p, const union upstream_peer *peers,
	struct tls_peer *const *tls, unsigned count);
// Connections opened from now on take `most` queries; 0: UPSTREAM_STREAM_USES.
void upstream_streams_uses(struct upstream_streams *p, unsigned most);

// Sends the query to its leg's peer, at once or when it is its turn. The leg's id changes if
// another query on the connection has it. 0: `stream` is its connection, or NULL and it waits;
// -EMFILE (full), -errno; then it is on no connection.
ATTR_MUST_CHECK int upstream_streams_ask(
	struct upstream_streams *p, struct upstream_stream_place *place);
// Drops a query that no leg waits for any more; a place without a connection is fine.
void upstream_streams_drop(struct upstream_streams *p, struct upstream_stream_place *place);

unsigned upstream_streams_to(const struct upstream_streams *p, const union upstream_peer *peer);
void upstream_streams_stats(const struct upstream_streams *p, struct upstream_streams_stats *out);
