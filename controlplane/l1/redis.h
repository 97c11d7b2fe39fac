// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The Redis client: one server, Sentinel or Cluster behind one call. Resolver loop's thread only,
// nothing blocks. Replies are read through redis_wire.h.
//
// A command goes over one of few connections to the node that holds its key (its second word).
// Several commands in one call are one transaction (MULTI ... EXEC), executed all or none. In
// Cluster the slot decides the node, MOVED and ASK are followed; with Sentinel the master does. No
// command is sent twice, except after MOVED and ASK, where the server has done nothing. The slot of
// the key also chooses the connection, so that commands for one key keep their order.
//
// Bounds: REDIS_PENDING_MAX commands and `buffer_kb` bytes in flight, each with a deadline from its
// submission; a connection whose oldest command is REDIS_STUCK_MS overdue is closed. hiredis'
// reader is bounded (a reply over REDIS_REPLY_MAX bytes closes the connection). Connections idle
// for 5 min are closed. Breaker: when over `timeout_ms` REDIS_FAILURES_MAX more commands got no
// reply in time than got one within `lookup_timeout_ms`, or when connections break or cannot be
// made, the server is away: commands are refused at once, and a probe (a small write, after 0.1 s,
// then up to each 5 s) that gets any reply within `lookup_timeout_ms` brings it back. Errors of the
// server (OOM, READONLY, WRONGTYPE, NOAUTH, LOADING) are replies: counted by kind and passed to the
// caller; READONLY makes the client look up the topology again.

#include "base/counts.h"
#include "base/loop.h"
#include "base/table_registry.h"
#include "redis_wire.h"

#include <weir/config.h>

enum {
	REDIS_COMMANDS_MAX = 4, // commands of one transaction
	REDIS_PENDING_MAX = 4096,
	REDIS_FAILURES_MAX = 8,
	REDIS_PROBE_MS = 5000,
};

struct redis;

// `c` must live until redis_configure replaces it. -ENOMEM. With mode `off` nothing is connected,
// and no command is sent.
ATTR_MUST_CHECK int redis_new(struct redis **out, struct loop *loop, const struct config_redis *c);
// Ends calls in flight with REDIS_AWAY. Not from within a callback of this client.
void redis_free(struct redis *r);
// Not from within a callback of this client.
void redis_configure(struct redis *r, const struct config_redis *c); // reconnects if needed

// `count` commands, one or a transaction; all keys in one slot. timeout_ms 0: the configured one.
// False: nothing was sent (Redis off or away, or a bound reached), and `done` is not called; the
// caller goes on at once without Redis.
ATTR_MUST_CHECK bool redis_send(struct redis *r, const struct redis_command *commands,
	unsigned count, unsigned timeout_ms, redis_done_fn done, void *arg);
// Like redis_send, but to one master of redis_nodes(), for SCAN. The number of masters may change
// between calls. The caller bounds the work.
unsigned redis_nodes(const struct redis *r);
ATTR_MUST_CHECK bool redis_send_node(struct redis *r, unsigned node, const struct redis_command *c,
	unsigned timeout_ms, redis_done_fn done, void *arg);
bool redis_usable(const struct redis *r);
bool redis_is_cluster(const struct redis *r);
bool redis_is_off(const struct redis *r);

// Subscribes over a separate connection, and again (with back-off) when that breaks; one
// subscription per client. `on_message` for each message; `on_gap` when messages may have been
// missed. `channel` NULL ends the subscription.
void redis_subscribe(struct redis *r, const char *channel,
	void (*on_message)(void *arg, const char *text, size_t len), void (*on_gap)(void *arg),
	void *arg);

#define REDIS_COUNTS(X)                                                                           \
	X(MOST, unsigned, nodes, SAME, NONE, "Nodes of the cluster, or 1.")                       \
	X(SUM, unsigned, connections, SAME, SAME, "Connections to Redis.")                        \
	X(SUM, unsigned, pending, NONE, SAME, "Commands in flight.")                              \
	X(MOST, uint32_t, rtt_us, SAME, NAMED("rtt_seconds"),                                     \
		"Moving average of the round-trip time to Redis.")                                \
	X(SUM, uint64_t, commands, SAME, TOTAL, "Commands sent to Redis.")                        \
	X(SUM, uint64_t, errors, SAME, TOTAL, "Errors that Redis returned.")                      \
	X(SUM, uint64_t, timeouts, SAME, TOTAL, "Commands that Redis did not answer in time.")    \
	X(SUM, uint64_t, lost, SAME, TOTAL, "Commands lost with their connection.")               \
	X(SUM, uint64_t, away, NONE, NONE, "Commands not sent because Redis was away.")           \
	X(SUM, uint64_t, full, SAME, TOTAL, "Commands not sent because too many were in flight.") \
	X(SUM, uint64_t, reconnects, SAME, TOTAL, "Times that weir connected to Redis again.")    \
	X(SUM, uint64_t, moved, SAME, NONE, "Redirections by MOVED.")                             \
	X(SUM, uint64_t, asked, SAME, NONE, "Redirections by ASK.")                               \
	X(SUM, uint64_t, failovers, SAME, TOTAL, "Times that the master changed.")                \
	X(SUM, uint64_t, oom, SAME, TOTAL, "Errors of Redis because its memory was full.")        \
	X(SUM, uint64_t, readonly, SAME, TOTAL, "Errors of Redis because it was a replica.")      \
	X(SUM, uint64_t, wrongtype, SAME, TOTAL,                                                  \
		"Errors of Redis because a key had another type.")                                \
	X(SUM, uint64_t, denied, SAME, TOTAL,                                                     \
		"Errors of Redis because its ACL does not allow the command.")                    \
	X(SUM, uint64_t, sub_breaks, NAMED("subscription_breaks"), NONE,                          \
		"Times that the subscription's connection ended.")                                \
	X(SUM, uint64_t, buffer_bytes, NONE, SAME, "Bytes of commands in flight.")                \
	X(EARLIEST, uint64_t, away_since_ms, NONE, NONE,                                          \
		"When Redis went away, clock_mono_ms; 0: it is not.")

struct redis_status {
	REDIS_COUNTS(COUNT_FIELD)
	// "off", "connecting", "up", "away"; "partial": some masters of a cluster are away. And
	// "refusing", which l1_status sets.
	const char *state;
	char server[SOCKET_ADDRESS_TEXT_MAX]; // the master; of a cluster: any node
	char error[128];                      // the last error; "": no error yet
	uint64_t error_ms;                    // when that was, clock_mono_ms
};
COUNTS(redis_rows, struct redis_status, "weir_redis_", REDIS_COUNTS)
void redis_status(const struct redis *r, struct redis_status *out);
// Adds the status of another thread's client of the same Redis: the sum has the worse state and the
// later error of both.
void redis_status_add(struct redis_status *sum, const struct redis_status *one);
void redis_tables(const struct redis *r, struct table_registry *out); // adds two
