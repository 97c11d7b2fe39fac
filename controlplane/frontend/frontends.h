// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The frontends of this process as one: what the control API and reloads want of them.
//
// Each frontend is an engine (frontend.h) with its transports on a loop and a thread of its own:
// its own sockets (SO_REUSEPORT divides the clients), its place in the epoch of L0, its ring of
// the query log, and rings to each resolver. One array has the marks of all. Bounds of the whole
// process hold in sum: frontend_shared.h for questions and rates, frontend_tcp_shared.h for
// connections. A call for all of them goes to each loop, and what comes back is put together on the
// loop that asked: counters add, of ages and delays the worst is shown, tables of one name are
// added. A frontend that hangs is left out, as its loop does not answer, and the report says so.
//
// The process fills struct frontends in and owns its objects; it is constant while the loops run,
// but for the change in flight. A report costs a block of the size of its answers.

#include "base/loop.h"
#include "frontend.h"
#include "frontend_tcp.h"
#include "frontend_udp.h"

#include <weir/shm_epoch.h>

enum { FRONTENDS_MAX = EPOCH_OWN_MAX };
static_assert((int)FRONTENDS_MAX <= (int)LOOP_FAN_MAX);

struct frontends_one { // a transport that is off may be NULL
	struct loop *loop;
	struct frontend *engine;
	struct frontend_udp *udp;
	struct frontend_tcp *tcp;
};

// A configuration on its way through all loops, one at a time. frontends.c's.
struct frontends_change {
	struct loop_wait wait; // on the loop that is replied to
	struct loop_return begin;
	const struct frontends *all;
	const struct config *config;
	unsigned tcp_files;
	void (*then)(void *arg);
	void *arg;
	struct frontends_part {
		struct frontends_change *change;
		const struct frontends_one *one;
		struct loop_return go, back;
	} part[FRONTENDS_MAX];
};

// A drain on its way to one loop. frontends.c's.
struct frontends_drain {
	struct frontend_tcp *tcp;
	struct loop_return go;
	_Atomic bool is_sent; // the loop has yet to look
};

struct frontends {
	unsigned count; // 1 or more
	struct frontends_one one[FRONTENDS_MAX];
	const struct publisher *publisher; // knows which frontends hang; NULL: all are waited for
	struct frontend_shared *shared;
	struct frontend_tcp_shared *tcp_shared;
	struct frontends_change change;
	struct frontends_drain drain[FRONTENDS_MAX];
};

// The load of one frontend.
struct frontends_load {
	uint64_t udp_received, tcp_queries, lag_p99_us;
	unsigned pending, tcp_open;
	bool hangs; // the load is unknown, and not in the sum
};

struct frontends_status {
	struct frontend_status engine;
	struct frontend_udp_status udp;
	struct frontend_tcp_status tcp;
	struct loop_lag_minute lag;
	struct table_registry tables;
	unsigned count;
	struct frontends_load each[FRONTENDS_MAX];
};

// `done` is called on the loop `reply_to` with a result that is valid during the call. `all` must
// live until then. -ENOMEM, -EAGAIN: the first frontend's mailbox is full; -ETIMEDOUT: all hang.
ATTR_MUST_CHECK int frontends_report(const struct frontends *all, struct loop *reply_to,
	void (*done)(void *arg, const struct frontends_status *s), void *arg);

// Gives all frontends a new configuration, and the number of files that TCP may have; `then` runs
// on the loop `reply_to` when all have it. `config` must live until then. Any thread; one at a
// time. A frontend that hangs is left out, as by resolvers_reconfigure.
void frontends_configure(struct frontends *all, const struct config *config, unsigned tcp_files,
	struct loop *reply_to, void (*then)(void *arg), void *arg);
// Frontends that were left out and have yet to take the configuration, a bit of each. Any thread.
unsigned frontends_late(const struct frontends *all);

// What a drain of the box does to connections from now on. A frontend that hangs does it when it
// goes on. Service loop.
void frontends_drain(struct frontends *all, enum frontend_tcp_drain drain);

// frontends_merge.c: adds the status of another frontend to `sum`.
void frontends_merge_status(struct frontends_status *sum, const struct frontends_status *one);
