// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The resolvers of this process as one, for the control API, reloads and lists.
//
// Each resolver (resolver.h) has a loop, a thread, and a part of L0 of its own. A call for all
// resolvers goes to each loop, and the answers are merged on the loop that asked: counters,
// histograms and tables of one name add up, and of ages, percentiles and longest turns the worst is
// shown. The first resolver alone has what the process has once: the link to the data plane, the
// publisher, Redis's housekeeping, its subscription, messages to other boxes, and their tables.
//
// The process fills struct resolvers in, and owns its resolvers; the struct is constant while loops
// run, but for calls in flight. A call allocates a block of the size of its answers. Calls that
// only read leave out a resolver that hangs; if all hang, they are refused with -ETIMEDOUT.

#include "base/loop.h"
#include "resolver.h"

enum { RESOLVERS_MAX = SHM_RESOLVERS_MAX };
static_assert((int)RESOLVERS_MAX <= (int)LOOP_FAN_MAX);

// A change on its way through all loops, one at a time. Used by resolvers_set.c.
struct resolvers_change {
	struct resolvers *all;
	struct loop_wait wait; // for the first resolver's loop
	void (*then)(void *arg);
	void *arg;
	struct resolvers_part {
		struct resolvers_change *change;
		struct resolver *resolver;
		struct loop_return go, back;
		struct wheel_timer again; // timer of the resolver's loop
	} part[RESOLVERS_MAX];
};

// The emptying of L0 after a change of everyone's servers. Used by resolvers_set.c: the first
// resolver's loop writes it, the others read `turn` during a change.
struct resolvers_fill {
	uint64_t everyone; // hash under which L0 is filled from then on
	uint32_t turn;     // counts emptyings
	unsigned left;     // resolvers that have not emptied their part
	uint64_t removed;  // answers removed
};

// Where a cache lookup comes from. Lookups of one kind wait for each other, so that no user of the
// network keeps the resolvers busy or lets the operator's socket wait.
enum look_from { LOOK_SOCKET, LOOK_NETWORK, LOOK_FROMS };

// Lookups of one kind; used by the loop that asks.
struct look_line {
	bool runs;
	unsigned waiting; // at most LOOKS_WAITING_MAX
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
	struct resolvers_change policy;               // change of answer_policy
	const struct config *config;                  // configuration for all
	struct policy_group group[POLICY_GROUPS_MAX]; // views of the first resolver
	struct resolvers_change settings;
	struct resolvers_fill fill;
	struct look_line looks[LOOK_FROMS];
};

// Any thread; `done` is called on the loop `reply_to` with a result that is valid during the call.
// -ENOMEM, -EAGAIN: the first resolver's mailbox is full.
ATTR_MUST_CHECK int resolvers_status(struct resolvers *all, struct loop *reply_to,
	void (*done)(void *arg, const struct resolver_status *s), void *arg);
// What refresh-ahead did; returns and calls `done` as resolvers_status does.
ATTR_MUST_CHECK int resolvers_refresh_report(struct resolvers *all, struct loop *reply_to,
	void (*done)(void *arg, const struct refresh_report *report), void *arg);
// The oldest `limit` questions, at most RESOLVER_PENDING_MAX: some 0.2 us each on a resolver's
// loop.
ATTR_MUST_CHECK int resolvers_pending(struct resolvers *all, unsigned limit, struct loop *reply_to,
	void (*done)(void *arg, const struct resolver_pending *p), void *arg);

// Call resolver_cache_get or resolver_cache_flush for all resolvers, on the thread of `reply_to`,
// which must be one for all lookups; `err` is the first error of a resolver. Lookups run one after
// the other, lookups over the network beside those over the socket. -EAGAIN: LOOKS_WAITING_MAX wait
// already. A resolver that hangs is left out, and counted in the answer (`hung`): it flushes its
// part when it is back. -ETIMEDOUT: all of them hang. If the first one hangs L1 is left out
// (L1_FLUSH_AWAY). A lookup whose caller is gone by its turn (`lives(arg)` is false) ends with
// -ECANCELED.
ATTR_MUST_CHECK int resolvers_cache_get(struct resolvers *all, const struct cache_wish *wish,
	struct loop *reply_to, resolver_look_fn done, void *arg);
// Calls resolver_cache_find for all resolvers. It waits for no other lookup.
ATTR_MUST_CHECK int resolvers_cache_find(struct resolvers *all, const struct cache_question *q,
	struct loop *reply_to, resolver_look_fn done, void *arg);
ATTR_MUST_CHECK int resolvers_cache_flush(struct resolvers *all, const struct flush *what,
	bool tells_others, struct loop *reply_to, resolver_flush_fn done, void *arg);

// Calls resolver_watch for all resolvers. On an error some of them may watch, until the filter's
// time.
ATTR_MUST_CHECK int resolvers_watch(
	struct resolvers *all, const struct dp_watch *filter, trace_put_fn put, void *arg);

// Calls resolver_reconfigure for the first resolver, fills in `group` with its views, then
// reconfigures the others, each on its loop. A resolver without room, because views of earlier
// configurations are still in use there, tries again each 100 ms; so all have the configuration,
// and the same number for each view. Calls `then` on the first resolver's loop, perhaps within. To
// be called on that loop. An error is the first resolver's: nothing has changed, and `then` is not
// called.
//
// A resolver that hangs is left out, and takes the configuration when it is back (resolvers_late):
// until then `config`, and the configuration before it, must live, and no other may be given.
ATTR_MUST_CHECK int resolvers_reconfigure(struct resolvers *all, const struct config *config,
	struct policy_group group[POLICY_GROUPS_MAX], void (*then)(void *arg), void *arg);
// Resolvers that have yet to take the configuration, a bit for each. Any thread.
unsigned resolvers_late(const struct resolvers *all);
// Views of the groups of the first resolver's configuration. On its loop, or before it runs.
void resolvers_groups(const struct resolvers *all, const struct config *config,
	struct policy_group group[POLICY_GROUPS_MAX]);

// Calls resolver_set_answer_policy for all resolvers, and `then` on the first resolver's loop when
// all have checked their part; `then` NULL only before any loop runs. To be called on that loop, or
// before any loop runs.
void resolvers_set_answer_policy(void *resolvers, const struct answer_policy *answer_policy,
	void (*then)(void *arg), void *arg);
// Checks a slice of one resolver's part, before any loop runs. True: all is done.
bool resolvers_recheck_slice(void *resolvers);

// Call resolver_set_log, resolver_end_log and resolver_groups_published for each resolver.
ATTR_MUST_CHECK int resolvers_set_log(
	struct resolvers *all, struct querylog *q, const struct config *config);
void resolvers_end_log(struct resolvers *all);
void resolvers_groups_published(struct resolvers *all, bool published);

// List the servers of all sets with their state, drain a server, try a server. Any thread may call;
// `done` is called on the loop `reply_to`.
enum { RESOLVERS_UPSTREAMS_MAX = 256 };

// A server of a set.
struct resolvers_upstream {
	unsigned group;       // group from 1 on; 0: everyone
	bool is_safe;         // for names with safe search
	struct dns_name zone; // forward zone; no bytes: no zone
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

// Drains the server in each set that has it, or ends the drain; `sets`: how many sets have it. All
// resolvers see the drain, and it ends with the process. -ENOMEM, -EAGAIN.
ATTR_MUST_CHECK int resolvers_drain(struct resolvers *all, const char *server, bool is_drained,
	struct loop *reply_to, void (*done)(void *arg, unsigned sets), void *arg);

// Ends the tries in progress, once the resolvers' threads have ended.
void resolvers_try_stop(struct resolvers *all);
// Calls upstreams_try for the first set that has the server; `err`: its result.
struct resolvers_tried {
	int err;
	struct upstream_tried tried[UPSTREAM_TRANSPORTS];
};
ATTR_MUST_CHECK int resolvers_try(struct resolvers *all, const char *server, struct loop *reply_to,
	void (*done)(void *arg, const struct resolvers_tried *t), void *arg);
// Calls upstream_candidate_try for a server of config_server_parse; `err`: its result. Copies what
// it needs.
ATTR_MUST_CHECK int resolvers_try_candidate(struct resolvers *all,
	const struct config_upstreams *config, const struct config_upstream *server,
	struct loop *reply_to, void (*done)(void *arg, const struct resolvers_tried *t), void *arg);

// Decides whether L0 is emptied in the background: if it was filled under another hash than
// `everyone` (view_everyone_hash of the configuration), but not with `same_servers`: app_reload.c
// then flushes names that zones and CNAMEs define differently. L0 counts as filled under the new
// hash once all resolvers have emptied their parts. `r`: the first resolver; before
// resolver_flush_whole of any resolver.
void resolvers_empty_all(struct resolver *r, uint64_t everyone, bool same_servers);
// Reports that the resolver's part is empty, for change `turn` of resolvers_fill. On its loop.
// False: the first resolver's mailbox is full, or memory short; call again later.
ATTR_MUST_CHECK bool resolvers_part_emptied(
	const struct resolver *r, uint32_t turn, uint64_t removed);
