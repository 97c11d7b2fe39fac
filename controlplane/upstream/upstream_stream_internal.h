// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the parts of upstream_stream.h share: the connections (upstream_stream.c), the bytes on
// them (upstream_stream_io.c), and which of them a query gets (upstream_stream_place.c).

#include "upstream_internal.h"
#include "upstream_stream.h"

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

// Puts the query behind what waits; stream_flush sends what can be sent. 0, -ENOBUFS, -ENOMEM,
// -EMSGSIZE.
ATTR_MUST_CHECK int stream_put(struct upstream_stream *s, struct upstream_leg *leg);
void stream_flush(struct upstream_stream *s);
// Is there room for one more query?
bool stream_has_room(const struct upstream_stream *s);
void stream_on_readable(evutil_socket_t fd, short what, void *arg);
void stream_on_writable(evutil_socket_t fd, short what, void *arg);
// The query with this id, or UPSTREAM_STREAM_QUERIES.
unsigned stream_find(const struct upstream_stream *s, uint16_t id);
void stream_forget(struct upstream_stream *s, unsigned i); // the query is off the connection
// For `limit` queries (0: any number) at most, to the leg's server. 0, -errno.
ATTR_MUST_CHECK int stream_open(struct upstream_streams *p, const struct upstream_leg *leg,
	unsigned limit, struct upstream_stream **out);
// Its queries go elsewhere, but one whose reply is being read. Not to be called in a call.
void stream_leave(struct upstream_stream *s);
// Nobody waits for the leg's reply any more.
void stream_drop(struct upstream_stream *s, const struct upstream_leg *leg);
// Ends it, and tells those who wait.
void stream_close(struct upstream_stream *s);
// After anything that may have been its last query: closes it, or begins to count its idle time.
void stream_rest(struct upstream_stream *s);
// The server has ended this one: others of its that it has ended, too, take no more queries, or
// what moves from one would go on to the next. What came on them before is still read.
void streams_look_after_end(const struct upstream_stream *ended);
void streams_waiting_init(struct upstream_streams *p);
// There may be room for some of the queue; they get it soon.
void streams_wake(struct upstream_streams *p);
