// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An event loop with a mailbox: libevent's base, and calls that other threads leave for it.
//
// The control plane has a loop for each resolver (misses, upstreams, the only writer of its part of
// L0), a loop for each frontend, and the service loop (control API, timers of slow things). Nothing
// that may block runs on a resolver's loop. The mailbox is bounded (LOOP_CALLS_MAX); a full mailbox
// refuses the call. Timers of libevent are in milliseconds, early or late by the kernel's tick (4
// ms): finer timers would cost each iteration a system call.
//
// Lag is how late the loop handles a kernel timer of 20 ms, which shows the delay of any other
// event; each missed expiry counts. Busy is the CPU time of one iteration: an iteration that is
// preempted is late, not busy. Reading that clock costs a system call, so the loop reads it when
// LOOP_BUSY_FINE_US have passed, and counts the iterations between two readings as one: busy may be
// too high by LOOP_BUSY_FINE_US.
//
// Pauses: under load a loop that turns for each event pays more for sleeping and waking up than for
// its work. So after LOOP_REST_FROM turns in LOOP_REST_WINDOW_US, turns begin at least LOOP_REST_US
// apart, until fewer than LOOP_REST_UNTIL turns do; an event then waits at most LOOP_REST_US longer
// (docs/explanation/performance.md, G12). While turns begin by time, the loop polls sources that
// would otherwise wake it (struct loop_watch). Before a pause it polls once more, because many
// answers have arrived by then. A pause costs two to three waits for an event, and only turns
// without pauses show how many waits it saves: so after LOOP_REST_FOR_US the loop counts turns
// without pauses again. A loop without such sources never pauses: one wait returns all sockets that
// are ready, and pauses cost more at each measured rate.

#include "base/counts.h"
#include "loop_lag.h"
#include "wheel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

struct event_base;
struct wheel;
struct loop;

enum {
	LOOP_CALLS_MAX = 1024,
	LOOP_SLOTS = 2048, // numbers of descriptors that a loop has room for at the start
	LOOP_REST_US = 250,
	LOOP_REST_WINDOW_US = 4000,
	LOOP_REST_FROM = 48,
	LOOP_REST_UNTIL = 8,
	LOOP_REST_FOR_US = 256000,
};

ATTR_MUST_CHECK int loop_new(const char *name, struct loop **out); // -ENOMEM, -errno of eventfd
void loop_free(struct loop *l); // NULL is fine; the loop must not run
struct event_base *loop_base(struct loop *l);
struct wheel *loop_wheel(struct loop *l); // for timers that are many
// Runs until loop_stop, which may also come before; on the thread that owns the loop. 0 or -EIO.
int loop_run(struct loop *l);
void loop_stop(struct loop *l); // any thread; earlier calls are run first

// Functions called around each turn, on the loop's thread. A loop has one, set before it runs.
struct loop_watch {
	// Called before the wait for events. `resting`: turns begin by time. True: something was
	// there, so this turn handles the ready events without a wait, and `begin` is called again
	// soon.
	bool (*begin)(void *arg, bool resting);
	// Called before a pause, after the ready events: takes what has come meanwhile. Then the
	// loop handles the events that are ready, so that they do not wait for the pause.
	void (*look)(void *arg);
	void (*end)(void *arg);
	void *arg;
};
void loop_set_watch(struct loop *l, const struct loop_watch *watch);

// Called when no loop runs: runs the calls that are still in the mailboxes and on their way back, a
// bounded number of times, because a waiting caller frees its resources only when it is answered.
void loops_settle(struct loop *const *loops, unsigned count);

// Runs fn(arg) on the loop's thread, in order. Any thread. -EAGAIN: mailbox full (counted).
ATTR_MUST_CHECK int loop_call(struct loop *l, void (*fn)(void *arg), void *arg);
uint64_t loop_calls_refused(const struct loop *l);
// The answer to a call. It is never refused, because it is in the caller's memory, which the caller
// may use again when fn is called. A caller that waits holds a bounded resource, such as a request
// of the control API, so the number of answers is bounded, too. Answers arrive in order. Any
// thread.
struct loop_return {
	struct loop_return *next;
	void (*fn)(void *arg);
	void *arg;
};
void loop_call_back(struct loop *l, struct loop_return *r, void (*fn)(void *arg), void *arg);
enum { LOOP_BUSY_FINE_US = 1000 };
// The longest turn of the last 60 to 70 seconds, in CPU time. On the loop's thread.
uint64_t loop_busy_minute_us(const struct loop *l);

void loop_lag_now(const struct loop *l, struct loop_lag *out); // since the start; any thread
#define LAG_COUNTS(X)                                                                \
	X(MOST, uint64_t, p50_us, SAME, NONE, "Median of the last minute.")          \
	X(MOST, uint64_t, p99_us, SAME, NONE, "99th percentile of the last minute.") \
	X(MOST, uint64_t, max_us, SAME, NONE, "Most of the last minute.")            \
	X(SUM, uint64_t, samples, SAME, NONE, "Timers that ran since the start.")    \
	X(SUM, uint64_t, late, NAMED("over_1ms"), NONE, "Of these, over 1 ms late.")

struct loop_lag_minute {
	LAG_COUNTS(COUNT_FIELD)
};
COUNTS(lag_rows, struct loop_lag_minute, "", LAG_COUNTS)
enum { LOOP_LATE_US = 1023 };
// Lag over the last 60 to 70 seconds; samples and late since the start. On the loop's thread.
void loop_lag_minute(const struct loop *l, struct loop_lag_minute *out);

// A question that one loop leaves for another, and the answer on its way back.
//
// The caller allocates a block that begins with struct loop_ask and holds the question and the
// answer. `work` runs on the other loop and ends in loop_answer, at once or later; then
// `deliver` runs on `reply_to`, and the block is freed. Any thread may ask.

struct loop_ask {
	struct loop *reply_to;
	void (*work)(void *block);
	void (*deliver)(void *block);
	struct loop_return back;
};

// Takes the block, also on error. -ENOMEM: it is NULL; -EAGAIN: the mailbox is full.
ATTR_MUST_CHECK int loop_ask(struct loop *l, void *block);
void loop_answer(struct loop_ask *block);

// A question for several loops, and their answers on the way back together.
//
// The caller allocates a block that begins with struct loop_fan and holds the question and each
// loop's part of the answer. `work` runs once on each loop, at the same time, and writes only the
// loop's part. When all parts are back, `deliver` runs on `reply_to`; the block is freed when no
// part is on its way any more. Any thread may ask. Only the first loop's mailbox can refuse, before
// anything is sent: the other loops are called by the block itself, which needs no room.
//
// A loop that hangs by `hangs` is not asked. A loop that begins to hang later is waited for until
// `hangs` says so and another loop is back. `deliver` reads only the parts that loop_fan_is_back
// names, at least one: a loop that returns later still writes its part.

enum { LOOP_FAN_MAX = 8 };

struct loop_fan;

struct loop_fan_part { // only loop.c uses it
	struct loop_fan *fan;
	struct loop_return go, back;
};

struct loop_fan {
	struct loop *reply_to;
	void (*work)(void *block, unsigned loop); // `loop`: index among the loops
	void (*deliver)(void *block);
	bool (*hangs)(const void *block, unsigned loop); // any thread; NULL: waits for all
	// Only loop.c uses the rest, on the thread of `reply_to` once the block is sent.
	unsigned asked, back; // a bit for each loop
	unsigned references;  // parts on their way, and `begin`
	bool delivered;
	struct wheel_timer look; // checks which loops hang
	struct loop_return begin;
	struct loop_fan_part part[LOOP_FAN_MAX];
};

static inline bool loop_fan_is_back(const struct loop_fan *f, unsigned loop)
{
	return f->back >> loop & 1;
}

// Asks 1 to LOOP_FAN_MAX loops. Takes the block, also on error. -ENOMEM: it is NULL; -EAGAIN: the
// first loop's mailbox is full; -ETIMEDOUT: all loops hang.
ATTR_MUST_CHECK int loop_fan(struct loop *const *loops, unsigned count, void *block);

// A wait of one loop for a change of which several loops make a part each.
//
// `then` runs once, when all parts are done. A loop that hangs by `hangs` is left out as soon as
// all others are done: its part is late, stays in the loop's mailbox, and is made when the loop
// runs again. The data of the change must live until then, and no other change may begin.
//
// Owned by `loop`, whose thread alone calls the two functions. Each LOOP_WAIT_LOOK_MS it checks the
// parts that are left.

enum { LOOP_WAIT_LOOK_MS = 250 };

struct loop_wait {
	struct loop *loop;
	bool (*hangs)(const void *arg, unsigned part); // NULL: waits for all
	void (*then)(void *arg);
	void *arg; // for `hangs` and `then`
	// Only loop.c uses the rest: a bit for each part.
	unsigned left;
	_Atomic unsigned late; // any thread may read it
	struct wheel_timer look;
};

// Begins the wait for parts 0 to count - 1, before any part is sent. If `hangs` is NULL the loop
// need not run yet.
void loop_wait_begin(struct loop_wait *w, unsigned count);
// Notes that a part is done, in time or late.
void loop_wait_done(struct loop_wait *w, unsigned part);
