// SPDX-License-Identifier: BSD-3-Clause

#include "dns_name_walk.h"

#include <string.h>
#include <weir/ascii.h>
#include <weir/dns_query.h>

enum { SEEK_MAX = 64 }; // questions and records, in search of an OPT

// Name, type and class. False, with out->question_len still 0, when it cannot be read.
static bool question_read(struct rd *r, struct dns_query *out)
{
	const uint8_t *p = r->base + r->pos;
	uint8_t labels;
	size_t len = dns_name_walk(p, rd_left(r), out->label_off, &labels);
	if (len == 0 || rd_left(r) - len < 4)
		return false;
	out->name.len = (uint8_t)len;
	out->name.labels = labels;
	ascii_lower_copy(out->name.wire, p, len);
	out->qtype = get_u16(p + len);
	out->qclass = get_u16(p + len + 2);
	out->question_len = (uint16_t)(len + 4);
	rd_skip(r, len + 4);
	return true;
}

// Passes over an owner name, which may end in a pointer; where that leads is of no interest.
static void owner_skip(struct rd *r)
{
	const size_t most = r->pos + DNS_NAME_MAX;
	while (rd_ok(r)) {
		uint8_t byte = rd_u8(r);
		if (byte == 0)
			return;
		if (byte >= 0xc0) {
			rd_skip(r, 1);
			return;
		}
		if (byte > DNS_LABEL_MAX || r->pos + byte >= most)
			r->bad = true;
		rd_skip(r, byte);
	}
}

// The owner that was passed over: of an OPT it is the root (RFC 6891 6.1.2). BIND and unbound take
// a pointer to a root byte for it as well.
static bool owner_is_root(const struct rd *r, size_t owner)
{
	if (r->pos == owner + 1)
		return true;
	if (r->pos != owner + 2 || r->base[owner] < 0xc0)
		return false;
	size_t at = get_u16(r->base + owner) & 0x3fffu;
	return at >= DNS_HEADER_LEN && at < owner && r->base[at] == 0;
}

// The first one counts (RFC 7873 5.2), cut to the length of weir's own.
static void cookie_take(struct dns_query *out, const uint8_t *bytes, size_t len)
{
	bool whole = len == DNS_COOKIE_CLIENT_LEN
		     || (len >= DNS_COOKIE_SERVER_MIN && len <= DNS_COOKIE_SERVER_MAX);
	if (out->cookie_len)
		return;
	out->cookie_len = whole ? (uint8_t)len : DNS_COOKIE_MALFORMED;
	if (whole)
		memcpy(out->cookie, bytes, len < DNS_COOKIE_LEN ? len : DNS_COOKIE_LEN);
}

// A client's subnet (RFC 7871 6) is not taken from its query, but no more bits of its address are
// sent on than the source prefix length that it says, in whole bytes. The shortest one counts.
// False: malformed; family 0 is good for no address at all.
static bool subnet_take(struct dns_query *out, const uint8_t *bytes, size_t len)
{
	enum { SOURCE_AT = 2, SCOPE_AT, ADDRESS_AT, UNBOUNDED = 16 };
	static const uint8_t bits[] = {[1] = 32, [2] = 128};
	const unsigned before = out->has_opt >> DNS_OPT_SUBNET_SHIFT;
	if (len < ADDRESS_AT || get_u16(bytes) >= sizeof(bits) || bytes[SCOPE_AT] != 0
		|| bytes[SOURCE_AT] > bits[get_u16(bytes)]
		|| len != ADDRESS_AT + (bytes[SOURCE_AT] + 7u) / 8)
		return false;
	const unsigned source = bytes[SOURCE_AT] / 8u, rest = bytes[SOURCE_AT] % 8u;
	if (rest && bytes[len - 1] & 0xff >> rest)
		return false;
	if (source == 0)
		out->has_opt |= DNS_OPT_HIDES_SUBNET;
	else if (source < UNBOUNDED && (!before || source < before))
		out->has_opt = (uint8_t)((out->has_opt & (DNS_OPT_ALL | DNS_OPT_HIDES_SUBNET))
					 | source << DNS_OPT_SUBNET_SHIFT);
	return true;
}

// weir reads the options cookie, NSID and privacy, and counts the others. The FORMERR for a
// malformed option has the others.
static bool options_walk(const uint8_t *rdata, size_t len, struct dns_query *out)
{
	struct rd r = rd_init(rdata, len);
	bool good = true;
	for (unsigned n = 0; rd_left(&r); n++) {
		if (n == DNS_QUERY_OPTIONS_MAX)
			return false;
		uint16_t code = rd_u16(&r);
		uint16_t option_len = rd_u16(&r);
		const uint8_t *bytes = rd_bytes(&r, option_len);
		if (bytes && code == DNS_EDNS_OPTION_COOKIE)
			cookie_take(out, bytes, option_len);
		if (bytes && code == DNS_EDNS_OPTION_SUBNET)
			good &= subnet_take(out, bytes, option_len);
		out->asks_nsid |= code == DNS_EDNS_OPTION_NSID; // whatever it holds (RFC 5001 2.1)
	}
	return good && rd_ok(&r);
}

// Taken also where it is wrong: the FORMERR for it has an OPT too (RFC 6891 7).
static bool opt_take(struct dns_query *out, uint16_t class, uint32_t ttl, bool root)
{
	bool is_first = !out->has_opt;
	out->has_opt = DNS_OPT_PLAIN;
	out->udp_size = class > DNS_UDP_PLAIN_MAX ? class : DNS_UDP_PLAIN_MAX;
	out->dnssec_ok = ttl & DNS_EDNS_FLAG_DO;
	return root && is_first;
}

// A query that is malformed before its additional section, or has an unknown opcode, may still have
// an OPT; then the reply has one (RFC 6891 6.1.1, 7), with the client's cookie. Real clients do not
// send this, so it is kept out of the path of good queries. Returns the version of the OPT; 0:
// none.
__attribute__((cold, noinline)) static uint8_t opt_seek(
	const uint8_t *msg, size_t len, struct dns_query *out)
{
	struct rd r = rd_init(msg, len);
	rd_skip(&r, 4);
	unsigned questions = rd_u16(&r), others = rd_u16(&r) + rd_u16(&r), left = rd_u16(&r);
	unsigned seen = 0;
	for (; questions && seen < SEEK_MAX && rd_ok(&r); questions--, seen++) {
		owner_skip(&r);
		rd_skip(&r, 4);
	}
	for (left += others; !questions && left && seen < SEEK_MAX; left--, seen++) {
		size_t owner = r.pos;
		owner_skip(&r);
		bool root = owner_is_root(&r, owner);
		uint16_t type = rd_u16(&r), class = rd_u16(&r);
		uint32_t ttl = rd_u32(&r);
		uint16_t rdata_len = rd_u16(&r);
		const uint8_t *rdata = rd_bytes(&r, rdata_len);
		if (!rdata)
			return 0;
		if (type != DNS_TYPE_OPT || !root)
			continue;
		uint8_t version = (uint8_t)(ttl >> 16);
		(void)opt_take(out, class, ttl, root);
		if (version == 0)
			(void)options_walk(rdata, rdata_len, out);
		return version;
	}
	return 0;
}

static enum dns_query_status additional_read(struct rd *r, unsigned count, struct dns_query *out)
{
	if (unlikely_(count > DNS_QUERY_ADDITIONAL_MAX)) {
		(void)opt_seek(r->base, r->len, out);
		return DNS_QUERY_FORMERR;
	}
	uint8_t version = 0;
	for (; count; count--) {
		size_t owner = r->pos;
		owner_skip(r);
		bool root = owner_is_root(r, owner);
		uint16_t type = rd_u16(r);
		uint16_t class = rd_u16(r);
		uint32_t ttl = rd_u32(r);
		uint16_t rdata_len = rd_u16(r);
		const uint8_t *rdata = rd_bytes(r, rdata_len);
		if (!rdata)
			return DNS_QUERY_FORMERR;
		if (type != DNS_TYPE_OPT)
			continue;
		if (!opt_take(out, class, ttl, root))
			return DNS_QUERY_FORMERR;
		version = (uint8_t)(ttl >> 16);
		// What another version's options look like is not known.
		if (version == 0 && !options_walk(rdata, rdata_len, out))
			return DNS_QUERY_FORMERR;
	}
	return version > 0 ? DNS_QUERY_BADVERS : DNS_QUERY_OK;
}

// A message without a question; r stands behind the header.
static enum dns_query_status cookie_query_read(
	struct rd *r, unsigned additional, struct dns_query *out)
{
	enum dns_query_status status = additional_read(r, additional, out);
	return status == DNS_QUERY_OK ? out->cookie_len ? DNS_QUERY_COOKIE : DNS_QUERY_FORMERR
				      : status;
}

// Whether the record at r, behind the question of an IXFR, is the SOA of the version that its
// client has, and the only one before the additional section. Such a query is refused whatever
// follows.
__attribute__((cold, noinline)) static bool is_ixfr(
	struct rd *r, const uint8_t *msg, const struct dns_query *q)
{
	if (q->qtype != DNS_TYPE_IXFR || get_u32(msg + 6) != 1)
		return false;
	owner_skip(r);
	const uint16_t type = rd_u16(r);
	rd_skip(r, 6);
	rd_skip(r, rd_u16(r));
	return type == DNS_TYPE_SOA && rd_ok(r);
}

enum dns_query_status dns_query_parse(const uint8_t *msg, size_t len, struct dns_query *out)
{
	if (len < DNS_HEADER_LEN)
		return DNS_QUERY_SHORT;
	// Field by field: clearing the 400 bytes would cost more than the parsing.
	out->id = get_u16(msg);
	out->flags = get_u16(msg + 2);
	out->qtype = 0;
	out->qclass = 0;
	out->question_len = 0;
	out->udp_size = DNS_UDP_PLAIN_MAX;
	out->has_opt = DNS_OPT_NONE;
	out->dnssec_ok = false;
	out->cookie_len = 0;
	out->asks_nsid = false;
	out->name.len = 1;
	out->name.labels = 0;
	out->name.wire[0] = 0;
	if (out->flags & DNS_FLAG_QR)
		return DNS_QUERY_RESPONSE;

	struct rd r = rd_init(msg, len);
	rd_skip(&r, DNS_HEADER_LEN);
	const uint16_t questions = get_u16(msg + 4), additional = get_u16(msg + 10);
	bool readable = questions == 1 && question_read(&r, out);
	if (unlikely_(out->flags & DNS_FLAG_OPCODE)) {
		// Only the OPT among its records matters: the reply then has one (RFC 6891 6.1.1),
		// and its version counts for any opcode (6.1.3).
		bool is_other = additional && opt_seek(msg, len, out) > 0;
		return is_other ? DNS_QUERY_BADVERS : DNS_QUERY_NOTIMP;
	}
	// Answer and authority have no meaning in a query of opcode QUERY, but for an IXFR, which
	// has the client's SOA there (RFC 1995 3).
	if (unlikely_(questions == 0) && get_u32(msg + 6) == 0 && additional)
		return cookie_query_read(&r, additional, out);
	if (unlikely_(!readable || get_u32(msg + 6) != 0)) {
		const uint8_t version = additional ? opt_seek(msg, len, out) : 0;
		if (!readable || !is_ixfr(&r, msg, out))
			return DNS_QUERY_FORMERR;
		return version ? DNS_QUERY_BADVERS : DNS_QUERY_OK;
	}
	return additional ? additional_read(&r, additional, out) : DNS_QUERY_OK;
}
