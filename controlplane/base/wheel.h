// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Many timers that are mostly stopped before they ring, over one of libevent's. One thread's.
//
// A heap of timers costs two walks of its depth for each question that is asked and answered. Here
// starting and stopping is a few stores: a timer hangs in the slot of its tick (Varghese and Lauck
// 1987, scheme 6), and libevent's timer is set to the first tick that has one, or had when it was
// set. Rings never early, up to WHEEL_TICK_MS and libevent's own tick late. Any length of time is
// right; one longer than WHEEL_SLOTS ticks is looked at once each lap.
// No limit of its own: timers lie in what they belong to.

#include <stdint.h>
#include <weir/attr.h>

enum { WHEEL_TICK_MS = 4, WHEEL_SLOTS = 2048 };

struct event_base;
struct wheel;

struct wheel_timer { // all zero: stopped
	struct wheel *wheel;
	struct wheel_timer *next, **link; // link NULL: stopped
	uint64_t tick;
	void (*fn)(void *arg);
	void *arg;
};

ATTR_MUST_CHECK int wheel_new(struct wheel **out, struct event_base *base); // -ENOMEM
void wheel_free(struct wheel *w); // NULL is fine; timers that are left never ring

// Once, `in_ms` after now_ms (clock_mono_ms); one that runs starts anew. fn may start and stop any
// timer, and free what its own lies in.
void wheel_start(struct wheel *w, struct wheel_timer *t, uint64_t in_ms, uint64_t now_ms);
void wheel_stop(struct wheel_timer *t);
