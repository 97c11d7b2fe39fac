// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The parser for plain queries, in line, for the packet path: opcode QUERY, one question, and at
// most a plain OPT (root, version 0) behind it, without options or with a whole cookie alone, as
// clients that keep weir's cookie send it. Nearly all queries are like that. dns_query_parse
// handles all others, faults included, with the same results (test_dns_query_fast).
//
// Header and OPT are tested in words as they are in memory. Adjacent fields of struct dns_query are
// stored as one word; the stages read them one by one, which costs nothing.

#include "dns_name_walk.h"
#include "name_fold.h"

#include <endian.h>
#include <string.h>
#include <weir/dns_query.h>

static_assert(offsetof(struct dns_query, id) == 0 && offsetof(struct dns_query, flags) == 2
	      && offsetof(struct dns_query, qtype) == 4 && offsetof(struct dns_query, qclass) == 6);
static_assert(
	offsetof(struct dns_query, question_len) == 8 && offsetof(struct dns_query, udp_size) == 10
	&& offsetof(struct dns_query, has_opt) == 12 && offsetof(struct dns_query, dnssec_ok) == 13
	&& offsetof(struct dns_query, name.len) == 14
	&& offsetof(struct dns_query, name.labels) == 15);

ATTR_INLINE uint64_t dns_query_8(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return w;
}

// Two fields of 16 bits, as struct dns_query has them.
ATTR_INLINE uint64_t dns_query_pair(const uint8_t *p)
{
	uint32_t w;
	memcpy(&w, p, sizeof(w));
	w = be32toh(w);
	return w << 16 | w >> 16;
}

enum dns_query_kind {
	DNS_QUERY_ODD,   // not plain
	DNS_QUERY_PLAIN, // leaves dns_query.cookie and asks_nsid as they were
	DNS_QUERY_PLAIN_COOKIE,
};

// UDP size, presence and DO at their places in the second word of struct dns_query; 0: no plain OPT
// in these `left` bytes. *rdata_len: of its options, in network byte order.
ATTR_INLINE uint64_t dns_query_opt(const uint8_t *p, size_t left, uint16_t *rdata_len)
{
	// Owner and type, version.
	const uint64_t tested = htobe64(0xffffff000000ff00), plain = htobe64(0x0000290000000000);
	if (unlikely_(left < DNS_OPT_FIXED_LEN))
		return 0;
	uint64_t w = dns_query_8(p);
	memcpy(rdata_len, p + 9, sizeof(*rdata_len));
	if (unlikely_((w & tested) != plain))
		return 0;
	uint64_t size = be64toh(w) >> 24 & 0xffff;
	size = size > DNS_UDP_PLAIN_MAX ? size : DNS_UDP_PLAIN_MAX;
	return size << 16 | UINT64_C(1) << 32 | (w >> 63) << 40;
}

// The options at p, of which there are `left` bytes: a whole cookie and nothing else?
ATTR_INLINE bool dns_query_cookie(
	const uint8_t *p, size_t left, uint16_t rdata_len, struct dns_query *out)
{
	enum { OPTION_LEN = 4 }; // code and length
	uint32_t option;
	if (rdata_len != htobe16(OPTION_LEN + DNS_COOKIE_LEN) || left < OPTION_LEN + DNS_COOKIE_LEN)
		return false;
	memcpy(&option, p, sizeof(option));
	if (option != htobe32((uint32_t)DNS_EDNS_OPTION_COOKIE << 16 | DNS_COOKIE_LEN))
		return false;
	memcpy(out->cookie, p + OPTION_LEN, DNS_COOKIE_LEN);
	out->cookie_len = DNS_COOKIE_LEN;
	out->asks_nsid = false;
	return true;
}

// *out is undefined for an odd query. *name_hash: hash of the name by this secret.
ATTR_INLINE enum dns_query_kind dns_query_fast(const uint8_t *msg, size_t len,
	const struct keyhash_secret *secret, struct dns_query *out, uint64_t *name_hash)
{
	enum { TAIL = 4 }; // type and class
	if (unlikely_(len < DNS_HEADER_LEN + 1 + TAIL))
		return DNS_QUERY_ODD;
	// QR and opcode; one question, and at most one record, in the additional section.
	const uint64_t flags = htobe64((uint64_t)(DNS_FLAG_QR | DNS_FLAG_OPCODE) << 32);
	const uint64_t counts = dns_query_8(msg + 4);
	if (unlikely_((dns_query_8(msg) & flags)
		      || (counts & ~htobe64(1)) != htobe64(UINT64_C(1) << 48)))
		return DNS_QUERY_ODD;
	const uint8_t *name = msg + DNS_HEADER_LEN;
	uint8_t labels;
	size_t name_len = dns_name_walk(name, len - DNS_HEADER_LEN - TAIL, out->label_off, &labels);
	if (unlikely_(name_len == 0))
		return DNS_QUERY_ODD;
	enum dns_query_kind kind = DNS_QUERY_PLAIN;
	uint64_t opt = DNS_UDP_PLAIN_MAX << 16;
	if (counts & htobe64(1)) {
		const size_t end = DNS_HEADER_LEN + name_len + TAIL;
		uint16_t rdata_len;
		opt = dns_query_opt(msg + end, len - end, &rdata_len);
		if (unlikely_(!opt))
			return DNS_QUERY_ODD;
		if (unlikely_(rdata_len)) {
			const size_t at = end + DNS_OPT_FIXED_LEN;
			if (!dns_query_cookie(msg + at, len - at, rdata_len, out))
				return DNS_QUERY_ODD;
			kind = DNS_QUERY_PLAIN_COOKIE;
		}
	}
	*name_hash = name_fold(secret, out->name.wire, name, name_len);
	const uint64_t first = dns_query_pair(msg) | dns_query_pair(name + name_len) << 32;
	const uint64_t second =
		(name_len + TAIL) | opt | (uint64_t)name_len << 48 | (uint64_t)labels << 56;
	memcpy((uint8_t *)out, &first, sizeof(first));
	memcpy((uint8_t *)out + sizeof(first), &second, sizeof(second));
	return kind;
}
