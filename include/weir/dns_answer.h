// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An upstream's reply: checked, then rewritten into the form that the cache keeps.
//
// `dns_answer_read` accepts only a reply to exactly the question asked (QR, opcode, id and question
// bytes were compared before by dns_answer_matches), walks all sections with bounds checks, keeps
//   - of the answer section the chain that starts at QNAME: records of QNAME, then of each CNAME
//     target in turn, at most DNS_ANSWER_CNAME_MAX hops, a DNAME with the CNAME made from it,
//     which comes from here where the reply lacks it (RFC 6672 3.4); RRSIGs of kept sets when DO.
//     They come out in the order of the chain;
//   - of the authority section the SOA of a negative answer, and with DO the NSEC and NSEC3 records
//     (a positive answer made from a wildcard needs them too) and the RRSIGs of all these;
//   - nothing of the additional section but the high bits of the rcode in an OPT,
// and re-emits those from parsed records, compressed again, into out->bytes: bytes that were not
// parsed do not survive. Unknown types are copied untouched (RFC 3597), names inside the RDATA of
// the types of RFC 1035 (3.3) are decompressed and may be compressed again; in newer types with
// names they are decompressed and stay so. Letter case is kept. All records of a set get the least
// of its TTLs (RFC 2181 5.2). Bytes after the counted records are ignored. Single pass plus
// O(records * hops), at most DNS_ANSWER_RECORDS_MAX records, whose names lead through no more than
// dns_names_may_follow (dns_records.h) allows. No allocation; the struct is ~70 KiB, so keep one
// per loop, and the call takes ~60 KiB of stack, 110 with a message before it.

#include "attr.h"
#include "dns_reply.h"

enum {
	DNS_ANSWER_RECORDS_MAX = 2048,
	DNS_ANSWER_TTLS_MAX = 2048 + 48, // counts CNAMEs that no server sent, too
	DNS_ANSWER_CNAME_MAX = 16,       // what others take: docs/reference/bounds.md
};

// Parameters of HTTPS and SVCB records that answers may lose: a bit for each key (RFC 9460 14.3.2).
enum {
	DNS_SVC_IPV4HINT = 1 << 4,
	DNS_SVC_ECH = 1 << 5,
	DNS_SVC_IPV6HINT = 1 << 6,
};

// How answers are read. TTL limits are seconds (design: shipped minimum 0, maximum 24 h, negative
// 1 h).
struct dns_answer_rules {
	uint32_t min_s;      // positive answers are stored at least this long
	uint32_t max_s;      // the longest, even if min_s is larger
	uint32_t negative_s; // cap, in place of min_s and max_s, for NXDOMAIN and NODATA
	// DNS_SVC_* that records of the answer section lose. A record that makes one of these
	// mandatory, or whose parameters do not parse, is left out, as a client that does not know
	// the key does (RFC 9460 8). So are the RRSIGs of a set that changed.
	uint8_t svc_strip;
};

enum dns_answer_kind {
	// NOERROR, the chain ends in a record of the asked type (or ANY); or YXDOMAIN, it ends in a
	// DNAME that makes its last name too long (RFC 6672 2.2), whose TTL counts like any other's
	DNS_ANSWER_POSITIVE,
	DNS_ANSWER_NODATA,   // NOERROR without one (RFC 2308 2.2)
	DNS_ANSWER_NXDOMAIN, // RFC 2308 2.1
	// Not for the cache, no records: any other rcode (out->rcode says which), or a referral
	// (RFC 2308 2.1), which counts as SERVFAIL.
	DNS_ANSWER_FAILURE,
};

struct dns_answer {
	enum dns_answer_kind kind;
	uint16_t rcode;
	bool truncated; // TC: ask again over TCP; the records were not looked at, kind is FAILURE
	uint16_t len;
	uint16_t ttl_count;
	uint16_t ancount, nscount, arcount;
	uint16_t sum;   // see dns_answer_view
	uint32_t ttl_s; // how long to keep it: RFC 2308 5 for negatives, 0 without a SOA; else the
			// smallest TTL; within limits
	uint32_t auth_ttl_s; // ttl_s before the limits
	uint8_t cname_count;
	uint8_t reply_cnames; // how many of these CNAMEs the reply had
	bool is_open;
	bool is_stripped;             // not all is as the server sent it (svc_strip)
	bool authenticated, insecure; // for the caller to set: a read leaves them off
	uint16_t ttl_off[DNS_ANSWER_TTLS_MAX];
	uint8_t bytes[DNS_MESSAGE_MAX]; // each TTL inside is within the limits as well
};

// Does this reply carry the id, QR=1, opcode QUERY, one question, and the question bytes asked,
// letter for letter (`exact_case`, for 0x20) or with letter case ignored? Anything else is to be
// counted and ignored while waiting goes on (RFC 5452 9.1).
bool dns_answer_matches(const uint8_t *reply, size_t len, uint16_t id, const uint8_t *question,
	uint16_t question_len, bool exact_case) ATTR_NONNULL;

// 0, -EBADMSG (does not parse, or to another question), -E2BIG (more than 65535 bytes after
// rewriting, more than RECORDS_MAX records in answer and authority, or names that lead too far) or
// -ELOOP (CNAME chain). On failure *out is not to be used. `q` is the question asked (lower case),
// DO included.
ATTR_MUST_CHECK int dns_answer_read(const uint8_t *reply, size_t len, const struct dns_query *q,
	const struct dns_answer_rules *rules, struct dns_answer *out) ATTR_NONNULL;

struct ip_address; // config_filter.h
// The addresses in the answer section to a question for A or AAAA, `max` at most, in its order. How
// many.
unsigned dns_answer_addresses(const struct dns_answer *answer, uint16_t type,
	struct ip_address *out, unsigned max) ATTR_NONNULL;

// One step of a name that the operator has made another one's.
struct dns_alias {
	struct dns_name target;
	uint8_t spelling[DNS_NAME_MAX]; // the target as it was spelt, target.len bytes
	uint32_t ttl_s;
};

// What leads from a client's question to the name that was asked in the end, and comes out in front
// of the reply's records.
struct dns_chain {
	const struct dns_name *asked;
	const uint8_t *before; // a message: CNAMEs from the question on, read earlier; may be NULL
	size_t before_len;
	const struct dns_alias *alias; // then these
	unsigned count;
};

// dns_answer_read for a reply to `chain->asked`, of which `q` is the question of a client. Without
// a reply (NULL, `len` 0) the chain is all of the answer. Type, class and DO are those of `q`.
// `hops`: 0, or how many CNAMEs of the reply count: then the answer ends with these, whatever is
// behind them. With DO the proofs of wildcards (RFC 4035 3.1.3.3) of the CNAMEs before go along.
// Also -EPROTO: what is before the reply cannot be read, or has too many records beside it, which
// is no fault of the reply's.
ATTR_MUST_CHECK int dns_answer_read_chain(const uint8_t *reply, size_t len,
	const struct dns_chain *chain, const struct dns_query *q, unsigned hops,
	const struct dns_answer_rules *rules, struct dns_answer *out);

static inline struct dns_answer_view dns_answer_view_of(const struct dns_answer *a)
{
	return (struct dns_answer_view){
		.bytes = a->bytes,
		.ttl_off = a->ttl_off,
		.len = a->len,
		.ttl_count = a->ttl_count,
		.ancount = a->ancount,
		.nscount = a->nscount,
		.arcount = a->arcount,
		.rcode = (uint8_t)a->rcode,
		.authenticated = a->authenticated,
		.insecure = a->insecure,
		.sum = a->sum,
	};
}

// Builds a query: header with `id`, RD, CD when the client had it, the question in the letter case
// given, and an OPT (size 1232, DO as asked). Bytes written, or 0 if `cap` is too small.
ATTR_MUST_CHECK uint16_t dns_query_write(uint8_t *msg, size_t cap, uint16_t id,
	const uint8_t *question, uint16_t question_len, bool checking_disabled,
	bool dnssec_ok) ATTR_NONNULL;
