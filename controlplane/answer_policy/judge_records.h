// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The records of an answer as the cache keeps it (dns_answer_view): names that it leads to, and
// addresses in it. For what is to be judged of an answer (judge.h).
//
// The octets were made by dns_answer_read, but may come from shared memory or Redis: every step is
// checked, and what does not parse ends the walk. No allocation.

#include <weir/dns_name.h>
#include <weir/dns_reply.h>

struct judge_records {
	const struct dns_name *question;
	const struct dns_answer_view *view;
	uint32_t pos, left;
};

struct judge_record {
	uint16_t type, rdata_len;
	uint32_t rdata; // offset in view->bytes; rdata_len octets are there
};

// Of the answer section.
static inline struct judge_records judge_records_of(
	const struct dns_name *question, const struct dns_answer_view *view)
{
	return (struct judge_records){.question = question, .view = view, .left = view->ancount};
}
bool judge_records_next(struct judge_records *r, struct judge_record *out); // false: no more

// A name in the octets from `pos` on, which may be compressed to what is before it, the question
// included. False: there is none.

// The name that a CNAME, HTTPS or SVCB record leads to; false: none, or the owner itself.
bool judge_record_target(
	const struct judge_records *r, const struct judge_record *record, struct dns_name *out);

// Addresses of a record of type A, AAAA, HTTPS or SVCB (hints): calls take for each; `octets` is 4
// or 16.
typedef void (*judge_address_fn)(void *arg, const uint8_t *address, unsigned octets);
void judge_record_addresses(const struct judge_records *r, const struct judge_record *record,
	judge_address_fn take, void *arg);
