// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's query until it has an answer or a question. Resolver loop's thread.

#include "resolver_internal.h"

// An answer for one waiter, or for all waiters of a question.
struct resolver_answer {
	const struct dns_answer_view *view; // NULL: no records, `rcode`
	uint16_t rcode;
	enum answer_kind kind;
	struct dns_reply_opts opts;
	const struct answer_match *finding; // blocks it for some groups; NULL: for no group.
					    // The caller owns it, for this answer alone
	const struct upstream_ask *by; // ask whose server answered; NULL: no server
	bool from_l1;
	enum bound bound; // bound that the client met; the SERVFAIL has its text
	const char *text; // EXTRA-TEXT of another SERVFAIL; NULL: no text
	bool is_bogus;    // a SERVFAIL that hides a bogus answer
};

struct resolver_answer resolver_answer_servfail(int ede);
// SERVFAIL for a bogus answer; `ede` says why.
struct resolver_answer resolver_answer_bogus(int ede);
struct resolver_answer resolver_answer_fresh(
	const struct resolver *r, const struct dns_answer_view *view, uint32_t age_s);
struct resolver_answer resolver_answer_stale_record(
	const struct resolver *r, const struct l0_view *v, const struct answer_match *finding);
void resolver_answer_all(struct resolver *r, struct question *q, const struct resolver_answer *a);
// Answers waiters that asked at `arrived_ms` or before.
void resolver_answer_until(struct resolver *r, struct question *q, const struct resolver_answer *a,
	uint64_t arrived_ms);

// Writes the question behind the header of `msg`. *q has name, type and class, and becomes the
// query of a client without id and OPT.
void resolver_answer_question(uint8_t *msg, struct dns_query *q);
// Writes a whole response without id and OPT, as a client would get it at that age; if it does not
// fit `cap`, header and question with TC. Returns its length.
uint16_t resolver_answer_message(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_answer_view *view, uint32_t age_s);

// A miss, checked and converted.
struct miss {
	struct dns_query query; // lower case
	struct l0_key key;
	struct waiter waiter;
	struct view *view;
	struct ip_address
		subnet; // the client's, as servers are sent it; version 0: nothing is sent
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
