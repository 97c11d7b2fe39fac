// SPDX-License-Identifier: BSD-3-Clause
#include "wheel.h"

#include <event2/event.h>

#include <errno.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

struct wheel {
	struct event *event;
	unsigned timers;  // running timers
	uint64_t done;    // the last tick that has been handled
	uint64_t set_for; // tick at which libevent's timer expires; 0: not set
	struct wheel_timer *due;
	struct wheel_timer *slot[WHEEL_SLOTS];
};

static void timer_put(struct wheel_timer **list, struct wheel_timer *t)
{
	t->next = *list;
	if (t->next)
		t->next->link = &t->next;
	t->link = list;
	*list = t;
}

static void timer_take(struct wheel_timer *t)
{
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	t->link = NULL;
}

static void wheel_set(struct wheel *w, uint64_t tick, uint64_t now_ms)
{
	uint64_t at_ms = tick * WHEEL_TICK_MS;
	uint64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 0;
	const struct timeval tv = {.tv_sec = (time_t)(left_ms / 1000),
		.tv_usec = (suseconds_t)(left_ms % 1000 * 1000)};

	w->set_for = tick;
	event_add(w->event, &tv);
}

// Sets libevent's timer to the first slot that is in use.
static void wheel_set_next(struct wheel *w, uint64_t now_ms)
{
	for (uint64_t tick = w->done + 1; w->timers > 0 && tick <= w->done + WHEEL_SLOTS; tick++) {
		if (!w->slot[tick % WHEEL_SLOTS])
			continue;
		if (w->set_for == 0 || tick < w->set_for)
			wheel_set(w, tick, now_ms);
		return;
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct wheel *w = arg;
	struct wheel_timer *t;
	uint64_t now = clock_mono_ms() / WHEEL_TICK_MS;
	uint64_t first = now > w->done + WHEEL_SLOTS ? now - WHEEL_SLOTS + 1 : w->done + 1;
	(void)fd, (void)what;

	w->set_for = 0;
	for (uint64_t tick = first; tick <= now; tick++)
		while ((t = w->slot[tick % WHEEL_SLOTS])) {
			timer_take(t);
			timer_put(&w->due, t);
		}
	// A timer started from here on belongs to a later tick.
	if (now > w->done)
		w->done = now;
	while ((t = w->due)) {
		timer_take(t);
		if (t->tick > now) {
			timer_put(&w->slot[t->tick % WHEEL_SLOTS], t);
			continue;
		}
		w->timers--;
		t->fn(t->arg);
	}
	wheel_set_next(w, clock_mono_ms());
}

int wheel_new(struct wheel **out, struct event_base *base)
{
	struct wheel *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->event = event_new(base, -1, 0, on_tick, w);
	if (!w->event) {
		heap_free(w);
		return -ENOMEM;
	}
	*out = w;
	return 0;
}

void wheel_free(struct wheel *w)
{
	if (!w)
		return;
	event_free(w->event);
	heap_free(w);
}

void wheel_start(struct wheel *w, struct wheel_timer *t, uint64_t in_ms, uint64_t now_ms)
{
	wheel_stop(t);
	if (w->timers == 0)
		w->done = now_ms / WHEEL_TICK_MS;
	t->wheel = w;
	t->tick = (now_ms + in_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
	if (t->tick <= w->done)
		t->tick = w->done + 1;
	timer_put(&w->slot[t->tick % WHEEL_SLOTS], t);
	w->timers++;
	if (w->set_for == 0 || t->tick < w->set_for)
		wheel_set(w, t->tick, now_ms);
}

void wheel_stop(struct wheel_timer *t)
{
	if (!t->link)
		return;
	timer_take(t);
	t->wheel->timers--;
}
