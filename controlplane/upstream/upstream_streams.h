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
// in which nothing came (`stalled`), or only part of a message (`broken`). For the other
// queries on such a connection, except one whose reply is coming, weir calls `broken` of the calls:
// they go elsewhere instead of waiting until their time-out. unbound ends the connection with the
// same effect. Not on one that was never there: they would have had no try.
// Without queries it is closed after UPSTREAM_STREAM_IDLE_MS, or what the server said, less an
// eighth so that we are first, UPSTREAM_STREAM_TOLD_MS at most.
//
// A query that nobody waits for any more keeps its id until its reply comes and is dropped
// (`late`). A connection with more than UPSTREAM_STREAM_LOST of these takes no more queries either:
// a server that lets some lie would fill it with them.
//
// Bounds: UPSTREAM_STREAMS_MAX connections in all, which only servers that leave the list again and
// again could reach; UPSTREAM_STREAMS_WAITING queries without a connection, and
// UPSTREAM_STREAMS_WAITING_EACH to one server, one more is refused (`full`);
// UPSTREAM_STREAM_QUERIES under way on each connection; UPSTREAM_STREAM_OUT bytes that wait for a
// slow server or for the connection to be there; one message being read, of 64 KiB at most.
// Deadlines of queries are their owners'. A turn of the loop has UPSTREAM_STREAM_READS reads for a
// connection: two for each message, and one for each further record of TLS that it comes in. More
// than UPSTREAM_STREAM_CRUMBS reads of under UPSTREAM_STREAM_CRUMB bytes amid messages end it
// (`bad`).

#include "upstream_stream.h"

enum {
	UPSTREAM_STREAMS_EACH = 4,
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

struct upstream_streams_stats {
	unsigned open, high, queries;
	unsigned waiting, waiting_high; // queries without a connection
	uint64_t waited;
	uint64_t opened;
	uint64_t reused;      // queries on a connection that had had one before
	uint64_t late;        // replies that no leg waited for any more
	uint64_t bad;         // connections closed for what was no reply to any query, or no TLS
	uint64_t stalled;     // retired for silence, or for replies that did not come
	uint64_t broken;      // retired with half a message
	uint64_t closed_peer; // by the server, or by the network
	uint64_t closed_idle;
	uint64_t evicted; // idle or stalled ones that made room
	uint64_t full;    // queries refused: too many wait
	size_t bytes;
	uint64_t since_ms; // of the oldest connection; 0: none
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

// The server has ended this one: others of its that it has ended, too, take no more queries, or
// what moves from one would go on to the next. What came on them before is still read.
void upstream_streams_ended(const struct upstream_stream *ended);
// There may be room for some of the queue; they get it soon.
void upstream_streams_wake(struct upstream_streams *p);
