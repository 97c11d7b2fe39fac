// SPDX-License-Identifier: BSD-3-Clause

// OPT records of clients: the input sets the variable parts of an otherwise plain query. The
// expected result is computed here from RFC 6891 alone, and the oracle checks the error replies.
// Bytes: choice, size (2), the TTL field (4), then the options; choice & 1: a second OPT, & 2:
// another record in front (as a TSIG that is out of place).

#include "fuzz.h"
#include "tests/oracle/reply_oracle.h"

#include <weir/dns_reply.h>

enum { FIXED = 7, MOST = 1400, BUF = MOST + 128, TWICE = 1, BEHIND = 2 };

static const uint8_t head[] = "\x47\x11\x01\x00\0\1\0\0\0\0\0\0\1A\7eXample\0\0\1\0\1";

static void put_opt(struct wr *w, const uint8_t *data, size_t len)
{
	wr_u8(w, 0);
	wr_u16(w, DNS_TYPE_OPT);
	wr_bytes(w, data + 1, FIXED - 1);
	wr_u16(w, (uint16_t)(len - FIXED));
	wr_bytes(w, data + FIXED, len - FIXED);
}

// RFC 7871 6, of a query: no scope, as many bytes as the prefix needs, and no bit behind it.
static bool subnet_is_good(const uint8_t *p, size_t len)
{
	if (len < 4 || p[0] || p[1] > 2 || p[3])
		return false;
	const unsigned bits = p[2], most = p[1] == 2 ? 128 : p[1] == 1 ? 32 : 0;
	if (bits > most || len != 4 + (bits + 7) / 8)
		return false;
	return bits % 8 == 0 || (p[len - 1] & ((1u << (8 - bits % 8)) - 1)) == 0;
}

// Options within their bounds that end where the record does; a client's subnet is well-formed.
static bool options_fit(const uint8_t *p, size_t len)
{
	unsigned count = 0;
	size_t at = 0;
	bool good = true;
	for (; at + 4 <= len; count++) {
		const size_t size = p[at + 2] * 256u + p[at + 3];
		if (p[at] == 0 && p[at + 1] == DNS_EDNS_OPTION_SUBNET && at + 4 + size <= len)
			good &= subnet_is_good(p + at + 4, size);
		at += 4u + size;
	}
	return good && at == len && count <= DNS_QUERY_OPTIONS_MAX;
}

static void check(
	enum dns_query_status status, const struct dns_query *q, const uint8_t *data, size_t len)
{
	bool sound = options_fit(data + FIXED, len - FIXED) && !(data[0] & TWICE);
	unsigned size = data[1] * 256u + data[2];
	bool other_version = data[4] != 0;
	FUZZ_CHECK(q->has_opt);
	FUZZ_CHECK((status == DNS_QUERY_OK) == (sound && !other_version));
	if (other_version && !(data[0] & TWICE))
		FUZZ_CHECK(status == DNS_QUERY_BADVERS);
	if (status == DNS_QUERY_FORMERR)
		FUZZ_CHECK(!sound);
	if (status != DNS_QUERY_OK)
		return;
	FUZZ_CHECK(q->udp_size == (size < 512 ? 512 : size));
	FUZZ_CHECK(q->dnssec_ok == (data[5] >> 7));
}

FUZZ_BODY(data, len)
{
	uint8_t buf[BUF], reply[BUF];
	struct dns_query q;
	if (len < FIXED || len > FIXED + (data[0] & TWICE ? MOST / 2 : MOST))
		return 0;
	struct wr w = wr_init(buf, sizeof(buf));
	wr_bytes(&w, head, sizeof(head) - 1);
	unsigned records = 1;
	if (data[0] & BEHIND) {
		wr_bytes(&w, "\0\0\xfa\0\xff\0\0\0\0\0\0", 11);
		records++;
	}
	put_opt(&w, data, len);
	if (data[0] & TWICE) {
		put_opt(&w, data, len);
		records++;
	}
	FUZZ_CHECK(wr_ok(&w));
	put_u16(buf + 10, (uint16_t)records);
	enum dns_query_status status = dns_query_parse(buf, w.pos, &q);
	check(status, &q, data, len);
	memcpy(reply, buf, w.pos);
	uint16_t sum;
	uint16_t n = dns_reply_rcode(reply, sizeof(reply), &q,
		status == DNS_QUERY_BADVERS ? DNS_RCODE_BADVERS : DNS_RCODE_FORMERR, DNS_EDE_NONE,
		&sum);
	FUZZ_CHECK(n > 0 && sum == csum_partial(reply, n));
	if (q.has_opt && !(data[0] & TWICE)) {
		const struct reply_oracle o = {
			.query = buf, .query_len = w.pos, .limit = DNS_EDNS_SIZE};
		reply_oracle_check(&o, reply, n);
	}
	return 0;
}
