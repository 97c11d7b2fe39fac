// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The state of a server: one record for each configured address in the process. Sets of groups, of
// forward zones and of other resolver threads that have the same server share it.
//
// Threads: upstream_health_take and _give take a lock; they are for changes of the configuration.
// The fields may be read and written by any thread that holds the record, relaxed: none of them
// says anything of another one. A question only reads them. They are written when a wait is over,
// when the first reply after one comes, by checks, and at most every UPSTREAM_SHARE_US by each set
// for the times. What counts queries is in the sets.
//
// Bounds: UPSTREAM_HEALTH_MAX records, static. When all are taken a set keeps the record of a
// further server itself: that server's state is then known to that set alone (counted, `refused`).

#include "upstream_socket.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <weir/attr.h>

enum { UPSTREAM_HEALTH_MAX = 1024, UPSTREAM_SHARE_US = 100000 };

struct upstream_health {
	// Waits in a row that were over without a reply, those of checks too.
	alignas(64) _Atomic uint32_t silent;
	_Atomic uint32_t srtt_us;    // smoothed round trip; 0: not known
	_Atomic uint32_t latency_us; // the same with the waits that were over; 0: not known
	_Atomic bool is_logged;      // that it is down
	// It is, though it answers checks: it leaves questions that others answer. So a reply to a
	// check does not end that; a failed check does: the server answers nothing, and the next
	// check that it answers brings it back.
	_Atomic bool is_outdone;
	_Atomic bool is_drained;      // by the operator: no questions go there
	_Atomic bool is_checked;      // a check of it is under way, by whichever set
	_Atomic uint64_t check_at_ms; // no set begins one sooner; clock_mono_ms
	_Atomic uint64_t checks, checks_failed;
	_Atomic uint64_t down_until_ms; // clock_mono_ms; 0: not down
	_Atomic uint64_t answered_us;   // clock_mono_us of a reply at most UPSTREAM_SHARE_US older
					// than the latest one
	// The table's, under its lock.
	unsigned users;
	union upstream_peer address;
};

// The record of the address, in the state that its other users left it in, or else new. NULL: full.
ATTR_MUST_CHECK struct upstream_health *upstream_health_take(const union upstream_peer *address);
void upstream_health_give(struct upstream_health *h); // NULL is fine

#define upstream_health_get(h, field) atomic_load_explicit(&(h)->field, memory_order_relaxed)
#define upstream_health_set(h, field, value) \
	atomic_store_explicit(&(h)->field, value, memory_order_relaxed)

struct table_registry;
void upstream_health_tables(struct table_registry *tables); // any thread
