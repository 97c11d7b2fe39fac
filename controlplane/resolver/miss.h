// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's query on its way to a question: resolver_miss.c (what settles it without one) and
// miss_ask.c share it. Resolver loop's thread.

#include "resolver_answer.h"
#include "resolver_trace.h"

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
// The same of a frontend's client, whose view may be gone: then SERVFAIL.
void resolver_miss_of_client(
	struct resolver *r, const struct client_miss *c, const uint8_t *question);

// A question that is not blocked by its name: by L0, or by asking.
void miss_resolve(struct resolver *r, const struct miss *m, uint64_t now_ms);

// miss_led.c. Where a list's CNAME leads to: the client gets that, and behind it the answer
// for its target. False: the decision is another one, and blocks.
bool miss_led(struct resolver *r, const struct miss *m, const struct rule_ruling *ruling,
	uint64_t now_ms);
// The answer to the target's question as one to the client's. False: it has none.
bool led_read(const struct resolver *r, const struct led *led, const struct dns_query *q,
	const struct dns_answer_view *view, struct dns_answer *out);

// miss_ask.c
// No upstream may be asked: the client gets the stale record if there is one, else `refusal`.
void miss_refuse(struct resolver *r, const struct miss *m, const struct l0_view *stale,
	const struct resolver_answer *refusal);
// It joins the question in flight or begins one; or it meets a bound, and is refused.
void miss_ask(
	struct resolver *r, const struct miss *m, const struct l0_view *stale, uint64_t now_ms);

ATTR_INLINE void miss_note(
	const struct resolver *r, const struct miss *m, enum trace_step step, uint32_t value)
{
	resolver_trace_note(r, m->waiter.trace, step, value);
}
