// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The records of a reply as a table: where each lies in the message, checked once.
//
// Every owner name in the table is known to parse and every RDATA to lie inside the message; the
// contents of the RDATA are not checked. The table borrows the message. About 40 KiB: one at a
// time.

#include "dns_compress.h"

#include <weir/attr.h>
#include <weir/dns_answer.h>

struct dns_record {
	uint32_t owner_hash; // dns_name_hash of the owner
	uint32_t ttl_s;      // capped at DNS_TTL_MAX (RFC 8767 4)
	uint16_t owner_off; // equal in records in a row that have the same pointer as owner, and in
			    // those that were found to be one name's
	uint16_t type;
	uint16_t class;
	uint16_t rdata_off;
	uint16_t rdata_len;
	uint8_t keep; // for the reader of the table: 0 drop, else its place in the order
};

struct dns_records {
	const uint8_t *msg;
	size_t len;
	uint16_t answers; // rec[0 .. answers), the authority section up to count
	uint16_t count;
	uint8_t rcode_high; // the OPT's, in the additional section
	uint8_t strangers;  // owners so far with the hash of a name, but not equal to it
	struct dns_record rec[DNS_ANSWER_RECORDS_MAX];
};

// Walks answer, authority and additional of a message whose question ends at `pos`. 0, -EBADMSG
// (does not parse, or two OPTs), or -E2BIG (more than DNS_ANSWER_RECORDS_MAX records in answer and
// authority, or owners that lead through more bytes than dns_names_may_follow). The additional
// section is walked for its OPT only.
ATTR_MUST_CHECK int dns_records_read(
	const uint8_t *msg, size_t len, size_t pos, struct dns_records *out);

// Case is lowered already, so equal names have equal hashes. Not keyed, so collisions can be made:
// after DNS_STRANGERS_MAX of them in a message no more owners are compared.
uint32_t dns_name_hash(const struct dns_name *name);

// A name with its hash, and whether it owned the last record compared: the records of a set mostly
// have one owner_off. Records of the set with another owner_off get that of the first, so that the
// same name is not read again when it is written.
struct dns_owner {
	const struct dns_name *name;
	uint32_t hash;
	uint16_t off;   // 0 until one is compared
	uint16_t first; // 0: it owns none so far
	bool is;
};

enum { DNS_STRANGERS_MAX = 64 };

// Is `by` the owner of this record? No, where that is not looked at any more.
bool dns_record_is_owned_by(struct dns_records *t, struct dns_record *rec, struct dns_owner *by);

// How many bytes of labels and pointers the names of a message may lead through: without this, a
// record of 12 bytes can make its reader walk through 500. Names of 34 labels, as addresses have
// them, take four bytes for each of the message where no two records have one owner.
static inline size_t dns_names_may_follow(size_t message_len)
{
	return 6 * message_len + 512;
}

void dns_record_owner(
	const struct dns_records *t, const struct dns_record *rec, struct dns_name *out);

// The name that is the whole RDATA of a CNAME or DNAME. 0 or -EBADMSG.
ATTR_MUST_CHECK int dns_record_target(
	const struct dns_records *t, const struct dns_record *rec, struct dns_name *out);

// The type that an RRSIG covers; 0 if it is cut short.
static inline uint16_t dns_record_type_covered(
	const struct dns_records *t, const struct dns_record *rec)
{
	return rec->rdata_len >= 2 ? get_u16(t->msg + rec->rdata_off) : 0;
}

// Which records of a reply answer the question: marks them in the table by `keep`.

// A CNAME that the reply lacks: made of its DNAME.
struct dns_made {
	struct dns_name owner, target;
	uint32_t ttl_s; // the DNAME's (RFC 6672 3.1)
	uint8_t step;   // behind the other records of this step
};

struct dns_selection {
	enum dns_answer_kind kind;
	uint8_t cname_count; // counts those that weir made, too
	uint8_t made_count;
	uint8_t steps;       // kept answer records have keep 1 .. steps, in the order of the chain
	bool referral;       // no answer but name servers: the upstream did not resolve
	bool is_too_long;    // a DNAME makes the last name longer than a name can be: YXDOMAIN
	bool is_open;        // CNAMEs, and nothing about the name that the last one leads to
	int soa;             // index of the SOA kept for a negative answer, or -1
	uint32_t soa_ttl_s;  // the SOA's TTL by RFC 2308 5; set when soa >= 0
	struct dns_name end; // the name that the chain leads to
	struct dns_made made[DNS_ANSWER_CNAME_MAX];
};

static inline void dns_selection_init(struct dns_selection *s, enum dns_answer_kind kind)
{
	memset(s, 0, offsetof(struct dns_selection, end));
	s->kind = kind;
	s->soa = -1;
}

// `rcode` is NOERROR, NXDOMAIN, or YXDOMAIN, which is a FAILURE without the DNAME for it. `hops`:
// 0, or how many CNAMEs count: nothing behind them is selected, but proofs where a wildcard made
// one of them. 0, -ELOOP (more than DNS_ANSWER_CNAME_MAX CNAMEs, or a circle) or -EBADMSG (a CNAME
// or SOA without the form of one).
ATTR_MUST_CHECK int dns_select(struct dns_records *t, const struct dns_query *q, unsigned rcode,
	unsigned hops, struct dns_selection *out);

// Copies RDATA out of a foreign message, so that no pointer into that message survives.
//
// Names inside the RDATA of RFC 1035's types are decompressed and compressed again. In some newer
// types senders compress names although they must not; those are decompressed and written whole
// (RFC 3597 4). Types that are not in the table are copied untouched (RFC 3597 3).

// RDATA with its length field, from the cursor over the whole message to c->w. 0, or -EBADMSG if
// the RDATA does not have the type's form; no room shows in wr_ok(&c->w). HTTPS and SVCB records
// lose the parameters of `svc_strip` (dns_answer_rules).
ATTR_MUST_CHECK int dns_rdata_copy(const struct rd *msg, uint16_t type, uint16_t class,
	uint16_t rdata_len, uint8_t svc_strip, struct dns_compress *c);

// What losing the parameters of `svc_strip` makes of an HTTPS or SVCB record.
enum dns_service_look {
	DNS_SERVICE_SAME,     // it has none of them
	DNS_SERVICE_CHANGES,  // it loses some
	DNS_SERVICE_UNUSABLE, // it makes one of them mandatory, or has not the form of one
};
enum dns_service_look dns_service_look(
	const struct dns_records *t, const struct dns_record *rec, uint8_t svc_strip);

// Finds records that the answer section of a reply has twice: of one owner, type, class and data
// (RFC 2181 5: such duplicates should be suppressed). Aliases too: a question for type CNAME or ANY
// gets all of a name, not only the one that a resolver follows.
//
// Data with names are compared as on the wire: with other pointers they count as different. Some
// microseconds for a thousand records: names are read only of twins that dns_select.c kept for
// different steps, DNS_STRANGERS_MAX times at most.

void dns_twins_drop(struct dns_records *t); // the first one of them stays kept
