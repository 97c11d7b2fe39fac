// SPDX-License-Identifier: BSD-3-Clause

// The fingerprints of rule_image.h as their formula has them, byte by byte: builder and reader
// use the same lines, so a table that both agree on would not show it. And a name's suffix has the
// fingerprint of the same name by itself, whatever lies behind the name.

#include "rule_fixture.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/guard.h"

#include <weir/rule_probe.h>

static struct dns_rand rnd = {19};

static uint64_t word(const uint8_t *p, unsigned len)
{
	uint64_t w = 0;
	for (unsigned i = 0; i < 8 && i < len; i++)
		w |= (uint64_t)p[i] << 8 * i;
	return w;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

// Of the `len` bytes at p, which are a whole suffix.
static uint64_t formula(const struct keyhash_secret *secret, const uint8_t *p, unsigned len)
{
	uint64_t key[19], c = 0;
	memcpy(key, secret->bytes, sizeof(key));
	for (unsigned n = 1; n <= (len - 1) / 16; n++) {
		const uint8_t *block = p + len - 16 * n;
		c = fold(word(block, 8) ^ key[17] ^ c, word(block + 8, 8) ^ key[18]);
	}
	uint64_t low = word(p, len), high = len > 8 ? word(p + 8, len - 8) : 0;
	uint64_t hash = fold(low ^ key[len % 16] ^ c, high ^ key[16]);
	return hash ? hash : 1;
}

// Of `len` bytes, random labels; the rest of the array is random as well.
static struct dns_name random_name(unsigned len)
{
	struct dns_name name = {.len = (uint8_t)len};
	for (unsigned i = 0; i < sizeof(name.wire); i++)
		name.wire[i] = (uint8_t)dns_rand_next(&rnd);
	unsigned at = 0;
	while (at + 1 < len) {
		unsigned left = len - at - 2, most = left < 63 ? left : 63;
		unsigned label = 1 + dns_rand_below(&rnd, dns_rand_below(&rnd, 2) ? 6 : 63);
		label = label < most ? label : most;
		if (left - label == 1) // one byte is no label
			label += label < 63 ? 1 : -1;
		name.wire[at] = (uint8_t)label;
		name.labels++;
		at += label + 1;
	}
	name.wire[len - 1] = 0;
	return name;
}

TEST(test_formula)
{
	struct keyhash_secret secret = fixture_secret();
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned len = 3; len <= DNS_NAME_MAX; len++) {
			struct dns_name name = random_name(len);
			assert_int_equal(
				rule_name_hash(&secret, &name), formula(&secret, name.wire, len));
		}
	}
}

TEST(test_suffixes)
{
	struct keyhash_secret secret = fixture_secret();
	struct rule_reader r = {.bloom_blocks = 1, .depths = (UINT64_C(2) << RULE_LABELS_MAX) - 2};
	memset(r.singles, 0xff, sizeof(r.singles));
	struct rule_bloom_block block = {{0}};
	unsigned checked = 0;
	r.bloom = &block;
	memcpy(r.key, secret.bytes, sizeof(r.key));
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned len = 3; len <= DNS_NAME_MAX; len++) {
			struct dns_query q = {.name = random_name(len)};
			struct rule_probe p;
			for (unsigned i = 0, at = 0; i < q.name.labels; at += q.name.wire[at] + 1u)
				q.label_off[i++] = (uint8_t)at;
			rule_probe_hash(&r, &q, &p);
			unsigned depths =
				q.name.labels < RULE_LABELS_MAX ? q.name.labels : RULE_LABELS_MAX;
			assert_int_equal(p.count, depths);
			for (unsigned i = 0; i < depths; i++) {
				unsigned at = q.label_off[q.name.labels - 1 - i];
				assert_int_equal(
					p.hash[i], formula(&secret, q.name.wire + at, len - at));
				checked++;
			}
		}
	}
	assert_true(checked > 60 * 250);
}

// Nothing behind the name's array is read, not even to be masked off.
TEST(test_suffixes_at_the_end)
{
	struct keyhash_secret secret = fixture_secret();
	struct guard g = guard_open();
	uint64_t key[RULE_KEY_WORDS], chain[RULE_CHAIN_MAX + 1];
	static_assert(sizeof(struct dns_name) == offsetof(struct dns_name, wire) + DNS_NAME_MAX);
	struct dns_name *name = (struct dns_name *)(void *)(g.end - sizeof(*name));
	memcpy(key, secret.bytes, sizeof(key));
	*name = random_name(DNS_NAME_MAX);
	rule_chain(key, name, chain);
	for (unsigned at = 0; at < DNS_NAME_MAX; at++)
		assert_int_equal(rule_suffix_hash(key, chain, name, at),
			formula(&secret, name->wire + at, DNS_NAME_MAX - at));
	guard_close(&g);
}
