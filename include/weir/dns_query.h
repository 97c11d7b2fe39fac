// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's query, parsed once where it arrives (stage_parse in the data plane; again in the
// control plane, which does not trust the ring).
//
// The parser reads only inside [msg, msg + len). It accepts: one question, uncompressed, nothing in
// answer and authority, and in the additional section at most one OPT among at most
// DNS_QUERY_ADDITIONAL_MAX records; others (a TSIG, say) are passed over. Bytes after the counted
// records are ignored: no reply repeats them, so nothing hangs on them. Everything else ends in a
// named status, and `out` then holds what a reply to it needs (id, flags, question_len when it
// could be read, has_opt when the OPT was seen before the fault); a question that could not be read
// leaves the root as `name`. After DNS_QUERY_SHORT nothing of `out` is set. A query without
// question is good only with a cookie (RFC 7873 5.4). dns_cookie_settle checks the cookie. Cost:
// one pass over the question, one over the rest of the message. No state, no allocation.

#include "attr.h"
#include "bytes.h"
#include "dns_name.h"
#include "dns_proto.h"

enum dns_query_status {
	DNS_QUERY_OK,
	DNS_QUERY_SHORT,    // under 12 bytes: no reply is possible
	DNS_QUERY_RESPONSE, // QR=1: never answered, or two servers would talk for ever
	DNS_QUERY_FORMERR,  // QDCOUNT != 1 (RFC 9619), bad name, records that do not parse, two
			    // OPTs, ...
	DNS_QUERY_NOTIMP,   // opcode other than QUERY
	DNS_QUERY_BADVERS,  // EDNS version above 0 (RFC 6891 6.1.3)
	DNS_QUERY_COOKIE,   // no question, but a cookie: the client asks for a server cookie
};

enum {
	DNS_QUERY_ADDITIONAL_MAX = 16, // more of any of these is FORMERR
	DNS_QUERY_OPTIONS_MAX = 16,    // padding may fill the message (RFC 7830)
};

enum {
	DNS_COOKIE_CLIENT_LEN = 8,
	DNS_COOKIE_LEN = 24,        // bytes with the server's part, as weir makes it
	DNS_COOKIE_SERVER_MIN = 16, // bytes with anyone's (RFC 7873 4)
	DNS_COOKIE_SERVER_MAX = 40,
	DNS_COOKIE_MALFORMED = 0xff, // another length than these
};

// A set of bits: more than plain is an OPT of the reply with options.
enum dns_query_opt {
	DNS_OPT_NONE = 0,
	DNS_OPT_PLAIN = 1,
	DNS_OPT_COOKIE = 2, // dns_query.cookie
	DNS_OPT_NSID = 4,   // dns_query.nsid
	DNS_OPT_ALL = 7,    // that a reply may have
	// Not of the reply: nothing of the client's address is to be sent on (RFC 7871 7.1.2).
	DNS_OPT_HIDES_SUBNET = 8,
	// The upper four bits, not of the reply: 1 to 15 whole bytes of it are all that may be sent
	// on; 0: that option sets no bound.
	DNS_OPT_SUBNET_SHIFT = 4,
};

// May so many bits of the client's address be sent on?
ATTR_INLINE bool dns_opt_allows_subnet(uint8_t has_opt, unsigned bits)
{
	const unsigned bytes = has_opt >> DNS_OPT_SUBNET_SHIFT;
	return !(has_opt & DNS_OPT_HIDES_SUBNET) && (!bytes || bits <= 8 * bytes);
}

struct dns_query {
	uint16_t id;
	uint16_t flags; // bytes 2 and 3 as received, host order
	uint16_t qtype;
	uint16_t qclass;
	uint16_t question_len; // bytes of name + type + class, which start at byte 12; 0:
			       // unreadable
	uint16_t udp_size; // largest reply for the client: max(OPT size, 512), or 512 without EDNS
	uint8_t has_opt;   // bits of enum dns_query_opt
	bool dnssec_ok;    // DO
	struct dns_name name;              // lower case; the client's spelling stays in the message
	uint8_t label_off[DNS_LABELS_MAX]; // where label i begins in name.wire; i < name.labels
	// The client's cookie, cut to the length of weir's; then the reply's (dns_cookie_settle).
	// dns_query_parse always sets these, the fast path only where there is a cookie.
	uint8_t cookie_len; // bytes received; 0 without a cookie
	uint8_t cookie[DNS_COOKIE_LEN];
	bool asks_nsid; // RFC 5001; set in the same way
	// With DNS_OPT_NSID alone: the NSID of the reply; the caller of dns_identity_nsid owns it.
	uint8_t nsid_len;
	const char *nsid;
};

static inline bool dns_query_cd(const struct dns_query *q)
{
	return q->flags & DNS_FLAG_CD;
}

ATTR_MUST_CHECK enum dns_query_status dns_query_parse(
	const uint8_t *msg, size_t len, struct dns_query *out) ATTR_NONNULL;

// Which well-formed questions are questions for a resolver.
//
// Zone transfers need a zone (RFC 5936 4.2, RFC 1995 2), and other classes than IN an authority
// that is not here: refused. The rest of the meta types (RFC 6895 3.1) but ANY, which may be cached
// like a type, and OPT and type 0, which are no question at all, are not implemented.

enum dns_served { DNS_SERVED, DNS_SERVED_REFUSED, DNS_SERVED_NOTIMP };

ATTR_INLINE enum dns_served dns_served_question(const struct dns_query *q)
{
	uint16_t type = q->qtype;
	if (unlikely_(q->qclass != DNS_CLASS_IN || type == DNS_TYPE_AXFR || type == DNS_TYPE_IXFR))
		return DNS_SERVED_REFUSED;
	if (unlikely_((type >= 128 && type < DNS_TYPE_ANY) || type == DNS_TYPE_OPT || type == 0))
		return DNS_SERVED_NOTIMP;
	return DNS_SERVED;
}

// Skips through a message to its OPT. The reader bounds it, and has its error set where the message
// is cut off.

enum { DNS_SKIP_POINTER = 0xc0 };

// Past a name, compressed or not (RFC 1035 4.1.4): a pointer ends it and is not followed.
static inline void dns_name_skip(struct rd *r)
{
	uint8_t byte;

	while ((byte = rd_u8(r)) != 0) {
		if (byte >= DNS_SKIP_POINTER) {
			rd_skip(r, 1);
			return;
		}
		rd_skip(r, byte);
	}
}

// The options of the first OPT (RFC 6891 6.1.2) among the next `records` records: *len bytes of the
// message; NULL: no OPT.
static inline const uint8_t *dns_options_find(struct rd *r, unsigned records, size_t *len)
{
	for (; records && rd_ok(r); records--) {
		dns_name_skip(r);
		uint16_t type = rd_u16(r);
		rd_skip(r, 6);
		uint16_t rdlen = rd_u16(r);
		const uint8_t *rdata = rd_bytes(r, rdlen);
		if (rdata && type == DNS_TYPE_OPT) {
			*len = rdlen;
			return rdata;
		}
	}
	return NULL;
}

// The options of a whole message.
static inline const uint8_t *dns_reply_options(const uint8_t *msg, size_t msg_len, size_t *len)
{
	struct rd r = rd_init(msg, msg_len);

	rd_skip(&r, 4);
	unsigned questions = rd_u16(&r), records = rd_u16(&r);
	records += rd_u16(&r);
	records += rd_u16(&r);
	for (; questions && rd_ok(&r); questions--) {
		dns_name_skip(&r);
		rd_skip(&r, 4);
	}
	return dns_options_find(&r, records, len);
}
