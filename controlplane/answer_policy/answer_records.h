// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The records of a cached answer (dns_answer_view): its names and addresses, for the checks of
// answer_policy.h.
//
// The bytes were made by dns_answer_read, but may come from shared memory or Redis: every step is
// checked, and the walk ends at a record that does not parse. No allocation.

#include <weir/dns_name.h>
#include <weir/dns_reply.h>

struct answer_records {
	const struct dns_name *question;
	const struct dns_answer_view *view;
	uint32_t pos, left;
};

struct answer_record {
	uint16_t type, rdata_len;
	uint32_t rdata; // offset in view->bytes; rdata_len bytes are there
};

// The records of the answer section.
static inline struct answer_records answer_records_of(
	const struct dns_name *question, const struct dns_answer_view *view)
{
	return (struct answer_records){.question = question, .view = view, .left = view->ancount};
}
bool answer_records_next(struct answer_records *r, struct answer_record *out); // false: no more

// The name that a CNAME, HTTPS or SVCB record leads to; false: to no name, or to the owner itself.
bool answer_record_target(
	const struct answer_records *r, const struct answer_record *record, struct dns_name *out);

// Addresses of a record of type A, AAAA, HTTPS or SVCB (hints): calls `take` for each; `bytes` is
// 4 or 16.
typedef void (*answer_policy_address_fn)(void *arg, const uint8_t *address, unsigned bytes);
void answer_record_addresses(const struct answer_records *r, const struct answer_record *record,
	answer_policy_address_fn take, void *arg);
