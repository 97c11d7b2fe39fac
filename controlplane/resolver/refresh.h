// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Refresh-ahead: renews popular records before they expire. Resolver loop's thread only; knows
// neither loop nor upstreams, and takes the time from its caller.
//
// Three ways lead into one plan (refresh_policy.h), by the thresholds of refresh_policy.h:
// * a worker reports a hit on a record that may be due (once per record: it claims a mark);
// * the sweep walks L0 each 15 s in steps, folds the hits in, drops records past hard expiry, and
//   plans hot or warm records that are due before the next sweep;
// * a record so short-lived that it expires between two sweeps is planned when it is stored.
// A planned record is checked again when it is due: it may be gone, renewed or cold by then. Past
// soft expiry a request is served for any heat (stale: immediate).
//
// A mark says that a worker has requested a refresh. A request that leads to none clears the mark:
// the record is written again, with the age from which workers report its hits. Hits of a cold
// record are reported when it is due, or past its soft expiry; if there was no room then, a second
// later.
//
// At most max_inflight requests are in flight, and never more than a quarter of the limit of
// clients' questions; the rest waits in the plan, the most urgent first. A request holds a
// question, never a message. When upstreams fail, the old record stays, and its key is held back
// for a while (failures.h, 10,000 keys). The root is not renewed ahead of its expiry. Heat lives in
// L0's writer and dies with the process; counts in the marks outlive it.

#include "base/age_list.h"
#include "base/table_registry.h"
#include "failures.h"
#include "refresh_policy.h"

#include <weir/l0_writer.h>

struct refresh;

enum { REFRESH_BACKOFF_BUCKETS = 2500, REFRESH_STEP_BUCKETS = 64 };

struct refresh_request {
	uint64_t hash;
	struct age_link age; // used by refresh.c
	uint32_t next;       // used by refresh.c
	uint16_t qtype, qclass, view;
	uint8_t key_flags; // L0_KEY_*
	uint8_t name_len;
	uint8_t name[DNS_NAME_MAX]; // wire form, lower case
};
static_assert(sizeof(struct refresh_request) <= 320);

enum refresh_started {
	REFRESH_UNDER_WAY, // refresh_ended follows, or came already
	REFRESH_IS_ASKED,  // a client's question is in flight
	REFRESH_NO_ROOM,
};

struct refresh_ops {
	enum refresh_started (*start)(void *arg, struct refresh_request *q);
	void *arg;
};

enum refresh_end {
	REFRESH_DONE,
	REFRESH_FAILED,
	REFRESH_ELSEWHERE, // another box renews it: check again soon
	REFRESH_ABANDONED
};

// -ENOMEM. `l0` must outlive *out.
ATTR_MUST_CHECK int refresh_new(
	struct refresh **out, struct l0_writer *l0, const struct refresh_ops *ops);
void refresh_free(struct refresh *f); // NULL is fine; nothing may be under way
void refresh_configure(struct refresh *f, const struct config_refresh *c,
	const struct config_cache *cache, unsigned questions_limit);
const struct refresh_policy *refresh_policy(const struct refresh *f);

// A worker asks for a new copy of a record.
void refresh_hit(struct refresh *f, const struct l0_key *key, uint64_t now_ms);
// A client has to wait although there is a record: `v`, past its soft expiry.
void refresh_missed(
	struct refresh *f, const struct l0_key *key, const struct l0_view *v, uint64_t now_ms);
// A record was stored; `told_ms`: refresh_told_ms for the record.
void refresh_stored(struct refresh *f, const struct l0_key *key, uint32_t told_ms, uint64_t now_ms);

// A sweep: begin, then step until it says true. Some 0.1 ms a step with 32 workers' marks, while
// hits are gathered and later for REFRESH_STEP_BUCKETS: 2 s in all for 10 million records.
void refresh_sweep_begin(struct refresh *f, uint64_t now_ms);
ATTR_MUST_CHECK bool refresh_sweep_step(struct refresh *f, uint64_t now_ms, uint64_t buckets);

// Starts due renewals; call it each 100 ms. Bounded by the limit in flight.
void refresh_run(struct refresh *f, uint64_t now_ms);
// Ends a request that was under way, and frees it.
void refresh_ended(
	struct refresh *f, struct refresh_request *q, enum refresh_end end, uint64_t now_ms);

const struct refresh_stats *refresh_stats(const struct refresh *f);
// Whether a key is held back because its last refresh failed.
bool refresh_held_back(const struct refresh *f, uint64_t hash, uint64_t now_ms);
struct refresh_report {
	uint64_t now_ms, round_ms; // round_ms: how long the last sweep took
	struct refresh_policy policy;
	uint32_t inflight, inflight_limit, planned, plan_limit, held_back;
	struct refresh_stats stats;
};
void refresh_report(const struct refresh *f, uint64_t now_ms, struct refresh_report *out);
void refresh_tables(const struct refresh *f, uint64_t now_ms, struct table_registry *r);
