// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The batched decision of the rule image (rule_image.h), in the steps of the packet path: the
// hashes of a query's suffixes, which prefetch the bloom filter; the bloom filter, which prefetches
// the table; for the few names that passed it, a look into the table, which prefetches more of it,
// and the decision. The caller takes each step for a whole batch before the next. The first two are
// inline, because every query pays them.

#include "rule_image.h"

#include <string.h>
#ifdef __SSE4_1__
#include <smmintrin.h>
#endif

enum {
	RULE_BLOCK_LEN = 16,
	RULE_CHAIN_MAX = (DNS_NAME_MAX - 1) / RULE_BLOCK_LEN, // blocks at the end of a name
	// Words of the key: one for each length mod 16, then these.
	RULE_KEY_SECOND = RULE_BLOCK_LEN,
	RULE_KEY_CHAIN, // this word and the next one
};
static_assert(RULE_KEY_CHAIN + 2 == RULE_KEY_WORDS);
static_assert(RULE_KEY_WORDS * 8 <= KEYHASH_SECRET_LEN);

// Mask for 16 bytes of which the first `n` belong to the suffix: &rule_bytes_kept[DNS_NAME_MAX -
// n] for any n. A branch on a short suffix would be mispredicted often.
static const uint8_t rule_bytes_kept[DNS_NAME_MAX + RULE_BLOCK_LEN] = {
	[0 ... DNS_NAME_MAX - 1] = 255};

static inline uint64_t rule_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t rule_load_8(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return w;
}

static inline uint64_t rule_add_block(const uint64_t *key, uint64_t hash, const uint8_t *block)
{
	return rule_fold(rule_load_8(block) ^ key[RULE_KEY_CHAIN] ^ hash,
		rule_load_8(block + 8) ^ key[RULE_KEY_CHAIN + 1]);
}

// chain[n]: the hash of the name's last 16 n bytes, for as many n as its suffixes need.
static inline void rule_chain(
	const uint64_t *key, const struct dns_name *name, uint64_t chain[RULE_CHAIN_MAX + 1])
{
	unsigned len = name->len;
	chain[0] = 0;
	// The first one in any case, because a branch on whether it is needed would be mispredicted
	// often: most names have 10 to 30 bytes.
	chain[1] = rule_add_block(
		key, 0, name->wire + (len > RULE_BLOCK_LEN ? len - RULE_BLOCK_LEN : 0));
	for (unsigned n = 2; unlikely_(n * RULE_BLOCK_LEN < len); n++)
		chain[n] = rule_add_block(key, chain[n - 1], name->wire + len - n * RULE_BLOCK_LEN);
}

static inline uint64_t rule_suffix_hash(const uint64_t *key,
	const uint64_t chain[RULE_CHAIN_MAX + 1], const struct dns_name *name, unsigned off)
{
	const uint8_t *first = name->wire + off;
	uint8_t near_end[RULE_BLOCK_LEN];
	unsigned len = name->len - off;
	if (unlikely_(off > DNS_NAME_MAX - RULE_BLOCK_LEN)) { // no 16 bytes to read there
		memset(near_end, 0, sizeof(near_end));
		memcpy(near_end, first, len);
		first = near_end;
	}
	const uint8_t *kept = &rule_bytes_kept[DNS_NAME_MAX - len];
	uint64_t low = rule_load_8(first) & rule_load_8(kept);
	uint64_t high = rule_load_8(first + 8) & rule_load_8(kept + 8);
	uint64_t hash =
		rule_fold(low ^ key[len % RULE_BLOCK_LEN] ^ chain[(len - 1) / RULE_BLOCK_LEN],
			high ^ key[RULE_KEY_SECOND]);
	return hash + !hash;
}

// A query on its way through the steps. One hash per suffix that some rule could equal, the nearest
// last. A worker has a batch of these, so only what is used is written.
struct rule_probe {
	uint64_t candidates; // bit i: suffix i passed the bloom filter
	uint64_t depths;     // bit n: the suffix of n labels is hashed
	unsigned count;      // suffixes hashed
	uint64_t hash[RULE_LABELS_MAX + 1];
};

static inline const struct rule_bloom_block *rule_bloom_at(
	const struct rule_reader *r, uint64_t hash)
{
	return &r->bloom[rule_slot_of(hash, r->bloom_blocks)];
}

static inline bool rule_bloom_holds(const struct rule_reader *r, uint64_t hash)
{
	const struct rule_bloom_block *block = rule_bloom_at(r, hash);
	return !((rule_bloom_bits(hash, 0) & ~block->word[0])
		 | (rule_bloom_bits(hash, 1) & ~block->word[1]));
}

// Bit i: hash[i] may be there.
static inline unsigned rule_bloom_holds_words(const struct rule_reader *r, const uint64_t hash[2])
{
	return rule_bloom_holds(r, hash[0]) | (unsigned)rule_bloom_holds(r, hash[1]) << 1;
}

#ifdef __SSE4_1__
// A hash's six numbers of bits, each in 16 bits of its own; the last two are the first two again.
// For each: its two bytes, moved up to their end, and down from there.
static inline __m128i rule_bloom_numbers(__m128i hashes, __m128i bytes)
{
	const __m128i up =
		_mm_setr_epi16(1 << 10, 1 << 4, 1 << 6, 1 << 8, 1 << 10, 1 << 4, 1 << 10, 1 << 4);
	return _mm_srli_epi16(_mm_mullo_epi16(_mm_shuffle_epi8(hashes, bytes), up), 10);
}

// rule_bloom_holds for two at once, in vectors, half as many instructions: sixteen numbers of bits,
// the bytes of both blocks that these lie in, and their masks.
static inline unsigned rule_bloom_holds_two(const struct rule_reader *r, const uint64_t hash[2])
{
	const __m128i first = _mm_setr_epi8(0, 1, 0, 1, 1, 2, 2, 3, 3, 4, 3, 4, 0, 1, 0, 1);
	const __m128i second = _mm_add_epi8(first, _mm_set1_epi8(8));
	const __m128i bits =
		_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
	const __m128i words = _mm_setr_epi8(0, 0, 0, 8, 8, 8, 0, 0, 0, 0, 0, 8, 8, 8, 0, 0);
	const __m128i *a = (const __m128i *)(const void *)rule_bloom_at(r, hash[0]);
	const __m128i *b = (const __m128i *)(const void *)rule_bloom_at(r, hash[1]);
	__m128i both = _mm_loadu_si128((const __m128i *)(const void *)hash);
	__m128i n =
		_mm_packus_epi16(rule_bloom_numbers(both, first), rule_bloom_numbers(both, second));
	__m128i at = _mm_and_si128(_mm_srli_epi16(n, 3), _mm_set1_epi8(7));
	at = _mm_or_si128(at, words);
	__m128i of_a = _mm_shuffle_epi8(_mm_loadu_si128(a), at);
	__m128i of_b = _mm_shuffle_epi8(_mm_loadu_si128(b), at);
	__m128i there = _mm_blend_epi16(of_a, of_b, 0xf0);
	__m128i lacks = _mm_andnot_si128(there, _mm_shuffle_epi8(bits, n));
	__m128i holds = _mm_cmpeq_epi64(lacks, _mm_setzero_si128());
	return (unsigned)_mm_movemask_pd(_mm_castsi128_pd(holds));
}
#else
#define rule_bloom_holds_two rule_bloom_holds_words
#endif

// The numbers of labels that the suffixes to hash have: those that some rule has; one label only if
// the name's last one looks like a rule's.
static inline uint64_t rule_probe_depths(
	const struct rule_reader *r, const struct dns_name *name, const uint8_t *label_off)
{
	unsigned labels = name->labels < RULE_LABELS_MAX ? name->labels : RULE_LABELS_MAX;
	uint64_t depths = r->depths & ((UINT64_C(2) << labels) - 1);
	if (depths & 2) {
		const uint8_t *last = name->wire + label_off[name->labels - 1];
		uint64_t alike = r->singles[last[0] & 63] >> (last[1] & 31) & 1;
		depths ^= (alike ^ 1) << 1;
	}
	return depths;
}

static inline void rule_probe_suffixes(const struct rule_reader *r, const struct dns_name *name,
	const uint8_t *label_off, struct rule_probe *p)
{
	uint64_t chain[RULE_CHAIN_MAX + 1];
	unsigned n = 0;
	uint64_t depths = rule_probe_depths(r, name, label_off);
	label_off += name->labels;
	rule_chain(r->key, name, chain);
	for (uint64_t left = depths; left; left &= left - 1) {
		const uint64_t hash =
			rule_suffix_hash(r->key, chain, name, label_off[-__builtin_ctzll(left)]);
		__builtin_prefetch(rule_bloom_at(r, hash));
		p->hash[n++] = hash;
	}
	p->hash[n] = 0; // rule_probe_bloom reads one too many
	p->depths = depths;
	p->count = n;
	p->candidates = 0;
}

static inline void rule_probe_hash(
	const struct rule_reader *r, const struct dns_query *q, struct rule_probe *p)
{
	rule_probe_suffixes(r, &q->name, q->label_off, p);
}

static inline void rule_probe_bloom(const struct rule_reader *r, struct rule_probe *p)
{
	uint64_t candidates = 0;
	for (unsigned i = 0; i < p->count; i += 2) {
		unsigned held = rule_bloom_holds_two(r, &p->hash[i]);
		if (likely_(!held))
			continue;
		// Only for names that the filter may hold: any other line would be fetched in vain.
		uint64_t one = p->hash[i + !(held & 1)], other = p->hash[i + (held >> 1)];
		__builtin_prefetch(&r->table[rule_slot_of(one, r->table_homes)]);
		__builtin_prefetch(&r->table[rule_slot_of(other, r->table_homes)]);
		candidates |= (uint64_t)(i + 1 < p->count ? held : held & 1) << i;
	}
	p->candidates = candidates;
}

// Where the image has globs, for probes with candidates: drops those names whose globs cannot fit.
void rule_probe_globs(
	const struct rule_reader *r, const struct dns_name *name, struct rule_probe *p);

// The last two steps, only for probes with candidates: without one the query passes. The first
// looks where each candidate's entry is; one in seven lies behind its home bucket, in a line that
// nothing has fetched yet.
void rule_probe_reach(const struct rule_reader *r, const struct rule_probe *p);
struct rule_decision rule_probe_decide(const struct rule_reader *r, const struct rule_probe *p,
	const struct dns_name *name, uint16_t qtype, const uint64_t group_lists[4]);
