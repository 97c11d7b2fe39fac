// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// TCP connections to upstream servers, each shared by many queries (RFC 7766 6.2.1, 6.2.2).
// Resolver loop's thread only.
//
// A query takes the connection to its server that has the fewest under way. Another one is opened
// when each of them has UPSTREAM_STREAM_SPREAD, so that a server which answers in order is asked in
// parallel, up to UPSTREAM_STREAMS_EACH and never more, whatever became of those before: a query
// for which none of them has room waits its turn. Where none of them is for it (they are for more
// queries than the server is known to take, or it is to be alone) an idle one ends, or one from
// which nothing comes any more, or the one with the fewest under way takes no more queries and ends
// with its last reply. Queries leave as they come (pipelined), with ids distinct on their
// connection; replies are taken in any order, each by its id and its question (of one without a
// question the id says whom it fails). What answers no query of the connection ends it: whoever
// sends that is not to be believed.
//
// A connection is given no more queries and closes with its last one when it has had its number of
// them (`uses`), when its server has left the list, when the server said with edns-tcp-keepalive
// (RFC 7828, asked for with the first query) that it shall, when its server has ended it and this
// is seen as another one's end is read, or when a query was given up after UPSTREAM_STREAM_STALL_MS
// in which nothing came (`stalled`), or only part of a message (`broken`). The other queries on
// such a connection, but one whose reply is coming, are told that it has ended for them (`broken`
// of the calls), so that they go elsewhere and do not wait out their time behind it; unbound ends
// the connection with the same effect. Not on one that was never there: they would have had no try.
// Without queries it is closed after UPSTREAM_STREAM_IDLE_MS, or what the server said, less an
// eighth so that we are first, UPSTREAM_STREAM_TOLD_MS at most.
//
// A query that nobody waits for any more keeps its id until its reply comes and is dropped
// (`late`). A connection with more than UPSTREAM_STREAM_LOST of these takes no more queries either:
// a server that lets some lie would fill it with them.
//
// Bounds: UPSTREAM_STREAMS_MAX connections in all, which only servers that leave the list again and
// again could reach; UPSTREAM_STREAMS_WAITING queries without a connection, one more is refused
// (`full`); UPSTREAM_STREAM_QUERIES under way on each connection; UPSTREAM_STREAM_OUT bytes that
// wait for a slow server or for the connection to be there; one message being read, of 64 KiB at
// most. Deadlines of queries are their owners'. A turn of the loop reads UPSTREAM_STREAM_READS
// messages.

#include "base/age_list.h"
#include "base/loop.h"
#include "base/rng.h"
#include "base/wheel.h"
#include "upstream_socket.h"

#include <event2/event_struct.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	UPSTREAM_STREAMS_EACH = 4,
	UPSTREAM_STREAMS_MAX = 256,
	UPSTREAM_STREAMS_WAITING = 1024,
	UPSTREAM_STREAM_QUERIES = 100,
	UPSTREAM_STREAM_LOST = 50,
	UPSTREAM_STREAM_SPREAD = 16,
	UPSTREAM_STREAM_USES = 4096,
	UPSTREAM_STREAM_OUT = 16384,
	UPSTREAM_STREAM_READS = 32,
	UPSTREAM_STREAM_IDLE_MS = 3000,
	UPSTREAM_STREAM_TOLD_MS = 60000,
	UPSTREAM_STREAM_STALL_MS = 500,
};

struct upstream_leg;
struct upstream_streams;
struct upstreams;

// A query on its connection; `leg` NULL: nobody waits for it.
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
	struct event readable, writable;
	struct wheel_timer idle;
	struct age_link age;
	uint64_t heard_ms, idle_ms, rested_ms;
	uint64_t part_ms; // the first byte of the message being read
	unsigned uses;
	unsigned taken, answered; // queries, ever
	unsigned held, live;      // under way; of these waited for
	unsigned ends;            // of its server when it was opened: its owner's
	bool there;               // connected
	bool retired;             // no more queries
	bool stalled;             // as nothing came for too long
	bool leaving;             // its queries are to go elsewhere
	bool probe;               // for more queries than its server is known to take: its owner's
	bool asked;               // for how long it may be idle
	bool busy;                // being read: not to be freed
	bool closing;             // its queries are being told, then it is freed
	bool learnt;              // its end has told how many queries the server takes
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
	// A query that had to wait has a connection.
	void (*placed)(struct upstream_leg *leg, struct upstream_stream *s);
	// The reply to its query, which is off the connection by now: with its question, or none.
	void (*reply)(
		struct upstream_leg *leg, struct upstream_stream *s, uint8_t *msg, size_t len);
	// The connection has ended before, or the query has left it for its silence; it is good for
	// nothing, but says what became of it. NULL: after its wait none could be had.
	void (*broken)(struct upstream_leg *leg, struct upstream_stream *s);
};

struct upstream_streams_stats {
	unsigned open, high, queries;
	unsigned waiting, waiting_high; // queries without a connection
	uint64_t waited;
	uint64_t opened;
	uint64_t reused;      // queries on a connection that had had one before
	uint64_t late;        // replies that nobody waited for
	uint64_t bad;         // connections closed for a message that was no reply to any query
	uint64_t stalled;     // retired for silence, or for replies that did not come
	uint64_t broken;      // retired with half a message
	uint64_t closed_peer; // by the server, or by the network
	uint64_t closed_idle;
	uint64_t evicted; // idle or stalled ones that made room
	uint64_t full;    // queries refused: too many wait
	size_t bytes;
	uint64_t since_ms; // of the oldest connection; 0: none
};

ATTR_MUST_CHECK int upstream_streams_new(struct upstream_streams **out, struct loop *loop,
	struct rng *rng, struct upstreams *owner,
	const struct upstream_stream_calls *calls);     // -ENOMEM
void upstream_streams_free(struct upstream_streams *p); // NULL is fine; none may have a query
// The servers there are now: connections to others get no more queries.
void upstream_streams_configure(
	struct upstream_streams *p, const union upstream_peer *peers, unsigned count);
// Connections opened from now on take so many queries; 0, or UPSTREAM_SOCKET_USES, the most a UDP
// socket serves: UPSTREAM_STREAM_USES.
void upstream_streams_uses(struct upstream_streams *p, unsigned most);

// Sends the query to its leg's peer, at once or when it is its turn. The leg's id changes if the
// connection has it already. 0: `stream` is its connection, or NULL and it waits; -EMFILE (full),
// -errno; then it is on no connection.
ATTR_MUST_CHECK int upstream_stream_ask(
	struct upstream_streams *p, struct upstream_stream_place *place);
// Nobody waits for it any more; one that is nowhere is fine.
void upstream_stream_drop(struct upstream_streams *p, struct upstream_stream_place *place);

unsigned upstream_streams_to(const struct upstream_streams *p, const union upstream_peer *peer);
void upstream_streams_stats(const struct upstream_streams *p, struct upstream_streams_stats *out);
void upstream_streams_stats_add(
	struct upstream_streams_stats *sum, const struct upstream_streams_stats *s);
void upstream_streams_stats_end(struct upstream_streams_stats *s); // what it holds is gone
