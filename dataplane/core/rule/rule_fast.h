// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The plain decision in line. At most one suffix of the name may be listed. Its entry is the only
// one of its fingerprint, in its home bucket or the next, and the lists of its set that the
// client's group has are all plain (rule_image.h). Nearly all blocked names are like that.
// rule_probe_decide handles all others, with the same results (test_rule_fast). Data plane only.
//
// Two steps, each for a whole batch before the next: find the set, which prefetches it; then
// decide.

#include <weir/rule_probe.h>

#ifdef __SSE4_1__
// Bits 2 i and 2 i + 1: the fingerprint of slot i is this.
ATTR_INLINE unsigned rule_fast_slots(const struct rule_bucket *b, uint64_t hash)
{
	static_assert(RULE_BUCKET_SLOTS == 6 && offsetof(struct rule_bucket, fingerprint) == 0);
	const __m128i *two = (const __m128i *)(const void *)b;
	const __m128i it = _mm_set1_epi64x((long long)hash);
	__m128i front = _mm_packs_epi32(_mm_cmpeq_epi64(it, _mm_load_si128(two)),
		_mm_cmpeq_epi64(it, _mm_load_si128(two + 1)));
	__m128i back = _mm_cmpeq_epi64(it, _mm_load_si128(two + 2));
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(front, _mm_packs_epi32(back, back)))
	       & 0xfff;
}
#else
ATTR_INLINE unsigned rule_fast_slots(const struct rule_bucket *b, uint64_t hash)
{
	unsigned slots = 0;
	for (unsigned i = 0; i < RULE_BUCKET_SLOTS; i++)
		slots |= (b->fingerprint[i] == hash ? 3U : 0) << 2 * i;
	return slots;
}
#endif

// The set of the entry that these slots of a bucket hold, fetched; NULL: not plain.
ATTR_INLINE const struct rule_set *rule_fast_set(
	const struct rule_reader *r, const struct rule_bucket *b, unsigned slots)
{
	const unsigned at = (unsigned)__builtin_ctz(slots), slot = at / 2;
	// Loaded once: the value checked is the value used.
	const unsigned set = __atomic_load_n(&b->set[slot], __ATOMIC_RELAXED);
	__builtin_prefetch(&r->sets[set]); // fetches in vain where there is no set
	if (unlikely_(slots >> at != 3 || b->more >> slot & 1 || set >= r->set_count))
		return NULL;
	return &r->sets[set];
}

// For a probe with candidates. NULL: not plain, or not in these buckets; then the lines that
// rule_fast_behind or rule_probe_decide reads next are prefetched.
ATTR_INLINE const struct rule_set *rule_fast_reach(
	const struct rule_reader *r, const struct rule_probe *p)
{
	if (unlikely_(p->candidates & (p->candidates - 1))) {
		rule_probe_reach(r, p);
		return NULL;
	}
	const uint64_t hash = p->hash[__builtin_ctzll(p->candidates)];
	const struct rule_bucket *b = &r->table[rule_slot_of(hash, r->table_homes)];
	const unsigned slots = rule_fast_slots(b, hash);
	if (likely_(slots))
		return rule_fast_set(r, b, slots);
	__builtin_prefetch(b + (__atomic_load_n(&b->walk, __ATOMIC_RELAXED) > 0));
	return NULL;
}

// Once more, after all of a batch: in the bucket behind the home one, where an entry in seven is.
// Gains 5.4 cycles of the DNS stages of a blocked query (145.0 with it, 150.4 without: medians of 9
// interleaved runs). To repeat: tools/bench --goals G4 --against a build without it.
ATTR_INLINE const struct rule_set *rule_fast_behind(
	const struct rule_reader *r, const struct rule_probe *p)
{
	if (unlikely_(p->candidates & (p->candidates - 1)))
		return NULL;
	const uint64_t hash = p->hash[__builtin_ctzll(p->candidates)];
	const struct rule_bucket *b = &r->table[rule_slot_of(hash, r->table_homes)];
	if (unlikely_(__atomic_load_n(&b->walk, __ATOMIC_RELAXED) == 0)
		|| unlikely_(rule_fast_slots(b, hash)))
		return NULL;
	const unsigned slots = rule_fast_slots(b + 1, hash);
	return likely_(slots) ? rule_fast_set(r, b + 1, slots) : NULL;
}

// Plain lists of the group hold the name, and no other of its lists does: it is blocked as the
// group says.
ATTR_INLINE bool rule_fast_blocks(
	const struct rule_reader *r, const struct rule_set *set, const uint64_t lists[4])
{
#ifdef __SSE4_1__
	const __m128i *of = (const __m128i *)(const void *)set, *group = (const void *)lists,
		      *plain = (const void *)r->plain;
	const __m128i a = _mm_and_si128(_mm_loadu_si128(of), _mm_loadu_si128(group));
	const __m128i b = _mm_and_si128(_mm_loadu_si128(of + 1), _mm_loadu_si128(group + 1));
	const __m128i any = _mm_or_si128(a, b);
	const __m128i odd = _mm_or_si128(_mm_andnot_si128(_mm_loadu_si128(plain), a),
		_mm_andnot_si128(_mm_loadu_si128(plain + 1), b));
	return likely_(_mm_testz_si128(odd, odd)) && likely_(!_mm_testz_si128(any, any));
#else
	uint64_t any = 0, odd = 0;
	for (unsigned w = 0; w < 4; w++) {
		any |= set->lists[w] & lists[w];
		odd |= set->lists[w] & lists[w] & ~r->plain[w];
	}
	return likely_(!odd) && likely_(any);
#endif
}

// The lowest list of those that block.
ATTR_INLINE unsigned rule_fast_list(const struct rule_set *set, const uint64_t lists[4])
{
	unsigned w = 0;
	while (w < 3 && !(set->lists[w] & lists[w]))
		w++;
	const uint64_t of = set->lists[w] & lists[w];
	return w * 64 + (of ? (unsigned)__builtin_ctzll(of) : 0);
}
