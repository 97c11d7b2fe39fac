// SPDX-License-Identifier: BSD-3-Clause
#include "dns_cookie_many.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { SCALAR_MOST = 2 };

void dns_cookie_many_hash(const struct dns_cookie_many *m, const uint8_t key[SIP_KEY_LEN],
	uint64_t out[DNS_COOKIE_MANY])
{
	for (unsigned i = 0; i < m->count; i++) {
		struct sip s = sip_begin(key);
		for (unsigned k = 0; k < m->words; k++)
			sip_word(&s, m->word[k][i]);
		out[i] = sip_end(&s);
	}
}

#ifdef __x86_64__
#define AVX2        __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((always_inline, target("avx2")))

struct four { // lanes
	__m256i v0, v1, v2, v3;
};

AVX2_INLINE __m256i turn_32(__m256i x)
{
	return _mm256_shuffle_epi32(x, 0xb1);
}

AVX2_INLINE __m256i turn_16(__m256i x)
{
	const __m256i bytes = _mm256_setr_epi8(6, 7, 0, 1, 2, 3, 4, 5, 14, 15, 8, 9, 10, 11, 12, 13,
		6, 7, 0, 1, 2, 3, 4, 5, 14, 15, 8, 9, 10, 11, 12, 13);
	return _mm256_shuffle_epi8(x, bytes);
}

#define TURN(x, bits) _mm256_or_si256(_mm256_slli_epi64(x, bits), _mm256_srli_epi64(x, 64 - (bits)))

AVX2_INLINE void four_round(struct four *s)
{
	s->v0 = _mm256_add_epi64(s->v0, s->v1);
	s->v1 = _mm256_xor_si256(TURN(s->v1, 13), s->v0);
	s->v0 = turn_32(s->v0);
	s->v2 = _mm256_add_epi64(s->v2, s->v3);
	s->v3 = _mm256_xor_si256(turn_16(s->v3), s->v2);
	s->v0 = _mm256_add_epi64(s->v0, s->v3);
	s->v3 = _mm256_xor_si256(TURN(s->v3, 21), s->v0);
	s->v2 = _mm256_add_epi64(s->v2, s->v1);
	s->v1 = _mm256_xor_si256(TURN(s->v1, 17), s->v2);
	s->v2 = turn_32(s->v2);
}

AVX2_INLINE struct four four_begin(const struct sip *one)
{
	return (struct four){_mm256_set1_epi64x((long long)one->v0),
		_mm256_set1_epi64x((long long)one->v1), _mm256_set1_epi64x((long long)one->v2),
		_mm256_set1_epi64x((long long)one->v3)};
}

AVX2_INLINE __m256i four_load(const uint64_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

AVX2_INLINE void four_end(const struct four *s, uint64_t *out)
{
	const __m256i a = _mm256_xor_si256(s->v0, s->v1), b = _mm256_xor_si256(s->v2, s->v3);
	_mm256_storeu_si256((__m256i *)(void *)out, _mm256_xor_si256(a, b));
}

// Two fours by turns: one alone waits for itself.
AVX2 void dns_cookie_many_hash_lanes(const struct dns_cookie_many *m,
	const uint8_t key[SIP_KEY_LEN], uint64_t out[DNS_COOKIE_MANY])
{
	const struct sip one = sip_begin(key);
	const __m256i mark = _mm256_set1_epi64x(SIP_END_MARK);
	for (unsigned i = 0; i < m->count; i += DNS_COOKIE_LANES) {
		struct four a = four_begin(&one), b = a;
		for (unsigned k = 0; k < m->words; k++) {
			const __m256i x = four_load(&m->word[k][i]);
			const __m256i y = four_load(&m->word[k][i + DNS_COOKIE_LANES / 2]);
			a.v3 = _mm256_xor_si256(a.v3, x);
			b.v3 = _mm256_xor_si256(b.v3, y);
			for (unsigned n = 0; n < 2; n++) {
				four_round(&a);
				four_round(&b);
			}
			a.v0 = _mm256_xor_si256(a.v0, x);
			b.v0 = _mm256_xor_si256(b.v0, y);
		}
		a.v2 = _mm256_xor_si256(a.v2, mark);
		b.v2 = _mm256_xor_si256(b.v2, mark);
		for (unsigned n = 0; n < 4; n++) {
			four_round(&a);
			four_round(&b);
		}
		four_end(&a, out + i);
		four_end(&b, out + i + DNS_COOKIE_LANES / 2);
	}
}
#else
void dns_cookie_many_hash_lanes(const struct dns_cookie_many *m, const uint8_t key[SIP_KEY_LEN],
	uint64_t out[DNS_COOKIE_MANY])
{
	dns_cookie_many_hash(m, key, out);
}
#endif

// The lanes behind the last cookie, which are hashed with it.
static void fill_up(struct dns_cookie_many *m)
{
	for (unsigned i = m->count; i % DNS_COOKIE_LANES; i++)
		for (unsigned k = 0; k < m->words; k++)
			m->word[k][i] = 0;
}

static void hash_all(struct dns_cookie_many *m, const uint8_t *key, uint64_t out[DNS_COOKIE_MANY])
{
	if (m->count <= SCALAR_MOST || !dns_cookie_many_has_lanes()) {
		dns_cookie_many_hash(m, key, out);
		return;
	}
	fill_up(m);
	dns_cookie_many_hash_lanes(m, key, out);
}

uint32_t dns_cookie_many_young(
	struct dns_cookie_many *m, const struct dns_cookie_terms *t, uint32_t now_s)
{
	uint64_t hash[DNS_COOKIE_MANY];
	uint32_t young = 0;
	hash_all(m, t->secret[0], hash);
	for (unsigned i = 0; i < m->count; i++) {
		const uint64_t server = m->word[1][i]; // version, reserved, time
		const uint32_t age_s = now_s - be32toh((uint32_t)(server >> 32)); // RFC 1982
		const bool in_time =
			age_s + DNS_COOKIE_AHEAD_S <= DNS_COOKIE_RENEW_S + DNS_COOKIE_AHEAD_S;
		const bool right = hash[i] == m->given[i];
		young |= (uint32_t)(right & in_time & ((uint8_t)server == DNS_COOKIE_VERSION)) << i;
	}
	return young;
}
