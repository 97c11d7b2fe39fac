// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Query log records that a resolver writes for misses, and a frontend for TCP and the UDP fallback,
// to a ring in this process's memory, with the workers' weights (log_writer.h). The owner's thread
// only.

#include "resolver_client.h"

#include <weir/log_writer.h>

struct resolver;
struct resolver_log;
struct querylog;
struct waiter;

struct resolver_logged {
	const struct dns_query *query; // NULL, or question_len 0: not read
	const uint8_t *reply;          // NULL: there is none
	const uint8_t *asked;          // the query as it came; NULL: not known
	uint16_t reply_len, query_len;
	int ede; // DNS_EDE_NONE: no EDE
	uint64_t arrival_us;
	uint8_t verdict;         // enum verdict or log_verdict
	uint8_t tier, group;     // group: group_in_image
	uint8_t over;            // LOG_TCP, LOG_TLS; 0: UDP
	uint8_t validation;      // enum log_validation
	uint16_t list, upstream; // or LOG_NO_LIST, LOG_NO_UPSTREAM
};

ATTR_MUST_CHECK int resolver_log_open(struct resolver_log **out);
void resolver_log_close(struct resolver_log *l); // NULL is fine
void resolver_log_set(struct resolver_log *l, uint32_t sample, enum log_detail detail);
// Adds the ring to the log, which must be stopped before the close.
ATTR_MUST_CHECK int resolver_log_source(struct resolver_log *l, struct querylog *q);
void resolver_log_beat(struct resolver_log *l);
void resolver_log_end(struct resolver_log *l); // after the last query: writes what is owed
bool resolver_log_is_on(const struct resolver_log *l);

void resolver_log_rings(
	struct resolver_log *l, const struct return_path *path, const struct resolver_logged *what);
// `service`: the queried address; without a port it is unknown.
void resolver_log_client(struct resolver_log *l, const union client_address *client,
	const union client_address *service, const struct resolver_logged *what);

// Result of the validation of an answer with records.
ATTR_INLINE enum log_validation resolver_log_validation(const struct dns_answer_view *a)
{
	return a->authenticated ? LOG_VALIDATION_SECURE
	       : a->insecure    ? LOG_VALIDATION_INSECURE
				: LOG_VALIDATION_NONE;
}
// Verdict, tier, list, upstream and validation of a waiter's answer.
void resolver_log_answer(struct resolver_logged *what, const struct answer_source *source);
