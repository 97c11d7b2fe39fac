// SPDX-License-Identifier: BSD-3-Clause

#include "dns_rand.h"
#include "dns_sum.h"
#include "tests/unit/unit.h"

#include <weir/dns_identity.h>
#include <weir/dns_reply.h>

static struct dns_rand rnd = {7};

// A query in msg for a name of `labels` labels of `label_len` bytes; parsed into q.
static size_t ask(uint8_t *msg, uint16_t flags, unsigned labels, unsigned label_len, uint16_t type,
	bool opt, uint32_t opt_ttl, uint16_t size, struct dns_query *q)
{
	struct wr w = wr_init(msg, 512);
	wr_u16(&w, 0x1234);
	wr_u16(&w, flags);
	wr_u16(&w, 1);
	wr_u32(&w, 0);
	wr_u16(&w, opt);
	for (unsigned i = 0; i < labels; i++) {
		wr_u8(&w, (uint8_t)label_len);
		memset(wr_space(&w, label_len), 'A' + (int)i % 26, label_len);
	}
	wr_bytes(&w, "\0", 1);
	wr_u16(&w, type);
	wr_u16(&w, DNS_CLASS_IN);
	if (opt) {
		wr_bytes(&w, "\0\0\x29", 3);
		wr_u16(&w, size);
		wr_u32(&w, opt_ttl);
		wr_u16(&w, 0);
	}
	assert_true(wr_ok(&w));
	enum dns_query_status status = dns_query_parse(msg, w.pos, q);
	assert_true(status == DNS_QUERY_OK || status == DNS_QUERY_NOTIMP
		    || status == DNS_QUERY_BADVERS);
	return w.pos;
}

TEST(test_csum_partial)
{
	uint8_t buf[300];
	for (unsigned fill = 0; fill < 3; fill++) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = fill == 0 ? (uint8_t)dns_rand_next(&rnd) : fill == 1 ? 0xff : 0;
		for (size_t at = 0; at < 9; at++)
			for (size_t len = 0; len < sizeof(buf) - 9; len++)
				assert_int_equal(
					csum_partial(buf + at, len), sum_by_bytes(buf + at, len));
	}
}

struct random_answer {
	uint8_t bytes[4096];
	uint16_t ttl_off[256];
	struct dns_answer_view view;
};

static void random_answer(struct random_answer *r)
{
	uint16_t len = (uint16_t)dns_rand_below(&rnd, dns_rand_below(&rnd, 4) ? 600 : 4096);
	for (unsigned i = 0; i < len; i++)
		r->bytes[i] = (uint8_t)dns_rand_next(&rnd);
	uint16_t n = 0, step = dns_rand_below(&rnd, 2) ? 4 + dns_rand_below(&rnd, 60) : 0;
	for (unsigned off = step ? DNS_TTL_FIRST : dns_rand_below(&rnd, 9);
		off + 4 <= len && n < 256; off += step ? step : 4 + dns_rand_below(&rnd, 31)) {
		r->ttl_off[n++] = (uint16_t)off;
		if (dns_rand_below(&rnd, 2)) // small ones, so that ages reach zero
			put_u32(r->bytes + off, dns_rand_below(&rnd, 600));
	}
	r->view = (struct dns_answer_view){
		.bytes = r->bytes,
		.ttl_off = r->ttl_off,
		.len = len,
		.ttl_count = n,
		.ttl_step = step,
		.ancount = (uint16_t)dns_rand_below(&rnd, 4),
		.nscount = (uint16_t)dns_rand_below(&rnd, 4),
		.arcount = (uint16_t)dns_rand_below(&rnd, 4),
		.rcode = dns_rand_below(&rnd, 2) ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR,
		.authenticated = dns_rand_below(&rnd, 2),
		.sum = sum_by_bytes(r->bytes, len),
	};
}

static uint32_t ttl_wanted(uint32_t ttl, const struct dns_reply_opts *o)
{
	int64_t t = o->has_ttl_fixed ? (int64_t)o->ttl_fixed_s : (int64_t)ttl - o->age_s;
	if (t < 0)
		t = 0;
	if (o->ttl_cap_s && t > o->ttl_cap_s)
		t = o->ttl_cap_s;
	return (uint32_t)t;
}

static void check_answer(const uint8_t *msg, uint16_t len, uint16_t sum, const struct dns_query *q,
	const struct dns_answer_view *a, const struct dns_reply_opts *o, const uint8_t *asked)
{
	size_t head = 12u + q->question_len, max = o->limit < q->udp_size ? o->limit : q->udp_size;
	assert_int_equal(sum, sum_by_bytes(msg, len));
	assert_true(len <= max);
	assert_memory_equal(msg, asked, 2);
	assert_memory_equal(msg + 12, asked + 12, q->question_len);
	bool fits = head + a->len + (q->has_opt ? 11 : 0) <= max;
	uint16_t flags = get_u16(msg + 2);
	bool ad = fits && a->authenticated && (q->dnssec_ok || q->flags & DNS_FLAG_AD);
	// A reply without room for its error sets TC, too (RFC 8914 3).
	bool mute = q->has_opt && o->ede >= 0 && head + (fits ? a->len : 0) + 17 > max;
	assert_int_equal(flags, DNS_FLAG_QR | DNS_FLAG_RA | (q->flags & (DNS_FLAG_RD | DNS_FLAG_CD))
					| a->rcode | (fits && !mute ? 0 : DNS_FLAG_TC)
					| (ad ? DNS_FLAG_AD : 0));
	assert_int_equal(get_u16(msg + 4), 1);
	assert_int_equal(get_u16(msg + 6), fits ? a->ancount : 0);
	assert_int_equal(get_u16(msg + 8), fits ? a->nscount : 0);
	assert_int_equal(get_u16(msg + 10), (fits ? a->arcount : 0) + q->has_opt);

	size_t opt_at = head;
	if (fits) {
		uint8_t want[4096];
		memcpy(want, a->bytes, a->len);
		for (unsigned i = 0; i < a->ttl_count; i++)
			put_u32(want + a->ttl_off[i], ttl_wanted(get_u32(want + a->ttl_off[i]), o));
		assert_memory_equal(msg + head, want, a->len);
		opt_at += a->len;
	}
	if (!q->has_opt) {
		assert_int_equal(len, opt_at);
		return;
	}
	bool ede = o->ede >= 0 && opt_at + 17 <= max;
	assert_int_equal(len, opt_at + (ede ? 17 : 11));
	uint8_t opt[17] = {0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, q->dnssec_ok ? 0x80 : 0, 0, 0,
		ede ? 6 : 0, 0, 15, 0, 2, 0, (uint8_t)o->ede};
	assert_memory_equal(msg + opt_at, opt, ede ? 17 : 11);
}

TEST(test_answers_at_random)
{
	static struct random_answer r;
	static uint8_t msg[8192], asked[512];
	for (unsigned round = 0; round < 20000; round++) {
		random_answer(&r);
		struct dns_query q;
		static const uint16_t flag[] = {0, DNS_FLAG_RD, DNS_FLAG_CD, DNS_FLAG_AD,
			DNS_FLAG_RD | DNS_FLAG_AD | DNS_FLAG_Z};
		size_t n = ask(asked, flag[dns_rand_below(&rnd, 5)], dns_rand_below(&rnd, 5),
			1 + dns_rand_below(&rnd, 62), DNS_TYPE_A, dns_rand_below(&rnd, 2),
			dns_rand_below(&rnd, 2) ? DNS_EDNS_FLAG_DO : 0,
			(uint16_t)dns_rand_below(&rnd, 8192), &q);
		struct dns_reply_opts o = {
			.age_s = dns_rand_below(&rnd, 500),
			.ttl_cap_s = dns_rand_below(&rnd, 2) ? dns_rand_below(&rnd, 400) : 0,
			.ttl_fixed_s = 30,
			.has_ttl_fixed = dns_rand_below(&rnd, 4) == 0,
			.ede = (int)dns_rand_below(&rnd, 3) - 1,
			.limit = dns_rand_below(&rnd, 2) ? DNS_EDNS_SIZE : 4000,
		};
		memset(msg, 0x55, sizeof(msg));
		memcpy(msg, asked, n);
		uint16_t sum = 0;
		uint16_t len = dns_reply_answer(msg, sizeof(msg), &q, &r.view, &o, &sum);
		check_answer(msg, len, sum, &q, &r.view, &o, asked);
		assert_int_equal(msg[len > n ? len : n], 0x55);
	}
}

TEST(test_exact_fit)
{
	static struct random_answer r;
	uint8_t msg[8192];
	struct dns_query q;
	uint16_t sum;
	do
		random_answer(&r);
	while (r.view.len < 100 || r.view.len > 500);
	ask(msg, 0, 2, 7, DNS_TYPE_A, true, 0, 1232, &q);
	const size_t whole = 12u + q.question_len + r.view.len + 11;
	struct dns_reply_opts o = {.ede = DNS_EDE_STALE_ANSWER, .limit = (uint16_t)whole};
	assert_int_equal(dns_reply_answer(msg, whole, &q, &r.view, &o, &sum), whole); // no EDE
	assert_true(get_u16(msg + 2) & DNS_FLAG_TC);
	assert_int_equal(get_u16(msg + 6), r.view.ancount);
	o.ede = DNS_EDE_NONE;
	assert_int_equal(dns_reply_answer(msg, whole, &q, &r.view, &o, &sum), whole);
	assert_false(get_u16(msg + 2) & DNS_FLAG_TC);
	o.ede = DNS_EDE_STALE_ANSWER;
	assert_int_equal(
		dns_reply_answer(msg, whole - 1, &q, &r.view, &o, &sum), 12 + q.question_len + 17);
	assert_true(get_u16(msg + 2) & DNS_FLAG_TC);
	assert_int_equal(dns_reply_answer(msg, 12u + q.question_len, &q, &r.view, &o, &sum),
		12 + q.question_len);
	assert_int_equal(get_u16(msg + 10), 0);
	assert_int_equal(sum, sum_by_bytes(msg, 12u + q.question_len));
	assert_int_equal(dns_reply_answer(msg, 11u + q.question_len, &q, &r.view, &o, &sum), 0);
}

// Over TCP the size in the client's OPT says nothing.
TEST(test_stream_limit)
{
	static struct random_answer r;
	static uint8_t msg[8192];
	struct dns_query q;
	uint16_t sum;
	do
		random_answer(&r);
	while (r.view.len < 2000);
	ask(msg, 0, 2, 7, DNS_TYPE_A, false, 0, 0, &q);
	struct dns_reply_opts o = {.ede = DNS_EDE_NONE, .limit = DNS_MESSAGE_MAX};
	uint16_t len = dns_reply_answer(msg, sizeof(msg), &q, &r.view, &o, &sum);
	assert_int_equal(len, 12 + q.question_len + r.view.len);
	assert_int_equal(sum, sum_by_bytes(msg, len));
}

// The largest message there is has no room for an OPT, and TC would send the client nowhere.
TEST(test_no_opt_where_nothing_else_fits)
{
	static uint8_t msg[DNS_MESSAGE_MAX + 64], bytes[DNS_MESSAGE_MAX];
	struct dns_query q;
	uint16_t sum;
	ask(msg, 0, 2, 7, DNS_TYPE_A, true, 0, 1232, &q);
	assert_true(q.has_opt);
	struct dns_reply_opts o = {.ede = DNS_EDE_STALE_ANSWER, .limit = DNS_MESSAGE_MAX};
	const unsigned head = 12u + q.question_len, all = DNS_MESSAGE_MAX - head;
	for (unsigned spare = 0; spare <= 20; spare++) {
		struct dns_answer_view a = {
			.bytes = bytes, .len = (uint16_t)(all - spare), .ancount = 1};
		uint16_t len = dns_reply_answer(msg, sizeof(msg), &q, &a, &o, &sum);
		unsigned opt = spare < 11 ? 0 : spare < 17 ? 11 : 17;
		assert_int_equal(len, DNS_MESSAGE_MAX - spare + opt);
		assert_false(msg[2] & 2);
		assert_int_equal(get_u16(msg + 10), opt > 0);
	}
	// One byte too many, and a stream that takes less.
	struct dns_answer_view a = {.bytes = bytes, .len = (uint16_t)(all + 1), .ancount = 1};
	assert_int_equal(dns_reply_answer(msg, sizeof(msg), &q, &a, &o, &sum), head + 17);
	assert_true(msg[2] & 2);
	a.len = (uint16_t)(all - 100);
	assert_int_equal(dns_reply_answer(msg, DNS_MESSAGE_MAX - 100, &q, &a, &o, &sum), head + 17);
	assert_true(msg[2] & 2);
}

TEST(test_damaged_ttl_offsets)
{
	uint8_t msg[512], bytes[8] = {0}, after[512];
	uint16_t off[] = {0, 5, 65535}, sum;
	struct dns_query q;
	ask(msg, 0, 1, 3, DNS_TYPE_A, false, 0, 0, &q);
	memset(msg + 12 + q.question_len, 0x55, sizeof(msg) - 12 - q.question_len);
	struct dns_answer_view a = {
		.bytes = bytes, .ttl_off = off, .len = sizeof(bytes), .ttl_count = 3};
	struct dns_reply_opts o = {.has_ttl_fixed = true, .ttl_fixed_s = 30, .limit = 1232};
	uint16_t len = dns_reply_answer(msg, sizeof(msg), &q, &a, &o, &sum);
	assert_int_equal(len, 12 + q.question_len + 8);
	assert_int_equal(sum, sum_by_bytes(msg, len));
	memset(after, 0x55, sizeof(after));
	assert_memory_equal(msg + len, after, sizeof(msg) - len);
}

// A stored answer without records is its counts and its code, which only the sum vouches for.
TEST(test_wrong_sum_of_an_empty_answer)
{
	uint8_t msg[512];
	struct dns_query q;
	struct dns_answer_view a = {.rcode = DNS_RCODE_NXDOMAIN};
	struct dns_reply_opts o = {.limit = 1232, .ede = DNS_EDE_NONE};
	for (unsigned wrong = 0; wrong < 2; wrong++) {
		uint16_t sum;
		ask(msg, 0, 1, 4, DNS_TYPE_A, true, 0, 1232, &q);
		a.sum = wrong ? 0x0100 : 0;
		uint16_t len = dns_reply_answer(msg, sizeof(msg), &q, &a, &o, &sum);
		assert_int_equal(len, 12 + q.question_len + 11);
		assert_int_equal(sum != sum_by_bytes(msg, len), wrong);
	}
}

TEST(test_rcode)
{
	uint8_t msg[512];
	struct dns_query q;
	uint16_t sum, len;
	size_t n = ask(msg, 2 << 11 | DNS_FLAG_RD | DNS_FLAG_CD, 3, 4, DNS_TYPE_A, false, 0, 0, &q);
	len = dns_reply_rcode(msg, sizeof(msg), &q, DNS_RCODE_NOTIMP, DNS_EDE_BLOCKED, &sum);
	assert_int_equal(len, n);
	assert_int_equal(sum, sum_by_bytes(msg, len));
	assert_int_equal(get_u16(msg + 2), 0x8000 | 2 << 11 | DNS_FLAG_RD | 4);

	ask(msg, 0, 3, 4, DNS_TYPE_A, true, 1u << 16 | DNS_EDNS_FLAG_DO, 1232, &q);
	len = dns_reply_rcode(msg, sizeof(msg), &q, DNS_RCODE_BADVERS, DNS_EDE_NONE, &sum);
	assert_int_equal(sum, sum_by_bytes(msg, len));
	assert_int_equal(get_u16(msg + 2) & DNS_FLAG_RCODE, 0);
	assert_memory_equal(msg + len - 11, "\0\0\x29\x04\xd0\1\0\x80\0\0\0", 11);

	len = dns_reply_rcode(msg, sizeof(msg), &q, DNS_RCODE_SERVFAIL, DNS_EDE_NOT_READY, &sum);
	assert_int_equal(sum, sum_by_bytes(msg, len));
	assert_memory_equal(msg + len - 8, "\0\6\0\x0f\0\2\0\x0e", 8);

	q.question_len = 0;
	q.has_opt = false;
	len = dns_reply_rcode(msg, 12, &q, DNS_RCODE_FORMERR, DNS_EDE_NONE, &sum);
	assert_int_equal(len, 12);
	assert_int_equal(get_u16(msg + 4), 0);
	assert_int_equal(sum, sum_by_bytes(msg, 12));
	assert_int_equal(dns_reply_rcode(msg, 11, &q, DNS_RCODE_FORMERR, -1, &sum), 0);
}

static void check_blocked(
	enum dns_block_mode mode, unsigned has, uint16_t type, unsigned rcode, uint16_t rr_type)
{
	uint8_t msg[512];
	struct dns_query q;
	for (unsigned label_len = 3; label_len <= 4; label_len++) {
		uint16_t sum;
		ask(msg, DNS_FLAG_RD | DNS_FLAG_AD, 1, label_len, type, true, 0, 1232, &q);
		if (label_len == 4 && rr_type == DNS_TYPE_SOA) // whose class is that of IN
			q.qclass = DNS_CLASS_ANY;
		const struct dns_block block = {.mode = (uint8_t)mode,
			.ttl_s = 300,
			.has = (uint8_t)has,
			.v4 = {198, 18, 0, 80},
			.v6 = {0xfd, 0x53, [15] = 80}};
		uint16_t len = dns_reply_synthetic(
			msg, sizeof(msg), &q, &block, DNS_EDE_BLOCKED, 1232, &sum);
		assert_int_equal(sum, sum_by_bytes(msg, len));
		assert_int_equal(get_u16(msg + 2), 0x8000 | DNS_FLAG_RD | DNS_FLAG_RA | rcode);
		assert_memory_equal(msg + len - 6, "\0\x0f\0\2\0\x0f", 6); // EDE Blocked
		const uint8_t *rr = msg + 12 + q.question_len;
		if (rr_type == 0) {
			assert_int_equal(get_u32(msg + 6), 0);
			continue;
		}
		assert_int_equal(get_u16(msg + 6), rr_type != DNS_TYPE_SOA);
		assert_int_equal(get_u16(msg + 8), rr_type == DNS_TYPE_SOA);
		assert_int_equal(get_u16(rr), 0xc00c);
		assert_int_equal(get_u16(rr + 2), rr_type);
		assert_int_equal(get_u16(rr + 4), DNS_CLASS_IN);
		assert_int_equal(get_u32(rr + 6), 300);
		uint16_t rdata_len = get_u16(rr + 10);
		assert_ptr_equal(rr + 12 + rdata_len, msg + len - 17);
		static const uint8_t zero[16];
		const uint8_t *custom = type == DNS_TYPE_A ? block.v4 : block.v6;
		if (rr_type != DNS_TYPE_SOA) {
			assert_int_equal(rdata_len, type == DNS_TYPE_A ? 4 : 16);
			assert_memory_equal(
				rr + 12, mode == DNS_BLOCK_CUSTOM ? custom : zero, rdata_len);
			continue;
		}
		struct rd r = rd_init(rr + 12, rdata_len);
		struct dns_name name;
		char text[DNS_NAME_TEXT_MAX];
		assert_int_equal(dns_name_read(&r, &name), 0);
		assert_string_equal(dns_name_to_text(&name, text), "weir.invalid");
		assert_int_equal(dns_name_read(&r, &name), 0);
		assert_string_equal(dns_name_to_text(&name, text), "hostmaster.invalid");
		static const uint32_t numbers[] = {1, 1800, 900, 604800, 300};
		for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
			assert_int_equal(rd_u32(&r), numbers[i]);
		assert_true(rd_ok(&r) && rd_left(&r) == 0);
	}
}

TEST(test_blocked)
{
	check_blocked(DNS_BLOCK_NXDOMAIN, 3, DNS_TYPE_A, DNS_RCODE_NXDOMAIN, DNS_TYPE_SOA);
	check_blocked(DNS_BLOCK_NODATA, 3, DNS_TYPE_AAAA, DNS_RCODE_NOERROR, DNS_TYPE_SOA);
	check_blocked(DNS_BLOCK_NULL, 0, DNS_TYPE_A, DNS_RCODE_NOERROR, DNS_TYPE_A);
	check_blocked(DNS_BLOCK_NULL, 0, DNS_TYPE_AAAA, DNS_RCODE_NOERROR, DNS_TYPE_AAAA);
	check_blocked(DNS_BLOCK_NULL, 0, DNS_TYPE_HTTPS, DNS_RCODE_NOERROR, DNS_TYPE_SOA);
	check_blocked(DNS_BLOCK_NULL, 0, DNS_TYPE_ANY, DNS_RCODE_NOERROR, DNS_TYPE_SOA);
	check_blocked(DNS_BLOCK_REFUSED, 3, DNS_TYPE_A, DNS_RCODE_REFUSED, 0);
	check_blocked(DNS_BLOCK_SERVFAIL, 3, DNS_TYPE_A, DNS_RCODE_SERVFAIL, 0);
	for (unsigned has = 0; has < 4; has++) {
		bool v4 = has & DNS_BLOCK_HAS_V4, v6 = has & DNS_BLOCK_HAS_V6;
		check_blocked(DNS_BLOCK_CUSTOM, has, DNS_TYPE_A, DNS_RCODE_NOERROR,
			v4 ? DNS_TYPE_A : DNS_TYPE_SOA);
		check_blocked(DNS_BLOCK_CUSTOM, has, DNS_TYPE_AAAA, DNS_RCODE_NOERROR,
			v6 ? DNS_TYPE_AAAA : DNS_TYPE_SOA);
		check_blocked(DNS_BLOCK_CUSTOM, has, DNS_TYPE_TXT, DNS_RCODE_NOERROR, DNS_TYPE_SOA);
	}
	check_blocked(DNS_BLOCK_MODES, 3, DNS_TYPE_A, DNS_RCODE_NOERROR, DNS_TYPE_SOA);
}

TEST(test_any)
{
	static const uint8_t record[] = "\xc0\x0c\0\x0d\0\1\0\0\x0e\x10\0\x09\7RFC8482";
	uint8_t msg[512];
	struct dns_query q;
	for (unsigned label_len = 3; label_len <= 4; label_len++) {
		uint16_t sum;
		ask(msg, DNS_FLAG_RD, 1, label_len, DNS_TYPE_ANY, true, 0, 1232, &q);
		uint16_t len = dns_reply_any(msg, sizeof(msg), &q, 1232, &sum);
		assert_int_equal(sum, sum_by_bytes(msg, len));
		assert_int_equal(get_u16(msg + 2), 0x8000 | DNS_FLAG_RD | DNS_FLAG_RA);
		assert_int_equal(get_u16(msg + 6), 1);
		assert_int_equal(get_u32(msg + 8), 1); // the OPT alone
		assert_memory_equal(msg + 12 + q.question_len, record, sizeof(record));
		assert_int_equal(len, 12 + q.question_len + sizeof(record) + DNS_OPT_FIXED_LEN);
	}
}

// A question for a name in class CH; its length.
static size_t ask_chaos(
	uint8_t *msg, const char *name, size_t name_len, uint16_t type, struct dns_query *q)
{
	struct wr w = wr_init(msg, 512);
	wr_bytes(&w, "\x12\x34\1\0\0\1\0\0\0\0\0\0", 12);
	wr_bytes(&w, name, name_len);
	wr_u16(&w, type);
	wr_u16(&w, DNS_CLASS_CH);
	assert_int_equal(dns_query_parse(msg, w.pos, q), DNS_QUERY_OK);
	return w.pos;
}

TEST(test_identity)
{
	static const struct {
		const char *name;
		size_t len;
		bool is_name;
	} texts[] = {
		{"\7VERSION\4bind", 14, false},
		{"\7version\6server", 16, false},
		{"\10hostname\4bind", 15, true},
		{"\2id\6Server", 11, true},
	};
	struct dns_identity identity = {.name = "n"};
	uint8_t msg[512];
	struct dns_query q;
	uint16_t sum;
	memset(identity.version, 'v', sizeof(identity.version)); // not ended: as damaged memory
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		size_t len = ask_chaos(msg, texts[i].name, texts[i].len, DNS_TYPE_TXT, &q);
		uint16_t end = dns_identity_reply(msg, sizeof(msg), &q, &identity, 1232, &sum);
		unsigned text = texts[i].is_name ? 1 : DNS_IDENTITY_MAX;
		assert_int_equal(end, len + 13 + text);
		assert_int_equal(sum, sum_by_bytes(msg, end));
		assert_int_equal(get_u16(msg + 6), 1);
		assert_memory_equal(msg + len, "\xc0\x0c\0\x10\0\3\0\0\0\0\0", 11);
		assert_int_equal(msg[len + 11], text + 1);
		assert_int_equal(msg[len + 12], text);
		assert_int_equal(msg[end - 1], texts[i].is_name ? 'n' : 'v');
	}
	ask_chaos(msg, texts[3].name, texts[3].len, DNS_TYPE_A, &q);
	assert_int_equal(dns_identity_reply(msg, sizeof(msg), &q, &identity, 1232, &sum), 0);
	ask_chaos(msg, "\7version\4bind\1x", 16, DNS_TYPE_TXT, &q);
	assert_int_equal(dns_identity_reply(msg, sizeof(msg), &q, &identity, 1232, &sum), 0);
	ask_chaos(msg, texts[3].name, texts[3].len, DNS_TYPE_TXT, &q);
	identity.name[0] = 0;
	assert_int_equal(dns_identity_reply(msg, sizeof(msg), &q, &identity, 1232, &sum), 0);
	q.qclass = DNS_CLASS_IN;
	identity.name[0] = 'n';
	assert_int_equal(dns_identity_reply(msg, sizeof(msg), &q, &identity, 1232, &sum), 0);
}
