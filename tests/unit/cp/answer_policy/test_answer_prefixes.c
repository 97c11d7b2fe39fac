// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/answer_policy/answer_prefixes.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/unit.h"

static struct answer_prefix parse(unsigned list, const char *text)
{
	struct answer_prefix p = {.list = (uint16_t)list};
	p.prefix = address_of_text(text);
	return p;
}

static struct rule_set find(const struct answer_prefixes *p, const char *text)
{
	struct rule_set set = {{0}};
	struct ip_address a = address_of_text(text);
	if (a.version == 4)
		answer_prefixes_find_v4(p, a.bytes, &set);
	else
		answer_prefixes_find_v6(p, a.bytes, &set);
	return set;
}

static void expect(const struct answer_prefixes *p, const char *text, uint64_t lists)
{
	const struct rule_set set = find(p, text);
	if (set.lists[0] != lists)
		fail_msg("%s: %llx, not %llx", text, (unsigned long long)set.lists[0],
			(unsigned long long)lists);
}

UNIT_END_OF(answer_prefixes_free, struct answer_prefixes)
static struct answer_prefix_counts counts;

// Until the end of the case. NULL: no prefix was taken.
static struct answer_prefixes *make(const struct answer_prefix *prefix, unsigned n)
{
	struct answer_prefixes *p;
	assert_int_equal(answer_prefixes_new(&p, prefix, n, &counts), 0);
	unit_at_end(answer_prefixes_free_at_end, p);
	return p;
}

TEST(test_finds_all_that_cover)
{
	const struct answer_prefix prefix[] = {
		parse(1, "10.0.0.0/8"),
		parse(2, "10.1.0.0/16"),
		parse(3, "10.1.0.0/16"),
		parse(1, "10.1.2.3"),
		parse(4, "10.0.0.0/9"),
		parse(5, "255.255.255.255"),
		parse(5, "0.0.0.0"),
		parse(6, "192.0.2.0/25"),
		parse(6, "192.0.2.128/25"),
		parse(7, "fd53::/48"),
		parse(8, "fd53::1"),
		parse(9, "::/128"),
		parse(10, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
		parse(300, "1.2.3.4"),
	};
	struct answer_prefixes *p = make(prefix, 14);
	assert_int_equal(counts.taken, 13);
	assert_int_equal(counts.refused_form, 1);
	expect(p, "9.255.255.255", 0);
	expect(p, "10.0.0.0", 1 << 1 | 1 << 4);
	expect(p, "10.0.255.255", 1 << 1 | 1 << 4);
	expect(p, "10.1.0.0", 1 << 1 | 1 << 4 | 1 << 2 | 1 << 3);
	expect(p, "10.1.2.3", 1 << 1 | 1 << 4 | 1 << 2 | 1 << 3);
	expect(p, "10.2.0.0", 1 << 1 | 1 << 4);
	expect(p, "10.128.0.0", 1 << 1);
	expect(p, "10.255.255.255", 1 << 1);
	expect(p, "11.0.0.0", 0);
	expect(p, "0.0.0.0", 1 << 5);
	expect(p, "0.0.0.1", 0);
	expect(p, "255.255.255.254", 0);
	expect(p, "255.255.255.255", 1 << 5);
	expect(p, "192.0.2.127", 1 << 6);
	expect(p, "192.0.2.128", 1 << 6);
	expect(p, "192.0.3.0", 0);
	expect(p, "fd53::", 1 << 7);
	expect(p, "fd53::1", 1 << 7 | 1 << 8);
	expect(p, "fd53::2", 1 << 7);
	expect(p, "fd53:0:1::", 0);
	expect(p, "::", 1 << 9);
	expect(p, "::1", 0);
	expect(p, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1 << 10);
	// Two halves of one list are one range.
	assert_int_equal(counts.ranges_v4, 12);
}

TEST(test_ipv4_in_ipv6)
{
	const struct answer_prefix prefix[] = {
		parse(1, "10.0.0.0/8"), parse(2, "64:ff9b::/96"), parse(3, "::ffff:10.0.0.1")};
	struct answer_prefixes *p = make(prefix, 3);
	expect(p, "::ffff:10.0.0.2", 1 << 1);
	expect(p, "::ffff:10.0.0.1", 1 << 1 | 1 << 3);
	expect(p, "64:ff9b::10.9.9.9", 1 << 1 | 1 << 2);
	expect(p, "64:ff9b::11.9.9.9", 1 << 2);
	expect(p, "::10.0.0.1", 0); // neither
}

TEST(test_all_and_nothing)
{
	const struct answer_prefix prefix[] = {parse(1, "0.0.0.0/0"), parse(2, "::/0")};
	struct answer_prefixes *p = make(prefix, 2);
	expect(p, "0.0.0.0", 1 << 1);
	expect(p, "255.255.255.255", 1 << 1);
	expect(p, "::", 1 << 2);
	expect(p, "ffff::", 1 << 2);
	assert_null(make(prefix, 0));
	expect(NULL, "10.0.0.1", 0);
	expect(NULL, "::1", 0);
}

static struct ip_address random_address(struct dns_rand *r, bool v6)
{
	struct ip_address a = {.version = v6 ? 6 : 4};
	// Few values, so that prefixes are nested and neighbours.
	for (unsigned i = 0; i < (v6 ? 16u : 4u); i++)
		a.bytes[i] = (uint8_t)(dns_rand_below(r, 4) == 0 ? dns_rand_below(r, 256)
				       : dns_rand_below(r, 2)    ? 255
								 : 0);
	return a;
}

static bool covers(const struct ip_address *p, const struct ip_address *a)
{
	if (p->version != a->version)
		return false;
	for (unsigned i = 0; i < p->prefix_len; i++)
		if ((p->bytes[i / 8] ^ a->bytes[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

TEST(test_model)
{
	enum { PREFIXES = 400 };
	static struct answer_prefix prefix[PREFIXES];
	struct dns_rand r = {.state = 5};
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < PREFIXES; i++) {
			bool v6 = dns_rand_below(&r, 2);
			prefix[i].prefix = random_address(&r, v6);
			prefix[i].prefix.prefix_len = (uint8_t)dns_rand_below(&r, v6 ? 129 : 33);
			prefix[i].list = (uint16_t)dns_rand_below(&r, 256);
		}
		struct answer_prefixes *p = make(prefix, PREFIXES);
		for (unsigned k = 0; k < 300; k++) {
			struct ip_address a = random_address(&r, k & 1);
			struct rule_set want = {{0}}, got = {{0}};
			for (unsigned i = 0; i < PREFIXES; i++)
				if (covers(&prefix[i].prefix, &a))
					want.lists[prefix[i].list / 64] |= UINT64_C(1)
									   << prefix[i].list % 64;
			if (a.version == 4)
				answer_prefixes_find_v4(p, a.bytes, &got);
			else
				answer_prefixes_find_v6(p, a.bytes, &got);
			// What the bytes say as an IPv4 address counts too; leave that out.
			if (a.version == 6
				&& memcmp(a.bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
				continue;
			assert_memory_equal(&got, &want, sizeof(want));
		}
	}
}

TEST(test_a_million)
{
	enum { MOST = ANSWER_PREFIXES_MAX + 5 };
	struct answer_prefix *prefix = calloc(MOST, sizeof(*prefix));
	assert_non_null(prefix);
	for (uint32_t i = 0; i < MOST; i++) {
		uint32_t address = i * 2;
		prefix[i].prefix = (struct ip_address){.version = 4, .prefix_len = 32};
		put_u32(prefix[i].prefix.bytes, address);
		prefix[i].list = 3;
	}
	struct answer_prefixes *p = make(prefix, MOST);
	assert_int_equal(counts.taken, ANSWER_PREFIXES_MAX);
	assert_int_equal(counts.refused_count, 5);
	assert_true(counts.bytes <= UINT64_C(17) << 20);
	expect(p, "0.0.0.2", 1 << 3);
	expect(p, "0.0.0.3", 0);
	expect(p, "0.31.255.254", 1 << 3);
	expect(p, "0.32.0.0", 0); // refused
	free(prefix);
}
