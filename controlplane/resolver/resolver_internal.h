// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the resolver's files share: resolver.c (open, timers, settings), resolver_miss.c (from a
// client's query to a question), resolver_question.c (a question's life), resolver_answer_policy.c
// (what answers lead to), resolver_recheck.c (that of cached ones under a new image),
// resolver_step.c (the age of cached ones when the wall clock steps ahead), resolver_l1.c (its way
// through Redis), resolver_refresh.c (questions that nobody waits for), resolver_rewrite.c (local
// CNAMEs, zones), resolver_answer.c (replies to waiters), resolver_store.c (L0), resolver_trace.c
// (for who watches), resolver_client.c (the door of frontends), resolver_flush.c, resolver_cache.c
// and resolver_status.c (calls from other threads).
//
// struct resolver holds no state of a single question. Its answer (struct dns_answer, 70 KiB), what
// the response policy says of it (struct answer_match) and each waiter's query are variables of
// the function that made them, which passes them on. The loop's thread has a stack of 8 MiB, and no
// such function calls itself.

#include "answer_policy/answer_policy.h"
#include "failures.h"
#include "inflight.h"
#include "kept_query.h"
#include "l1/flush_log.h"
#include "l1/l1.h"
#include "l1/l1_flush.h"
#include "l1/l1_sweep.h"
#include "l1/ttl_rules.h"
#include "querylog/trace.h"
#include "refresh.h"
#include "resolver.h"
#include "resolver_client.h"
#include "resolver_log.h"
#include "upstream/views.h"

#include <weir/dns_answer.h>
#include <weir/dns_identity.h>

enum {
	RESOLVER_QUESTIONS_MAX = 65536, // the most that limits.inflight can be set to
	RESOLVER_WAITERS_MAX = 65536,
	STALE_AFTER_MS = 1800,    // RFC 8767 5: client response timer
	SERVFAIL_AFTER_MS = 1900, // clients give up or ask again after 2 s
	QUESTION_LIFE_MS = 5000,
	RESOLVER_REWRITES_MAX = 4096, // questions that are asked under another name, at one time
	ANSWER_LATE_MS = 2000,        // a waiter's age from which on nothing is sent
	REFRESH_LOCK_S = 10,
	STALE_HOLD_MS = 30000, // RFC 8767 5: no more than every 30 s is a failing name asked again
};

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
	bool is_off;                 // by a toggle: nothing is asked of upstreams
	struct publisher *publisher; // given, as the next three
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
	bool logs;                        // somebody empties its ring
	struct kept_queries kept_queries; // of waiters and of the frontend's clients
	struct traces *traces;
	resolver_client_fn answer_client; // resolver_client_serve; NULL: there is no frontend
	void *answer_client_arg;
	// Room for one reply of DNS_MESSAGE_MAX bytes, with room around it (resolver_client.h). It
	// is written from its header on for each waiter, and read before the next one's is written.
	uint8_t *reply;
	uint8_t reply_room[REPLY_HEADROOM + DNS_MESSAGE_MAX + REPLY_TAILROOM];
};

// What a waiter is told.
struct resolver_answer {
	const struct dns_answer_view *view; // NULL: no records, `rcode`
	uint16_t rcode;
	enum answer_kind kind;
	struct dns_reply_opts opts;
	const struct answer_match *finding; // for whom it is blocked; NULL: for nobody. The
					    // caller's, of this answer alone
	const struct upstream_ask *by; // its server answered; NULL: none did
	bool from_l1;
};

// resolver_miss.c
void resolver_miss(void *resolver, const struct msg_miss *m, const uint8_t *question);
// A frontend's client asks what the rules left open: answered by the cache at once, or later.
void resolver_ask(
	struct resolver *r, const struct dns_query *q, uint16_t view, const struct waiter *w);

// resolver_question.c
enum question_stage {
	STAGE_FIRST,     // until the stale timer
	STAGE_NO_STALE,  // it found nothing; until the SERVFAIL timer
	STAGE_BACKGROUND // waiters are served; a reply still fills the cache
};
enum upstream_take resolver_upstream_reply(struct upstream_ask *a, const uint8_t *msg, size_t len);
void resolver_upstream_ended(struct upstream_ask *a, enum upstream_end why);
void question_start(struct resolver *r, struct question *q, uint64_t now_ms);
void question_finish(struct resolver *r, struct question *q, enum refresh_end end);
void question_ask(struct question *q); // the upstreams
// SERVFAIL to every waiter, and the question ends.
void question_refuse(struct resolver *r, struct question *q, int ede);
// Every waiter gets it, and the question ends.
void question_answered(
	struct resolver *r, struct question *q, const struct resolver_answer *answer);

// A step of a question that somebody watches, or of one client's.
ATTR_INLINE void trace_note(
	const struct resolver *r, trace_handle h, enum trace_step step, uint32_t value)
{
	if (unlikely_(h))
		traces_note(r->traces, h, step, 0, value);
}

// resolver_trace.c
trace_handle trace_miss(struct resolver *r, const struct msg_miss *m, const struct dns_query *q);
trace_handle trace_client(struct resolver *r, const struct dns_query *q,
	const union client_address *client, uint64_t arrival_us, bool is_tcp);
// Of a frontend's, that was settled without the resolver.
void trace_client_settled(struct resolver *r, const struct dns_query *q,
	const union client_address *client, bool is_tcp, unsigned verdict);
void trace_upstream(struct upstream_ask *a, const struct trace_event *e); // of upstream_callbacks
void trace_tables(const struct resolver *r, struct table_registry *tables);

// resolver_rewrite.c
// Before it is asked anywhere. False: it has ended, answered from what is here, or refused.
bool question_direct(struct resolver *r, struct question *q);
void question_direct_end(struct resolver *r, struct question *q); // once or more
void resolver_rewrite_tables(const struct resolver *r, struct table_registry *tables);
const struct dns_name *question_asked(const struct question *q); // the name that is
// What answers to a name that is asked for are named by in L1: the hash of its zone, else of the
// view.
uint64_t question_l1_hash(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype);
// A reply to what was asked, as an answer to the question; as dns_answer_read.
ATTR_MUST_CHECK int question_read(const struct resolver *r, const struct question *q,
	const uint8_t *msg, size_t len, struct dns_answer *out);

// resolver_l1.c
bool question_look(struct resolver *r, struct question *q);   // false: L1 is not there to be asked
bool l1_drop(void *resolver, const struct l1_key_parts *key); // l1_drop_fn
// Stores an upstream's reply under the name that was asked; `a` is what question_read made of it.
void l1_store(struct resolver *r, const struct question *q, const struct dns_answer *a,
	const uint8_t *msg, size_t len);

// resolver_answer_policy.c
// Checks an answer to this query against the lists: the result is written to *out, all of it.
void resolver_check_for(const struct resolver *r, const struct dns_query *q,
	const struct dns_answer_view *answer, struct answer_match *out);
// The same, and counts it.
void resolver_check_reply(struct resolver *r, const struct dns_query *q, const struct dns_answer *a,
	struct answer_match *out);
// The same of a cached record, by its mask.
void resolver_checked_record(
	const struct resolver *r, const struct l0_view *v, struct answer_match *out);
// False: it has no mask, so the answer is not to be kept (counted).
bool resolver_checked_mask(
	struct resolver *r, const struct answer_match *finding, struct rule_set *mask);
// Does the policy block this answer for the waiter's client, by the group that the client had when
// it was let in? Then *list is the list, and *block how the group is answered.
bool resolver_check_blocks(const struct resolver *r, const struct dns_query *q,
	const struct waiter *w, const struct answer_match *finding, uint16_t *list,
	struct dns_block *block);
void resolver_answer_policy_tables(const struct resolver *r, struct table_registry *tables);
// A pattern blocks the name for who asks: answered.
bool question_blocked(struct resolver *r, const struct dns_query *q, const struct waiter *w);

// resolver_recheck.c
ATTR_MUST_CHECK int recheck_open(struct resolver *r);
void recheck_close(struct resolver *r);

// resolver_step.c
ATTR_MUST_CHECK int steps_open(struct resolver *r);
void steps_close(struct resolver *r);
void steps_beat(struct resolver *r); // each 100 ms

// resolver_flush.c
ATTR_MUST_CHECK int flushes_open(struct resolver *r);
void flushes_close(struct resolver *r);     // before L1
void flushes_configure(struct resolver *r); // behind l1_configure: the channel
// `everyone`: view_everyone_hash of the configuration. Empties L0 in the background if it was
// filled under another hash, but not with `same_servers`: app_flush_changes then removes what zones
// and CNAMEs say differently.
void flush_everyone(struct resolver *r, uint64_t everyone, bool same_servers);
void flushes_status(const struct resolver *r, struct flush_status *out);
void resolver_flush_tables(const struct resolver *r, struct table_registry *tables);
// An answer that was asked for at `since_ms`, or a value in L1 that was made at `created_ms`, is of
// a name that was flushed since: it may be told, but not stored (counted).
bool flush_covers(struct resolver *r, const struct question *q, uint64_t since_ms);
bool flush_covers_value(struct resolver *r, const struct question *q, uint64_t created_ms);

// resolver_refresh.c
ATTR_MUST_CHECK int resolver_refresh_open(struct resolver *r);
void resolver_refresh_configure(struct resolver *r, const struct config *config);
void resolver_refresh_close(struct resolver *r);

// resolver_answer.c: one answer for one waiter or for all of a question's.
struct resolver_answer resolver_answer_servfail(int ede);
struct resolver_answer resolver_answer_fresh(
	const struct resolver *r, const struct dns_answer_view *view, uint32_t age_s);
struct resolver_answer resolver_answer_stale_record(
	const struct resolver *r, const struct l0_view *v, const struct answer_match *finding);
void resolver_answer_one(struct resolver *r, const struct dns_query *q, const struct waiter *w,
	const struct resolver_answer *a);
void resolver_answer_all(struct resolver *r, struct question *q, const struct resolver_answer *a);

// One of a worker's clients gets no answer.
void resolver_answer_none(struct resolver *r, const struct dns_query *q, const struct waiter *w);

// A whole response without id and OPT, as a client would get it at that age; over `cap` octets it
// is header and question with TC. Its length.
uint16_t resolver_answer_message(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_answer_view *view, uint32_t age_s);

// resolver_store.c
struct l0_key question_key(const struct question *q);
// Stores an answer in place of the record of its key. An answer that may not be kept (TTL 0, no
// mask, too long) deletes that record, as the newest answer counts. An answer for which L0 has no
// room leaves the record, up to its own expiry: otherwise a worker that stands still would have the
// most wanted names deleted, which are renewed most often.
void store_answer(struct resolver *r, const struct question *q, const struct dns_answer *a,
	const struct answer_match *finding, uint64_t created_ms);
// The record of a key, whatever its age; false: none.
bool store_find(struct resolver *r, const struct l0_key *key, struct l0_view *out);
// May be served although it is past its soft expiry?
bool store_usable(const struct l0_view *v, uint64_t now_ms);
// Fetches the records of a bucket, for walks: each is a line that is in no cache.
void store_look_ahead(const struct l0_reader *l0, uint64_t bucket);
// A slice of a walk through all records, between which the loop does its work; `fn` may write the
// record anew or delete it. *cursor starts at 0. Entries do not move, so none is missed. True: all
// is done.
typedef void (*store_walk_fn)(struct resolver *r, const struct l0_view *v, void *arg);
bool store_walk(struct resolver *r, uint64_t *cursor, store_walk_fn fn, void *arg);
void store_restamp(struct resolver *r, const struct l0_key *key);
void store_refreshed(struct resolver *r, const struct l0_key *key); // clears the refresh mark

// resolver_cache.c
void walks_free(struct resolver *r);
