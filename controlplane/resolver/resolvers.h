// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The resolvers of this process as one: what the control API, reloads and lists want of them.
//
// Each resolver (resolver.h) has a loop, a thread, and a part of L0 of its own. A call for all of
// them goes to each loop, and what comes back is put together on the loop that asked: counters and
// histograms add, the age of the oldest is that of all, of percentiles and longest turns the worst
// is shown, tables of one name are added. What the process has once is the first resolver's alone:
// the link to the data plane, the publisher, Redis' housekeeping, subscription and messages to
// other boxes, the tables of these.
//
// The process fills struct resolvers in, and owns its resolvers; it is constant while loops run,
// but for the calls in flight. A call costs a block of the size of its answers. Calls that only
// read leave a resolver out that hangs; if all hang, they are refused with -ETIMEDOUT.

#include "base/loop.h"
#include "resolver.h"

enum { RESOLVERS_MAX = SHM_RESOLVERS_MAX };
static_assert((int)RESOLVERS_MAX <= (int)LOOP_FAN_MAX);

// A change on its way through all loops, one at a time. resolvers_set.c's.
struct resolvers_change {
	struct resolvers *all;
	struct loop_wait wait; // the first one's loop
	void (*then)(void *arg);
	void *arg;
	struct resolvers_part {
		struct resolvers_change *change;
		struct resolver *resolver;
		struct loop_return go, back;
		struct wheel_timer again; // its loop's
	} part[RESOLVERS_MAX];
};

// The emptying of L0 when everyone's servers are others. resolvers_set.c's; the first one's loop
// writes it, the others read `turn` during a change.
struct resolvers_fill {
	uint64_t everyone; // hash of what it is filled under from then on
	uint32_t turn;     // counts them
	unsigned left;     // resolvers that have not emptied their part
	uint64_t removed;  // answers
};

// Who looks at the cache: those of one kind wait for each other, so that no user of the network
// keeps the resolvers walking, nor the operator's socket waiting.
enum look_from { LOOK_SOCKET, LOOK_NETWORK, LOOK_FROMS };

// Of one kind: of the loop that asks.
struct look_line {
	bool runs;
	unsigned waiting; // LOOKS_WAITING_MAX at most
	struct look_call *first;
};
enum { LOOKS_WAITING_MAX = 8 };

struct cache_wish {
	struct dns_name name;
	uint16_t qtype; // 0: any
	enum look_from from;
	bool (*lives)(const void *arg);
};

struct resolvers {
	unsigned count; // from 1
	struct resolver *one[RESOLVERS_MAX];
	bool running; // set before their threads start, cleared when all have ended
	const struct answer_policy *answer_policy;
	struct resolvers_change policy;               // of that
	const struct config *config;                  // that all are to have
	struct policy_group group[POLICY_GROUPS_MAX]; // views of the first one's
	struct resolvers_change settings;
	struct resolvers_fill fill;
	struct look_line looks[LOOK_FROMS];
};

// Any thread; `done` is called on the loop `reply_to` with a result that is valid during the call.
// -ENOMEM, -EAGAIN: the first resolver's mailbox is full.
ATTR_MUST_CHECK int resolvers_status(struct resolvers *all, struct loop *reply_to,
	void (*done)(void *arg, const struct resolver_status *s), void *arg);
// What refresh-ahead did, in the same way.
ATTR_MUST_CHECK int resolvers_refresh_report(struct resolvers *all, struct loop *reply_to,
	void (*done)(void *arg, const struct refresh_report *report), void *arg);
// The oldest `limit` questions, RESOLVER_PENDING_MAX at most: some 0.2 us each on a resolver's
// loop.
ATTR_MUST_CHECK int resolvers_pending(struct resolvers *all, unsigned limit, struct loop *reply_to,
	void (*done)(void *arg, const struct resolver_pending *p), void *arg);

// As resolver_cache_get and resolver_cache_flush of all, on the thread of `reply_to`, which is one
// for all looks; `err` is that of one that could not. Looks go one after the other, those over the
// network beside those of the socket. -EAGAIN: LOOKS_WAITING_MAX wait already. A resolver that
// hangs is left out, and counted in the answer (`hung`): it flushes its part when it is back.
// -ETIMEDOUT: all of them hang. With the first one L1 is left out (L1_FLUSH_AWAY).
// One whose caller is gone by its turn (`lives` says so of `arg`) looks at nothing: -ECANCELED.
ATTR_MUST_CHECK int resolvers_cache_get(struct resolvers *all, const struct cache_wish *wish,
	struct loop *reply_to, resolver_look_fn done, void *arg);
// As resolver_cache_find of all. It waits for no look.
ATTR_MUST_CHECK int resolvers_cache_find(struct resolvers *all, const struct cache_question *q,
	struct loop *reply_to, resolver_look_fn done, void *arg);
ATTR_MUST_CHECK int resolvers_cache_flush(struct resolvers *all, const struct flush *what,
	bool tells_others, struct loop *reply_to, resolver_flush_fn done, void *arg);

// As resolver_watch. On an error some of them may watch, until the filter's time.
ATTR_MUST_CHECK int resolvers_watch(
	struct resolvers *all, const struct dp_watch *filter, trace_put_fn put, void *arg);

// As resolver_reconfigure of the first, with the views of its groups into `group`; then of the
// others, each on its loop. One that has no room, because views of earlier configurations are still
// in use there, tries again each 100 ms; so all have the configuration, and the same number for
// each view. `then` on the first one's loop, perhaps within. On that loop. An error is the first
// one's: nothing has changed, and `then` is not called.
//
// A resolver that hangs is left out, and takes the configuration when it is back (resolvers_late):
// until then `config`, and the one before, must live, and no other may be given.
ATTR_MUST_CHECK int resolvers_reconfigure(struct resolvers *all, const struct config *config,
	struct policy_group group[POLICY_GROUPS_MAX], void (*then)(void *arg), void *arg);
// Resolvers that have yet to take it, a bit of each. Any thread.
unsigned resolvers_late(const struct resolvers *all);
// Views of the groups of the first one's configuration. Its loop, or before it runs.
void resolvers_groups(const struct resolvers *all, const struct config *config,
	struct policy_group group[POLICY_GROUPS_MAX]);

// As resolver_set_answer_policy: `then` on the first resolver's loop when all have checked their
// part; NULL only before any loop runs. On that loop, or before any runs.
void resolvers_set_answer_policy(void *resolvers, const struct answer_policy *answer_policy,
	void (*then)(void *arg), void *arg);
// Before any loop runs: a slice of it, of one resolver. True: all is done.
bool resolvers_recheck_slice(void *resolvers);

// As resolver_set_log, resolver_end_log and resolver_groups_published of each.
ATTR_MUST_CHECK int resolvers_set_log(
	struct resolvers *all, struct querylog *q, const struct config *config);
void resolvers_end_log(struct resolvers *all);
void resolvers_groups_published(struct resolvers *all, bool published);

// The servers of all sets: list them with their state, drain one, try one. Any thread may call;
// `done` is called on the loop `reply_to`.
enum { RESOLVERS_UPSTREAMS_MAX = 256 };

// A server of a set.
struct resolvers_upstream {
	unsigned group;       // from 1 on; 0: everyone
	bool is_safe;         // for names with safe search
	struct dns_name zone; // no bytes: not of a forward zone
	struct upstream_status status;
};

struct resolvers_upstreams {
	unsigned count, left_out; // servers for which there was no room
	struct resolvers_upstream *row;
};

// The sums over all resolvers, set by set, everyone's first. Valid during the call. -ENOMEM,
// -EAGAIN: the first resolver's mailbox is full.
ATTR_MUST_CHECK int resolvers_upstreams(struct resolvers *all, struct loop *reply_to,
	void (*done)(void *arg, const struct resolvers_upstreams *u), void *arg);

enum { RESOLVERS_SERVER_MAX = 64 }; // bytes of a server's name or address, with its NUL

// Drains the server in each set that has it, or ends that; `sets`: how many have it. All resolvers
// see it, and it ends with the process. -ENOMEM, -EAGAIN.
ATTR_MUST_CHECK int resolvers_drain(struct resolvers *all, const char *server, bool is_drained,
	struct loop *reply_to, void (*done)(void *arg, unsigned sets), void *arg);

// Ends a try in progress, once the resolvers' threads have ended.
void resolvers_try_stop(struct resolvers *all);
// upstreams_try in the first set that has the server. `err` as that says.
struct resolvers_tried {
	int err;
	struct upstream_tried tried[UPSTREAM_TRANSPORTS];
};
ATTR_MUST_CHECK int resolvers_try(struct resolvers *all, const char *server, struct loop *reply_to,
	void (*done)(void *arg, const struct resolvers_tried *t), void *arg);

// Of the first resolver, before resolver_flush_whole of any. `everyone`: view_everyone_hash of the
// configuration. Says that L0 is to be emptied in the background if it was filled under another
// hash, but not with `same_servers`: app_flush_changes then removes what zones and CNAMEs say
// differently. L0 counts as filled under the new hash once all have emptied their parts.
void resolvers_empty_all(struct resolver *r, uint64_t everyone, bool same_servers);
// This one's part is empty, for change `turn` of resolvers_fill. On its loop. False: the first
// one's mailbox is full or memory short; again later.
ATTR_MUST_CHECK bool resolvers_part_emptied(
	const struct resolver *r, uint32_t turn, uint64_t removed);
