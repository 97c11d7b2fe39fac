// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Builds upstream replies record by record, and prints what came of them, for the DNS tests.

#include "dns_rand.h"
#include "tests/unit/unit.h"

#include <weir/dns_answer.h>

struct dns_build {
	struct wr w;
	uint8_t buf[DNS_MESSAGE_MAX];
};

enum dns_build_section { SECTION_ANSWER = 6, SECTION_AUTHORITY = 8, SECTION_ADDITIONAL = 10 };

static inline void build_name(struct dns_build *b, const char *text)
{
	struct dns_name name = name_of_text(text);
	wr_bytes(&b->w, name.wire, name.len);
}

// A reply without records to a question in class IN.
static inline void build_reply(
	struct dns_build *b, unsigned flags, const char *qname, uint16_t qtype)
{
	b->w = wr_init(b->buf, sizeof(b->buf));
	wr_u16(&b->w, 0x4711);
	wr_u16(&b->w, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | flags));
	wr_u16(&b->w, 1);
	wr_bytes(&b->w, "\0\0\0\0\0\0", 6);
	build_name(b, qname);
	wr_u16(&b->w, qtype);
	wr_u16(&b->w, DNS_CLASS_IN);
}

// What stands before the RDATA; its length is filled in by build_end.
static inline size_t build_begin(struct dns_build *b, enum dns_build_section section,
	const char *owner, uint16_t type, uint32_t ttl_s)
{
	put_u16(b->buf + section, (uint16_t)(get_u16(b->buf + section) + 1));
	build_name(b, owner);
	wr_u16(&b->w, type);
	wr_u16(&b->w, DNS_CLASS_IN);
	wr_u32(&b->w, ttl_s);
	wr_u16(&b->w, 0);
	return b->w.pos;
}

static inline void build_end(struct dns_build *b, size_t rdata_at)
{
	assert_true(wr_ok(&b->w));
	put_u16(b->buf + rdata_at - 2, (uint16_t)(b->w.pos - rdata_at));
}

static inline void build_rr(struct dns_build *b, enum dns_build_section section, const char *owner,
	uint16_t type, uint32_t ttl_s, const void *rdata, size_t len)
{
	size_t at = build_begin(b, section, owner, type, ttl_s);
	wr_bytes(&b->w, rdata, len);
	build_end(b, at);
}

// A record whose RDATA is one name (CNAME, DNAME, NS, ...).
static inline void build_rr_name(struct dns_build *b, enum dns_build_section section,
	const char *owner, uint16_t type, uint32_t ttl_s, const char *target)
{
	size_t at = build_begin(b, section, owner, type, ttl_s);
	build_name(b, target);
	build_end(b, at);
}

static inline void build_cname(
	struct dns_build *b, const char *owner, uint32_t ttl_s, const char *target)
{
	build_rr_name(b, SECTION_ANSWER, owner, DNS_TYPE_CNAME, ttl_s, target);
}

static inline void build_dname(
	struct dns_build *b, const char *owner, uint32_t ttl_s, const char *target)
{
	build_rr_name(b, SECTION_ANSWER, owner, DNS_TYPE_DNAME, ttl_s, target);
}

static inline void build_a(
	struct dns_build *b, const char *owner, uint32_t ttl_s, const char address[4])
{
	build_rr(b, SECTION_ANSWER, owner, DNS_TYPE_A, ttl_s, address, 4);
}

static inline void build_soa(
	struct dns_build *b, const char *owner, uint32_t ttl_s, uint32_t minimum)
{
	size_t at = build_begin(b, SECTION_AUTHORITY, owner, DNS_TYPE_SOA, ttl_s);
	build_name(b, "ns1.example.com");
	build_name(b, "root.example.com");
	wr_bytes(&b->w, "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 16);
	wr_u32(&b->w, minimum);
	build_end(b, at);
}

static inline void build_rrsig(struct dns_build *b, enum dns_build_section section,
	const char *owner, uint16_t covered, uint32_t ttl_s)
{
	size_t at = build_begin(b, section, owner, DNS_TYPE_RRSIG, ttl_s);
	wr_u16(&b->w, covered);
	wr_bytes(&b->w, "\15\2\0\0\1\54_exp_inc\22\64", 16);
	build_name(b, "example.com");
	wr_bytes(&b->w, "sig", 3);
	build_end(b, at);
}

static inline struct dns_query build_query(const struct dns_build *b, bool dnssec_ok)
{
	uint8_t msg[600];
	struct rd r = rd_init(b->buf, b->w.pos);
	struct dns_name name;
	rd_skip(&r, DNS_HEADER_LEN);
	assert_int_equal(dns_name_read(&r, &name), 0);
	uint16_t len = dns_query_write(msg, sizeof(msg), 1, b->buf + DNS_HEADER_LEN,
		(uint16_t)(name.len + 4), false, dnssec_ok);
	struct dns_query q;
	assert_int_equal(dns_query_parse(msg, len, &q), DNS_QUERY_OK);
	return q;
}

static const struct dns_answer_rules build_wide = {.min_s = 0, .max_s = 86400, .negative_s = 3600};

// What was built, read as the reply to its own question.
static inline int build_read(const struct dns_build *b, const struct dns_answer_rules *limits,
	bool dnssec_ok, struct dns_answer *answer)
{
	struct dns_query q = build_query(b, dnssec_ok);
	uint8_t *copy = dns_exact_copy(b->buf, b->w.pos);
	int rc = dns_answer_read(copy, b->w.pos, &q, limits, answer);
	free(copy);
	return rc;
}

// The stored answer behind its question, as a whole message. Its length.
static inline size_t build_whole(
	const struct dns_answer *a, const struct dns_query *q, uint8_t *msg)
{
	struct dns_answer_view view = dns_answer_view_of(a);
	const struct dns_reply_opts o = {.ede = DNS_EDE_NONE, .limit = DNS_MESSAGE_MAX};
	struct dns_query plain = *q;
	uint16_t sum;
	plain.has_opt = false;
	memcpy(msg + DNS_HEADER_LEN, q->name.wire, q->name.len);
	put_u16(msg, q->id);
	put_u16(msg + DNS_HEADER_LEN + q->name.len, q->qtype);
	put_u16(msg + DNS_HEADER_LEN + q->name.len + 2, q->qclass);
	size_t len = dns_reply_answer(msg, DNS_MESSAGE_MAX, &plain, &view, &o, &sum);
	assert_int_equal(len, DNS_HEADER_LEN + q->question_len + a->len);
	assert_int_equal(sum, csum_partial(msg, len));
	return len;
}

static inline bool build_is_name_type(uint16_t type)
{
	return type == DNS_TYPE_CNAME || type == DNS_TYPE_NS || type == DNS_TYPE_PTR
	       || type == DNS_TYPE_DNAME;
}

// One line a record: owner, TTL, type, and the RDATA as name, or its length when it is none.
static inline const char *build_print(const struct dns_build *b, const struct dns_answer *answer)
{
	static char printed[8192];
	static uint8_t msg[DNS_MESSAGE_MAX];
	struct dns_query q = build_query(b, false);
	struct rd r = rd_init(msg, build_whole(answer, &q, msg));
	rd_skip(&r, DNS_HEADER_LEN + (size_t)q.question_len);
	size_t used = 0;
	char text[DNS_NAME_TEXT_MAX];
	printed[0] = 0;
	for (unsigned i = 0; i < answer->ancount + answer->nscount; i++) {
		struct dns_name name;
		assert_int_equal(dns_name_read_compressed(&r, &name, NULL), 0);
		uint16_t type = rd_u16(&r);
		assert_int_equal(rd_u16(&r), DNS_CLASS_IN);
		assert_int_equal(answer->ttl_off[i], r.pos - DNS_HEADER_LEN - q.question_len);
		uint32_t ttl_s = rd_u32(&r);
		uint16_t len = rd_u16(&r);
		used += (size_t)snprintf(printed + used, sizeof(printed) - used, "%s %u %u ",
			dns_name_to_text(&name, text), ttl_s, type);
		struct rd rdata = r;
		rd_skip(&r, len);
		assert_true(rd_ok(&r));
		if (build_is_name_type(type)) {
			assert_int_equal(dns_name_read_compressed(&rdata, &name, NULL), 0);
			assert_int_equal(rdata.pos, r.pos);
			snprintf(printed + used, sizeof(printed) - used, "%s\n",
				dns_name_to_text(&name, text));
		} else {
			snprintf(printed + used, sizeof(printed) - used, "[%u]\n", len);
		}
		used += strlen(printed + used);
	}
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(answer->ttl_count, answer->ancount + answer->nscount);
	return printed;
}
