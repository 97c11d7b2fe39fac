// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A resolver: misses in, answers out. Everything here runs on its loop's thread but the functions
// marked "any thread". The process may have several (resolvers.h).
//
// A miss is parsed again (the ring is not trusted), coalesced with others of the same key
// (inflight.h), asked of an upstream (upstream.h), the reply checked and rewritten (dns_answer.h),
// stored in L0, and every waiter answered through its rings' answer ring.
// Deadlines: first try at most first_timeout_ms, at most max_sends sends in all, a stale answer at
// 1.8 s if L0 has one, else SERVFAIL with EDE 22 to each client limits.answer_deadline_ms after it
// asked; the question ends after 5 s (question.c). When every upstream has failed: the stale
// record, restamped so that workers serve it for 30 s, else SERVFAIL with EDE 22 or 23; the failure
// is remembered (failures.h). Full tables: no room for a question or a waiter, or none for one more
// of that zone or that client, is SERVFAIL at once, with the bound as EXTRA-TEXT (bounds.h); one
// waiter too many for a question is dropped (the client's retry hits). Both are counted.

#include "answer_policy/answer_policy.h"
#include "base/client_tally.h"
#include "base/loop.h"
#include "base/table_registry.h"
#include "bounds/bound_log.h"
#include "l1/flush.h"
#include "l1/l1.h"
#include "l1/l1_flush.h"
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

// Objects of the process that a resolver uses. They outlive the resolver. Loop and views have no
// other one; of rings and L0 it has its own (`index`).
struct resolver_given {
	struct resolvers *all; // with their count, and this one's place among them
	unsigned index;
	struct loop *loop; // on whose thread the resolver runs
	struct publisher *publisher;
	struct link_server *link;    // source of its misses, with its part of L0
	struct views *views;         // of `config`: whom it asks; it configures and sweeps them
	struct ring_mesh *frontends; // resolver_client_mesh
	struct upstream_port *port;  // of these views; NULL: sockets alone
	struct recursor *recursor;   // a server of these views; NULL: none
	struct list_notify *notify;  // takes NOTIFY that workers got; NULL: NOTIMP
	struct upstream_lookups *lookups; // of host names of servers; NULL: not the first resolver
};
ATTR_MUST_CHECK int resolver_open(struct resolver **out, const struct resolver_given *given,
	const struct config *config, char why[SHM_WHY_MAX]);
void resolver_close(struct resolver *r);
// The recursor as the configuration has it. Before the views of a configuration that needs it, on
// the loop's thread or before it runs. As recursor_configure.
ATTR_MUST_CHECK int resolver_recursion_configure(
	struct recursor *recursor, const struct config *config);

// Upstreams, limits and TTL limits from a new configuration, which must outlive its use (until the
// next call returns). On the loop's thread. -EBUSY, -ENOSPC, -ENOMEM as views_configure, -EINVAL as
// recursor_configure; then nothing has changed. The process calls resolvers_reconfigure.
ATTR_MUST_CHECK int resolver_reconfigure(struct resolver *r, const struct config *config);
// Of another one than the first: with the view numbers of that, by group.
ATTR_MUST_CHECK int resolver_follow(struct resolver *r, const struct config *config,
	const struct policy_group group[POLICY_GROUPS_MAX]);
// The view of a group of that configuration, from 0 on, into `view` and `view_hash`, and its safe
// view. On the loop's thread or before it runs.
void resolver_group_view(const struct resolver *r, unsigned group, struct policy_group *out);
// Only `safe_view` and `safe_hash`; `group` from 1 on, 0: everyone else.
void resolver_safe_view(const struct resolver *r, unsigned group, struct policy_group *out);
// Whether workers can have the groups of the last reconfiguration. While they cannot, views that
// left stay, as clients are still in them. Service loop, or before it runs.
void resolver_groups_published(struct resolver *r, bool published);

// Sets the answer policy (NULL: no checks), which must live until another one has replaced it.
// Checks L0 again by it, in slices of 0.4 ms, then calls `then`, if not NULL, on the loop. No other
// may be set before that, unless `then` is NULL. On the loop's thread, or before it runs.
void resolver_set_answer_policy(void *resolver, const struct answer_policy *answer_policy,
	void (*then)(void *arg), void *arg);
// Before the loop runs, for a start: one slice of that. True: all is done.
bool resolver_recheck_slice(struct resolver *r);

bool resolver_hangs(const struct resolver *r); // by the other threads; any thread

// Begins a watch (NULL: ends it): the resolver's steps go to `put` on its loop (trace.h). Any
// thread. -EAGAIN, -ENOMEM: no traces.
ATTR_MUST_CHECK int resolver_watch(
	struct resolver *r, const struct dp_watch *filter, trace_put_fn put, void *arg);

struct answer_policy_count {
	uint64_t answers, listed;   // checked when they came; of these with something on a list
	uint64_t not_kept;          // listed ones without a mask: not cached
	uint64_t cut;               // lead to more names than patterns are matched with
	uint64_t answered_blocked;  // clients
	uint64_t questions_blocked; // of these by a pattern, without asking an upstream
	// Of cached records under new images: checked, given another mask, deleted.
	uint64_t rechecked, rechecked_changed, rechecked_deleted;
	uint64_t walks, walk_ms; // finished ones; time that the last one took
};

// Forward steps of the wall clock, and their effect.
struct step_count {
	uint64_t steps, stepped_ms;
	uint64_t aged, dropped; // cached records
};

struct flush_status {
	uint64_t asked, told; // requested here; sent to other boxes
	// Messages of other boxes: accepted; this box's own; over the limits; invalid.
	uint64_t heard, own, refused, bad;
	uint64_t subscribed; // also again: then some may have been missed
	uint64_t removed_for_others, kept_out;
};

struct resolver_status {
	struct l0_writer_stats l0;
	uint64_t l0_bytes, l0_private_bytes;
	uint64_t client_questions; // of frontends, that their clients' L0 did not answer
	uint64_t misses, coalesced, refreshes, bad_misses, notifies;
	struct client_tally clients; // SERVFAIL only while upstreams may be asked
	uint64_t answered, answered_stale, servfail, no_waiter, answer_ring_full, answer_evicted,
		answers_truncated;
	uint64_t refused_inflight, refused_waiters;
	// Over what a zone, a public suffix, or a client may have of these.
	uint64_t refused_zone, refused_suffix, refused_client;
	// Over it all the same, as limits.unlimited_zones or unlimited_clients has it.
	uint64_t unlimited_zone, unlimited_client;
	struct bound_top met_bounds; // of the last minutes
	uint64_t cut_short;          // questions without waiters, ended to make room
	uint64_t upstream_sent, upstream_replies, mismatched;
	uint64_t stored, not_stored;
	uint64_t l1_answers, l1_too_large, refreshed_elsewhere;
	uint64_t rewritten, refused_rewrites; // asked under another name; no room for one more
	uint64_t dns64;                       // of AAAA without an answer, asked for A
	uint64_t filtered_aaaa;               // answered without AAAA, by ipv6.filter_aaaa
	uint64_t forwarded;                   // asked of a zone's servers
	uint64_t followed, unfollowed;        // answers that led on; too far, back, or no room
	// Client subnets (subnet_key.h): queries that had one; replies dropped as theirs is
	// another; answers that are for one alone; clients that got such a one from L0.
	uint64_t subnet_sent, subnet_mismatched, subnet_answers, subnet_hits;
	uint32_t inflight, inflight_max, waiters, inflight_cap, waiter_cap;
	uint64_t ring_anomalies, foreign_messages;
	uint64_t link_up; // data plane connected
	uint64_t dp_incarnation;
	unsigned worker_rings;
	struct loop_lag_minute lag;
	struct loop_lag lag_ever; // for readers that want another span
	uint64_t loop_busy_us;    // CPU time of the longest turn, last minute
	uint64_t late;            // answers not sent: their client no longer waits
	uint64_t failed_recently; // SERVFAIL from memory (RFC 9520)
	uint64_t upstream_tcp_again;
	struct upstream_sockets_stats sockets;
	struct upstream_streams_stats streams;
	struct upstream_https_stats https;
	struct upstream_port_stats port;
	unsigned failures; // questions that are in that memory
	struct table_registry tables;
	struct l1_status l1;
	struct l1_sweep_status l1_sweep;
	struct flush_status flush;
	struct answer_policy_count answer_policy;
	struct step_count step;
	struct validators_status validation;
	struct recursor_status recursion;
	struct took took[ANSWER_KINDS]; // from receipt to the answer, by enum answer_kind
	// Sets of servers, everyone's and those of groups and zones; of these without one that
	// answers.
	unsigned upstream_sets, upstream_sets_down;
	unsigned upstream_count; // everyone's
	struct upstream_status upstream[CONFIG_UPSTREAMS_MAX];
};

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
	uint16_t server; // in the book (upstream_book.h), or LOG_NO_UPSTREAM
	uint64_t age_ms;
	uint64_t waited_ms; // since the latest query left; 0: none did
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
	struct ip_address subnet; // it is for these clients alone; version 0: for everyone
	uint8_t key_flags, rcode;
	uint16_t ancount, nscount, arcount;
	uint32_t units;
	uint64_t age_ms;
	int64_t soft_left_ms, hard_left_ms; // negative: past
	uint32_t auth_ttl_s;
	bool visited;
	bool refresh_asked;       // a worker did, and has not been served
	bool inflight;            // its question is
	bool held_back;           // its last refresh failed
	uint32_t hits_per_minute; // fading
	enum refresh_heat heat;
	int64_t refresh_left_ms; // until it is renewed as things are; INT64_MAX: it will not be
	uint16_t answer_len;
	uint8_t answer[4096]; // first bytes of a reply message: header, question, answer; at most
			      // this
	uint16_t message_len;
};
enum { CACHE_GET_MAX = 64, RESOLVER_WALKS_MAX = 8 }; // the first of them in each tier

enum { CACHE_BOGUS_MAX = 16 };

struct cache_look {
	unsigned count;
	unsigned left_out; // further ones, for which there was no room
	const struct cache_entry *entry;
	unsigned l1_asked, l1_lost, l1_bad; // keys; lost: no reply; bad: deleted, as no answer
	const uint16_t *l1_types;           // which keys: of these, with DO, CD, both and neither
	unsigned l1_type_count;
	unsigned l1_views;    // number of views in use with a cache
	unsigned hung;        // resolvers whose part is left out (resolvers.h)
	unsigned bogus_count; // latest answers that were not kept, CACHE_BOGUS_MAX at most
	struct bogus_found bogus[CACHE_BOGUS_MAX];
};
typedef void (*resolver_look_fn)(void *arg, int err, const struct cache_look *look);

// Records of exactly this name; qtype 0: of any type, in L1 of the usual ones. `err` of either
// call: 0, or -EAGAIN (RESOLVER_WALKS_MAX run already) or -ENOMEM, then nothing was looked at.
ATTR_MUST_CHECK int resolver_cache_get(struct resolver *r, const struct dns_name *name,
	uint16_t qtype, struct loop *reply_to, resolver_look_fn done, void *arg);

// The records that one client's question of class IN may be answered with, of this resolver's part
// of L0: with DO, CD, both and neither, for everyone and for the client's subnet.
struct cache_question {
	struct dns_name name;
	uint16_t qtype, view;
	struct ip_address client; // version 0: not known
};
// Some ten lookups by key, in one turn: no walk, and no look at L1. `err`: 0.
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
// `tells_others`: with word to other boxes, and of the recursor's caches too; not of what is this
// box's own.
ATTR_MUST_CHECK int resolver_cache_flush(struct resolver *r, const struct flush *what,
	bool tells_others, struct loop *reply_to, resolver_flush_fn done, void *arg);
