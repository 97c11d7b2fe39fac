// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Many timers over one timer of libevent, for timers that are mostly stopped before they expire.
// Owned by one thread.
//
// A heap of timers costs two walks of its depth for each answered question. Here a start or stop is
// a few stores: a timer is in the list of its tick's slot (Varghese and Lauck 1987, scheme 6), and
// libevent's timer is set to the first tick that has a timer, or had one when it was set. Timers
// never expire early, but up to WHEEL_TICK_MS and libevent's tick late. Any duration is allowed; a
// timer longer than WHEEL_SLOTS ticks is visited once each lap. There is no limit: each timer is
// part of its owner.

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
void wheel_free(struct wheel *w); // NULL is fine; timers that run never expire

// Calls t->fn once, `in_ms` after now_ms (clock_mono_ms); a running timer starts again. fn may
// start and stop any timer, and free the owner of this one.
void wheel_start(struct wheel *w, struct wheel_timer *t, uint64_t in_ms, uint64_t now_ms);
void wheel_stop(struct wheel_timer *t);
