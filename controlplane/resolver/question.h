// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A question's life: the name and the servers that weir asks, its deadlines, L1, validation, and
// its end. Resolver loop's thread. A question knows its resolver (`owner`); these functions end it
// at most once, and no code may use it after that.

#include "resolver_internal.h"

enum question_stage {
	STAGE_FIRST,     // until the stale timer
	STAGE_WAITING,   // no stale record; each waiter waits until its deadline
	STAGE_BACKGROUND // waiters are served; a reply still fills the cache
};

// Starts a new question, which has key, owner, view and time of birth. It may end within.
void question_start(struct question *q, uint64_t now_ms);
// Asks the upstream servers; the question may end within.
void question_ask(struct question *q);
void question_finish(struct question *q, enum refresh_end end);
// Arms the question's timer again, for a client that joined after all had been served.
void question_wait_again(struct question *q, uint64_t now_ms);
// Reads a reply to the name that weir asked for as an answer to the question. NXDOMAIN for a name
// with local records of other types is read as NODATA. Returns what dns_answer_read does.
ATTR_MUST_CHECK int question_read(
	const struct question *q, const uint8_t *msg, size_t len, struct dns_answer *out);

enum direction {
	DIRECT_ASK,
	DIRECT_ALIAS,   // local CNAMEs are the whole answer
	DIRECT_NO_AAAA, // the clients of this view get no AAAA
	DIRECT_REFUSE
};
// Chooses the name and the servers to ask, for the life of the question; servers with DIRECT_ASK
// alone.
enum direction question_direct(struct question *q);
// Does weir ask for another name in place of this one, or refuse it?
bool question_renames(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype);
// The part of a client's address that a question's servers are sent. `address`: 4 or 16 bytes by
// the version; NULL: the client hides its address. Returns version 0: they are sent no option.
struct ip_address question_subnet(const struct resolver *r, const struct view *view,
	const struct dns_query *query, unsigned version, const uint8_t *address);
bool question_sends_subnet(
	const struct resolver *r, const struct view *view, const struct dns_query *query);
// The hash in the keys of L1 for answers to `asked`: of the forward zone, else of the view. It
// stands for the servers that weir asks for the name.
uint64_t question_l1_hash(const struct resolver *r, const struct view *view,
	const struct dns_name *asked, uint16_t qtype);
bool question_l1_drop(void *resolver, const struct l1_key_parts *key); // l1_drop_fn

// The resolver's upstream_callbacks; `ask` is part of a question.
enum upstream_take question_replied(struct upstream_ask *ask, const uint8_t *msg, size_t len);
void question_failed(struct upstream_ask *ask, enum upstream_end why);
void question_upstream_note(struct upstream_ask *ask, const struct trace_event *e);

ATTR_MUST_CHECK int question_validators_open(struct resolver *r);
void question_validators_configure(struct resolver *r, const struct config *config);
struct validator_settings question_trusted(const struct config_dnssec *d); // points into *d

void question_tables(const struct resolver *r, struct table_registry *tables);

// Adds a step of the question to its traces.
ATTR_INLINE void question_note(const struct question *q, enum trace_step step, uint32_t value)
{
	resolver_trace_note(q->owner, q->trace, step, value);
}
