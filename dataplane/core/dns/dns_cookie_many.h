// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The cookies of a batch: whole ones, of clients of one IP version, hashed several at a time where
// the CPU has AVX2 (by libgcc's CPU model, set before main), one by one elsewhere. A hash waits for
// its own result in each of its ten rounds or more, so four lanes share that wait.
//
// The result only says which cookies are young and signed by the first secret, as most are.
// dns_cookie_settle checks the others. Pure, no allocation; 1.5 KiB of the caller's stack.

#include <assert.h>
#include <weir/dns_cookie.h>
#include <weir/siphash.h>

enum {
	DNS_COOKIE_MANY = 32,
	DNS_COOKIE_LANES = 8,
	DNS_COOKIE_WORDS_IPV4 = 3,
	DNS_COOKIE_WORDS_IPV6 = 5,
};

struct dns_cookie_many {
	unsigned count, words;
	alignas(32) uint64_t word[DNS_COOKIE_WORDS_IPV6][DNS_COOKIE_MANY]; // input of the hashes
	uint64_t given[DNS_COOKIE_MANY];                                   // the hash it came with
};
static_assert(DNS_COOKIE_MANY % DNS_COOKIE_LANES == 0);

ATTR_INLINE void dns_cookie_many_begin(struct dns_cookie_many *m, unsigned ip_version)
{
	m->count = 0;
	m->words = ip_version == 4 ? DNS_COOKIE_WORDS_IPV4 : DNS_COOKIE_WORDS_IPV6;
}

// At most DNS_COOKIE_MANY. `cookie`: whole; `address`: 4 or 16 bytes, by the IP version.
ATTR_INLINE void dns_cookie_many_add(
	struct dns_cookie_many *m, const uint8_t cookie[DNS_COOKIE_LEN], const uint8_t *address)
{
	const unsigned i = m->count++;
	assert(i < DNS_COOKIE_MANY);
	m->word[0][i] = sip_load(cookie);
	m->word[1][i] = sip_load(cookie + 8);
	m->given[i] = sip_load(cookie + DNS_COOKIE_SIGNED_LEN);
	if (likely_(m->words == DNS_COOKIE_WORDS_IPV4)) {
		uint32_t a;
		memcpy(&a, address, sizeof(a));
		m->word[2][i] = sip_last(le32toh(a), DNS_COOKIE_SIGNED_LEN + sizeof(a));
		return;
	}
	m->word[2][i] = sip_load(address);
	m->word[3][i] = sip_load(address + 8);
	m->word[4][i] = sip_last(0, DNS_COOKIE_SIGNED_LEN + 16);
}

// Bit i: the i-th is young and signed by the first secret, of which there is one. Writes the words
// behind the last cookie.
ATTR_MUST_CHECK uint32_t dns_cookie_many_young(
	struct dns_cookie_many *m, const struct dns_cookie_terms *t, uint32_t now_s) ATTR_NONNULL;

// The hashes of all, one by one; and DNS_COOKIE_LANES at a time, for which the caller must have
// checked the CPU (dns_cookie_many_has_lanes); all words of these lanes must be set.
void dns_cookie_many_hash(const struct dns_cookie_many *m, const uint8_t key[SIP_KEY_LEN],
	uint64_t out[DNS_COOKIE_MANY]) ATTR_NONNULL;
void dns_cookie_many_hash_lanes(const struct dns_cookie_many *m, const uint8_t key[SIP_KEY_LEN],
	uint64_t out[DNS_COOKIE_MANY]) ATTR_NONNULL;

ATTR_INLINE bool dns_cookie_many_has_lanes(void)
{
#ifdef __x86_64__
	return __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}
