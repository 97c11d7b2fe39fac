// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// DNSSEC validation of what upstream servers answer, by libunbound, which asks weir's own upstream
// servers. docs/explanation/libunbound.md explains contexts, tokens and answers that lead on.
// Resolver loop's thread only.
//
// Bounds: questions, fetches (queries of the library that wait for servers), those of one zone
// (lists/zone_suffix.h): as many as are free, and contexts. A question over the bound is refused; a
// fetch over it is SERVFAIL to the library. A fetch ends in VALIDATOR_FETCH_MS. A question whose
// caller stopped it goes on without one, because the library cannot end its queries.

#include "base/counts.h"
#include "upstream/upstream.h"

#include <weir/dns_name.h>

struct dns_query;
struct loop;
struct table_registry;
struct validators;
struct validation; // a question

enum {
	VALIDATOR_QUESTIONS_MAX = 2048, // all resolvers together
	VALIDATOR_FETCHES = 512,
	VALIDATOR_ZONE_FETCHES = VALIDATOR_FETCHES / 2, // for one registrable domain
	VALIDATOR_CONTEXTS = 8,                         // retired ones included
	VALIDATOR_CONTEXT_MEMORY = 8 << 20,             // more than the library takes for one
	VALIDATOR_SOCKETS = VALIDATOR_FETCHES,          // the library's, for each context
	VALIDATOR_WHY_MAX = 128,                        // the longest EXTRA-TEXT of an EDE
	VALIDATOR_FETCH_MS = 4500,
	VALIDATOR_DRAIN_MS = 10000,
};

enum validator_end {
	VALIDATOR_SECURE,
	VALIDATOR_INSECURE, // proven, or no trust anchor is above it
	VALIDATOR_BOGUS,
	VALIDATOR_FAILED, // no server had an answer, or a key or DS that it takes to validate it
	VALIDATOR_LED,    // the name has a CNAME that the library must not follow
};

struct validator_verdict {
	enum validator_end end;
	const uint8_t *msg; // for SECURE and INSECURE: the answer, a whole message
	size_t len;
	int ede;         // for BOGUS; else DNS_EDE_NONE
	const char *why; // for BOGUS: VALIDATOR_WHY_MAX bytes at most, NUL included
};
// Once for each question that is not stopped, perhaps within validators_ask. What the verdict
// points to is valid during the call.
typedef void (*validator_done_fn)(void *arg, const struct validator_verdict *verdict);

// The servers of one fetch, and what keeps them.
struct validator_servers {
	struct upstreams *upstreams;
	void *view, *set; // the owner's
};

struct validator_owner {
	void *arg;
	// Finds the servers of the view with that number, for that name and type. False: there is
	// no such view. `release` follows when the fetch has ended.
	bool (*servers)(void *arg, uint16_t view, const struct dns_name *name, uint16_t qtype,
		struct validator_servers *out);
	void (*release)(void *arg, const struct validator_servers *servers);
	// Does a reply of these servers to `q` lead to a name that the owner itself asks others
	// for, or answers, for any of the clients whose questions have this context?
	bool (*leads_on)(void *arg, const struct validator_servers *servers,
		const struct dns_query *q, const uint8_t *msg, size_t len);
};

struct validator_settings {
	const char *anchors; // file of DNSKEY or DS records; unused where there are `keys`
	const char *keys;    // DNSKEY records, a line each; may be NULL
	const struct dns_name *negative;
	unsigned negative_count; // negative trust anchors (RFC 7646)
	// Dates of signatures do not count while the grace is on (clock_grace.h), and nothing is
	// VALIDATOR_SECURE; after it all questions are VALIDATOR_FAILED.
	bool any_date;
	uint64_t hash; // a hash of all that, and of the servers; another hash retires contexts
};

ATTR_MUST_CHECK int validators_new(struct validators **out, struct loop *loop, unsigned questions,
	const struct validator_owner *owner); // -ENOMEM
// Questions that run get no verdict.
void validators_free(struct validators *v); // NULL is fine
// `settings` are copied, but for what they point to, which outlives their use.
void validators_configure(struct validators *v, const struct validator_settings *settings);
// Retires all contexts, and with them the keys and the failures that they keep: the library ages
// those by the wall clock, and after a step back would keep them for as long as the step.
void validators_forget(struct validators *v);
void validators_beat(struct validators *v); // each 100 ms: ends what is drained

struct validator_question {
	const struct dns_name *name;
	uint16_t qtype, view;
	uint64_t deadline_ms; // clock_mono_ms: VALIDATOR_FAILED by then
	validator_done_fn done;
	void *arg;
};
// *slot is the question while it runs, and NULL once it has ended. -EAGAIN: no room; -ENOMEM;
// -EINVAL: the library refuses its settings, such as the anchors; -EBADMSG: or the name.
ATTR_MUST_CHECK int validators_ask(
	struct validators *v, const struct validator_question *question, struct validation **slot);
void validators_stop(struct validation **slot); // no call of `done`; NULL in it is fine

#define VALIDATION_COUNTS(X)                                                                      \
	X(SUM, uint64_t, secure, SAME, TOTAL, "Answers that DNSSEC proves.")                      \
	X(SUM, uint64_t, insecure, SAME, TOTAL,                                                   \
		"Answers of zones that are not signed, or have no trust anchor above them.")      \
	X(SUM, uint64_t, bogus, SAME, TOTAL, "Answers that DNSSEC disproves: SERVFAIL.")          \
	X(SUM, uint64_t, failed, SAME, TOTAL,                                                     \
		"Questions of the validator that no server answered.")                            \
	X(SUM, uint64_t, led, SAME, TOTAL,                                                        \
		"Questions of the validator whose CNAME weir follows by its own rules.")          \
	X(SUM, uint64_t, late, SAME, TOTAL, "Questions of the validator past their deadline.")    \
	X(SUM, uint64_t, refused, SAME, TOTAL,                                                    \
		"Questions refused because the validator had no room.")                           \
	X(SUM, uint64_t, fetches, SAME, TOTAL,                                                    \
		"Queries of the validator to upstreams, those for keys included.")                \
	X(SUM, uint64_t, fetches_refused, SAME, TOTAL,                                            \
		"Of these, queries refused because too many waited.")                             \
	X(SUM, uint64_t, foreign, SAME, TOTAL,                                                    \
		"Datagrams of other programs at the socket of the validator.")                    \
	X(SUM, uint64_t, broken, SAME, TOTAL,                                                     \
		"Questions that failed because the validator refused its settings.")              \
	X(SUM, unsigned, questions, SAME, SAME, "Questions that the validator works on.")         \
	X(SUM, unsigned, fetching, SAME, NONE, "Queries of the validator that wait for a reply.") \
	X(SUM, unsigned, contexts, SAME, NONE, "Contexts of the validator's library.")

struct validators_status {
	VALIDATION_COUNTS(COUNT_FIELD)
};
COUNTS(validation_rows, struct validators_status, "weir_resolver_validation_", VALIDATION_COUNTS)
void validators_status(const struct validators *v, struct validators_status *out);
void validators_tables(const struct validators *v, struct table_registry *tables);
