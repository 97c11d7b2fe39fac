// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Replies, written over the query's own buffer.
//
// `msg` starts with the query as received (header, then q->question_len bytes of question with the
// client's letter case); the writers below keep id and question, set the header, append the answer,
// and add an OPT if and only if the client sent one (RFC 6891 6.1.1). A reply that does not fit
// min(q->udp_size, limit, cap) becomes header + question + OPT with TC (RFC 2181 9); with a limit
// of 65535, that is over TCP, q->udp_size does not count. An EDE that alone does not fit is left
// out, with TC beside the whole answer (RFC 8914 3). QR is set, opcode and RD copied, in a reply to
// a QUERY RA set and CD copied, AA never set; AD only when the answer may have it and the client
// asked for it by AD or DO (RFC 6840 5.7). Both planes use the same writers: the data plane in the
// received mbuf, the control plane for waiters. No allocation; cost is the bytes written. `cap` is
// the room from msg on, >= 12.

#include "attr.h"
#include "csum.h"
#include "dns_query.h"

#include <stddef.h>
#include <stdint.h>

// The part of an answer that the cache keeps: everything after the question, names compressed only
// to the question (c00c...) and to other names of the answer, so it fits behind any spelling of the
// question. Never an OPT. Numbers are whole words, which compilers keep in registers without
// storing them narrow and reading them wide.
struct dns_answer_view {
	const uint8_t *bytes;
	const uint16_t *ttl_off; // offsets of the TTL fields in bytes, ascending; each is 4 bytes,
				 // big-endian
	uint32_t len;
	uint32_t ttl_count;
	uint32_t ttl_step; // not 0: the TTLs are at DNS_TTL_FIRST + i * ttl_step, all within len,
			   // and ttl_off is unused
	uint32_t ancount, nscount, arcount;
	uint32_t rcode;
	bool authenticated; // AD may be set
	bool insecure;      // proven to be unsigned; with neither nobody validated it
	uint32_t sum; // one's complement sum of bytes as stored (RFC 1071), first byte high; not
		      // inverted
};

// Option code, length 2, info code (RFC 8914 2). It is the last option of a reply.
enum { DNS_OPT_EDE_LEN = 6 };

// Does a reply of weir end in this error, with `text_len` bytes of EXTRA-TEXT? Not without an OPT,
// or where it had no room.
ATTR_INLINE bool dns_reply_tells_ede(const uint8_t *msg, size_t len, size_t text_len, int ede)
{
	const uint8_t *option = msg + len - text_len - DNS_OPT_EDE_LEN;
	return get_u16(option) == DNS_EDNS_OPTION_EDE && get_u16(option + 2) == 2 + text_len
	       && get_u16(option + 4) == ede;
}

enum { DNS_TTL_FIRST = 6 }; // behind a name of two bytes, type and class

// Offset of TTL i. Where offsets lie in shared memory: loaded once, to be checked by the caller.
ATTR_INLINE unsigned dns_answer_ttl_at(const struct dns_answer_view *a, unsigned i)
{
	return a->ttl_step ? DNS_TTL_FIRST + i * a->ttl_step
			   : __atomic_load_n(&a->ttl_off[i], __ATOMIC_RELAXED);
}

struct dns_reply_opts {
	uint32_t age_s;       // subtracted from every TTL, not below 0
	uint32_t ttl_cap_s;   // TTLs above it are lowered to it; 0: no cap
	uint32_t ttl_fixed_s; // stale answers: every TTL becomes this, capped too; used when
			      // has_ttl_fixed
	bool has_ttl_fixed;
	int ede;        // enum dns_ede, sent only in an OPT
	uint16_t limit; // bytes; limits.udp_reply_size, or 65535 for TCP
};

// Length of the reply and, in *sum, the one's complement sum of all its bytes (host order, first
// byte high, folded to 16 bits, not inverted), built from the answer's stored sum so that only
// header, question and OPT are added up here. 0 only if not even header and question fit `cap`.
ATTR_MUST_CHECK uint16_t dns_reply_answer(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_answer_view *a, const struct dns_reply_opts *o,
	uint16_t *sum) ATTR_NONNULL;

// A reply without records. `rcode` up to 4095: the high bits go to the OPT (dropped without one,
// so BADVERS is only for clients that sent one). A question that could not be read
// (q->question_len == 0) is left out and QDCOUNT is 0. Length, or 0, as above.
ATTR_MUST_CHECK uint16_t dns_reply_rcode(uint8_t *msg, size_t cap, const struct dns_query *q,
	uint16_t rcode, int ede, uint16_t *sum) ATTR_NONNULL;

enum { DNS_EDE_TEXT_MAX = 127 };
// Adds EXTRA-TEXT (RFC 8914 2), a string of DNS_EDE_TEXT_MAX bytes at most, to a reply of
// dns_reply_rcode that ends in an EDE, where min(q->udp_size, limit, cap) has room for it. Updates
// *len and *sum. Returns the bytes added, or 0.
uint8_t dns_reply_ede_text(uint8_t *msg, size_t cap, const struct dns_query *q, const char *text,
	uint16_t limit, uint16_t *len, uint16_t *sum) ATTR_NONNULL;

// dns_reply_rcode with NOERROR, and TC: ask again over TCP (RFC 2181 9).
ATTR_MUST_CHECK uint16_t dns_reply_truncated(
	uint8_t *msg, size_t cap, const struct dns_query *q, uint16_t *sum) ATTR_NONNULL;

// How a name that the lists block is answered.
enum dns_block_mode {
	DNS_BLOCK_NXDOMAIN, // NXDOMAIN with a synthetic SOA (RFC 2308: cacheable for ttl_s)
	DNS_BLOCK_NULL,     // A 0.0.0.0 / AAAA ::, other types NODATA with the SOA
	DNS_BLOCK_NODATA,
	DNS_BLOCK_REFUSED,
	DNS_BLOCK_CUSTOM,   // the address given for the type asked, else NODATA with the SOA
	DNS_BLOCK_SERVFAIL, // a rule alone says so, no group
	DNS_BLOCK_MODES
};

// The whole block reply, as it is in shared memory for each group of clients.
enum { DNS_BLOCK_HAS_V4 = 1, DNS_BLOCK_HAS_V6 = 2 };
struct dns_block {
	uint32_t ttl_s; // TTL of the address or the SOA
	uint8_t mode;   // enum dns_block_mode; above that: NODATA
	uint8_t has;    // DNS_BLOCK_HAS_*: which addresses there are for DNS_BLOCK_CUSTOM
	uint8_t reserved[2];
	uint8_t v4[4];
	uint8_t v6[16];
};
static_assert(sizeof(struct dns_block) == 28);

// What a rule or weir itself says of a name. `ede`: of a block 15 or 17 (RFC 8914 4.16, 4.18), also
// with an address, as who and why says more than that the address is not the true one (4, 4.5); of
// what is no block, such as NXDOMAIN from local data, DNS_EDE_NONE. Owner of the record is the
// question's name, also for the SOA. `block` is loaded once. Length, or 0, as above.
ATTR_MUST_CHECK uint16_t dns_reply_synthetic(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_block *block, int ede, uint16_t limit, uint16_t *sum) ATTR_NONNULL;
// ANY without the records: one HINFO record with the text "RFC8482" (RFC 8482 4.2). So ANY does not
// amplify, and does not show what other clients asked for.
ATTR_MUST_CHECK uint16_t dns_reply_any(uint8_t *msg, size_t cap, const struct dns_query *q,
	uint16_t limit, uint16_t *sum) ATTR_NONNULL;

// RDATA of the SOA that makes weir's own negative answers cacheable (RFC 2308 3) for that time.
enum { DNS_SOA_RDATA_LEN = 54 };
void dns_soa_rdata(uint8_t rdata[DNS_SOA_RDATA_LEN], uint32_t ttl_s) ATTR_NONNULL;

// The order of addresses in a reply, moved on from one query to the next, so that clients that take
// the first one spread over all of them (RFC 1794).

// Moves the A or AAAA records of each RRset of the answer section on, by a number of places that
// `turn`, a counter of replies, gives: each address comes first as often, also in every second or
// third reply. CNAMEs before and signatures behind them stay. `records`: offset of the first
// record, behind the question. It moves only records whose owner is a pointer, as in all replies of
// weir except for the root's: they have one even length, so the sum of all bytes stays the same,
// and a pointer to an owner among them still leads to the same name. Reads and writes within len
// bytes only, whatever the bytes are. Cost: a look at each record of the answer, and two moves of
// each address.
void dns_rotate(uint8_t *msg, size_t len, size_t records, uint32_t turn) ATTR_NONNULL;
