// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Questions being resolved and the clients that wait for them. Resolver loop's thread only.
//
// One question per L0 key for any number of clients (reliability row 4), and per client subnet
// where servers are sent one (upstream_edns.h). A flood from many subnets for one name has a
// question for each subnet, and meets the limit of its zone. Questions come from a fixed array,
// found through a hash table of chains; a waiter is an address and some scalars, from a fixed pool,
// in a list per question, oldest first. Both refuse when full; nothing grows. A waiter keeps its
// spelling of the question as one bit per byte: upper case or not.
//
// Shares (weir/sketch.h) keep one client or zone from taking all. A zone's questions
// (zone_suffix.h) have a limit for each set of servers that weir asks for them: when a company's
// own servers do not answer for its domain, the domain's questions to public servers or to another
// group's servers still have room. The questions of all zones under one public suffix take at most
// three quarters of all places: a flood of random names below a zone whose servers do not answer
// fills only that share. A client, an IPv4 address or an IPv6 /64, has a limit of pending answers:
// an upstream that delays answers and releases them at one time sends no more than that to a forged
// address (DNSBomb, CVE-2024-33655). A zone or a client that is exempt from its limit still
// leaves the last quarter to others: a zone by its suffix, a client of the waiters. The last
// quarter of the waiters is for questions with at most INFLIGHT_FEW waiters: four for each of 4,096
// questions, so some hundred popular names that fail leave room for new names.
//
// The arrays are touched only as far as they were ever used.

#include "base/age_list.h"
#include "base/table_registry.h"
#include "bounds/bounds.h"
#include "resolver_client.h"
#include "upstream/upstream.h"

#include <weir/config.h>
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

// A client that a list leads to another name: it waits for that name's answer.
struct led {
	struct dns_name name;   // name that the client asked for
	struct dns_alias alias; // CNAME of the list
	struct rule_decision d; // decision of the list
};

struct waiter {
	union {
		struct return_path path;
		struct client_ticket ticket; // is_client: a frontend's client
	};
	uint16_t id, flags, udp_size;
	uint8_t has_opt : 3; // bits of enum dns_query_opt
	bool dnssec_ok : 1, is_client : 1;
	bool is_stream : 1; // takes a reply of any length
	bool is_exempt : 1; // the client is exempt: no limit
	uint8_t group;
	uint32_t next;   // used by inflight.c
	uint32_t client; // inflight_client; 0: not counted, the connection has a bound
	uint32_t trace;  // trace_handle (trace.h); 0: not watched
	uint8_t crowd;   // client_crowd of the client
	uint64_t dp_incarnation, arrival_ms;
	uint32_t arrival_more_us; // microseconds after arrival_ms, for the query log
	uint16_t query_len;
	uint8_t upper[DNS_NAME_MAX / 8 + 1]; // byte i of the name is an upper-case letter
	uint8_t cookie[DNS_COOKIE_LEN];      // cookie for the reply, with DNS_OPT_COOKIE
	uint16_t policy; // generation, modulo 65536, of the policy image that has `group`
	// query_len bytes as received, a copy for waiting clients; NULL: unknown.
	const uint8_t *query;
	const struct led *led; // a copy for waiting clients; NULL: not led
};
static_assert(sizeof(struct waiter) == 200);

struct question {
	struct upstream_ask ask;
	struct wheel_timer timer;
	struct l1_lookup *look;        // lookup in L1; NULL: not in progress
	struct validation *validation; // validation; NULL: not in progress
	bool is_secure;                // the answer is proven secure, or a trusted server says so
	struct dns_query query;        // lower case; DO, CD as in the key
	void *owner;                   // the resolver
	struct view *def;              // definition of `view`, owned by the resolver
	// Used by question.c: the name that weir asks for instead, and the servers.
	struct rewrite *rewrite;     // NULL: the name is not rewritten
	struct forward_set *forward; // NULL: the view's servers
	uint64_t l1_hash;            // hash of forward zone or view, for the key in L1
	uint32_t turn;               // views_turn when servers were chosen
	uint32_t dns64_ttl_s;    // DNS64: weir asks for A; most TTL of the AAAA made; 0: no DNS64
	struct ip_address dns64; // DNS64 prefix; the view's may have changed since
	uint64_t hash;
	uint64_t born_ms;         // arrival of the first waiter
	uint64_t locked_until_ms; // end of this box's refresh lock; 0: no lock
	uint16_t view;
	uint8_t key_flags;
	// Subnet of the clients, with as many bits as servers are sent; version 0: no subnet.
	struct ip_address subnet;
	bool is_completed; // `local.single_labels` made the name longer: the answer is not kept
	bool is_own;       // local data or a lease is the answer's end, and no server's
	bool is_scoped;    // the answer is for the first `scope` bits of it alone
	uint8_t scope;
	uint16_t hits;                   // clients that asked
	struct refresh_request *request; // renewal that asks; NULL: clients ask
	uint8_t stage;                   // enum question_stage: which deadline comes next
	uint32_t trace;                  // first of its traces (trace.h); 0: not watched
	// Used by inflight.c.
	struct age_link age;
	bool live;
	uint32_t spread; // number of its hash chain
	uint32_t chain;  // next in the hash chain, or next free one
	uint32_t first_waiter, last_waiter, waiters;
	uint32_t zone, suffix; // keys in the sketch of zones
};

// Refused because there was no room; renewals are not counted.
struct inflight_refused {
	uint64_t full, zone, suffix; // questions: no room; share of zone or suffix used up
	uint64_t waiters, client;    // clients: no room; share of the client used up
};

// Questions and clients over the limit of an exempt zone or client.
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
	unsigned questions;      // at most as many as inflight_new was given
	unsigned zone_questions; // questions of one zone; 0: no bound
	unsigned client_waiters; // waiters of one client; 0: no bound
};

// `kept` holds the queries of clients that wait.
ATTR_MUST_CHECK int inflight_new(
	struct inflight **out, unsigned questions, unsigned waiters, struct kept_queries *kept);
void inflight_free(struct inflight *f); // NULL is fine
void inflight_set_limits(struct inflight *f, const struct inflight_limits *limits);
// More than half of the questions are in flight: those without waiters should end.
bool inflight_is_crowded(const struct inflight *f);

// The id of a client in struct waiter. `address`: 4 or 16 bytes by the version.
uint32_t inflight_client(const struct inflight *f, unsigned ip_version, const uint8_t *address);
// Which clients and zones are exempt from the bounds on one client or one zone
// (limits.unlimited_clients, limits.unlimited_zones); none at first. Copies the lists. A check
// compares with each entry: 64 prefixes take 0.1 us, 64 names 0.5 us, an empty list nothing.
void inflight_exempt(struct inflight *f, const struct config_limits *limits);
// `address`: 4 or 16 bytes by the version.
bool inflight_is_exempt(const struct inflight *f, unsigned ip_version, const uint8_t *address);

// For inflight_find and inflight_add `subnet` NULL stands for no subnet.
struct question *inflight_find(
	struct inflight *f, const struct l0_key *key, const struct ip_address *subnet);
// Adds a question: *out is all zero but `ask` and the key (hash, query, view, key_flags, subnet).
// Else returns the bound met: BOUND_inflight, BOUND_zone or BOUND_suffix. Zone and suffix do not
// bound `is_refresh`, as renewals have a separate bound. `servers`: a hash of the servers that will
// be asked.
ATTR_MUST_CHECK enum bound inflight_add(struct inflight *f, const struct l0_key *key,
	const struct dns_query *query, const struct ip_address *subnet, uint64_t servers,
	bool is_refresh, uint64_t now_ms, struct question **out);
// Are there questions of the key for other subnets? By a sketch: sometimes true without.
bool inflight_has_others(struct inflight *f, const struct question *q);
void inflight_remove(struct inflight *f, struct question *q); // drops waiters that are left

enum { INFLIGHT_FEW = 4 };
// Adds a waiter; else returns the bound met. BOUND_question: the question has `most` waiters;
// BOUND_few: it has INFLIGHT_FEW, and only the last quarter of the pool is free; BOUND_client: the
// client waits for as many answers as it may; BOUND_waiters: the pool is used up.
ATTR_MUST_CHECK enum bound inflight_wait(
	struct inflight *f, struct question *q, const struct waiter *w, unsigned most);
// When the question's first waiter asked; UINT64_MAX: no client waits.
uint64_t inflight_oldest(const struct inflight *f, const struct question *q);
// Takes the oldest waiter, which the caller ends with inflight_waiter_end. False: no client waits.
bool inflight_take_waiter(struct inflight *f, struct question *q, struct waiter *out);
void inflight_waiter_end(struct inflight *f, struct waiter *w);

// Combines a key's hash and a subnet (version 0: no subnet): failures are remembered under it.
uint64_t inflight_hash(const struct inflight *f, uint64_t hash, const struct ip_address *subnet);
struct l0_key inflight_key(const struct question *q); // points to the question's name
// The next younger question; `q` NULL: the oldest. Returns NULL after the youngest.
struct question *inflight_younger(const struct inflight *f, const struct question *q);
void inflight_stats(const struct inflight *f, struct inflight_stats *out);
// How long the longest-waiting client has waited; 0: no client waits.
uint64_t inflight_waiting_ms(const struct inflight *f, uint64_t now_ms);
void inflight_tables(const struct inflight *f, struct table_registry *tables);

// Keep and restore the letter case of a name (`len` bytes of wire form).
void inflight_keep_case(struct waiter *w, const uint8_t *name, size_t len);
void inflight_give_case(const struct waiter *w, uint8_t *name, size_t len);
