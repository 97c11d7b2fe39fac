// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Questions and limits for tests of controlplane/resolver/inflight.h.

#include "controlplane/resolver/inflight.h"
#include "controlplane/resolver/kept_query.h"
#include "tests/unit/unit.h"

static struct kept_queries kept;

UNIT_END_OF(inflight_free, struct inflight)

// Until the end of the case.
static inline struct inflight *inflight_of(unsigned questions, unsigned waiters)
{
	struct inflight *f;
	assert_int_equal(inflight_new(&f, questions, waiters, &kept), 0);
	unit_at_end(inflight_free_at_end, f);
	return f;
}

static inline struct dns_query query_of(const char *text, uint16_t type)
{
	struct dns_query q = {.qtype = type, .qclass = DNS_CLASS_IN};
	q.name = name_of_text(text);
	return q;
}

static inline struct l0_key key_of(const struct dns_query *q, uint64_t hash)
{
	return (struct l0_key){
		.hash = hash,
		.name = q->name.wire,
		.name_len = q->name.len,
		.qtype = q->qtype,
		.qclass = q->qclass,
	};
}

static inline struct question *add(
	struct inflight *f, const struct l0_key *key, const struct dns_query *q)
{
	struct question *out = NULL;
	(void)!inflight_add(f, key, q, NULL, 0, false, clock_mono_ms(), &out);
	return out;
}

static inline void set_limits(
	struct inflight *f, unsigned questions, unsigned zone, unsigned client)
{
	inflight_set_limits(f,
		&(struct inflight_limits){
			.questions = questions, .zone_questions = zone, .client_waiters = client});
}
