// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// struct resolver, which the resolver's files share: resolver_open.c (open, timers, settings),
// resolver_miss.c (from a client's query to a question), question.c and question_l1.c (its life),
// resolver_check.c (answer policy), resolver_answer.c (replies), resolver_store.c (L0),
// resolver_step.c (steps of the clock), resolver_refresh.c (renewals), resolver_trace.c (watches),
// resolver_ask.c (the door of frontends), resolver_flush.c, resolver_cache.c and resolver_status.c
// (calls from other threads).
//
// struct resolver holds no state of a single question. Its answer (struct dns_answer, 70 KiB), its
// match of the answer policy (struct answer_match) and each waiter's query are variables of the
// function that made them, which passes them on. The loop's thread has a stack of 8 MiB, and no
// such function calls itself.

#include "answer_policy/answer_policy.h"
#include "failures.h"
#include "inflight.h"
#include "kept_query.h"
#include "l1/l1.h"
#include "l1/l1_flush.h"
#include "l1/l1_sweep.h"
#include "l1/ttl_rules.h"
#include "querylog/trace.h"
#include "refresh.h"
#include "resolver.h"
#include "resolver_client.h"
#include "upstream/views.h"

#include <weir/dns_answer.h>
#include <weir/dns_identity.h>

enum {
	RESOLVER_QUESTIONS_MAX = 65536, // the most that limits.inflight can be set to
	RESOLVER_WAITERS_MAX = 65536,
	STALE_AFTER_MS = 1800,    // RFC 8767 5: client response timer
	SERVFAIL_AFTER_MS = 1900, // clients give up or ask again after 2 s
	QUESTION_LIFE_MS = 5000,
	RESOLVER_REWRITES_MAX = 4096, // questions under another name at one time
	ANSWER_LATE_MS = 2000,        // a waiter's age from which on nothing is sent
	REFRESH_LOCK_S = 10,
	STALE_HOLD_MS = 30000, // RFC 8767 5: no more than every 30 s is a failing name asked again
};

struct resolver_log;
struct walk;
struct flushes;
struct recheck;
struct steps;

struct resolver_settings {
	struct ttl_rules ttl;
	uint32_t stale_ttl_s, client_ttl_cap_s;
	bool stale_immediate;
	bool any_minimal, rotate;
	unsigned waiters;
	uint16_t udp_reply_size;
	struct dns_identity identity;
};

struct resolver {
	struct loop *loop;
	bool is_off;                 // by a toggle: asks no upstream
	struct publisher *publisher; // owned by the process, as the next three
	const struct link_server *link;
	struct worker_rings *worker_rings;
	struct l0_writer *l0;
	struct l1 *l1;
	struct l1_sweep *l1_sweep;
	_Atomic uint64_t views_keep_ms; // until then no view is let go
	struct views *views;            // with the upstreams
	struct inflight *inflight;
	struct failures *failures;
	struct refresh *refresh;
	struct resolver_settings set;
	void (*list_tables)(void *arg, struct table_registry *tables); // NULL: no more
	void *list_tables_arg;
	struct event *beat, *sweep, *sweep_step;
	struct flushes *flushes;
	unsigned rewrites, rewrites_most; // questions that have one
	struct age_list rewrite_ages;
	const struct answer_policy *answer_policy; // NULL: there is none yet
	struct recheck *recheck;
	struct steps *steps;
	struct walk *walk[RESOLVER_WALKS_MAX]; // looks under way
	struct resolver_status count;          // counters only; gauges are filled in when asked for
	uint64_t record_anomalies;
	uint32_t turn; // of addresses, from reply to reply
	struct upstream_book *book;
	struct resolver_log *log;
	bool logs;                        // a log thread empties its ring
	struct kept_queries kept_queries; // of waiters and of the frontend's clients
	struct traces *traces;
	resolver_client_fn answer_client; // resolver_client_serve; NULL: there is no frontend
	void *answer_client_arg;
	// Room for one reply of DNS_MESSAGE_MAX bytes, with room around it (resolver_client.h). It
	// is written from its header on for each waiter, and read before the next one's is written.
	uint8_t *reply;
	uint8_t reply_room[REPLY_HEADROOM + DNS_MESSAGE_MAX + REPLY_TAILROOM];
};
