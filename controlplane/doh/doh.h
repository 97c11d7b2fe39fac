// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// DNS over HTTPS of a client's connection (RFC 8484), by HTTP/2 or HTTP/1.1: received bytes in, DNS
// messages out; replies in, bytes to send out. It knows no sockets, no TLS, no loop and no clock.
// What bounds a connection is in docs/explanation/http.md.
//
// A `struct doh` is one thread's: settings, counts and the memory of all its connections. The owner
// of a connection calls, for each piece that it received, doh_conn_take until all is taken or
// nothing more is; then doh_conn_next for each whole request, and asks the message; doh_conn_answer
// with each reply, in any order; doh_conn_out until there is nothing to send. The owner stops
// taking and asking while it has unsent bytes over its own bound.

#include "base/table_registry.h"
#include "doh_http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { DOH_SPARED_MAX = 8 };

// Why a connection of DNS over HTTPS ends by itself.
enum doh_end {
	DOH_OPEN,
	DOH_END_client,      // all that it asked is answered, and it wants no more
	DOH_END_broken,      // not HTTP, or a request that was refused before its end
	DOH_END_flood,       // more resets or empty frames than a client needs
	DOH_END_slow_reader, // did not take a response in time, or left too many unread
	DOH_END_slow_query,  // a request not complete in time
	DOH_END_memory,      // no memory, or over DOH_MEMORY_MAX
};

struct doh_counts {
	uint64_t requests[DOH_VERSION_COUNT][DOH_METHOD_COUNT];
	uint64_t responses[DOH_STATUS_COUNT];
	uint64_t resets_client, resets_server; // streams of HTTP/2
	uint64_t goaways;                      // sent with ENHANCE_YOUR_CALM
	uint64_t unwanted;                     // replies to requests that the client had reset
};

struct doh_status_now {
	struct doh_counts counts;
	unsigned connections;
	uint64_t bytes, bytes_most, grown, shrunk; // memory of all connections
};

struct doh_settings {
	char path[DOH_PATH_MAX]; // "/dns-query"
	unsigned streams;        // at most DOH_STREAMS_MAX; of connections to come
	unsigned request_ms, drain_ms;
};

struct doh;
ATTR_MUST_CHECK int doh_new(struct doh **out, const struct doh_settings *settings); // -ENOMEM
void doh_configure(struct doh *d, const struct doh_settings *settings);
void doh_free(struct doh *d); // NULL is fine; its connections are closed
void doh_status(const struct doh *d, struct doh_status_now *out);
void doh_status_add(struct doh_status_now *sum, const struct doh_status_now *one);
// `cap`: connections that the owner may have.
void doh_tables(const struct doh *d, uint64_t cap, struct table_registry *tables);

struct doh_conn;
ATTR_MUST_CHECK int doh_conn_new(
	struct doh_conn **out, struct doh *d, enum doh_version version, uint64_t now_ms); // -ENOMEM
void doh_conn_free(struct doh_conn *c); // NULL is fine

// Takes received bytes, DOH_PIECE at most; returns how many. 0: no more until a response has left,
// or ever (doh_conn_end).
size_t doh_conn_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms);

// The next whole request, in the order of their ends. `msg` is good until the next call for this
// connection. False: no request is whole, or as many as may be wait for their replies.
struct doh_question {
	const uint8_t *msg;
	size_t len; // 12 to DOH_MESSAGE_MAX
	uint16_t id;
	const char *name; // what stands behind the path, good as long as `msg`; "": nothing
};
bool doh_conn_next(struct doh_conn *c, struct doh_question *out, uint64_t now_ms);
bool doh_conn_is_ready(const struct doh_conn *c); // would doh_conn_next give one?

// The reply to a question, found by its id, which is changed in `msg`; 12 bytes at least.
void doh_conn_answer(struct doh_conn *c, uint8_t *msg, size_t len, uint64_t now_ms);
// Ends the question with a status instead.
void doh_conn_refuse(struct doh_conn *c, uint16_t id, enum doh_status status, uint64_t now_ms);
// Ends a question that the owner does not ask with 404: no client has its name.
void doh_conn_unknown(struct doh_conn *c, uint16_t id, uint64_t now_ms);
// Ends with 503 the question that was asked longest ago: replies are lost in that order.
void doh_conn_lost(struct doh_conn *c, uint64_t now_ms);

// Requests that have ended without a question: 404, say. They cost their owner's time, too.
uint64_t doh_conn_unasked(const struct doh_conn *c);

// The next bytes to send, good until the next call for this connection; 0: nothing to send now.
size_t doh_conn_out(struct doh_conn *c, const uint8_t **p, uint64_t now_ms);

// After the calls above, once doh_conn_out has nothing more. Not DOH_OPEN: close it.
enum doh_end doh_conn_end(const struct doh_conn *c);
// Says that no more requests are taken. It answers questions that doh_conn_next gave, then ends. Of
// HTTP/2 it refuses all other requests, so that their client may repeat them.
void doh_conn_part(struct doh_conn *c);
// Has it responses that leave only as the client opens its window (HTTP/2)? After doh_conn_out.
bool doh_conn_owes(const struct doh_conn *c);
// When doh_conn_expire is due; UINT64_MAX: never.
uint64_t doh_conn_deadline(const struct doh_conn *c);
void doh_conn_expire(struct doh_conn *c, uint64_t now_ms);
// The owner has taken nothing for a while: requests that are not whole have their time from now on,
// but end DOH_SPARED_MAX times that time after their begin at the latest.
void doh_conn_spare(struct doh_conn *c, uint64_t now_ms);
size_t doh_conn_memory(const struct doh_conn *c);
