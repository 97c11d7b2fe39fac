// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's query until it has an answer or a question. Resolver loop's thread.

#include "resolver_internal.h"

// Replies to those that wait: one answer for one waiter or for all of a question's. Resolver loop's
// thread.

// The answer for a waiter.
struct resolver_answer {
	const struct dns_answer_view *view; // NULL: no records, `rcode`
	uint16_t rcode;
	enum answer_kind kind;
	struct dns_reply_opts opts;
	const struct answer_match *finding; // groups for which it is blocked; NULL: none. Owned by
					    // the caller, for this answer alone
	const struct upstream_ask *by; // its server answered; NULL: none did
	bool from_l1;
	enum bound bound; // that it met; its SERVFAIL has the text
	const char *text; // EXTRA-TEXT of another SERVFAIL; NULL: none
	bool is_bogus;    // a SERVFAIL that hides a bogus answer
};

struct resolver_answer resolver_answer_servfail(int ede);
// Of a bogus answer, with the error that says why.
struct resolver_answer resolver_answer_bogus(int ede);
struct resolver_answer resolver_answer_fresh(
	const struct resolver *r, const struct dns_answer_view *view, uint32_t age_s);
struct resolver_answer resolver_answer_stale_record(
	const struct resolver *r, const struct l0_view *v, const struct answer_match *finding);
void resolver_answer_all(struct resolver *r, struct question *q, const struct resolver_answer *a);
// Those that asked at `arrived_ms` or before.
void resolver_answer_until(struct resolver *r, struct question *q, const struct resolver_answer *a,
	uint64_t arrived_ms);

// The question as a message's, behind the header; *q comes with name, type and class, and is then
// that of a client without id and OPT.
void resolver_answer_question(uint8_t *msg, struct dns_query *q);
// A whole response without id and OPT, as a client would get it at that age; over `cap` bytes it
// is header and question with TC. Its length.
uint16_t resolver_answer_message(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_answer_view *view, uint32_t age_s);

// A miss, checked and converted.
struct miss {
	struct dns_query query; // lower case
	struct l0_key key;
	struct waiter waiter;
	struct view *view;
	struct ip_address
		subnet; // of the client, that servers of the question get; version 0: none
	const uint8_t *client_ip; // 4 or 16 bytes by the version, during the call
	unsigned ip_version;
	bool refresh;
};

// resolver_miss.c
void resolver_miss(void *resolver, const struct msg_miss *m, const uint8_t *question);

ATTR_INLINE void miss_note(
	const struct resolver *r, const struct miss *m, enum trace_step step, uint32_t value)
{
	resolver_trace_note(r, m->waiter.trace, step, value);
}
