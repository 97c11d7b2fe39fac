// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A question's life: its name and servers, its deadlines, L1, and its end. Resolver loop's thread.
// A question knows its resolver (`owner`); these functions end it at most once, and no code may use
// it after that.

#include "resolver_internal.h"
#include "resolver_trace.h"

struct resolver_answer;

enum question_stage {
	STAGE_FIRST,     // until the stale timer
	STAGE_WAITING,   // it found nothing; each waiter until its deadline
	STAGE_BACKGROUND // waiters are served; a reply still fills the cache
};

// question.c
// It may end within. Of a new one with key, owner, view and time of birth.
void question_start(struct question *q, uint64_t now_ms);
void question_finish(struct question *q, enum refresh_end end);
void question_failure_add(const struct question *q, uint64_t now_ms); // of its subnet alone
void question_ask(struct question *q);                                // the upstreams
// Every waiter gets it, and the question ends.
void question_answered(struct question *q, const struct resolver_answer *answer);
const struct dns_name *question_asked(const struct question *q); // the name that is
// Reads a reply to the name that was asked, as an answer to the question; as dns_answer_read.
ATTR_MUST_CHECK int question_read(
	const struct question *q, const uint8_t *msg, size_t len, struct dns_answer *out);
// The same of the first `hops` CNAMEs alone; 0: of all of it.
ATTR_MUST_CHECK int question_read_hops(const struct question *q, const uint8_t *msg, size_t len,
	unsigned hops, struct dns_answer *out);
// SERVFAIL to every waiter, and the question ends.
void question_refuse(struct question *q, int ede);
// Has its name been flushed since? Then the answer may be sent, but not stored (counted).
bool question_is_flushed(const struct question *q, uint64_t since_ms, uint64_t now_ms);
// question_direct.c
enum direction {
	DIRECT_ASK,
	DIRECT_ALIAS,   // local CNAMEs are the whole answer
	DIRECT_NO_AAAA, // the clients of this view get no AAAA
	DIRECT_REFUSE
};
// The name and the servers to ask, for the life of the question; with anything but DIRECT_ASK there
// are none. question_direct_end lets them go.
enum direction question_direct(struct question *q);
void question_direct_end(struct question *q);
// Does weir ask for another name in place of this one, or refuse it?
bool question_renames(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype);
// The same for the name that an answer leads to; `before` has the `cnames` CNAMEs to there, from
// the question's name on. False: no room, or they are too many; nothing has changed.
bool question_direct_on(struct question *q, const struct dns_name *name, unsigned cnames,
	const uint8_t *before, size_t before_len);
// What the servers of such a question get of its client's address, of 4 or 16 bytes by the version;
// NULL: the client hides it. Version 0: they get no option.
struct ip_address question_subnet(const struct resolver *r, const struct view *view,
	const struct dns_query *query, unsigned version, const uint8_t *address);
bool question_sends_subnet(
	const struct resolver *r, const struct view *view, const struct dns_query *query);
// Of the same, DNS64.
uint16_t question_asked_type(const struct question *q); // A in place of AAAA
// The reply to A as one to AAAA, in `made`, where weir asked for A; else `msg` itself. *len 0: it
// does not parse.
const uint8_t *question_dns64_made(
	const struct question *q, const uint8_t *msg, size_t *len, uint8_t made[DNS_MESSAGE_MAX]);
// True: the answer is no AAAA, and weir asks for A; the question may have ended within.
bool question_dns64(
	struct question *q, const uint8_t *msg, size_t len, const struct dns_answer *no_aaaa);
void question_tables(const struct resolver *r, struct table_registry *tables);

// question_follow.c. True: the answer, which was read of `msg` and is `age_s` old, leads to a name
// that weir asks for, or answers, itself; the question may have ended within. Else it is whole.
bool question_follow(struct question *q, const uint8_t *msg, size_t len, uint32_t age_s,
	struct dns_answer *answer);
// Does weir itself ask for, or answer, a name that this answer leads to?
bool question_leads_on(const struct question *q, const struct dns_answer *answer);
// Does a reply to `q` of the servers of that view (view_asks_as), or of that set, lead to a name
// that weir itself asks for, or answers, for any of the views that ask these servers?
bool question_reply_leads_on(const struct resolver *r, const struct view *asked,
	const struct forward_set *set, const struct dns_query *q, const uint8_t *msg, size_t len);
// Answers by local data, where the name that weir asks for is local: the question ends. False: it
// is not.
bool question_answer_local(struct question *q);

// question_wait.c: arms its timer; once more for a client that joined after all had been served.
void question_wait_begin(struct question *q, uint64_t now_ms);
void question_wait_again(struct question *q, uint64_t now_ms);
// Every waiter gets the stale record; false: there is none.
bool question_stale_serve(struct question *q);

// Of the resolver's upstream_callbacks: an ask is a question's.
enum upstream_take question_replied(struct upstream_ask *ask, const uint8_t *msg, size_t len);
// An answer that was read, and the message that it is of.
struct question_reply {
	const uint8_t *msg; // NULL: nothing of it is for L1
	size_t len;
	const struct upstream_ask *by; // its server answered; NULL: not known
	uint64_t at_ms;
};
// Keeps it and sends it to every waiter; the question ends.
void question_take(
	struct question *q, const struct dns_answer *answer, const struct question_reply *reply);
// No server had an answer: the stale record, or SERVFAIL. The question ends.
void question_unanswered(struct question *q, int ede);
void question_failed(struct upstream_ask *ask, enum upstream_end why);
void question_upstream_note(struct upstream_ask *ask, const struct trace_event *e);

// question_l1.c The forward zone of a name; NULL: none.
const struct forward_zone *question_zone(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype);
// What answers to that name are named by in L1: the hash of its zone, else of the view. It stands
// for the servers that weir asks for that name.
uint64_t question_l1_hash_of(const struct resolver *r, const struct view *view,
	const struct forward_zone *zone, uint16_t qtype); // NULL: no zone
uint64_t question_l1_hash(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype);
bool question_l1_look(struct question *q); // false: L1 is not available
// Ends the lock that this box may have on the name that weir asks for.
void question_l1_unlock(struct question *q);
// Stores an upstream's reply under the name that was asked; `a` is what question_read made of it.
void question_l1_store(
	const struct question *q, const struct dns_answer *a, const uint8_t *msg, size_t len);
// question_validate.c: the upstreams' answer is validated, or not kept and not sent.
bool question_validates(const struct question *q);
bool question_may_have_ad(const struct question *q); // its answers: validated, or a server's word
void question_validate(struct question *q);
ATTR_MUST_CHECK int question_validators_open(struct resolver *r);
void question_validators_configure(struct resolver *r, const struct config *config);
struct validator_settings question_trusted(const struct config_dnssec *d); // points into *d

bool question_l1_drop(void *resolver, const struct l1_key_parts *key); // l1_drop_fn

// A step, for who watches.
ATTR_INLINE void question_note(const struct question *q, enum trace_step step, uint32_t value)
{
	resolver_trace_note(q->owner, q->trace, step, value);
}
