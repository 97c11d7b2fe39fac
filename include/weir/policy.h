// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The policy image: whether a client may ask and how often, which group it is in, what applies to
// each group, and who is a balancer. This header is its layout (behind the first page of a
// REGION_POLICY region) and the reader; the builder is controlplane/policy/policy_build.h.
// docs/explanation/client-lookups.md explains the tables.
//
// A lookup of an address returns its leaf: the number of its group and its class of access, in one
// byte. Groups are numbered from 1; 0 is everyone else. The reader treats the image as hostile:
// sums and geometry are checked once, groups and geometry are private copies, and each number that
// is read is masked or compared.

#include "attr.h"
#include "bytes.h"
#include "shm_abi.h"

#include <stdbool.h>
#include <string.h>

enum {
	POLICY_GROUPS_MAX = 64, // group 0 included
	POLICY_LEAVES = 256,
	POLICY_PREFIXES_MAX = 4096,
	POLICY_MACS_MAX = 4096,
	POLICY_MAC_LEN = 6,
	POLICY_IIDS_MAX = 4096, // interface identifiers: the lower halves of IPv6 addresses
	POLICY_IID_LEN = 8,
	POLICY_VLANS = 4096, // numbers of 802.1Q; 0: no tag
	POLICY_V4_TOP = 65536,
	POLICY_V4_BITS = 4, // bits of each level but the first
	POLICY_V4_BLOCK = 1 << POLICY_V4_BITS,
	POLICY_V4_BLOCKS_MAX = 1 << 15, // a power of two, as any number of blocks is
	POLICY_V6_LENGTHS = 129,
	POLICY_V6_TOP_BITS = 12,
	POLICY_V6_TOP = 1 << POLICY_V6_TOP_BITS,
	POLICY_V6_NARROW = 64, // the longest prefix of which the upper half is all of the key
	POLICY_V6_NARROW_WORDS = 2,
	POLICY_V6_WIDE_WORDS = 4,
	POLICY_V6_SLOTS_MAX = 1 << 14, // a pilot has 16 bits, and two less where keys are wide
	POLICY_RATE_MAX = 10000000,
	POLICY_BURST_MAX_S = 60,
	POLICY_BALANCERS_MAX = 64,
};
#define POLICY_MAGIC   UINT64_C(0x31304c4f50524557) // "WERPOL01"
#define POLICY_VERSION 8

// The access of a client, in the upper bits of a leaf; the fourth value counts as the third.
enum policy_access {
	POLICY_ASK,         // no limit
	POLICY_ASK_LIMITED, // struct policy_limit
	POLICY_DENIED,
	POLICY_ACCESS_SHIFT = 6
};

// A token bucket (like RFC 2697's) for each address (IPv6: /64) and each network (/24, /56).
struct policy_limit {
	uint32_t rate, network_rate; // queries a second; 0: no bucket
	uint32_t burst_s;            // a bucket holds the queries of this many seconds
	uint32_t slip;               // each how many-th over it is answered by TC; 0: drops all
	uint32_t reply_octets;
	uint32_t reserved;
};

struct policy_group {
	uint64_t lists[4];  // that apply, one bit per list number
	uint64_t view_hash; // hash of the view's definition, 0: view 0; for the next control plane
	uint64_t safe_hash; // hash of the safe view's definition
	uint16_t view;
	uint16_t safe_view; // 0 without one: names of class SAFE are as all others
	struct dns_block block;
	uint8_t block_all; // 1: all but local data and what an allow rule names
	uint8_t reserved[7];
};
static_assert(sizeof(struct policy_group) == 88);

// A key is as in the packet, masked; in a spare slot that of some other one. No slot lies in two
// lines.
struct policy_v6_narrow { // prefixes up to POLICY_V6_NARROW, MAC addresses, interface identifiers
	uint64_t key;     // a MAC address is followed by zeros
	uint64_t leaf;    // a MAC address and an identifier have their group here
};
static_assert(sizeof(struct policy_v6_narrow) == POLICY_V6_NARROW_WORDS * sizeof(uint64_t));

struct policy_v6_wide {
	uint64_t key[2], leaf, reserved;
};
static_assert(sizeof(struct policy_v6_wide) == POLICY_V6_WIDE_WORDS * sizeof(uint64_t));

// The prefixes of one length.
struct policy_v6_table {
	uint64_t seed;
	uint64_t pilot_off;     // uint16_t, each counting words of slots
	uint64_t slot_off;      // a multiple of a slot's bytes
	uint32_t pilots, slots; // powers of two
	uint8_t length;
	uint8_t reserved[7];
};
static_assert(sizeof(struct policy_v6_table) == 40);

struct policy_balancer { // a prefix; IPv4 in the first 4 bytes
	uint8_t ip[16], ip_version, prefix_len, reserved[6];
};
static_assert(sizeof(struct policy_balancer) == 24);

// Offsets are from the start of this struct.
struct policy_head {
	uint64_t magic;
	uint32_t version;
	uint32_t group_count; // 1: no group but 0
	uint64_t size;        // bytes in all
	uint64_t v4_off;      // POLICY_V4_TOP entries, then the blocks, all uint16_t
	uint32_t v4_blocks;   // a power of two
	uint32_t prefix_count;
	uint32_t v6_length_count;
	uint32_t mac_count;
	struct policy_limit limit;
	uint8_t other_leaf; // leaf of an address that no prefix covers
	uint8_t has_access; // 1: not everyone is POLICY_ASK
	uint8_t refuse;     // 1: POLICY_DENIED gets REFUSED; 0: nothing
	uint8_t balancer_count;
	uint32_t iid_count;
	struct policy_v6_table mac;                   // only if mac_count is not 0
	struct policy_v6_table iid;                   // only if iid_count is not 0
	struct policy_v6_table v6[POLICY_V6_LENGTHS]; // ascending lengths
	struct policy_group group[POLICY_GROUPS_MAX];
	uint8_t vlan[POLICY_VLANS]; // the group of each; 0 without one
	struct policy_balancer balancer[POLICY_BALANCERS_MAX];
	uint64_t body_sum; // contenthash of all bytes after this struct
	uint64_t head_sum; // contenthash of this struct up to here
};
static_assert(sizeof(struct policy_head) % 8 == 0);
static_assert(offsetof(struct policy_head, iid_count) == 76);
static_assert(offsetof(struct policy_head, mac) == 80);
static_assert(offsetof(struct policy_head, iid) == 120);
static_assert(offsetof(struct policy_head, v6) == 160);

struct policy_v6_reader {
	uint64_t bits[2]; // mask of the length
	uint64_t seed;
	const uint16_t *pilots;
	const uint64_t *slots;
	uint32_t pilot_mask, word_mask; // the latter lets first words of slots through
};

struct policy_reader {
	const uint16_t *v4;
	uint64_t v4_mask; // for the distance of a block from the first one
	uint32_t group_count;
	uint32_t v6_length_count, v6_narrow_count; // all, of which the first are narrow
	bool has_macs, has_iids;
	bool has_vlans;     // some VLAN is in a group
	bool has_block_all; // some group
	bool has_access;    // some clients are not POLICY_ASK
	bool refuse;
	uint8_t other_leaf;
	struct policy_limit limit;
	struct policy_v6_reader mac, iid;
	struct policy_v6_reader v6[POLICY_V6_LENGTHS]; // lengths over POLICY_V6_TOP_BITS
	uint16_t v6_top[POLICY_V6_TOP];
	struct policy_group group[POLICY_GROUPS_MAX]; // beyond group_count like group 0
	uint8_t vlan[POLICY_VLANS];
	unsigned balancer_count;
	struct policy_balancer balancer[POLICY_BALANCERS_MAX];
};

// Checks magic, version, sums, offsets and sizes. `size` may be larger than the image (a region
// ends with a page). -EPROTO with `why` filled in.
ATTR_MUST_CHECK int policy_reader_init(
	struct policy_reader *r, const void *image, size_t size, char why[128]);
// Does each query from there begin with a PROXY header (proxy_protocol.from)? Compares all
// prefixes.
bool policy_is_balancer(const struct policy_reader *r, unsigned ip_version, const uint8_t *address);

// Must a client's group be looked up? Not where group 0 is the only one: its settings are in struct
// dp_config.
ATTR_INLINE bool policy_has_groups(const struct policy_reader *r)
{
	return r->group_count > 1 || r->group[0].safe_view || r->has_block_all;
}

// The pilot is chosen by the lower half, the slot by the upper one and the pilot. The halves of the
// product are made apart: as one number gcc keeps them on the stack.
ATTR_INLINE uint64_t policy_v6_fold(uint64_t a, uint64_t b)
{
	const uint64_t upper = (uint64_t)((unsigned __int128)a * b >> 64);
	return upper ^ a * b;
}

// `seed`: odd.
ATTR_INLINE uint64_t policy_v6_hash_narrow(uint64_t seed, uint64_t key)
{
	return policy_v6_fold(key, seed);
}

// Both factors have something of the seed, or what two keys differ by would be multiplied by the
// same number under every seed.
ATTR_INLINE uint64_t policy_v6_hash_wide(uint64_t seed, const uint64_t key[2])
{
	return policy_v6_fold(key[0] ^ seed, key[1] ^ (seed << 32 | seed >> 32));
}

ATTR_INLINE bool policy_v6_is_narrow(unsigned length)
{
	return length <= POLICY_V6_NARROW;
}

// The words of a slot in the table of this length.
ATTR_INLINE unsigned policy_v6_words(unsigned length)
{
	return policy_v6_is_narrow(length) ? POLICY_V6_NARROW_WORDS : POLICY_V6_WIDE_WORDS;
}

ATTR_INLINE unsigned policy_v4_load(const struct policy_reader *r, unsigned i)
{
	return __atomic_load_n(&r->v4[i], __ATOMIC_RELAXED);
}

// Entry `at` of a block. There are as many blocks as the mask lets through.
ATTR_INLINE unsigned policy_v4_next(const struct policy_reader *r, unsigned block, unsigned at)
{
	const uint64_t off = block * (uint64_t)POLICY_V4_BLOCK * sizeof(uint16_t) & r->v4_mask;
	const uint8_t *p = (const uint8_t *)(r->v4 + POLICY_V4_TOP) + off;
	return __atomic_load_n(
		(const uint16_t *)(const void *)p + at % POLICY_V4_BLOCK, __ATOMIC_RELAXED);
}

// `address`: 4 bytes as in the packet. The first load of a lookup: the leaf, or POLICY_LEAVES or
// more.
ATTR_INLINE unsigned policy_first_v4(const struct policy_reader *r, const uint8_t *address)
{
	return policy_v4_load(r, get_u16(address));
}

// A lookup in two halves, for callers with many of them. The upper 24 bits, whose loads are from
// few cache lines, give the block in which the lower ones continue.
ATTR_INLINE unsigned policy_upper_v4(const struct policy_reader *r, uint32_t whole)
{
	unsigned e = policy_v4_load(r, whole >> 16);
	e = policy_v4_next(r, e, whole >> 12);
	return policy_v4_next(r, e, whole >> 8);
}

ATTR_INLINE unsigned policy_lower_v4(const struct policy_reader *r, unsigned block, uint32_t whole)
{
	unsigned e = policy_v4_next(r, block, whole >> 4);
	return policy_v4_next(r, e, whole) & (POLICY_LEAVES - 1);
}

ATTR_INLINE unsigned policy_leaf_v4(const struct policy_reader *r, const uint8_t *address)
{
	const uint32_t whole = get_u32(address);
	return policy_lower_v4(r, policy_upper_v4(r, whole), whole);
}

// `a` where `first` is not 0, else `b`. Of two loaded numbers gcc makes a conditional move, but a
// branch where the outcome is stored in place; clang makes a branch, of masks too.
ATTR_INLINE uint64_t policy_choose(uint64_t first, uint64_t a, uint64_t b)
{
	return first ? a : b;
}

ATTR_INLINE const uint64_t *policy_v6_slot(const struct policy_v6_reader *t, uint64_t hash)
{
	const unsigned pilot = __atomic_load_n(&t->pilots[hash & t->pilot_mask], __ATOMIC_RELAXED);
	return &t->slots[(hash >> 32 ^ pilot) & t->word_mask];
}

// The leaf of `whole` masked, or `leaf` where that is not in the table.
ATTR_INLINE uint64_t policy_look_narrow(
	const struct policy_v6_reader *t, uint64_t whole, uint64_t leaf)
{
	const uint64_t key = whole & t->bits[0];
	const uint64_t *s = policy_v6_slot(t, policy_v6_hash_narrow(t->seed, key));
	const uint64_t found = s[1];
	return policy_choose(s[0] ^ key, leaf, found);
}

ATTR_INLINE uint64_t policy_look_wide(
	const struct policy_v6_reader *t, const uint64_t whole[2], uint64_t leaf)
{
	const uint64_t key[2] = {whole[0] & t->bits[0], whole[1] & t->bits[1]};
	const uint64_t *s = policy_v6_slot(t, policy_v6_hash_wide(t->seed, key));
	const uint64_t found = s[2];
	return policy_choose((s[0] ^ key[0]) | (s[1] ^ key[1]), leaf, found);
}

// `address`: 16 bytes.
ATTR_INLINE unsigned policy_first_v6(const struct policy_reader *r, const uint8_t *address)
{
	return r->v6_top[get_u16(address) >> (16 - POLICY_V6_TOP_BITS)];
}

ATTR_INLINE unsigned policy_leaf_v6(const struct policy_reader *r, const uint8_t *address)
{
	uint64_t whole[2], leaf = policy_first_v6(r, address);
	memcpy(whole, address, sizeof(whole));
	unsigned i = 0;
	for (; i < r->v6_narrow_count; i++)
		leaf = policy_look_narrow(&r->v6[i], whole[0], leaf);
	for (; i < r->v6_length_count; i++)
		leaf = policy_look_wide(&r->v6[i], whole, leaf);
	return (unsigned)leaf & (POLICY_LEAVES - 1);
}

// Below POLICY_GROUPS_MAX.
ATTR_INLINE unsigned policy_group_of(unsigned leaf)
{
	return leaf & (POLICY_GROUPS_MAX - 1);
}

ATTR_INLINE enum policy_access policy_access_of(unsigned leaf)
{
	unsigned access = leaf >> POLICY_ACCESS_SHIFT;
	return access < POLICY_DENIED ? (enum policy_access)access : POLICY_DENIED;
}

// Only if has_macs. `mac`: in a frame, as two bytes behind it are read too. `group`: by prefix.
ATTR_INLINE unsigned policy_group_mac(
	const struct policy_reader *r, const uint8_t *mac, unsigned group)
{
	uint64_t whole;
	memcpy(&whole, mac, sizeof(whole));
	return (unsigned)policy_look_narrow(&r->mac, whole, group) & (POLICY_GROUPS_MAX - 1);
}

// Only if has_iids. `address`: 16 bytes. `group`: by prefix.
ATTR_INLINE unsigned policy_group_iid(
	const struct policy_reader *r, const uint8_t *address, unsigned group)
{
	uint64_t lower;
	memcpy(&lower, address + POLICY_IID_LEN, sizeof(lower));
	return (unsigned)policy_look_narrow(&r->iid, lower, group) & (POLICY_GROUPS_MAX - 1);
}

// `group`: by MAC address or prefix; unless it is 0, it beats the group of this VLAN.
ATTR_INLINE unsigned policy_group_vlan(const struct policy_reader *r, unsigned vlan, unsigned group)
{
	return group ? group : r->vlan[vlan % POLICY_VLANS];
}
