// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An event loop with a mailbox: libevent's base, and calls that other threads leave for it.
//
// The control plane has two: the resolver loop (misses, upstreams, the only L0 writer) and the
// service loop (control API, timers of slow things). Nothing that may block runs on the resolver
// loop. The mailbox is bounded (LOOP_CALLS_MAX); a call that finds it full is refused.
// Lag is how late a timer of 20 ms fires: what any other event of this loop had to wait, for
// whatever reason. Busy is what one turn of the loop cost in CPU time: a turn that the machine
// interrupts is late, not busy. The price is one clock_gettime a turn.

#include <stdint.h>
#include <weir/attr.h>

struct event_base;
struct loop;

enum { LOOP_CALLS_MAX = 1024 };

ATTR_MUST_CHECK int loop_new(const char *name, struct loop **out); // -ENOMEM, -errno of eventfd
void loop_free(struct loop *l); // NULL is fine; the loop must not run
struct event_base *loop_base(struct loop *l);
// Until loop_stop, which may also come before; on the thread that owns the loop. 0 or -EIO.
int loop_run(struct loop *l);
void loop_stop(struct loop *l); // any thread; calls left before it are run first

// Runs fn(arg) on the loop's thread, in order. Any thread. -EAGAIN: mailbox full (counted).
ATTR_MUST_CHECK int loop_call(struct loop *l, void (*fn)(void *arg), void *arg);
uint64_t loop_calls_refused(const struct loop *l);
// Longest lag in microseconds since the last call of this.
uint64_t loop_lag_max_us(struct loop *l);
// Longest turn in microseconds of CPU time since the last call of this.
uint64_t loop_busy_max_us(struct loop *l);
