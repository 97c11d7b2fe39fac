// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An event loop with a mailbox: libevent's base, and calls that other threads leave for it.
//
// The control plane has a loop for each resolver (misses, upstreams, the only writer of its part of
// L0) and the service loop (control API, timers of slow things). Nothing that may block runs on a
// resolver's loop. The mailbox is bounded (LOOP_CALLS_MAX); a full mailbox refuses the call. Timers
// of libevent are in milliseconds, early or late by the kernel's tick (4 ms): finer ones would cost
// each iteration a system call. Lag is how late the loop handles a kernel timer of 20 ms, as late
// as any other event; each missed expiry counts. Busy is the CPU time of one iteration: an
// iteration that is preempted is late, not busy. Reading that clock costs a system call, so the
// loop reads it when LOOP_BUSY_FINE_US have passed, and counts the iterations between two readings
// as one: busy may be too high by that much. Rest: under load a loop that turns for each event pays
// for going to sleep and waking up more than for its work. So from LOOP_REST_FROM turns in
// LOOP_REST_WINDOW_US on, turns begin LOOP_REST_US apart at least, until fewer than LOOP_REST_UNTIL
// do; an event then waits at most that much longer (docs/explanation/performance.md, G12). While
// iterations come by time, the loop polls sources that would otherwise wake it (struct loop_watch).
// Before it pauses it polls once more, because many answers have arrived by then. A pause costs two
// to three waits for an event, and how many it saves shows only without it: so after
// LOOP_REST_FOR_US the loop counts turns without pauses again. A loop without such sources never
// pauses: one wait returns all sockets that are ready, and pauses cost more at each measured rate.

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
	LOOP_SLOTS = 2048, // numbers of descriptors that a loop has room for from the start on
	LOOP_REST_US = 250,
	LOOP_REST_WINDOW_US = 4000,
	LOOP_REST_FROM = 48,
	LOOP_REST_UNTIL = 8,
	LOOP_REST_FOR_US = 256000,
};

ATTR_MUST_CHECK int loop_new(const char *name, struct loop **out); // -ENOMEM, -errno of eventfd
void loop_free(struct loop *l); // NULL is fine; the loop must not run
struct event_base *loop_base(struct loop *l);
struct wheel *loop_wheel(struct loop *l); // for timers of which there are many
// Until loop_stop, which may also come before; on the thread that owns the loop. 0 or -EIO.
int loop_run(struct loop *l);
void loop_stop(struct loop *l); // any thread; calls left before it are run first

// Called around each turn, on the loop's thread. One for a loop, set before it runs.
struct loop_watch {
	// Before it waits for events. `resting`: turns begin by time. True: something was there,
	// so this turn takes what is ready and waits for nothing, and `begin` is called again soon.
	bool (*begin)(void *arg, bool resting);
	// Called before a pause, after the ready events: takes what has come meanwhile. The loop
	// then handles the events that are ready, so that they do not wait for the pause.
	void (*look)(void *arg);
	void (*end)(void *arg);
	void *arg;
};
void loop_set_watch(struct loop *l, const struct loop_watch *watch);

// Once none of the loops runs: runs the calls that are still in their mailboxes and on the way
// back, a bounded number of times, because only an answer makes a waiting caller free its
// resources.
void loops_settle(struct loop *const *loops, unsigned count);

// Runs fn(arg) on the loop's thread, in order. Any thread. -EAGAIN: mailbox full (counted).
ATTR_MUST_CHECK int loop_call(struct loop *l, void (*fn)(void *arg), void *arg);
uint64_t loop_calls_refused(const struct loop *l);
// The answer to a call. It is never refused, because it is in the caller's own memory, which the
// caller gets back when fn is called. A caller that waits holds a bounded resource, such as a
// request of the control API, so the number of answers is bounded too. Answers arrive in order. Any
// thread.
struct loop_return {
	struct loop_return *next;
	void (*fn)(void *arg);
	void *arg;
};
void loop_call_back(struct loop *l, struct loop_return *r, void (*fn)(void *arg), void *arg);
enum { LOOP_BUSY_FINE_US = 1000 };
// Longest turn in microseconds of CPU time of the last 60 to 70 seconds. On the loop's thread.
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
// Of the last 60 to 70 seconds, or since the start. On the loop's thread.
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

// One question for several loops, and the answers together on their way back.
//
// As with loop_ask the caller allocates a block that begins with struct loop_fan and holds what is
// asked and each loop's part of the answer. `work` runs once on each loop, at the same time, and
// writes that part alone. When all have returned, `deliver` runs on `reply_to`; the block is freed
// when nothing of it is on its way. Any thread may ask. Only the first loop's mailbox can refuse,
// before anything was sent: the other loops are called by way of the block itself, which needs no
// room.
//
// A loop that hangs by `hangs` is not asked. One that begins to hang while it is asked is waited
// for until `hangs` says so, if another is back. `deliver` reads only the parts that
// loop_fan_is_back names, one at least: a loop that returns later still writes into its own.

enum { LOOP_FAN_MAX = 8 };

struct loop_fan;

struct loop_fan_part { // loop.c's
	struct loop_fan *fan;
	struct loop_return go, back;
};

struct loop_fan {
	struct loop *reply_to;
	void (*work)(void *block, unsigned loop); // its place among the loops
	void (*deliver)(void *block);
	bool (*hangs)(const void *block, unsigned loop); // any thread; NULL: all are waited for
	// loop.c's, and reply_to's alone once it is sent.
	unsigned asked, back; // a bit of each loop
	unsigned references;  // parts that are on their way, and the begin of the looks
	bool delivered;
	struct wheel_timer look; // at those that hang
	struct loop_return begin;
	struct loop_fan_part part[LOOP_FAN_MAX];
};

static inline bool loop_fan_is_back(const struct loop_fan *f, unsigned loop)
{
	return f->back >> loop & 1;
}

// From 1 to LOOP_FAN_MAX loops. Takes the block, also on error. -ENOMEM: it is NULL; -EAGAIN: the
// first loop's mailbox is full; -ETIMEDOUT: all of them hang.
ATTR_MUST_CHECK int loop_fan(struct loop *const *loops, unsigned count, void *block);

// A wait of one loop for a change that several loops take, each its part of it.
//
// `then` runs once, when all parts are done. A loop that hangs by `hangs` is left out as soon as
// all others are done: its part is late, stays in its mailbox, and the loop takes it when it is
// back. What the change points to must live until then, and no other change may begin.
//
// Owned by the loop `loop`, whose thread alone calls the two functions. Each LOOP_WAIT_LOOK_MS it
// looks at those that are left.

enum { LOOP_WAIT_LOOK_MS = 250 };

struct loop_wait {
	struct loop *loop;
	bool (*hangs)(const void *arg, unsigned part); // NULL: all are waited for
	void (*then)(void *arg);
	void *arg; // of both
	// loop.c's: a bit of each part
	unsigned left;
	_Atomic unsigned late; // any thread may read it
	struct wheel_timer look;
};

// For parts 0 to count - 1, before any of them is sent. Without `hangs` the loop need not run yet.
void loop_wait_begin(struct loop_wait *w, unsigned count);
// A part is done, in time or late.
void loop_wait_done(struct loop_wait *w, unsigned part);
