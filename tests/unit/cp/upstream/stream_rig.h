// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Asks that go to TCP, and a server that the test itself plays: over UDP it truncates everything,
// over TCP it says what the test writes. The monotonic clock stands still unless the test turns it,
// so a busy machine makes no wait run out.

#include "controlplane/upstream/upstream_internal.h"
#include "controlplane/upstream/upstream_stream.h"

enum { STREAM_ASKS = 1100, STREAM_CONNS = 300 };

struct stream_rig {
	struct loop *loop;
	struct upstreams *up;
	struct config_upstreams config;
	int udp, listener, conn[STREAM_CONNS];
	unsigned conns;                   // accepted, ever
	unsigned steps[TRACE_STEP_COUNT]; // of all asks, as somebody who watches is told
	unsigned started;                 // asks, ever
	struct upstream_ask ask[STREAM_ASKS];
	bool replied[STREAM_ASKS], ended[STREAM_ASKS];
	enum upstream_end why; // the last one ended
	uint32_t ttl_s;        // of the latest reply
	unsigned only; // asks go over TCP to the server before this one; 0: to any, by UDP first
};

// A query as it came over TCP.
struct stream_query {
	unsigned number; // of its ask
	size_t len;
	bool edns;
	bool keepalive; // asked for
	uint8_t msg[600];
};

extern struct stream_rig rig;

int stream_rig_setup(void **state);
int stream_rig_teardown(void **state);
void stream_configure(void); // rig.config is taken over
#define STREAM_CONFIGURE(key, value) ((void)(rig.config.key = (value)), stream_configure())

void clock_turn(unsigned ms); // and what is due is done
// Until `true`; fails after 30 s of the real clock.
void wait_for(bool (*condition)(const void *arg), const void *arg);
void wait_conns(unsigned count);   // that many were accepted
void wait_queries(unsigned count); // so many are under way
void wait_done(unsigned count);    // that many asks have ended, one way or the other
void wait_closed(int fd);          // weir has closed its end
void turn(void);                   // what can be done now

unsigned ask_more(unsigned count);             // the number of the first of them
void ask_over(unsigned conns, unsigned count); // waits for that many to be accepted
unsigned replied(unsigned first, unsigned count);

void query_read(int fd, struct stream_query *q);
bool query_is_there(int fd); // bytes of one, or its end
// The right reply to it; `units`: what its keepalive says, < 0: nothing.
size_t reply_write(const struct stream_query *q, int units, uint8_t out[700]);
void reply(int fd, const struct stream_query *q);
void query_serve(int fd, struct stream_query *q); // reads it and replies
void queries_read(int fd, struct stream_query *q, unsigned count);
void queries_serve(int fd, unsigned count);
void answer_one(unsigned conn, int units); // an ask, on that connection
void bytes_send(int fd, const uint8_t *bytes, size_t len);
void conn_end(int fd, bool reset);

struct upstream_totals totals(void);
struct upstream_streams_stats streams(void); // of these
struct upstream_status server_status(void);
