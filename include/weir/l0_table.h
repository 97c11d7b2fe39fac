// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// L0: the answer cache in shared memory. This header is the layout and the reader; the writer is
// l0_writer.h.
//
// One table for all workers, written by the control plane's resolvers, mapped read-only by the data
// plane. Each resolver is the only writer of its share: of the buckets of some of the 64 parts that
// the top bits of the bucket number make, and of as many of the record units. Both buckets of a key
// lie in one part. Records are immutable: a change writes a new record, publishes it in an index
// slot (record number first, tag last, by release) and frees the old one after every worker passed
// a quiescent state. No entry moves, no lock, no retry, no seqlock.
//
// Index: buckets of one cache line: 10 tags of 16 bits, 10 record numbers of 32 bits, and a count
// of keys of this bucket that live in their second one (0 ends a lookup early). Two buckets per
// key, second = first xor a hash of the tag within the part. A record number is an offset in units
// of 32 bytes; number 0 is never used. The hash is keyed (keyhash.h), the secret lives in the
// region.
//
// Reader's cost for a hit: one bucket line (1.17 on average), the record's lines. The reader treats
// what it reads as hostile for safety: each length once, checked against private geometry.

#include "attr.h"
#include "dns_query.h"
#include "dns_reply.h"
#include "keyhash.h"
#include "rule_image.h"
#include "shm_abi.h"

enum { L0_BUCKET_SLOTS = 10, L0_UNIT = 32, L0_ANSWER_MAX = 16384 };
enum { L0_PART_BITS = 6, L0_PARTS = 1 << L0_PART_BITS };
#define L0_NONE 0u // no record

struct l0_bucket {
	alignas(CACHE_LINE) _Atomic uint16_t tag[L0_BUCKET_SLOTS]; // 0: free
	_Atomic uint32_t record[L0_BUCKET_SLOTS];
	_Atomic uint32_t overflow; // keys whose first bucket this is and that live in their second
};
static_assert(sizeof(struct l0_bucket) == 64);

// L0_KEY_SUBNET: the answer is for the clients of one subnet (RFC 7871), and the name has a label
// in front that says which. Keys of workers have no such flag, so resolvers alone find it.
enum { L0_KEY_DO = 1, L0_KEY_CD = 2, L0_KEY_SUBNET = 4 };

// Followed by: name (name_len bytes, lower case, wire form), a table of TTL offsets (uint16_t each,
// at an even offset; left out where L0_RECORD_EVEN), answer (answer_len bytes), and a struct
// rule_set, at any offset, if L0_RECORD_MASKED. It takes as many units as these need: four A
// records under a name of 24 bytes take two lines, so every byte here counts. Fields that are read
// together share a word. The class is IN, no other is stored.
struct l0_record {
	union {
		struct {
			uint64_t created_ms : 39; // clock_mono_ms, 17 years of it; TTLs age from
						  // here
			uint64_t insecure : 1;    // proven to be: it never has AD
			uint64_t rcode : 4;
			uint64_t flags : 4; // L0_RECORD_*
			uint64_t answer_len : 16;
		};
		uint64_t head_word;
	};
	uint32_t soft_ms; // after created: fresh until then
	uint32_t hard_ms; // after created: never used from then on
	// After created. A stamped record: workers serve it stale until then (upstreams fail).
	// Others: a hit from then on asks for a refresh; UINT32_MAX: never.
	uint32_t then_ms;
	uint32_t check; // over all bytes of the record but these four; verified by recovery
	union {
		struct {
			uint16_t qtype;
			uint16_t ttls; // bytes of each resource record if even, else how many
				       // offsets
			uint16_t view;
			uint8_t key_flags; // L0_KEY_*
			uint8_t name_len;
		};
		uint64_t key_word; // all fields below at once, as in struct l0_key but for ttls
	};
	union {
		struct {
			uint64_t ancount : 12;
			uint64_t nscount : 12;
			uint64_t auth_ttl_s : 24; // 194 days at most
			uint64_t sum : 16;        // see l0_record.h
		};
		uint64_t count_word;
	};
};
enum {
	L0_RECORD_AUTHENTICATED = 1,
	L0_RECORD_STAMPED = 2,
	// All resource records are as long, each begins with a pointer of two bytes, and each TTL
	// ages: nearly every answer to A and AAAA, and all of one record.
	L0_RECORD_EVEN = 4,
	// A CNAME, address or name of the answer is on lists; the set behind the answer says on
	// which. rule_mask_blocks (rule_image.h) says for which group the answer is blocked. That
	// is not just `mask & group`, because the set also holds the lists that allow.
	L0_RECORD_MASKED = 8,
};
static_assert(sizeof(struct l0_record) == 40);
static_assert(offsetof(struct l0_record, check) == 20);
static_assert(offsetof(struct l0_record, key_word) == 24);

// REGION_L0, second page; then buckets, then record units. geometry: [0] buckets (power of two),
// [1] record units, the last of which no record begins in, [2] byte offset of the buckets in the
// file, [3] of the units, [4] resolvers that share it (1 to SHM_RESOLVERS_MAX).
struct l0_head {
	struct keyhash_secret secret; // written once, before the region is published
};

struct l0_key {
	uint64_t hash;
	const uint8_t *name; // wire, lower case
	union {
		struct {
			uint16_t qtype, qclass;
			uint16_t view;
			uint8_t flags;
			uint8_t name_len;
		};
		uint64_t word; // all fields below at once: hashed and compared as one
	};
};

struct l0_reader {
	const struct l0_bucket *buckets;
	const uint8_t *units;
	uint64_t bucket_mask;
	uint32_t unit_count; // one less than there are: a record's scalars reach into a second one
	uint8_t part_shift;  // bits of a bucket number below those of its part
	uint8_t resolvers;
	struct keyhash_secret secret; // private copy
};

// Bytes behind the region's first page and the geometry for a table of at most `bytes` bytes in
// all, assuming `mean_units` units per record (3 is one A record) and an index load of 0.75; as
// buckets are a power of two it comes out between 0.4 and 0.85. -EINVAL below 1 MiB, at 2^32 units
// or more, for a mean over 256, or for no resolver or more than SHM_RESOLVERS_MAX. The smallest
// table still has room for the longest answers in each of eight shares.
ATTR_MUST_CHECK int l0_plan(uint64_t bytes, unsigned mean_units, unsigned resolvers,
	uint64_t geometry[SHM_GEOMETRY_WORDS], size_t *data_size);

// Checks the region's geometry against its size. -EPROTO if they disagree.
ATTR_MUST_CHECK int l0_reader_init(struct l0_reader *r, const uint8_t *base, size_t size);

// Bytes of the label that names a subnet; 0: the name has none. Within the name, whatever it holds.
ATTR_INLINE unsigned l0_subnet_len(uint8_t flags, const uint8_t *name, uint8_t name_len)
{
	const unsigned len = flags & L0_KEY_SUBNET && name_len ? 1u + name[0] : 0;
	return len < name_len ? len : 0;
}

// Fills in the hash; the others are the caller's. With L0_KEY_SUBNET its part is that of the key
// without it, so a resolver owns all answers to the questions that it gets.
void l0_key_hash(const struct l0_reader *r, struct l0_key *key);
void l0_key_of_query(const struct l0_reader *r, const struct dns_query *q, uint16_t view,
	struct l0_key *key); // key->name points into q

// The resolver of a key: part p belongs to resolver p * resolvers / 64, for any number of
// resolvers.
ATTR_INLINE unsigned l0_part_of(const struct l0_reader *r, uint64_t hash)
{
	return (unsigned)((hash & r->bucket_mask) >> r->part_shift);
}
ATTR_INLINE unsigned l0_resolver_of(const struct l0_reader *r, uint64_t hash)
{
	return l0_part_of(r, hash) * r->resolvers / L0_PARTS;
}

// What resolver `index` of r->resolvers writes: these buckets, and these units but the first.
struct l0_share {
	uint64_t bucket_first, buckets;
	uint32_t unit_first, units;
};
void l0_share_of(const struct l0_reader *r, unsigned index, struct l0_share *out);

// The three steps of a batched lookup.
ATTR_INLINE void l0_prefetch_bucket(const struct l0_reader *r, uint64_t hash)
{
	__builtin_prefetch(&r->buckets[hash & r->bucket_mask]);
}
// First record whose tag fits (L0_NONE: certainly absent), its first two lines prefetched.
// UINT32_MAX: the slot holds nonsense, which l0_find will count.
uint32_t l0_candidate(const struct l0_reader *r, uint64_t hash);
// Full lookup with key compare; `candidate` is the result of l0_candidate and is tried first.
// L0_NONE: absent. Counts a record that fails its bounds check in *anomalies. Prefetches the third
// line of one that has it.
uint32_t l0_find(const struct l0_reader *r, const struct l0_key *key, uint32_t candidate,
	uint64_t *anomalies);

// A record's scalars and parts, copied and checked once, TTL offsets included: false for a damaged
// record. Pointers lead into the table and are good until the reader's next quiescent state; a
// broken writer may still overwrite the checked bytes, so a user loads ttl_off[i] once and compares
// it with len again, as dns_reply_answer does.
struct l0_view {
	uint64_t created_ms;
	uint32_t soft_ms, hard_ms, refresh_ms, stale_until_ms, auth_ttl_s;
	const uint8_t *name;
	uint8_t name_len, key_flags;
	uint16_t qtype, qclass, view, units;
	bool masked;
	struct rule_set mask; // if checked; else undefined, as most records have none
	struct dns_answer_view answer;
};
ATTR_MUST_CHECK bool l0_record_read(
	const struct l0_reader *r, uint32_t record, struct l0_view *out);

// The key that a record has in table r, which may be another one than it is in. Points into *v.
void l0_key_of_view(const struct l0_reader *r, const struct l0_view *v, struct l0_key *key);

enum l0_age { L0_FRESH, L0_SOFT_EXPIRED, L0_HARD_EXPIRED };
static inline enum l0_age l0_age_of(const struct l0_view *v, uint64_t now_ms)
{
	uint64_t age = now_ms > v->created_ms ? now_ms - v->created_ms : 0;
	return age < v->soft_ms ? L0_FRESH : age < v->hard_ms ? L0_SOFT_EXPIRED : L0_HARD_EXPIRED;
}
