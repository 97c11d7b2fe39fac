// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// struct resolver, which the resolver's files share: resolver_loop.c (open, timers, settings,
// state, watches, renewals, flushes), resolver_miss.c (from a client's query to a question, and
// replies), question.c (a question's life), resolver_check.c (answer policy and local data),
// resolver_store.c (L0), resolver_cache.c (calls from other threads).
//
// struct resolver holds no state of a single question. Its answer (struct dns_answer, 70 KiB), its
// match of the answer policy (struct answer_match) and each waiter's query are variables of the
// function that made them, which passes them on. The loop's thread has a stack of 8 MiB, and no
// such function calls itself.

#include "answer_policy/answer_policy.h"
#include "bounds/bound_log.h"
#include "failures.h"
#include "inflight.h"
#include "kept_query.h"
#include "l1/l1.h"
#include "l1/l1_sweep.h"
#include "l1/ttl_rules.h"
#include "querylog/trace.h"
#include "refresh.h"
#include "resolver.h"
#include "resolver_client.h"
#include "upstream/subnet_key.h"
#include "upstream/upstream_candidate.h"

#include <weir/dns_answer.h>
#include <weir/dns_identity.h>

enum {
	RESOLVER_QUESTIONS_MAX = 65536, // the most that limits.inflight can be set to
	RESOLVER_WAITERS_MAX = 65536,
	STALE_AFTER_MS = 1800,    // RFC 8767 5: client response timer
	SERVFAIL_AFTER_MS = 1900, // the deadline of clients while there is little room
	QUESTION_LIFE_MS = 5000,
	RESOLVER_REWRITES_MAX = 4096, // questions under another name at one time
	ANSWER_SPARE_MS = 500,        // after limits.answer_deadline_ms; then nothing is sent
	REFRESH_LOCK_S = 10,
	STALE_HOLD_MS = 30000, // RFC 8767 5: weir asks for a failing name at most every 30 s
};

struct resolver_log;
struct walk;
struct flushes;
struct recheck;
struct steps;

// A resolver's share of a bound of the process: the limit divided by N resolvers, rounded down so
// that the bound holds in sum, but at least 1, so a limit below N becomes N. Questions go to
// resolvers by the hash of their name and type, so questions of one zone or one client are spread
// evenly, and some share is met a little before the whole bound is: with 200 and four resolvers at
// some 185. Nothing is shared, so a miss writes no cache line of another resolver.
unsigned resolver_share(const struct resolver *r, unsigned limit); // 0, no bound, stays 0

struct resolver_settings {
	struct ttl_rules ttl;
	uint32_t stale_ttl_s, client_ttl_cap_s;
	bool any_minimal, rotate;
	bool validates;
	bool missing_forward; // local.missing_types
	bool sends_subnet;    // some server is sent clients' subnets
	bool stale_immediate; // workers serve expired records at once
	uint64_t dnssec;      // config_dnssec.hash
	unsigned waiters;
	uint32_t answer_deadline_ms;
	uint16_t udp_reply_size;
	struct dns_identity identity;
	const struct config *config; // for names of the house (house.h)
};

struct resolver {
	struct resolvers *all;
	unsigned index; // 0: the first resolver
	struct loop *loop;
	bool is_off;                 // a toggle is off: asks no upstream
	struct publisher *publisher; // publisher to lookups: see struct resolver_given
	const struct link_server *link;
	struct worker_rings *worker_rings;
	struct l0_writer *l0;
	struct views *views;                 // views and their upstreams
	struct upstream_port *port;          // the views'; NULL: sockets alone
	struct recursor *recursor;           // a server of the views; NULL: no recursion
	struct upstream_lookups *lookups;    // NULL: not the first resolver
	struct upstream_candidate candidate; // the first resolver's
	uint64_t hosts_turn;                 // host_board_turn whose addresses the views have
	unsigned port_worker; // worker that the latest query through the port went to
	struct upstream_callbacks callbacks; // callbacks of every upstream query
	struct l1 *l1;
	struct l1_sweep *l1_sweep;
	_Atomic uint64_t views_keep_ms; // no view is freed before
	struct validators *validators;
	struct inflight *inflight;
	struct failures *failures;
	struct bogus_names bogus_names;
	struct bound_log met_bounds;
	struct refresh *refresh;
	struct resolver_settings set;
	struct event *beat, *move, *sweep, *sweep_step;
	struct flushes *flushes;
	unsigned rewrites, rewrites_most; // questions with a rewrite
	size_t rewrite_bytes;
	struct age_list rewrite_ages;
	const struct answer_policy *answer_policy; // NULL: there is none yet
	struct subnet_lengths subnets;             // lengths of subnets of answers in L0
	struct recheck *recheck;
	struct steps *steps;
	struct walk *walk[RESOLVER_WALKS_MAX]; // lookups under way
	struct resolver_status count;          // counters only; gauges are filled in when asked for
	uint64_t record_anomalies;
	uint32_t turn; // rotation of addresses, by reply
	struct resolver_log *log;
	bool logs;                        // a log thread empties its ring
	struct kept_queries kept_queries; // queries of waiters
	struct traces *traces;
	struct ring_mesh_end *clients; // the frontends
	struct list_notify *notify;    // NULL: NOTIFY is not implemented
	struct lease_names *leases;    // held; NULL: there are none (lease_names_now)
	// A waiter's reply, from the header on; sent before the next waiter's is written.
	uint8_t reply[DNS_MESSAGE_MAX];
};

// Starts a trace, with name and type of the query. 0: no room.
trace_handle resolver_trace_start(struct resolver *r, struct trace *t, const struct dns_query *q);

// Adds a step to the trace of a question or a client; 0: not watched.
ATTR_INLINE void resolver_trace_note(
	const struct resolver *r, trace_handle h, enum trace_step step, uint32_t value)
{
	if (unlikely_(h))
		traces_note(r->traces, h, step, 0, value);
}

void resolver_cache_close(struct resolver *r); // ends lookups that are under way

// Was the name flushed since, or does a flush of it wait (counted)?
bool resolver_flush_covers(
	struct resolver *r, const struct dns_name *name, uint64_t since_ms, uint64_t now_ms);
