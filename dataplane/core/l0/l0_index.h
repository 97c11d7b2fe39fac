// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The arithmetic of L0's index, shared by reader and writer: where a hash lives, and which slots of
// a bucket carry a tag.
//
// Tag: the top 16 bits of the hash, never 0. First bucket: its low bits, the top six of which are
// the part. Second bucket: first xor an odd multiple of the tag in the bits below the part, so it
// differs from the first, lies in the same part, and the same step leads back.
// Attackers know neither: the hash is keyed.

#include <stdbool.h>
#include <weir/l0_table.h>
#include <weir/sanitized.h>

#if !SANITIZED_THREAD && defined(__SSE2__)
#include <emmintrin.h>
#else
#define L0_TAGS_SCALAR 1
#endif

enum { L0_SLOT_BITS = (1 << L0_BUCKET_SLOTS) - 1 };

ATTR_INLINE uint16_t l0_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);
	return tag ? tag : 1;
}

ATTR_INLINE uint64_t l0_other_bucket(uint64_t bucket, uint16_t tag, uint64_t mask)
{
	return bucket ^ ((tag * UINT64_C(0x9e3779b1) | 1) & mask >> L0_PART_BITS);
}

// Bit i: slot i carries the tag. The loads acquire: a record number read after a tag is at least as
// new as that tag.
ATTR_INLINE unsigned l0_match_scalar(const struct l0_bucket *b, uint16_t tag)
{
	unsigned bits = 0;
	for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++)
		bits |= (unsigned)(atomic_load_explicit(&b->tag[i], memory_order_acquire) == tag)
			<< i;
	return bits;
}

#ifndef L0_TAGS_SCALAR
// The twin in two vector compares. The second takes in 6 words of record numbers, masked off. Each
// 16-bit element is loaded whole (aligned vector loads are never torn within 8 bytes), x86 does
// not reorder loads, and the fence, no instruction here, keeps the compiler from it.
ATTR_INLINE unsigned l0_match_sse2(const struct l0_bucket *b, uint16_t tag)
{
	const __m128i *line = (const __m128i *)(const void *)b;
	__m128i want = _mm_set1_epi16((short)tag);
	__m128i low = _mm_cmpeq_epi16(_mm_load_si128(line), want);
	__m128i high = _mm_cmpeq_epi16(_mm_load_si128(line + 1), want);
	atomic_thread_fence(memory_order_acquire);
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high)) & L0_SLOT_BITS;
}
#endif

ATTR_INLINE unsigned l0_match(const struct l0_bucket *b, uint16_t tag)
{
#ifdef L0_TAGS_SCALAR
	return l0_match_scalar(b, tag);
#else
	return l0_match_sse2(b, tag);
#endif
}

// Acquire, so that the record's bytes are complete whichever record this number names: a slot may
// be emptied and used again between a reader's load of the tag and this one. The reader then meets
// a record that its tag did not promise, and the full key compare decides.
ATTR_INLINE uint32_t l0_slot_record(const struct l0_bucket *b, size_t slot)
{
	return atomic_load_explicit(&b->record[slot], memory_order_acquire);
}

ATTR_INLINE bool l0_overflows(const struct l0_bucket *b)
{
	return atomic_load_explicit(&b->overflow, memory_order_relaxed) != 0;
}
