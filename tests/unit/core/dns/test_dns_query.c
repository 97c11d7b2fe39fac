// SPDX-License-Identifier: BSD-3-Clause

#include "dns_rand.h"
#include "tests/unit/unit.h"

#include <weir/dns_query.h>

static uint8_t buf[2048];  // a query
static struct dns_query q; // the parsed query

// Header of a query for one question and `additional` records.
static struct wr query_begin(uint16_t flags, uint16_t additional)
{
	struct wr w = wr_init(buf, sizeof(buf));
	wr_u16(&w, 0xbeef);
	wr_u16(&w, flags);
	wr_u16(&w, 1);
	wr_u32(&w, 0);
	wr_u16(&w, additional);
	wr_bytes(&w, "\3WWW\7Example\3com", 17);
	wr_u16(&w, DNS_TYPE_HTTPS);
	wr_u16(&w, DNS_CLASS_IN);
	return w;
}

static void opt_put(struct wr *w, uint16_t size, uint32_t ttl, const void *rdata, uint16_t len)
{
	wr_u8(w, 0);
	wr_u16(w, DNS_TYPE_OPT);
	wr_u16(w, size);
	wr_u32(w, ttl);
	wr_u16(w, len);
	wr_bytes(w, rdata, len);
}

static enum dns_query_status parse(const struct wr *w)
{
	assert_true(wr_ok(w));
	uint8_t *copy = dns_exact_copy(w->base, w->pos);
	memset(&q, 0xa5, sizeof(q)); // a field that is not set has no value of an earlier query
	enum dns_query_status status = dns_query_parse(copy, w->pos, &q);
	free(copy);
	return status;
}

TEST(test_plain)
{
	struct wr w = query_begin(DNS_FLAG_RD | DNS_FLAG_CD, 0);
	assert_int_equal(parse(&w), DNS_QUERY_OK);
	assert_int_equal(q.id, 0xbeef);
	assert_int_equal(q.flags, DNS_FLAG_RD | DNS_FLAG_CD);
	assert_true(dns_query_cd(&q));
	assert_int_equal(q.qtype, DNS_TYPE_HTTPS); // 65 is an 'A': never lowered
	assert_int_equal(q.qclass, DNS_CLASS_IN);
	assert_int_equal(q.question_len, 21);
	assert_int_equal(q.udp_size, 512);
	assert_false(q.has_opt);
	assert_false(q.dnssec_ok);
	assert_int_equal(q.name.len, 17);
	assert_int_equal(q.name.labels, 3);
	assert_memory_equal(q.name.wire, "\3www\7example\3com", 17);
	assert_int_equal(q.label_off[0], 0);
	assert_int_equal(q.label_off[1], 4);
	assert_int_equal(q.label_off[2], 12);
}

// A query for an IXFR, with the records of its authority section: the type of each, and a SOA's
// rdata of two names and five numbers.
static struct wr ixfr_begin(const uint16_t *types, uint16_t count)
{
	struct wr w = query_begin(0, 1);
	put_u16(w.base + 8, count);
	put_u16(w.base + 29, DNS_TYPE_IXFR);
	for (unsigned i = 0; i < count; i++) {
		wr_u16(&w, 0xc00c);
		wr_u16(&w, types[i]);
		wr_u16(&w, DNS_CLASS_IN);
		wr_u32(&w, 0);
		wr_u16(&w, 22);
		wr_bytes(&w, "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5", 22);
	}
	return w;
}

// The client's SOA is in the authority section (RFC 1995 3): well-formed, so it can be refused.
TEST(test_ixfr)
{
	const uint16_t soa[] = {DNS_TYPE_SOA, DNS_TYPE_SOA}, ns = DNS_TYPE_NS;
	struct wr w = ixfr_begin(soa, 1);
	opt_put(&w, 1232, DNS_EDNS_FLAG_DO, "", 0);
	assert_int_equal(parse(&w), DNS_QUERY_OK);
	assert_int_equal(dns_served_question(&q), DNS_SERVED_REFUSED);
	assert_true(q.has_opt);
	assert_int_equal(q.udp_size, 1232);
	w = ixfr_begin(soa, 1);
	opt_put(&w, 1232, 1 << 16, "", 0);
	assert_int_equal(parse(&w), DNS_QUERY_BADVERS);
	w = ixfr_begin(soa, 2);
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	w = ixfr_begin(&ns, 1);
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	w = ixfr_begin(soa, 1);
	w.pos--; // the SOA is cut short
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	w = ixfr_begin(soa, 1);
	put_u16(w.base + 29, DNS_TYPE_HTTPS);
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
}

TEST(test_opt)
{
	struct wr w = query_begin(DNS_FLAG_RD, 1);
	opt_put(&w, 4096, DNS_EDNS_FLAG_DO,
		"\0\x0a\0\x08"
		"cookie..",
		12);
	assert_int_equal(parse(&w), DNS_QUERY_OK);
	assert_true(q.has_opt);
	assert_true(q.dnssec_ok);
	assert_int_equal(q.udp_size, 4096);

	w = query_begin(DNS_FLAG_RD, 1);
	opt_put(&w, 100, 0, "", 0);
	assert_int_equal(parse(&w), DNS_QUERY_OK);
	assert_int_equal(q.udp_size, 512); // RFC 6891 6.2.3: below 512 counts as 512
	assert_false(q.dnssec_ok);
}

// RFC 7871 7.1.1, 7.1.2: in whole bytes, the shortest one.
TEST(test_wish_to_hide_the_subnet)
{
	static const struct {
		const char *option;
		size_t len;
		uint8_t has_opt;
	} one[] = {
		{"\0\x08\0\4\0\0\0\0", 8, DNS_OPT_HIDES_SUBNET},
		{"\0\x08\0\4\0\1\0\0", 8, DNS_OPT_HIDES_SUBNET},
		{"\0\x08\0\4\0\2\0\0", 8, DNS_OPT_HIDES_SUBNET},
		{"\0\x08\0\5\0\1\7\0\xc0", 9, DNS_OPT_HIDES_SUBNET},
		{"\0\x08\0\7\0\1\x18\0\xc0\0\2", 11, 3 << DNS_OPT_SUBNET_SHIFT},
		{"\0\x08\0\7\0\1\x17\0\xc0\0\2", 11, 2 << DNS_OPT_SUBNET_SHIFT},
		{"\0\x08\0\x14\0\2\x7f\0\x20\1..............", 24, 15 << DNS_OPT_SUBNET_SHIFT},
		{"\0\x08\0\x14\0\2\x80\0\x20\1..............", 24, 0},
		{"\0\x08\0\x08\0\1\x20\0\xc0\0\2\1\0\x08\0\6\0\1\x10\0\xc0\0", 22,
			2 << DNS_OPT_SUBNET_SHIFT},
		{"\0\x08\0\6\0\1\x10\0\xc0\0\0\x08\0\x08\0\1\x20\0\xc0\0\2\1", 22,
			2 << DNS_OPT_SUBNET_SHIFT},
	};
	for (unsigned i = 0; i < ARRAY_LEN(one); i++) {
		struct wr w = query_begin(DNS_FLAG_RD, 1);
		opt_put(&w, 1232, 0, one[i].option, one[i].len);
		assert_int_equal(parse(&w), DNS_QUERY_OK);
		assert_int_equal(q.has_opt, DNS_OPT_PLAIN | one[i].has_opt);
	}
	assert_true(dns_opt_allows_subnet(DNS_OPT_PLAIN, 128));
	assert_false(dns_opt_allows_subnet(DNS_OPT_PLAIN | DNS_OPT_HIDES_SUBNET, 1));
	assert_true(dns_opt_allows_subnet(3 << DNS_OPT_SUBNET_SHIFT, 24));
	assert_false(dns_opt_allows_subnet(3 << DNS_OPT_SUBNET_SHIFT, 25));
}

// RFC 7871 6. The cookie behind it is read all the same.
TEST(test_a_malformed_subnet_is_refused)
{
	static const struct {
		const char *option;
		size_t len;
	} one[] = {
		{"\0\x08\0\0", 4},
		{"\0\x08\0\3\0\1\0", 7},
		{"\0\x08\0\4\0\3\0\0", 8},                  // no such family
		{"\0\x08\0\4\1\1\0\0", 8},                  // nor this
		{"\0\x08\0\5\0\0\x08\0\x7f", 9},            // an address of none
		{"\0\x08\0\7\0\1\x18\x18\xc0\0\2", 11},     // a scope
		{"\0\x08\0\6\0\1\x18\0\xc0\0", 10},         // too short
		{"\0\x08\0\x08\0\1\x18\0\xc0\0\2\1", 12},   // too long
		{"\0\x08\0\4\0\1\x18\0", 8},                // without an address
		{"\0\x08\0\5\0\1\0\0\0", 9},                // with one, of no bits
		{"\0\x08\0\7\0\1\x17\0\xc0\0\3", 11},       // a bit behind the prefix
		{"\0\x08\0\x09\0\1\x21\0\xc0\0\2\1\0", 13}, // of 33 bits
		{"\0\x08\0\x15\0\2\x81\0\x20\1..............\0", 25},
	};
	static const char cookie[] = "\0\x0a\0\x08"
				     "cookie..";
	uint8_t options[64];
	for (unsigned i = 0; i < ARRAY_LEN(one); i++) {
		struct wr w = query_begin(DNS_FLAG_RD, 1);
		memcpy(options, one[i].option, one[i].len);
		memcpy(options + one[i].len, cookie, 12);
		opt_put(&w, 1232, 0, (const char *)options, one[i].len + 12);
		assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
		assert_int_equal(q.cookie_len, DNS_COOKIE_CLIENT_LEN);
		assert_true(q.has_opt);
	}
}

TEST(test_badvers)
{
	struct wr w = query_begin(DNS_FLAG_RD, 1);
	opt_put(&w, 1232, 1u << 16 | DNS_EDNS_FLAG_DO, "", 0);
	assert_int_equal(parse(&w), DNS_QUERY_BADVERS);
	assert_true(q.has_opt);
	assert_int_equal(q.question_len, 21);
	opt_put(&w, 1232, 0, "", 0); // two are a format error whatever their versions
	put_u16(buf + 10, 2);
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
}

TEST(test_other_additional_records)
{
	struct wr w = query_begin(DNS_FLAG_RD, 2);
	wr_bytes(
		&w, "\3key\xc0\x10\0\1\0\1\0\0\0\0\0\4abcd", 20); // a compressed owner is no matter
	opt_put(&w, 1400, 0, "", 0);
	assert_int_equal(parse(&w), DNS_QUERY_OK);
	assert_int_equal(q.udp_size, 1400);

	for (uint16_t n = 16; n <= 17; n++) {
		w = query_begin(DNS_FLAG_RD, n);
		for (uint16_t i = 0; i < n; i++)
			wr_bytes(&w, "\0\0\x10\0\1\0\0\0\0\0\0", 11);
		assert_int_equal(parse(&w), n == 16 ? DNS_QUERY_OK : DNS_QUERY_FORMERR);
		assert_int_equal(q.has_opt, DNS_OPT_NONE);
	}
}

// RFC 6891 6.1.1, 7: where an OPT can be read the FORMERR has one, whatever else is wrong.
TEST(test_opt_is_found_in_what_is_malformed)
{
	static const uint8_t question[] = "\1b\0\0\1\0\1", record[] = "\0\0\x10\0\1\0\0\0\0\0\0";

	for (unsigned at = 4; at <= 8; at += 2) { // two questions, an answer, an authority
		struct wr w = query_begin(DNS_FLAG_RD, 1);
		put_u16(buf + at, at == 4 ? 2 : 1);
		wr_bytes(&w, at == 4 ? question : record, at == 4 ? 7 : 11);
		opt_put(&w, 1400, DNS_EDNS_FLAG_DO, "", 0);
		assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
		assert_int_equal(q.has_opt, DNS_OPT_PLAIN);
		assert_int_equal(q.udp_size, 1400);
		assert_true(q.dnssec_ok);
		buf[2] |= 0x28; // and of an opcode that we do not know
		assert_int_equal(parse(&w), DNS_QUERY_NOTIMP);
		assert_int_equal(q.has_opt, DNS_OPT_PLAIN);
	}
	for (uint16_t n = 20; n <= 80; n += 60) { // more records than are read; not without end
		struct wr w = query_begin(DNS_FLAG_RD, n);
		for (uint16_t i = 1; i < n; i++)
			wr_bytes(&w, record, 11);
		opt_put(&w, 1400, 0, "", 0);
		assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
		assert_int_equal(q.has_opt, n == 20 ? DNS_OPT_PLAIN : DNS_OPT_NONE);
	}
	// A pointer in the question, which we do not follow, has its end in sight.
	struct wr w = wr_init(buf, sizeof(buf));
	wr_bytes(&w, "\0\1\1\0\0\1\0\0\0\0\0\1\3www\xc0\0\0\1\0\1", 22);
	opt_put(&w, 1400, 0, "", 0);
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	assert_int_equal(q.has_opt, DNS_OPT_PLAIN);
	buf[12] = 0x43; // a label of no known type has not
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	assert_int_equal(q.has_opt, DNS_OPT_NONE);
}

TEST(test_trailing_bytes_are_ignored)
{
	struct wr w = query_begin(DNS_FLAG_RD, 0);
	wr_bytes(&w, "garbage", 7);
	assert_int_equal(parse(&w), DNS_QUERY_OK);
	assert_int_equal(q.question_len, 21);
}

TEST(test_options_are_bounded)
{
	uint8_t rdata[1024] = {0};
	for (uint16_t n = 16; n <= 17; n++) {
		struct wr w = query_begin(DNS_FLAG_RD, 1);
		opt_put(&w, 1232, 0, rdata, (uint16_t)(n * 4));
		assert_int_equal(parse(&w), n == 16 ? DNS_QUERY_OK : DNS_QUERY_FORMERR);
	}
	for (uint16_t len = 512; len <= sizeof(rdata); len += 128) { // padding, RFC 7830
		put_u16(rdata, 12);
		put_u16(rdata + 2, (uint16_t)(len - 4));
		struct wr w = query_begin(DNS_FLAG_RD, 1);
		opt_put(&w, 1232, 0, rdata, len);
		assert_int_equal(parse(&w), DNS_QUERY_OK);
		put_u16(rdata + 2, (uint16_t)(len - 3)); // a byte too many
		w = query_begin(DNS_FLAG_RD, 1);
		opt_put(&w, 1232, 0, rdata, len);
		assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	}
	put_u16(rdata, 12);
	static const uint16_t cut[] = {1, 2, 3, 5};
	put_u16(rdata + 2, 2);
	for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
		struct wr w = query_begin(DNS_FLAG_RD, 1);
		opt_put(&w, 1232, 0, rdata, cut[i]);
		assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
		assert_int_equal(q.has_opt, DNS_OPT_PLAIN); // RFC 6891 7: the reply has one too
		w = query_begin(DNS_FLAG_RD, 1);
		opt_put(&w, 1232, 1u << 16, rdata, cut[i]); // of a version that we do not know
		assert_int_equal(parse(&w), DNS_QUERY_BADVERS);
	}
}

TEST(test_opt_owner_must_be_root)
{
	struct wr w = query_begin(DNS_FLAG_RD, 1);
	wr_bytes(&w, "\1x", 2);
	opt_put(&w, 1232, 0, "", 0);
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	assert_int_equal(q.has_opt, DNS_OPT_PLAIN);
}

// As BIND and unbound have it: a pointer to a root byte before it is one, any other is none.
TEST(test_opt_owner_may_be_a_pointer_to_the_root)
{
	struct wr begin = query_begin(DNS_FLAG_RD, 1);
	const size_t root = begin.pos - 5; // before type and class
	assert_int_equal(buf[root], 0);
	for (size_t at = 0; at < begin.pos + 4; at++) {
		struct wr w = query_begin(DNS_FLAG_RD, 1);
		const bool is_root = at >= DNS_HEADER_LEN && at < w.pos && buf[at] == 0;
		wr_u8(&w, (uint8_t)(0xc0 | at >> 8));
		opt_put(&w, 1232, 0, "", 0);
		buf[begin.pos + 1] = (uint8_t)at; // where opt_put has the root
		assert_int_equal(parse(&w), is_root ? DNS_QUERY_OK : DNS_QUERY_FORMERR);
		assert_int_equal(q.has_opt, DNS_OPT_PLAIN);
		assert_true(is_root || at != root);
	}
}

// A name has 255 bytes at most, wherever it stands: nobody walks on through a message of labels.
TEST(test_owner_is_no_longer_than_a_name)
{
	for (size_t len = DNS_NAME_MAX - 2; len <= DNS_NAME_MAX + 2; len++) {
		uint8_t msg[512];
		struct wr w = wr_init(msg, sizeof(msg));
		wr_bytes(&w, "\0\1\1\0\0\1\0\0\0\0\0\1\1a\0\0\1\0\1", 19);
		for (size_t left = len - 1; left; left -= left == 3 ? 3 : 2)
			wr_bytes(&w, left == 3 ? "\2aa" : "\1a", left == 3 ? 3 : 2);
		wr_bytes(&w, "\0\0\1\0\1\0\0\0\0\0\0", 11);
		assert_int_equal(w.pos, 19 + len + 10);
		assert_int_equal(dns_query_parse(msg, w.pos, &q),
			len <= DNS_NAME_MAX ? DNS_QUERY_OK : DNS_QUERY_FORMERR);
	}
}

// Longer labels are the label types that nobody uses (RFC 6891 5), up to those of pointers.
TEST(test_owner_has_labels_of_63_bytes_at_most)
{
	for (unsigned first = 1; first < 0x100; first++) {
		uint8_t msg[512] = {0};
		struct wr w = wr_init(msg, sizeof(msg));
		wr_bytes(&w, "\0\1\1\0\0\1\0\0\0\0\0\1\1a\0\0\1\0\1", 19);
		wr_u8(&w, (uint8_t)first);
		w.pos += first < 0xc0 ? first + 1 : 1; // a root behind the label
		wr_bytes(&w, "\0\1\0\1\0\0\0\0\0\0", 10);
		assert_int_equal(dns_query_parse(msg, w.pos, &q),
			first <= DNS_LABEL_MAX || first >= 0xc0 ? DNS_QUERY_OK : DNS_QUERY_FORMERR);
	}
}

TEST(test_counts)
{
	for (unsigned at = 4; at <= 8; at += 2) {
		struct wr w = query_begin(DNS_FLAG_RD, 0);
		put_u16(buf + at, at == 4 ? 2 : 1);
		assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
		assert_int_equal(q.question_len, at == 4 ? 0 : 21);
		assert_int_equal(q.name.len, at == 4 ? 1 : 17);
	}
	struct wr w = query_begin(DNS_FLAG_RD, 0);
	put_u16(buf + 4, 0);
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR); // RFC 9619
	assert_int_equal(q.question_len, 0);
	w = query_begin(DNS_FLAG_RD, 1); // the record is missing
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	assert_int_equal(q.question_len, 21);
}

TEST(test_compressed_question)
{
	static const uint8_t msg[] = "\0\1\1\0\0\1\0\0\0\0\0\0\3www\xc0\0\0\1\0\1";
	assert_int_equal(dns_query_parse(msg, sizeof(msg) - 1, &q), DNS_QUERY_FORMERR);
	assert_int_equal(q.question_len, 0);
}

TEST(test_short_and_response)
{
	struct wr w = query_begin(DNS_FLAG_QR, 0);
	assert_int_equal(parse(&w), DNS_QUERY_RESPONSE);
	for (w.pos = 0; w.pos < DNS_HEADER_LEN; w.pos++)
		assert_int_equal(parse(&w), DNS_QUERY_SHORT);
	w = query_begin(0, 0);
	for (w.pos = 12; w.pos < 33; w.pos++)
		assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
	assert_int_equal(parse(&w), DNS_QUERY_OK);
}

TEST(test_other_opcodes)
{
	for (uint16_t opcode = 1; opcode < 16; opcode++) {
		struct wr w = query_begin((uint16_t)(opcode << 11), 0);
		put_u16(buf + 6, 3); // prerequisites of an UPDATE
		assert_int_equal(parse(&w), DNS_QUERY_NOTIMP);
		assert_int_equal(q.question_len, 21);
		put_u16(buf + 4, 0); // as DSO sends it (RFC 8490)
		assert_int_equal(parse(&w), DNS_QUERY_NOTIMP);
		assert_int_equal(q.question_len, 0);
		w = query_begin((uint16_t)(opcode << 11), 1);
		opt_put(&w, 1232, 0, "", 0);
		assert_int_equal(parse(&w), DNS_QUERY_NOTIMP);
		assert_int_equal(q.has_opt, DNS_OPT_PLAIN);
	}
}

// RFC 6891 6.1.3, RFC 7873 5.2: the OPT means the same whatever the opcode, with a question alone,
// as an UPDATE with its records, with none, where a record behind it is missing, or after as many
// as make a QUERY malformed.
TEST(test_version_and_cookie_of_other_opcodes)
{
	static const uint8_t record[] = "\0\0\x10\0\1\0\0\0\0\0\0",
			     cookie[] = "\0\x0a\0\x08mycookie";
	for (unsigned kind = 0; kind < 5; kind++)
		for (uint32_t version = 0; version < 2; version++) {
			struct wr w = query_begin(5 << 11, 1);
			if (kind == 1) {
				put_u16(buf + 8, 1);
				wr_bytes(&w, record, 11);
			} else if (kind == 2) {
				put_u16(buf + 4, 0);
				w.pos = DNS_HEADER_LEN;
			} else if (kind == 3) {
				put_u16(buf + 10, 2);
			}
			for (unsigned i = 0; kind == 4 && i < DNS_QUERY_ADDITIONAL_MAX; i++)
				wr_bytes(&w, record, 11);
			if (kind == 4)
				put_u16(buf + 10, DNS_QUERY_ADDITIONAL_MAX + 1);
			opt_put(&w, 1232, version << 16, cookie, 12);
			assert_int_equal(parse(&w), version ? DNS_QUERY_BADVERS : DNS_QUERY_NOTIMP);
			assert_int_equal(q.has_opt, DNS_OPT_PLAIN);
			assert_int_equal(q.cookie_len, version ? 0 : DNS_COOKIE_CLIENT_LEN);
		}
}

TEST(test_longest_name)
{
	struct wr w = wr_init(buf, sizeof(buf));
	wr_bytes(&w, "\0\1\0\0\0\1\0\0\0\0\0\0", 12);
	for (unsigned i = 0; i < 127; i++)
		wr_bytes(&w, "\1X", 2);
	wr_bytes(&w, "\0\0\1\0\1", 5);
	assert_int_equal(parse(&w), DNS_QUERY_OK);
	assert_int_equal(q.name.labels, 127);
	assert_int_equal(q.question_len, 259);
	for (unsigned i = 0; i < 127; i++)
		assert_int_equal(q.label_off[i], i * 2);
	buf[12 + 252] = 2;
	assert_int_equal(parse(&w), DNS_QUERY_FORMERR);
}
