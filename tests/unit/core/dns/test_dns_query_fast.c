// SPDX-License-Identifier: BSD-3-Clause

// The parser for plain queries against its twin: random queries, most of them damaged in a byte
// or cut, at the end of what may be read. What it takes, dns_query_parse must take as well, with
// every field the same; and it must take what is plain.

#include "dataplane/core/dns/dns_query_fast.h"
#include "dns_rand.h"
#include "tests/unit/guard.h"

enum { ROUNDS = 200000 };

static struct dns_rand rnd = {11};

static uint32_t below(uint32_t n)
{
	return dns_rand_below(&rnd, n);
}

static void put_name(struct wr *w)
{
	static const char bytes[] = "abcXYZ019-_@[`{A";
	for (unsigned labels = below(6); labels > 0; labels--) {
		unsigned len = 1 + below(below(8) ? 12 : 63);
		wr_u8(w, (uint8_t)len);
		for (; len > 0; len--)
			wr_u8(w, (uint8_t)bytes[below(16)]);
	}
	wr_u8(w, 0);
}

// True: a plain one.
static bool make(struct wr *w)
{
	bool opt = below(2), damaged = below(3);
	wr_u16(w, (uint16_t)dns_rand_next(&rnd));
	wr_u16(w, (uint16_t)(dns_rand_next(&rnd) & ~(DNS_FLAG_QR | DNS_FLAG_OPCODE)));
	wr_u16(w, 1);
	wr_u32(w, 0);
	wr_u16(w, opt);
	put_name(w);
	wr_u16(w, (uint16_t)dns_rand_next(&rnd));
	wr_u16(w, (uint16_t)dns_rand_next(&rnd));
	if (opt) {
		wr_u8(w, 0);
		wr_u16(w, DNS_TYPE_OPT);
		wr_u16(w, (uint16_t)below(3000));
		wr_u32(w, (uint32_t)dns_rand_next(&rnd) & 0xff00ffff);
		bool cookie = below(2);
		wr_u16(w, cookie ? 4 + DNS_COOKIE_LEN : 0);
		if (cookie) {
			wr_u16(w, DNS_EDNS_OPTION_COOKIE);
			wr_u16(w, DNS_COOKIE_LEN);
			for (unsigned i = 0; i < DNS_COOKIE_LEN; i++)
				wr_u8(w, (uint8_t)dns_rand_next(&rnd));
		}
	}
	for (unsigned more = below(4) ? 0 : below(9); more > 0; more--)
		wr_u8(w, (uint8_t)dns_rand_next(&rnd));
	if (!damaged)
		return true;
	w->base[below((uint32_t)w->pos)] = (uint8_t)(below(2) ? below(4) : dns_rand_next(&rnd));
	if (below(4) == 0)
		w->pos = below((uint32_t)w->pos + 1);
	return false;
}

static void check_same(const struct dns_query *a, const struct dns_query *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->qtype, b->qtype);
	assert_int_equal(a->qclass, b->qclass);
	assert_int_equal(a->question_len, b->question_len);
	assert_int_equal(a->udp_size, b->udp_size);
	assert_int_equal(a->has_opt, b->has_opt);
	assert_int_equal(a->dnssec_ok, b->dnssec_ok);
	assert_int_equal(a->name.len, b->name.len);
	assert_int_equal(a->name.labels, b->name.labels);
	assert_memory_equal(a->name.wire, b->name.wire, b->name.len);
	assert_memory_equal(a->label_off, b->label_off, b->name.labels);
}

// A plain one without a cookie says nothing of it.
static void check_cookie(
	enum dns_query_kind kind, const struct dns_query *line, const struct dns_query *whole)
{
	assert_false(whole->asks_nsid);
	assert_int_equal(whole->cookie_len, kind == DNS_QUERY_PLAIN ? 0 : DNS_COOKIE_LEN);
	if (kind == DNS_QUERY_PLAIN)
		return;
	assert_int_equal(line->cookie_len, whole->cookie_len);
	assert_memory_equal(line->cookie, whole->cookie, DNS_COOKIE_LEN);
	assert_false(line->asks_nsid);
}

TEST(test_twin)
{
	struct guard g = guard_open();
	const struct keyhash_secret secret = {{1, 2, 3}};
	unsigned taken = 0, cookies = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t buf[512];
		uint64_t hash;
		struct dns_query line, whole;
		struct wr w = wr_init(buf, sizeof(buf));
		bool plain = make(&w);
		uint8_t *msg = g.end - w.pos;
		memcpy(msg, buf, w.pos);
		memset(&line, 1, sizeof(line)); // what it does not set is not what it was
		enum dns_query_kind kind = dns_query_fast(msg, w.pos, &secret, &line, &hash);
		if (kind == DNS_QUERY_ODD) {
			assert_false(plain);
			continue;
		}
		assert_int_equal(dns_query_parse(msg, w.pos, &whole), DNS_QUERY_OK);
		check_same(&line, &whole);
		check_cookie(kind, &line, &whole);
		cookies += kind == DNS_QUERY_PLAIN_COOKIE;
		assert_true(hash == keyhash(&secret, whole.name.wire, whole.name.len));
		taken += !plain;
	}
	assert_true(taken > ROUNDS / 10 && cookies > ROUNDS / 10);
	guard_close(&g);
}
