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

// Has nothing come since the leg's query, for too long? Never before the connection is there.
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
	bool alone;                                 // on a connection of its own
	struct upstream_stream *stream;             // NULL: on none, or not yet
	struct upstream_stream_place *next, **link; // in the queue; `link` NULL: it is not
};

// `stream` of the leg's place is its owner's to clear in `reply` and `broken`.
struct upstream_stream_calls {
	// How many queries a connection may be for that this one goes on; 0: any number.
	unsigned (*limit)(const struct upstream_leg *leg);
	// All bytes of a query to this server have gone to the kernel; `leg` NULL: nobody waits
	// for it any more. Leads nowhere.
	void (*written)(struct upstreams *u, const struct upstream_leg *leg,
		const union upstream_peer *peer);
	// Whom the leg's connection is to, over TLS, or NULL: in clear text. 0; -EHOSTDOWN: none is
	// opened now, or not in that way.
	int (*peer)(struct upstreams *u, const struct upstream_leg *leg, struct tls_peer **out);
	// Its handshake is done, or never will be: then it is closed next. Leads nowhere.
	void (*secure)(const struct upstream_stream *s);
	void (*insecure)(struct upstream_stream *s, enum tls_failure failure, const char *why);
	// A query that had to wait has a connection.
	void (*placed)(struct upstream_leg *leg, struct upstream_stream *s);
	// The reply to its query, which is off the connection by now: with its question, or none.
	void (*reply)(
		struct upstream_leg *leg, struct upstream_stream *s, uint8_t *msg, size_t len);
	// The connection has ended before, or the query has left it for its silence; it is good for
	// nothing, but says what became of it. NULL: after its wait none could be had.
	void (*broken)(struct upstream_leg *leg, struct upstream_stream *s);
};

struct upstream_streams {
	struct loop *loop;
	struct rng *rng;
	struct upstreams *owner;
	struct upstream_stream_calls calls;
	struct upstream_stream *first;
	struct age_list ages;
	struct upstream_stream_place *waiting, **waiting_end; // in the order in which they came
	struct event wake;                                    // some of them may have a place now
	unsigned uses_max;
	struct upstream_streams_stats stats; // but `queries` and `bytes`
};

ATTR_MUST_CHECK int upstream_streams_new(struct upstream_streams **out, struct loop *loop,
	struct rng *rng, struct upstreams *owner,
	const struct upstream_stream_calls *calls);     // -ENOMEM
void upstream_streams_free(struct upstream_streams *p); // NULL is fine; none may have a query
// The servers there are now: connections to others get no more queries. `tls`: whom one must be to;
// NULL: in clear text.
void upstream_streams_configure(struct upstream_streams *p, const union upstream_peer *peers,
	struct tls_peer *const *tls, unsigned count);
// Connections opened from now on take so many queries; 0: UPSTREAM_STREAM_USES.
void upstream_streams_uses(struct upstream_streams *p, unsigned most);

// Sends the query to its leg's peer, at once or when it is its turn. The leg's id changes if the
// connection has it already. 0: `stream` is its connection, or NULL and it waits; -EMFILE (full),
// -errno; then it is on no connection.
ATTR_MUST_CHECK int upstream_streams_ask(
	struct upstream_streams *p, struct upstream_stream_place *place);
// Nobody waits for it any more; one that is nowhere is fine.
void upstream_streams_drop(struct upstream_streams *p, struct upstream_stream_place *place);

unsigned upstream_streams_to(const struct upstream_streams *p, const union upstream_peer *peer);
void upstream_streams_stats(const struct upstream_streams *p, struct upstream_streams_stats *out);
