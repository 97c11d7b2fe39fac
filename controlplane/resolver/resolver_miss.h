// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's query until it has an answer or a question. Resolver loop's thread.

#include "resolver_answer.h"
#include "resolver_internal.h"

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

// The answer to the target's question as one to the client's. False: it has none.
bool miss_led_read(const struct resolver *r, const struct led *led, const struct dns_query *q,
	const struct dns_answer_view *view, struct dns_answer *out);

ATTR_INLINE void miss_note(
	const struct resolver *r, const struct miss *m, enum trace_step step, uint32_t value)
{
	resolver_trace_note(r, m->waiter.trace, step, value);
}
