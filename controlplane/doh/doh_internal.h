// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The parts of a connection of DNS over HTTPS: doh.c (what the owner calls, requests in progress,
// memory), doh_h2.c and doh_http1.c (the versions).

#include "doh.h"
#include "doh_memory.h"
#include "doh_request.h"
#include "doh_response.h"

#include <sys/queue.h>

struct doh_library; // what nghttp2 wants once for all sessions

struct doh {
	struct doh_settings set;
	struct doh_counts counts;
	struct growth memory;
	unsigned connections, connections_most;
	struct doh_library *h2;
	struct doh_date date;
};

// A stream is in one of these stages; all but DOH_ASKED have a list, oldest first.
enum doh_stage {
	DOH_RECEIVING, // the request is not whole
	DOH_READY,     // whole, not asked
	DOH_ANSWERING, // a response is not sent whole
	DOH_ASKED,     // has a slot
	DOH_LISTS = DOH_ASKED,
};

struct doh_stream { // a request and its response
	TAILQ_ENTRY(doh_stream) list;
	struct doh_conn *conn;
	int32_t id; // for HTTP/2
	enum doh_stage stage;
	uint16_t slot;      // while DOH_ASKED
	uint64_t since_ms;  // when the stage began
	uint64_t spared_ms; // that does not count, until the request is whole
	size_t window;      // bytes of its body that the window of HTTP/2 still counts
	bool answered;      // whole, but for what the client still sends
	struct doh_request request;
	struct doh_bytes reply; // body of the response
	size_t reply_sent;
};

struct doh_slot {                  // a question that was asked
	struct doh_stream *stream; // NULL: reset since
	uint64_t order;            // the question's; 0: free
	uint16_t id;               // the client's
};

struct doh_conn {
	struct doh *doh;
	enum doh_version version;
	enum doh_end end; // once all is sent
	bool parting;     // no more requests
	struct doh_memory memory;
	size_t answers; // bytes of replies that wait
	unsigned streams, asked, slots;
	uint64_t order;    // the last question's
	uint64_t unasked;  // requests that brought none
	uint64_t begun_ms; // until the client has shown that it speaks HTTP; then 0
	TAILQ_HEAD(doh_stream_list, doh_stream) in[DOH_LISTS];
	struct doh_slot *slot;
	union {
		struct doh_h2 *h2;
		struct doh_http1 *http1;
	};
};

// doh.c. Ends the connection for a reason, the first one given.
void doh_conn_fail(struct doh_conn *c, enum doh_end why);
struct doh_stream *doh_stream_new(struct doh_conn *c, int32_t id, uint64_t now_ms); // or NULL
void doh_stream_free(struct doh_stream *s); // the slot stays taken until the reply
void doh_stream_headers_end(struct doh_stream *s, uint64_t now_ms);
bool doh_stream_body(struct doh_stream *s, const uint8_t *p, size_t n, uint64_t now_ms);
void doh_stream_end(struct doh_stream *s, uint64_t now_ms);
// The response has left before the end of its request, of which the rest means nothing.
void doh_stream_linger(struct doh_stream *s, uint64_t now_ms);
// The request is whole, or is refused before: it is ready, or gets its response.
void doh_stream_whole(struct doh_stream *s, enum doh_status status, uint64_t now_ms);

// doh_h2.c
ATTR_MUST_CHECK int doh_library_new(struct doh_library **out); // -ENOMEM
void doh_library_end(struct doh_library *l);                   // NULL is fine
ATTR_MUST_CHECK int doh_h2_open(struct doh_conn *c);           // -ENOMEM
void doh_h2_close(struct doh_conn *c);
size_t doh_h2_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms);
size_t doh_h2_out(struct doh_conn *c, const uint8_t **p, uint64_t now_ms);
void doh_h2_respond(struct doh_stream *s, const struct doh_response *r);
void doh_h2_consumed(struct doh_conn *c, size_t n); // bytes of bodies: the window may grow again
void doh_h2_reset(struct doh_stream *s, bool refuses);
void doh_h2_part(struct doh_conn *c);

// doh_http1.c
ATTR_MUST_CHECK int doh_http1_open(struct doh_conn *c); // -ENOMEM
void doh_http1_close(struct doh_conn *c);
size_t doh_http1_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms);
size_t doh_http1_out(struct doh_conn *c, const uint8_t **p);
void doh_http1_respond(struct doh_stream *s, const struct doh_response *r);
