// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <weir/dns_cookie.h>
#include <weir/dns_reply.h>

static uint8_t hex_digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void hex(const char *text, uint8_t *out)
{
	for (; *text; text += 2)
		*out++ = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
}

struct peer {
	uint8_t address[16];
	struct dns_cookie_client client;
};

static const struct dns_cookie_client *peer(struct peer *p, const char *text, uint32_t now_s)
{
	bool is_v6 = strchr(text, ':');
	assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, text, p->address), 1);
	p->client = (struct dns_cookie_client){p->address, is_v6 ? 6 : 4, now_s};
	return &p->client;
}

static struct dns_cookie_terms terms_of(const char *secret)
{
	struct dns_cookie_terms t = {.is_on = 1, .count = 1};
	hex(secret, t.secret[0]);
	return t;
}

static const char secret_a[] = "e5e973e5a6b2a43f48e7dc849e37bfcf";
static const char secret_b[] = "445536bcd2513298075a5d379663c962";

// RFC 9018 appendix A.
static const struct vector {
	const char *secret, *client;
	uint32_t made_s;
	const char *cookie;
} vectors[] = {
	{secret_a, "198.51.100.100", 1559731985,
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
	{secret_a, "198.51.100.100", 1559734385,
		"2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
	{secret_a, "203.0.113.203", 1559734700, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
	{secret_b, "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961,
		"22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
};

TEST(test_rfc9018_vectors)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct dns_cookie_terms t = terms_of(v->secret);
		uint8_t wanted[DNS_COOKIE_LEN], made[DNS_COOKIE_LEN];
		struct peer p;
		bool fresh;
		const struct dns_cookie_client *c = peer(&p, v->client, v->made_s);
		hex(v->cookie, wanted);
		memcpy(made, wanted, DNS_COOKIE_CLIENT_LEN);
		dns_cookie_make(&t, c, made);
		assert_memory_equal(made, wanted, sizeof(made));
		assert_int_equal(
			dns_cookie_check(&t, c, wanted, sizeof(wanted), &fresh), DNS_COOKIE_GOOD);
		assert_true(fresh);
	}
}

// Appendix A.3: what is reserved is not zero, and is taken as it is (4.2).
TEST(test_rfc9018_reserved_octets)
{
	struct dns_cookie_terms t = terms_of(secret_a);
	uint8_t cookie[DNS_COOKIE_LEN];
	struct peer p;
	bool fresh;
	hex("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", cookie);
	assert_int_equal(dns_cookie_check(&t, peer(&p, "203.0.113.203", 1559727985), cookie,
				 sizeof(cookie), &fresh),
		DNS_COOKIE_GOOD);
}

static enum dns_cookie_kind check_at(
	const struct dns_cookie_terms *t, const char *client, int64_t age_s, bool *fresh)
{
	uint8_t cookie[DNS_COOKIE_LEN];
	struct peer p;
	hex(vectors[0].cookie, cookie);
	return dns_cookie_check(t, peer(&p, client, (uint32_t)(vectors[0].made_s + age_s)), cookie,
		sizeof(cookie), fresh);
}

// RFC 9018 4.3.
TEST(test_age)
{
	static const struct {
		int32_t age_s;
		enum dns_cookie_kind kind;
		bool fresh;
	} cases[] = {{0, DNS_COOKIE_GOOD, true}, {1800, DNS_COOKIE_GOOD, true},
		{1801, DNS_COOKIE_GOOD, false}, {3600, DNS_COOKIE_GOOD, false},
		{3601, DNS_COOKIE_BAD, false}, {-300, DNS_COOKIE_GOOD, true},
		{-301, DNS_COOKIE_BAD, false}};
	struct dns_cookie_terms t = terms_of(secret_a);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool fresh;
		assert_int_equal(
			check_at(&t, vectors[0].client, cases[i].age_s, &fresh), cases[i].kind);
		assert_int_equal(fresh, cases[i].fresh);
	}
}

TEST(test_for_one_client)
{
	struct dns_cookie_terms t = terms_of(secret_a);
	bool fresh;
	assert_int_equal(check_at(&t, "198.51.100.101", 0, &fresh), DNS_COOKIE_BAD);
	assert_int_equal(check_at(&t, "2001:db8::1", 0, &fresh), DNS_COOKIE_BAD);
	for (unsigned bit = 0; bit < 8 * DNS_COOKIE_LEN; bit++) {
		uint8_t cookie[DNS_COOKIE_LEN];
		struct peer p;
		hex(vectors[0].cookie, cookie);
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
			dns_cookie_check(&t, peer(&p, vectors[0].client, vectors[0].made_s), cookie,
				sizeof(cookie), &fresh),
			DNS_COOKIE_BAD);
	}
}

// All secrets verify; what the first one did not sign is renewed.
TEST(test_secrets)
{
	struct dns_cookie_terms t = terms_of(secret_b);
	bool fresh;
	assert_int_equal(check_at(&t, vectors[0].client, 0, &fresh), DNS_COOKIE_BAD);
	for (unsigned at = 1; at < DNS_COOKIE_SECRETS_MAX; at++) {
		memset(t.secret[at], 0x55, sizeof(t.secret[at]));
		t.count = (uint8_t)(at + 1);
		assert_int_equal(check_at(&t, vectors[0].client, 0, &fresh), DNS_COOKIE_BAD);
		hex(secret_a, t.secret[at]);
		assert_int_equal(check_at(&t, vectors[0].client, 0, &fresh), DNS_COOKIE_GOOD);
		assert_false(fresh);
		memset(t.secret[at], 0x55, sizeof(t.secret[at]));
	}
	t.count = UINT8_MAX; // hostile: never beyond what there is
	assert_int_equal(check_at(&t, vectors[0].client, 0, &fresh), DNS_COOKIE_BAD);
}

// A query with a cookie of `len` bytes; without a question on request.
static size_t query_make(uint8_t *msg, const uint8_t *cookie, uint16_t len, bool question)
{
	struct wr w = wr_init(msg, 512);
	wr_u16(&w, 7);
	wr_u16(&w, DNS_FLAG_RD);
	wr_u16(&w, question);
	wr_u32(&w, 0);
	wr_u16(&w, 1);
	if (question)
		wr_bytes(&w, "\1a\0\0\1\0\1", 7);
	wr_bytes(&w, "\0\0\x29\x04\xd0\0\0\0\0", 9);
	wr_u16(&w, (uint16_t)(len + 4));
	wr_u16(&w, DNS_EDNS_OPTION_COOKIE);
	wr_u16(&w, len);
	wr_bytes(&w, cookie, len);
	assert_true(wr_ok(&w));
	return w.pos;
}

static enum dns_query_status settle(const struct dns_cookie_terms *t, const uint8_t *cookie,
	uint16_t len, bool question, struct dns_query *q, enum dns_cookie_kind *kind)
{
	uint8_t msg[512];
	struct peer p;
	size_t size = query_make(msg, cookie, len, question);
	enum dns_query_status status = dns_query_parse(msg, size, q);
	return dns_cookie_settle(
		t, peer(&p, vectors[0].client, vectors[0].made_s + 10), status, q, kind);
}

TEST(test_lengths)
{
	struct dns_cookie_terms t = terms_of(secret_a), off = {0};
	uint8_t bytes[64] = {0};
	for (uint16_t len = 0; len < 64; len++) {
		struct dns_query q;
		enum dns_cookie_kind kind;
		bool right = len == 8 || (len >= 16 && len <= 40);
		assert_int_equal(settle(&t, bytes, len, true, &q, &kind),
			right ? DNS_QUERY_OK : DNS_QUERY_FORMERR);
		assert_int_equal(kind, len == 8 ? DNS_COOKIE_ALONE
				       : right  ? DNS_COOKIE_BAD
						: DNS_COOKIE_NONE);
		assert_int_equal(q.has_opt, DNS_OPT_PLAIN | (right ? DNS_OPT_COOKIE : 0));
		assert_int_equal(settle(&off, bytes, len, true, &q, &kind), DNS_QUERY_OK);
		assert_int_equal(q.has_opt, DNS_OPT_PLAIN);
		assert_int_equal(settle(&off, bytes, len, false, &q, &kind), DNS_QUERY_FORMERR);
		assert_int_equal(settle(&t, bytes, len, false, &q, &kind),
			right ? DNS_QUERY_COOKIE : DNS_QUERY_FORMERR);
	}
}

// A young one comes back as it is; of the others the client's part stays.
TEST(test_reply)
{
	struct dns_cookie_terms t = terms_of(secret_a);
	uint8_t cookie[DNS_COOKIE_LEN], msg[512];
	struct dns_query q;
	enum dns_cookie_kind kind;
	uint16_t sum;
	hex(vectors[0].cookie, cookie);
	assert_int_equal(settle(&t, cookie, sizeof(cookie), true, &q, &kind), DNS_QUERY_OK);
	assert_int_equal(kind, DNS_COOKIE_GOOD);
	assert_memory_equal(q.cookie, cookie, sizeof(cookie));

	query_make(msg, cookie, sizeof(cookie), true);
	uint16_t len = dns_reply_rcode(
		msg, sizeof(msg), &q, DNS_RCODE_BADCOOKIE, DNS_EDE_PROHIBITED, &sum);
	assert_int_equal(len, 12 + 7 + 11 + 28 + 6);
	assert_int_equal(csum_partial(msg, len) % 0xffff, sum % 0xffff);
	const uint8_t *opt = msg + 19;
	assert_int_equal(msg[3] & 15, DNS_RCODE_BADCOOKIE & 15);
	assert_int_equal(opt[5], DNS_RCODE_BADCOOKIE >> 4);
	assert_int_equal(get_u16(opt + 9), 34);
	assert_int_equal(get_u16(opt + 11), DNS_EDNS_OPTION_COOKIE);
	assert_memory_equal(opt + 15, cookie, sizeof(cookie));
	assert_int_equal(get_u16(opt + 39), DNS_EDNS_OPTION_EDE);
	// Where only the cookie fits, the error stays away; where that does not, the OPT.
	assert_int_equal(dns_reply_rcode(msg, 12 + 7 + 11 + 28 + 5, &q, 0, 0, &sum), 12 + 7 + 39);
	assert_int_equal(csum_partial(msg, 12 + 7 + 39) % 0xffff, sum % 0xffff);
	assert_int_equal(dns_reply_rcode(msg, 12 + 7 + 38, &q, 0, 0, &sum), 12 + 7);

	cookie[20] ^= 1;
	assert_int_equal(settle(&t, cookie, sizeof(cookie), true, &q, &kind), DNS_QUERY_OK);
	assert_int_equal(kind, DNS_COOKIE_BAD);
	assert_memory_equal(q.cookie, cookie, DNS_COOKIE_CLIENT_LEN);
	bool fresh;
	struct peer p;
	assert_int_equal(dns_cookie_check(&t, peer(&p, vectors[0].client, vectors[0].made_s + 10),
				 q.cookie, DNS_COOKIE_LEN, &fresh),
		DNS_COOKIE_GOOD);
}

// RFC 7873 5.2: of several only the first counts.
TEST(test_first_counts)
{
	uint8_t msg[512] = {0};
	struct dns_query q;
	struct wr w = wr_init(msg, sizeof(msg));
	wr_bytes(&w, "\0\7\1\0\0\1\0\0\0\0\0\1\1a\0\0\1\0\1\0\0\x29\x04\xd0\0\0\0\0", 28);
	wr_u16(&w, 12 + 12 + 4);
	wr_bytes(&w, "\0\12\0\10aaaaaaaa\0\12\0\10bbbbbbbb\0\12\0\0", 28);
	assert_int_equal(dns_query_parse(msg, w.pos, &q), DNS_QUERY_OK);
	assert_int_equal(q.cookie_len, 8);
	assert_memory_equal(q.cookie, "aaaaaaaa", 8);
}
