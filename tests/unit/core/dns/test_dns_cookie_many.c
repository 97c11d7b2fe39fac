// SPDX-License-Identifier: BSD-3-Clause

// The cookies of a batch against dns_cookie_check, one by one: random cookies of both IP versions,
// right, damaged, old, not yet due, of another secret, any number at once; and both ways to hash
// them against dns_cookie_make, the one by lanes where this CPU has them.

#include "dataplane/core/dns/dns_cookie_many.h"
#include "dns_rand.h"
#include "tests/unit/unit.h"

enum { ROUNDS = 3000, NOW_S = 0x80000010 }; // where signed times turn over

static struct dns_rand rnd = {23};

static uint32_t below(uint32_t n)
{
	return dns_rand_below(&rnd, n);
}

static void fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)dns_rand_next(&rnd);
}

struct asked {
	uint8_t address[16], cookie[DNS_COOKIE_LEN];
};

static struct dns_cookie_client client_of(const struct asked *a, unsigned version, uint32_t now_s)
{
	return (struct dns_cookie_client){a->address, version, now_s};
}

// Most are right, and of these most young.
static void make(struct asked *a, const struct dns_cookie_terms *t, unsigned version)
{
	static const int32_t ages_s[] = {0, 1, -300, -301, 1800, 1801, 3600, 3601, INT32_MIN};
	struct dns_cookie_terms by = *t;
	fill(a->address, sizeof(a->address));
	fill(a->cookie, DNS_COOKIE_CLIENT_LEN);
	if (below(8) == 0)
		memcpy(by.secret[0], t->secret[1], sizeof(by.secret[0]));
	int32_t age_s = below(2) ? (int32_t)below(1800) : ages_s[below(ARRAY_LEN(ages_s))];
	const struct dns_cookie_client c = client_of(a, version, NOW_S - (uint32_t)age_s);
	dns_cookie_make(&by, &c, a->cookie);
	if (below(4) == 0)
		a->cookie[below(DNS_COOKIE_LEN)] ^= (uint8_t)(1 << below(8));
	if (below(16) == 0)
		a->address[below(version == 4 ? 4 : 16)] ^= 1;
}

TEST(test_as_one_by_one)
{
	unsigned fresh_seen = 0, other_seen = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct dns_cookie_terms t = {.is_on = 1, .count = (uint8_t)(1 + below(2))};
		const unsigned version = below(2) ? 4 : 6, count = 1 + below(DNS_COOKIE_MANY);
		struct asked asked[DNS_COOKIE_MANY];
		struct dns_cookie_many m;
		fill(t.secret[0], sizeof(t.secret));
		memset(&m, 0xa5, sizeof(m));
		dns_cookie_many_begin(&m, version);
		for (unsigned i = 0; i < count; i++) {
			make(&asked[i], &t, version);
			dns_cookie_many_add(&m, asked[i].cookie, asked[i].address);
		}
		const uint32_t young = dns_cookie_many_young(&m, &t, NOW_S);
		assert_int_equal((uint64_t)young >> count, 0);
		for (unsigned i = 0; i < count; i++) {
			const struct dns_cookie_client c = client_of(&asked[i], version, NOW_S);
			bool fresh;
			enum dns_cookie_kind kind =
				dns_cookie_check(&t, &c, asked[i].cookie, DNS_COOKIE_LEN, &fresh);
			assert_true(kind == DNS_COOKIE_GOOD || !fresh);
			assert_int_equal(young >> i & 1, fresh);
			fresh_seen += fresh;
			other_seen += !fresh;
		}
	}
	assert_true(fresh_seen > ROUNDS && other_seen > ROUNDS);
}

static void hash_both(unsigned version, unsigned count)
{
	struct dns_cookie_terms t = {.is_on = 1, .count = 1};
	struct asked asked[DNS_COOKIE_MANY];
	struct dns_cookie_many m;
	uint64_t one[DNS_COOKIE_MANY], lanes[DNS_COOKIE_MANY], wanted;
	fill(t.secret[0], sizeof(t.secret[0]));
	memset(&m, 0, sizeof(m)); // lanes read behind the last
	dns_cookie_many_begin(&m, version);
	for (unsigned i = 0; i < count; i++) {
		fill(asked[i].address, sizeof(asked[i].address));
		fill(asked[i].cookie, DNS_COOKIE_CLIENT_LEN);
		const struct dns_cookie_client c = client_of(&asked[i], version, below(NOW_S));
		dns_cookie_make(&t, &c, asked[i].cookie);
		dns_cookie_many_add(&m, asked[i].cookie, asked[i].address);
	}
	dns_cookie_many_hash(&m, t.secret[0], one);
	if (dns_cookie_many_has_lanes())
		dns_cookie_many_hash_lanes(&m, t.secret[0], lanes);
	for (unsigned i = 0; i < count; i++) {
		memcpy(&wanted, asked[i].cookie + DNS_COOKIE_SIGNED_LEN, sizeof(wanted));
		assert_true(m.given[i] == wanted && one[i] == wanted);
		if (dns_cookie_many_has_lanes())
			assert_true(lanes[i] == wanted);
	}
}

TEST(test_hashes)
{
	if (!dns_cookie_many_has_lanes())
		print_message("no AVX2 here: one by one alone\n");
	for (unsigned count = 1; count <= DNS_COOKIE_MANY; count++) {
		hash_both(4, count);
		hash_both(6, count);
	}
}
