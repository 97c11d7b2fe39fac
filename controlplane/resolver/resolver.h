// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A resolver: misses in, answers out. Everything here runs on its loop's thread but the functions
// marked "any thread". The process may have several (resolvers.h).
//
// A miss is parsed again (the ring is not trusted), coalesced with others of the same key
// (inflight.h), asked of an upstream (upstream.h), the reply checked and rewritten (dns_answer.h),
// stored in L0, and every waiter answered through its rings' answer ring. Deadlines: first try at
// most first_timeout_ms, at most max_sends sends in all, a stale answer at 1.8 s if L0 has one,
// else SERVFAIL with EDE 22 to each client limits.answer_deadline_ms after it asked; the question
// ends after 5 s (question.c). When every upstream has failed: the stale record, restamped so that
// workers serve it for 30 s, else SERVFAIL with EDE 22 or 23; the failure is remembered
// (failures.h). When there is no room for a question or a waiter, or a zone or a client has reached
// its limit, the answer is SERVFAIL at once, with the bound as EXTRA-TEXT (bounds.h); one waiter
// too many for a question is dropped (the client's retry hits). Both are counted.

#include "answer_policy/answer_policy.h"
#include "base/client_tally.h"
#include "base/counts.h"
#include "base/loop.h"
#include "base/table_registry.h"
#include "bounds/bound_log.h"
#include "l1/flush.h"
#include "l1/l1.h"
#include "l1/l1_sweep.h"
#include "querylog/trace.h"
#include "recursor/recursor.h"
#include "refresh.h"
#include "shm/link.h"
#include "upstream/upstream_lookup.h"
#include "upstream/upstream_udp.h"
#include "upstream/views.h"
#include "validator/validator.h"
#include "validator/validator_bogus.h"

#include <weir/config.h>
#include <weir/l0_writer.h>
#include <weir/policy.h>
#include <weir/shm_msg.h>
#include <weir/took.h>

struct resolver;
struct resolvers;

COUNTS(l0_rows, struct l0_writer_stats, "weir_l0_", L0_COUNTS)

// Objects of the process that a resolver uses. They outlive the resolver. No other resolver uses
// its loop and views, or its part (`index`) of rings and L0.
struct resolver_given {
	struct resolvers *all; // resolvers of the process; `index`: place among them
	unsigned index;
	struct loop *loop; // the resolver runs on its thread
	struct publisher *publisher;
	struct link_server *link;    // source of its misses, with its part of L0
	struct views *views;         // servers by `config`; the resolver configures and sweeps them
	struct ring_mesh *frontends; // resolver_client_mesh
	struct upstream_port *port;  // the views'; NULL: sockets alone
	struct recursor *recursor;   // a server of the views; NULL: no recursion
	struct list_notify *notify;  // takes NOTIFY that workers got; NULL: NOTIMP
	struct upstream_lookups *lookups; // servers' host names; NULL: not the first resolver
};
ATTR_MUST_CHECK int resolver_open(struct resolver **out, const struct resolver_given *given,
	const struct config *config, char why[SHM_WHY_MAX]);
void resolver_close(struct resolver *r);
// Configures the recursor, before the views of a configuration that needs it. On the loop's thread,
// or before it runs. Returns what recursor_configure does.
ATTR_MUST_CHECK int resolver_recursion_configure(
	struct recursor *recursor, const struct config *config);

// Upstreams, limits and TTL limits from a new configuration, which must outlive its use (until the
// next call returns). On the loop's thread. -EBUSY, -EOVERFLOW, -ENOMEM as views_configure, -EINVAL
// as recursor_configure; then nothing has changed. The process calls resolvers_reconfigure.
ATTR_MUST_CHECK int resolver_reconfigure(struct resolver *r, const struct config *config);
// Like resolver_reconfigure, for any resolver but the first, whose view numbers it takes by group.
ATTR_MUST_CHECK int resolver_follow(struct resolver *r, const struct config *config,
	const struct policy_group group[POLICY_GROUPS_MAX]);
// Fills in `view`, `view_hash` and the safe view of a group of the configuration, from 0 on. On the
// loop's thread or before it runs.
void resolver_group_view(const struct resolver *r, unsigned group, struct policy_group *out);
// Fills in `safe_view` and `safe_hash`; `group` from 1 on, 0: everyone else.
void resolver_safe_view(const struct resolver *r, unsigned group, struct policy_group *out);
// Whether workers can have the groups of the last reconfiguration. While they cannot, views that
// left stay, as clients are still in them. Service loop, or before it runs.
void resolver_groups_published(struct resolver *r, bool published);

// Sets the answer policy (NULL: no checks), which must live until another one has replaced it.
// Checks L0 again by it, in slices of 0.4 ms, then calls `then`, if not NULL, on the loop. No other
// policy may be set before that, unless `then` is NULL. On the loop's thread, or before it runs.
void resolver_set_answer_policy(void *resolver, const struct answer_policy *answer_policy,
	void (*then)(void *arg), void *arg);
// Checks one slice of L0, before the loop runs. True: all is done.
bool resolver_recheck_slice(struct resolver *r);

bool resolver_hangs(const struct resolver *r); // does its loop hang? Any thread

// Begins a watch (NULL: ends it): the resolver's steps go to `put` on its loop (trace.h). Any
// thread. -EAGAIN, -ENOMEM: no traces.
ATTR_MUST_CHECK int resolver_watch(
	struct resolver *r, const struct dp_watch *filter, trace_put_fn put, void *arg);

#define ANSWER_POLICY_COUNTS(X)                                                                 \
	X(SUM, uint64_t, answers, SAME, TOTAL, "Answers checked by the answer policy.")         \
	X(SUM, uint64_t, listed, SAME, TOTAL,                                                   \
		"Of these, answers with a record that is on a list.")                           \
	X(SUM, uint64_t, not_kept, SAME, NONE,                                                  \
		"Answers with a record on a list and without a mask, not cached.")              \
	X(SUM, uint64_t, cut, SAME, NONE,                                                       \
		"Answers that lead to more names than patterns are matched with.")              \
	X(SUM, uint64_t, answered_blocked, SAME, TOTAL,                                         \
		"Clients that got a blocked answer because of the records of their answer.")    \
	X(SUM, uint64_t, questions_blocked, SAME, TOTAL, "Questions blocked by a pattern.")     \
	X(SUM, uint64_t, rechecked, SAME, TOTAL,                                                \
		"Cached records checked again by a new rule image.")                            \
	X(SUM, uint64_t, rechecked_changed, SAME, NONE,                                         \
		"Of these, records that got another mask.")                                     \
	X(SUM, uint64_t, rechecked_deleted, SAME, NONE, "Of these, records that were deleted.") \
	X(FIRST, uint64_t, walks, SAME, NONE,                                                   \
		"Finished walks over the records, each of all resolvers at once.")              \
	X(MOST, uint64_t, walk_ms, SAME, NONE, "Time that the last walk took.")

struct answer_policy_count {
	ANSWER_POLICY_COUNTS(COUNT_FIELD)
};
COUNTS(answer_policy_rows, struct answer_policy_count, "weir_resolver_answer_policy_",
	ANSWER_POLICY_COUNTS)

// Forward steps of the wall clock, and their effect.
#define STEP_COUNTS(X)                                                                \
	X(FIRST, uint64_t, steps, SAME, TOTAL,                                        \
		"Forward steps of the wall clock that aged cached records.")          \
	X(FIRST, uint64_t, stepped_ms, SAME, NAMED("stepped_seconds_total"),          \
		"Sum of the forward steps of the wall clock.")                        \
	X(SUM, uint64_t, aged, SAME, TOTAL, "Cached records written again as older.") \
	X(SUM, uint64_t, dropped, SAME, TOTAL,                                        \
		"Cached records dropped because they expired by a clock step or had no room.")

struct step_count {
	STEP_COUNTS(COUNT_FIELD)
};
COUNTS(step_rows, struct step_count, "weir_resolver_clock_", STEP_COUNTS)

#define FLUSH_COUNTS(X)                                                                            \
	X(FIRST, uint64_t, asked, SAME, TOTAL, "Flushes requested on this box.")                   \
	X(FIRST, uint64_t, told, SAME, TOTAL, "Flushes sent to other boxes.")                      \
	X(FIRST, uint64_t, heard, SAME, TOTAL,                                                     \
		"Flushes of other boxes that this box carried out.")                               \
	X(FIRST, uint64_t, own, SAME, NONE, "Messages of this box itself.")                        \
	X(SUM, uint64_t, refused, SAME, TOTAL,                                                     \
		"Flushes of other boxes refused because of a rate limit.")                         \
	X(FIRST, uint64_t, bad, SAME, TOTAL, "Messages on the flush channel that were not valid.") \
	X(FIRST, uint64_t, subscribed, SAME, NONE,                                                 \
		"Subscriptions, also again: some messages may have been missed.")                  \
	X(SUM, uint64_t, removed_for_others, SAME, NONE,                                           \
		"Answers removed because another box flushed.")                                    \
	X(SUM, uint64_t, kept_out, SAME, NONE, "Answers not stored because of a flush.")

struct flush_status {
	FLUSH_COUNTS(COUNT_FIELD)
};
COUNTS(flush_rows, struct flush_status, "weir_flush_", FLUSH_COUNTS)

#define RESOLVER_COUNTS(X)                                                                         \
	X(SUM, uint64_t, l0_private_bytes, NONE, NONE, "Memory of L0 that is not shared.")         \
	X(SUM, uint64_t, client_questions, NONE, NONE,                                             \
		"Questions of frontends that their clients' L0 did not answer.")                   \
	X(SUM, uint64_t, misses, SAME, TOTAL, "Questions that were not in L0.")                    \
	X(SUM, uint64_t, coalesced, SAME, TOTAL, "Of these, questions that joined one in flight.") \
	X(SUM, uint64_t, refreshes, SAME, TOTAL, "Questions that refresh-ahead asked.")            \
	X(SUM, uint64_t, bad_misses, SAME, TOTAL, "Messages of workers that held no question.")    \
	X(SUM, uint64_t, notifies, NONE, TOTAL, "NOTIFY that workers handed over.")                \
	X(SUM, uint64_t, answered, SAME, TOTAL,                                                    \
		"Clients that the resolver answered from upstreams or a cache.")                   \
	X(SUM, uint64_t, answered_stale, SAME, TOTAL,                                              \
		"Clients that the resolver answered with a stale record.")                         \
	X(SUM, uint64_t, servfail, SAME, TOTAL,                                                    \
		"Clients that the resolver answered with SERVFAIL.")                               \
	X(SUM, uint64_t, no_waiter, SAME, TOTAL, "Answers for which no client waited.")            \
	X(SUM, uint64_t, answer_ring_full, SAME, TOTAL,                                            \
		"Answers dropped because the answer ring was full.")                               \
	X(SUM, uint64_t, answer_evicted, SAME, TOTAL,                                              \
		"Answers dropped because their worker was evicted.")                               \
	X(SUM, uint64_t, answers_truncated, SAME, TOTAL, "Answers sent with TC.")                  \
	X(SUM, uint64_t, refused_inflight, SAME, TOTAL,                                            \
		"Questions refused because limits.inflight was reached.")                          \
	X(SUM, uint64_t, refused_waiters, SAME, TOTAL,                                             \
		"Clients refused because no more clients could wait.")                             \
	X(SUM, uint64_t, refused_zone, SAME, TOTAL,                                                \
		"Questions refused because their zone reached limits.zone_inflight.")              \
	X(SUM, uint64_t, refused_suffix, SAME, TOTAL,                                              \
		"Questions refused because three quarters of limits.inflight are below their "     \
		"public suffix.")                                                                  \
	X(SUM, uint64_t, refused_client, SAME, TOTAL,                                              \
		"Questions refused because their client reached limits.client_waiters.")           \
	X(SUM, uint64_t, unlimited_zone, SAME, TOTAL,                                              \
		"Questions over limits.zone_inflight, of a zone in limits.unlimited_zones.")       \
	X(SUM, uint64_t, unlimited_client, SAME, TOTAL,                                            \
		"Questions over limits.client_waiters, of a client in limits.unlimited_clients.")  \
	X(SUM, uint64_t, cut_short, SAME, TOTAL,                                                   \
		"Questions ended to make room because no client waited any more.")                 \
	X(SUM, uint64_t, upstream_sent, SAME, TOTAL, "Queries sent to upstreams of all views.")    \
	X(SUM, uint64_t, upstream_replies, SAME, TOTAL,                                            \
		"Replies of upstreams that the resolver accepted.")                                \
	X(SUM, uint64_t, mismatched, SAME, TOTAL, "Replies that matched no question.")             \
	X(SUM, uint64_t, stored, SAME, TOTAL, "Answers stored in L0.")                             \
	X(SUM, uint64_t, not_stored, SAME, TOTAL, "Answers not stored in L0.")                     \
	X(SUM, uint64_t, l1_answers, NONE, TOTAL, "Questions answered from L1.")                   \
	X(SUM, uint64_t, l1_too_large, NONE, NONE,                                                 \
		"Answers not sent to L1 because they were too large.")                             \
	X(SUM, uint64_t, refreshed_elsewhere, NONE, TOTAL, "Refreshes left to another box.")       \
	X(SUM, uint64_t, rewritten, SAME, TOTAL, "Questions that weir asked under another name.")  \
	X(SUM, uint64_t, refused_rewrites, SAME, TOTAL,                                            \
		"Questions under another name refused because there was no room.")                 \
	X(SUM, uint64_t, dns64, SAME, TOTAL,                                                       \
		"AAAA questions without an answer that were asked for A (DNS64).")                 \
	X(SUM, uint64_t, filtered_aaaa, SAME, TOTAL,                                               \
		"AAAA questions answered without AAAA by ipv6.filter_aaaa.")                       \
	X(SUM, uint64_t, forwarded, SAME, TOTAL,                                                   \
		"Questions sent to the servers of a forward zone.")                                \
	X(SUM, uint64_t, followed, SAME, TOTAL,                                                    \
		"Answers that led on to a name that weir asked for, or answered, itself.")         \
	X(SUM, uint64_t, unfollowed, SAME, TOTAL,                                                  \
		"Answers that led on, but too far, in a circle, or without room.")                 \
	X(SUM, uint64_t, subnet_sent, SAME, TOTAL,                                                 \
		"Queries to upstreams with the subnet of a client (RFC 7871).")                    \
	X(SUM, uint64_t, subnet_mismatched, SAME, TOTAL,                                           \
		"Replies dropped because their subnet is not that of the query.")                  \
	X(SUM, uint64_t, subnet_answers, SAME, TOTAL,                                              \
		"Answers that are for the clients of one subnet alone.")                           \
	X(SUM, uint64_t, subnet_hits, SAME, TOTAL, "Clients that got such an answer from L0.")     \
	X(SUM, uint32_t, inflight, SAME, SAME, "Questions in flight.")                             \
	X(SUM, uint32_t, inflight_max, SAME, NONE, "Most questions that were in flight at once.")  \
	X(SUM, uint32_t, waiters, SAME, SAME, "Clients that wait for an answer.")                  \
	X(SUM, uint32_t, inflight_cap, SAME, SAME, "Most questions that can be in flight.")        \
	X(SUM, uint32_t, waiter_cap, SAME, SAME, "Most clients that can wait.")                    \
	X(SUM, uint64_t, ring_anomalies, SAME, TOTAL,                                              \
		"Implausible values read from shared memory.")                                     \
	X(SUM, uint64_t, foreign_messages, SAME, TOTAL,                                            \
		"Messages of the data plane of an earlier run or a wrong shape, or changed on "    \
		"the way.")                                                                        \
	X(FIRST, uint64_t, link_up, NONE, SAME, "Whether a data plane is connected.")              \
	X(FIRST, unsigned, worker_rings, NONE, SAME,                                               \
		"Workers of the data plane that are connected.")                                   \
	X(MOST, uint64_t, loop_busy_us, SAME, NAMED("loop_busy_seconds"),                          \
		"CPU time of the longest iteration of the loop in the last minute.")               \
	X(SUM, uint64_t, late, SAME, TOTAL,                                                        \
		"Answers not sent because the client no longer waits.")                            \
	X(SUM, uint64_t, failed_recently, SAME, TOTAL,                                             \
		"Of these, because the question failed a moment ago (RFC 9520).")                  \
	X(SUM, uint64_t, upstream_tcp_again, SAME, TOTAL,                                          \
		"Queries sent again because their TCP connection ended.")                          \
	X(SUM, unsigned, failures, SAME, SAME, "Questions whose last failure weir remembers.")     \
	X(FIRST, unsigned, upstream_sets, NONE, NONE,                                              \
		"Sets of servers: everyone's and those of groups and zones.")                      \
	X(MOST, unsigned, upstream_sets_down, NONE, NONE,                                          \
		"Sets of servers in which no server answers.")

struct resolver_status {
	RESOLVER_COUNTS(COUNT_FIELD)
	struct l0_writer_stats l0;
	uint64_t l0_bytes;
	struct client_tally clients; // SERVFAIL only while upstreams may be asked
	struct bound_top met_bounds; // bounds met in the last minutes
	uint64_t dp_incarnation;
	struct loop_lag_minute lag;
	struct loop_lag lag_ever; // for readers that want another span
	struct upstream_sockets_stats sockets;
	struct upstream_streams_stats streams;
	struct upstream_https_stats https;
	struct upstream_port_stats port;
	struct table_registry tables;
	struct l1_status l1;
	struct l1_sweep_status l1_sweep;
	struct flush_status flush;
	struct answer_policy_count answer_policy;
	struct step_count step;
	struct validators_status validation;
	struct recursor_status recursion;
	struct took took[ANSWER_KINDS]; // from receipt to the answer, by enum answer_kind
	unsigned upstream_count;        // everyone's
	struct upstream_status upstream[CONFIG_UPSTREAMS_MAX];
};
COUNTS(resolver_rows, struct resolver_status, "weir_resolver_", RESOLVER_COUNTS)

// From now on queries are logged to `q`, which is stopped before resolver_close and after
// resolver_end_log. Before the loop runs; resolver_end_log after it.
struct querylog;
ATTR_MUST_CHECK int resolver_set_log(
	struct resolver *r, struct querylog *q, const struct config *config);
void resolver_end_log(struct resolver *r);

void resolver_status(struct resolver *r, struct resolver_status *out);
// What refresh-ahead did.
void resolver_refresh_report(const struct resolver *r, struct refresh_report *out);
struct loop *resolver_loop(const struct resolver *r); // any thread

// What a question in flight waits for. X(name, meaning)
#define PENDING_STEPS_LIST(X)                             \
	X(none, "nothing: it is about to end")            \
	X(l1, "Redis")                                    \
	X(validation, "validation of the answer")         \
	X(udp, "a reply over UDP")                        \
	X(connection, "a TCP connection to the upstream") \
	X(tcp, "a reply over TCP")                        \
	X(late, "a late reply: all tries are used up")
enum pending_step {
#define X(name, text) PENDING_##name,
	PENDING_STEPS_LIST(X)
#undef X
		PENDING_STEPS
};

struct pending_question {
	struct dns_name name;
	uint16_t qtype, view;
	bool is_renewal; // it renews a record ahead of time
	unsigned clients, attempts;
	enum pending_step step;
	uint16_t server; // number in upstream_book.h, or LOG_NO_UPSTREAM
	uint64_t age_ms;
	uint64_t waited_ms; // since the latest query was sent; 0: no query was sent
};
enum { RESOLVER_PENDING_MAX = 1000 };
struct resolver_pending {
	unsigned total, clients; // questions in flight, and clients that wait for them
	unsigned count;          // listed, the oldest first
	const struct pending_question *question;
};
// The oldest `limit` questions into `room`: some 0.2 us each.
void resolver_pending(const struct resolver *r, unsigned limit, struct pending_question *room,
	struct resolver_pending *out);

// One cached record of a name, for `weirctl cache get`. Fields of L0 alone are 0 for L1.
struct cache_entry {
	bool in_l1;
	uint16_t qtype, qclass, view;
	struct ip_address subnet; // the record is for its clients alone; version 0: for everyone
	uint8_t key_flags, rcode;
	uint16_t ancount, nscount, arcount;
	uint32_t units;
	uint64_t age_ms;
	int64_t soft_left_ms, hard_left_ms; // negative: past
	uint32_t auth_ttl_s;
	bool visited;
	bool refresh_asked;       // a worker requested a refresh, which has not ended
	bool inflight;            // the question is in flight
	bool held_back;           // the last refresh failed
	uint32_t hits_per_minute; // fading
	enum refresh_heat heat;
	int64_t refresh_left_ms; // until weir renews it at this heat; INT64_MAX: never
	uint16_t answer_len;
	uint8_t answer[4096]; // first bytes of a reply message: header, question, answer
	uint16_t message_len;
};
enum { CACHE_GET_MAX = 64, RESOLVER_WALKS_MAX = 8 }; // the first records in each tier

enum { CACHE_BOGUS_MAX = 16 };

struct cache_look {
	unsigned count;
	unsigned left_out; // records for which there was no room
	const struct cache_entry *entry;
	unsigned l1_asked, l1_lost, l1_bad; // keys; lost: no reply; bad: invalid, deleted
	const uint16_t *l1_types;           // types of the keys, each with DO, CD, both and neither
	unsigned l1_type_count;
	unsigned l1_views;    // number of views in use with a cache
	unsigned hung;        // resolvers whose part is left out (resolvers.h)
	unsigned bogus_count; // latest answers that were not kept, CACHE_BOGUS_MAX at most
	struct bogus_found bogus[CACHE_BOGUS_MAX];
};
typedef void (*resolver_look_fn)(void *arg, int err, const struct cache_look *look);

// Finds records of exactly this name; qtype 0: of any type, in L1 of the usual types. `err` of this
// and of resolver_cache_flush: 0, or -EAGAIN (RESOLVER_WALKS_MAX run already) or -ENOMEM: nothing
// was done.
ATTR_MUST_CHECK int resolver_cache_get(struct resolver *r, const struct dns_name *name,
	uint16_t qtype, struct loop *reply_to, resolver_look_fn done, void *arg);

// The records that one client's question of class IN may be answered with, of this resolver's part
// of L0: with DO, CD, both and neither, for everyone and for the client's subnet.
struct cache_question {
	struct dns_name name;
	uint16_t qtype, view;
	struct ip_address client; // version 0: not known
};
// Some ten lookups by key, in one turn: no walk, and no lookup in L1. `err`: 0.
ATTR_MUST_CHECK int resolver_cache_find(struct resolver *r, const struct cache_question *q,
	struct loop *reply_to, resolver_look_fn done, void *arg);

struct cache_flushed {
	uint64_t l0, l1; // answers removed
	enum l1_flush_end l1_end;
	bool told;             // Redis took the message to other boxes
	bool recursion_failed; // a recursor's caches are not emptied
	unsigned hung;         // resolvers that flush their part when they are back (resolvers.h)
};
typedef void (*resolver_flush_fn)(void *arg, int err, const struct cache_flushed *f);
// `tells_others`: sends a message to other boxes, and flushes the recursor's caches (for FLUSH_ALL
// always); false for names whose answers only this box has changed.
ATTR_MUST_CHECK int resolver_cache_flush(struct resolver *r, const struct flush *what,
	bool tells_others, struct loop *reply_to, resolver_flush_fn done, void *arg);
