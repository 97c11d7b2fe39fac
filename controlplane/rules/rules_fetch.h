// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// When which list is fetched: the schedule, and the one helper thread that fetches (list_update.h).
//
// A list is due blocking.update.interval and a random part of jitter after its server last
// confirmed it, which the stored state counts through restarts; a missing one is due at once. After
// a failure it is tried again in 10 s, and after twice the time each time up to an hour; after
// FETCH_TRIES_MAX in a row as after a success; and at once when a setting changes that may have
// caused the failure; and when its server says by NOTIFY that the zone changed. On hold nothing is
// due. Functions are for the service loop's thread.

#include "base/loop.h"
#include "events/events.h"
#include "lists/fetch/list_update.h"

struct rules_fetch;
struct rules_list_status;

// `done(arg)` after each round, on the service loop.
ATTR_MUST_CHECK int rules_fetch_new(struct rules_fetch **out, struct loop *service,
	const char *state_directory, void (*done)(void *arg), void *arg);
// The loop runs no more. Waits for the thread, which aborts its work. Its calls for the loop stay
// queued there: no other call back may come after rules_fetch_free.
void rules_fetch_stop(struct rules_fetch *f); // NULL is fine
void rules_fetch_free(struct rules_fetch *f); // NULL is fine

// Where fetches are events from now on; outlives it.
void rules_fetch_add_events(struct rules_fetch *f, struct events *events);

// Copies what it needs. The state of each URL stays. -ENOMEM: the previous configuration stays.
ATTR_MUST_CHECK int rules_fetch_configure(struct rules_fetch *f, const struct config *c);
void rules_fetch_hold(struct rules_fetch *f, bool held);
// Clients wait for the lists (blocking.update.start): a secondary asks the server of a list of
// which it has no copy in the same round, if the primary has none either.
void rules_fetch_await(struct rules_fetch *f, bool is_awaited);

// Takes NOTIFY for lists by transfer from now on. -ENOMEM. `z` outlives it.
struct list_notify;
struct list_notify_counts;
ATTR_MUST_CHECK int rules_fetch_notify(struct rules_fetch *f, struct list_notify *z);

void rules_fetch_notified(const struct rules_fetch *f, struct list_notify_counts *out);

// Fetches every list, once the round that may be running is done. False: no list is fetched.
bool rules_fetch_all(struct rules_fetch *f, bool force);

struct rules_fetch_status {
	bool running; // or about to
	bool changed; // the round that ended last brought something new
	bool by_hand; // it was rules_fetch_all's
	bool force;
};
void rules_fetch_status(const struct rules_fetch *f, struct rules_fetch_status *out);
// Fills in the state of fetched lists, identified by their titles.
void rules_fetch_describe(struct rules_fetch *f, struct rules_list_status *list, unsigned count);
// The lists that are being fetched now, at most `max` of them. How many.
struct rules_task;
unsigned rules_fetch_tasks(const struct rules_fetch *f, struct rules_task *out, unsigned max);
// "NAME: WHY; ..." of lists whose last try failed; "" if there are none.
void rules_fetch_failures(const struct rules_fetch *f, char *out, size_t cap);
