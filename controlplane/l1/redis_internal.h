// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What redis.c (topologies, nodes, calls and their replies) and redis_sub.c (a subscription) share.
//
// An unused node is retired, not freed: it accepts no more calls, calls in flight may end, and
// r->reap frees it outside of any callback.

#include "base/rng.h"
#include "redis.h"
#include "redis_sub.h"

#include <netinet/in.h>

enum {
	REDIS_NODES_MAX = 64,
	REDIS_CONNECTIONS_MAX = 16,
	REDIS_REDIRECTS_MAX = 4, // MOVED and ASK in a row
	REDIS_BACKOFF_MS = 100,  // the first wait; doubles up to REDIS_PROBE_MS
	REDIS_RETIRE_MS = 2000,  // time for the calls of a retired node
	REDIS_NO_SLOT = REDIS_SLOTS,
};

struct redis_node {
	struct redis *owner;
	struct socket_address address;
	char name[SOCKET_ADDRESS_TEXT_MAX];
	unsigned connections;
	struct redis_conn conn[REDIS_CONNECTIONS_MAX];
	struct event probe;        // when to probe it again
	unsigned failures;         // commands without a reply in time, less those with one
	uint64_t failing_since_ms; // when the first such command was submitted
	unsigned backoff_ms;       // before the next probe
	bool proved;               // it has answered a probe
	bool probing;              // a probe is in flight
	uint64_t probe_given_us;   // 0: it waits for a connection
	bool away;                 // breaker open
	uint64_t away_since_ms;
	uint64_t retired_ms; // 0: in use
	bool master;         // has keys: redis_send_node reaches it
	bool seen;           // named by the cluster's present answer
};

// How the client finds the node of a slot: standalone, Sentinel or Cluster.
struct redis_topology {
	int (*start)(struct redis *r); // -ENOMEM
	void (*stop)(struct redis *r);
	struct redis_node *(*node)(struct redis *r, unsigned slot); // NULL: not known
	// A node is away, or says that it is no master, or that the slot is elsewhere.
	void (*trouble)(struct redis *r, struct redis_node *node);
	// A node says that the slot is at `where`; port 0: it did not say where. NULL: not called.
	void (*moved)(struct redis *r, unsigned slot, const struct socket_address *where);
	// Some slots have no master that answers. NULL: never, as there is one master.
	bool (*partial)(const struct redis *r);
	bool master; // the node must say that it is a master
	bool redirects;
};
extern const struct redis_topology redis_sentinel, redis_cluster;

struct redis {
	struct loop *loop;
	const struct config_redis *c;
	struct rng rng;
	const struct redis_topology *topology; // NULL: off
	void *topology_state;
	bool unreachable; // no server knew the master or the slots
	unsigned node_count;
	struct redis_node *node[REDIS_NODES_MAX];
	unsigned retired_count;
	struct redis_node *retired[REDIS_NODES_MAX];
	struct event reap;
	struct redis_call *calls, *free; // REDIS_PENDING_MAX calls, and the list of unused ones
	unsigned pending, pending_most;
	struct age_list call_ages;
	uint64_t full_calls, full_buffers; // calls refused
	struct redis_buffers buffers;
	size_t copied; // bytes kept for sending again
	struct redis_sub sub;
	struct redis_status totals; // counters and the last error
};

// redis.c
bool redis_same_address(const struct socket_address *a, const struct socket_address *b);
// Counts an error that a server returned, and keeps its text for the status.
void redis_error_count(
	struct redis *r, const struct socket_address *address, const struct redis_reply *reply);
