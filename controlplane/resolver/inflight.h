// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Questions being resolved and the clients that wait for them. Resolver loop's thread only.
//
// One question per L0 key for any number of clients (reliability row 4), and per subnet of these
// where servers get it (upstream_edns.h). A flood from many subnets for one name has a question
// for each, and meets the limit of its zone. Questions come from a fixed array, found through a
// hash table of chains; a waiter is an address and some scalars, from a fixed pool, in a list per
// question, oldest first. Both refuse when full; nothing grows. A waiter keeps its spelling of the
// question as one bit per byte: upper case or not.
//
// Shares (weir/sketch.h) keep one client or zone from taking all. A zone's questions
// (zone_suffix.h) have a limit for each set of servers that weir asks for them: the names of a
// company's domain that its own servers have, and do not answer, leave room for those of the public
// servers, and for other groups' servers. And those of all zones under one public suffix may be
// three quarters of all: a flood of random names below a zone whose servers do not answer fills
// only that share. A client, an IPv4 address or an IPv6 /64, has a limit of pending answers: an
// upstream that delays them and releases them at one time sends no more than that to a forged
// address (DNSBomb, CVE-2024-33655). A zone or a client without such a limit (exempt.h) leaves the
// last quarter to the others: a zone by its suffix, a client of the waiters. The last quarter of
// the waiters is for questions with INFLIGHT_FEW at most: that is four for each of 4,096, so some
// hundred popular names that fail leave room for new names.
//
// The arrays are touched only as far as they were ever used.

#include "base/age_list.h"
#include "base/table_registry.h"
#include "bounds/bounds.h"
#include "bounds/exempt.h"
#include "resolver_client.h"
#include "upstream/upstream.h"

#include <weir/dns_answer.h>
#include <weir/dns_query.h>
#include <weir/l0_table.h>
#include <weir/rule_image.h>
#include <weir/shm_msg.h>

struct inflight;
struct forward_set;
struct kept_queries;
struct l1_lookup;
struct refresh_request;
struct rewrite;
struct validation;
struct view;

// A client whose question a list leads to another name: it waits for the answer to that one.
struct led {
	struct dns_name name;   // that it asked for
	struct dns_alias alias; // the zone's CNAME
	struct rule_decision d; // by which it leads
};

struct waiter {
	union {
		struct return_path path;
		struct client_ticket ticket; // is_client: of a frontend of this process
	};
	uint16_t id, flags, udp_size;
	uint8_t has_opt : 3; // of enum dns_query_opt
	bool dnssec_ok : 1, is_client : 1;
	bool is_stream : 1; // takes a reply of any length
	bool is_exempt : 1; // of inflight_exempt: without a limit of its own
	uint8_t group;
	uint32_t next;   // inflight.c's
	uint32_t client; // inflight_client; 0: not counted, because its transport has a bound of
			 // its own
	uint32_t trace;  // trace_handle (trace.h); 0: not watched
	uint8_t crowd;   // of its client (client_tally.h)
	uint64_t dp_incarnation, arrival_ms;
	uint32_t arrival_more_us; // since then, for the query log
	uint16_t query_len;
	uint8_t upper[DNS_NAME_MAX / 8 + 1]; // byte i of the name is an upper-case letter
	uint8_t cookie[DNS_COOKIE_LEN];      // with DNS_OPT_COOKIE: the reply's
	uint16_t policy; // generation, modulo 65536, of the policy image that `group` is of
	// query_len bytes as received, a copy for waiting clients; NULL: unknown.
	const uint8_t *query;
	const struct led *led; // a copy for waiting clients; NULL: it asked for the question's name
};
static_assert(sizeof(struct waiter) == 200);

struct question {
	struct upstream_ask ask;
	struct wheel_timer timer;
	struct l1_lookup *look;        // L1 is being asked; NULL: not
	struct validation *validation; // the validator asks for it; NULL: not
	bool is_secure;                // the answer is proven, or a trusted server says so
	struct dns_query query;        // lower case; DO, CD as in the key
	void *owner;                   // the resolver
	struct view *def;              // what `view` stands for; the resolver's
	// question.c's: the name to ask in its place, and the servers.
	struct rewrite *rewrite;     // NULL: the name is not rewritten
	struct forward_set *forward; // NULL: the view's servers
	uint64_t l1_hash;            // of the zone or the view, for the key in L1
	uint32_t turn;               // views_turn as it began
	uint32_t dns64_ttl_s;        // DNS64: weir asks for A, which is kept so long at most; 0: no
	struct ip_address dns64;     // its prefix then: everyone's may be another one by now
	uint64_t hash;
	uint64_t born_ms;         // arrival of the first waiter
	uint64_t locked_until_ms; // this box's lock as the refresher; 0: none
	uint16_t view;
	uint8_t key_flags;
	// Of its clients, with as many bits as servers may get; version 0: none. Then the answer's.
	struct ip_address subnet;
	bool is_scoped; // the answer is for the first `scope` bits of it alone
	uint8_t scope;
	uint16_t hits;                   // clients that asked
	struct refresh_request *request; // it renews a record ahead of time; NULL: clients asked
	uint8_t stage;                   // the resolver's: which deadline comes next
	uint32_t trace;                  // the first of its traces (trace.h); 0: none
	// inflight.c's
	struct age_link age;
	bool live;
	uint32_t spread; // its place among the chains
	uint32_t chain;  // next in the hash chain, or next free one
	uint32_t first_waiter, last_waiter, waiters;
	uint32_t zone, suffix; // keys of the crowds it is in
};

// Refused because there was no room; renewals are not counted.
struct inflight_refused {
	uint64_t full, zone, suffix; // questions; `zone`, `suffix`: it had its share
	uint64_t waiters, client;    // clients; `client`: it had its share
};

// Over the limit of a zone or a client that has none.
struct inflight_let_in {
	uint64_t zone, client;
};

struct inflight_stats {
	unsigned questions, questions_max, questions_cap;
	unsigned waiters, waiters_cap;
	unsigned waiters_max;
	struct inflight_refused refused;
	struct inflight_let_in let_in;
};

struct inflight_limits {
	unsigned questions;      // up to what was made
	unsigned zone_questions; // of these, of one zone; 0: as many
	unsigned client_waiters; // of one client; 0: no bound
};

// `kept`: for the queries of those that wait.
ATTR_MUST_CHECK int inflight_new(
	struct inflight **out, unsigned questions, unsigned waiters, struct kept_queries *kept);
void inflight_free(struct inflight *f); // NULL is fine
void inflight_set_limits(struct inflight *f, const struct inflight_limits *limits);
// More than half full: questions without waiters should end.
bool inflight_is_crowded(const struct inflight *f);

// The id of a client in struct waiter. `address`: 4 or 16 bytes by the version.
uint32_t inflight_client(const struct inflight *f, unsigned ip_version, const uint8_t *address);
// Those without the limit of a zone or a client. Empty in a new one.
struct exempt *inflight_exempt(struct inflight *f);

// `subnet` of either: NULL: none.
struct question *inflight_find(
	struct inflight *f, const struct l0_key *key, const struct ip_address *subnet);
// A new one, all zero but its key (hash, query, view, key_flags), in *out; else the bound that it
// met, BOUND_inflight, BOUND_zone or BOUND_suffix. The last two do not hold for `is_refresh`, as
// renewals have a bound of their own. `servers`: a hash of those that will be asked.
ATTR_MUST_CHECK enum bound inflight_add(struct inflight *f, const struct l0_key *key,
	const struct dns_query *query, const struct ip_address *subnet, uint64_t servers,
	bool is_refresh, uint64_t now_ms, struct question **out);
// Are there questions of the same key for other subnets? Sometimes also where there are none.
bool inflight_has_others(struct inflight *f, const struct question *q);
void inflight_remove(struct inflight *f, struct question *q); // drops waiters that are left

enum { INFLIGHT_FEW = 4 };
// Else the bound that the client met. BOUND_question: the question has `most` already; BOUND_few:
// it has a few, and there are few left; BOUND_client: it waits for enough; BOUND_waiters: the pool
// is empty.
ATTR_MUST_CHECK enum bound inflight_wait(
	struct inflight *f, struct question *q, const struct waiter *w, unsigned most);
// When its first waiter asked; UINT64_MAX: it has none.
uint64_t inflight_oldest(const struct inflight *f, const struct question *q);
// The caller must end a waiter that it takes.
bool inflight_take_waiter(struct inflight *f, struct question *q, struct waiter *out);
void inflight_waiter_end(struct inflight *f, struct waiter *w);

// Of a key's hash and a subnet, version 0: none: what a question's failures are known by.
uint64_t inflight_hash(const struct inflight *f, uint64_t hash, const struct ip_address *subnet);
struct l0_key inflight_key(const struct question *q); // its name is that of the question
// The next younger question, from the oldest (NULL) on; NULL: no more.
struct question *inflight_younger(const struct inflight *f, const struct question *q);
void inflight_stats(const struct inflight *f, struct inflight_stats *out);
// For how long the client has waited that waits longest; 0: none waits.
uint64_t inflight_waiting_ms(const struct inflight *f, uint64_t now_ms);
void inflight_tables(const struct inflight *f, struct table_registry *tables);

// The letter case of a name (`len` bytes of wire form), kept and given back.
void inflight_keep_case(struct waiter *w, const uint8_t *name, size_t len);
void inflight_give_case(const struct waiter *w, uint8_t *name, size_t len);
