// SPDX-License-Identifier: BSD-3-Clause
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <weir/keyhash.h>
#include <weir/policy.h>

static int refuse(char why[128], const char *text)
{
	snprintf(why, 128, "%s", text);
	return -EPROTO;
}

// The mask of a length, in network byte order.
static void v6_bits(unsigned length, uint64_t out[2])
{
	uint8_t bytes[16] = {0};
	for (unsigned i = 0; i < length && i < 128; i++)
		bytes[i / 8] |= (uint8_t)(0x80u >> i % 8);
	memcpy(out, bytes, sizeof(bytes));
}

static int head_check(const struct policy_head *h, size_t size, char why[128])
{
	if (h->magic != POLICY_MAGIC)
		return refuse(why, "not a policy image");
	if (h->version != POLICY_VERSION)
		return refuse(why, "policy image of another version");
	if (h->head_sum != contenthash(h, offsetof(struct policy_head, head_sum)))
		return refuse(why, "policy image: its head is damaged");
	if (h->size < sizeof(*h) || h->size > size)
		return refuse(why, "policy image: cut short");
	if (h->group_count < 1 || h->group_count > POLICY_GROUPS_MAX
		|| h->v6_length_count > POLICY_V6_LENGTHS || h->mac_count > POLICY_MACS_MAX
		|| h->iid_count > POLICY_IIDS_MAX)
		return refuse(why,
			"policy image: too many groups, lengths, MAC addresses or identifiers");
	if (h->limit.rate > POLICY_RATE_MAX || h->limit.network_rate > POLICY_RATE_MAX
		|| h->limit.burst_s > POLICY_BURST_MAX_S)
		return refuse(why, "policy image: a limit that no bucket can hold");
	for (unsigned i = 0; i < h->group_count; i++)
		if (h->group[i].block.mode >= DNS_BLOCK_MODES)
			return refuse(why, "policy image: a group with an unknown block reply");
	for (unsigned i = 0; i < POLICY_VLANS; i++)
		if (h->vlan[i] >= h->group_count)
			return refuse(why, "policy image: a VLAN of a group that is not in it");
	return 0;
}

static int balancers_check(const struct policy_head *h, char why[128])
{
	if (h->balancer_count > POLICY_BALANCERS_MAX)
		return refuse(why, "policy image: too many balancers");
	for (unsigned i = 0; i < h->balancer_count; i++) {
		const struct policy_balancer *b = &h->balancer[i];
		if ((b->ip_version != 4 && b->ip_version != 6)
			|| b->prefix_len > (b->ip_version == 4 ? 32 : 128))
			return refuse(why, "policy image: a balancer that is no prefix");
	}
	return 0;
}

static bool fits(uint64_t off, uint64_t bytes, unsigned align, uint64_t size)
{
	return off % align == 0 && off >= sizeof(struct policy_head) && off <= size
	       && bytes <= size - off;
}

static bool is_power(uint32_t n)
{
	return n > 0 && n <= POLICY_V6_SLOTS_MAX && (n & (n - 1)) == 0;
}

static int table_check(const struct policy_head *h, const struct policy_v6_table *t, char why[128])
{
	const unsigned slot = policy_v6_words(t->length) * sizeof(uint64_t);
	if (t->length > 128)
		return refuse(why, "policy image: a prefix longer than an address");
	if (!is_power(t->pilots) || !is_power(t->slots)
		|| !fits(t->pilot_off, t->pilots * sizeof(uint16_t), 2, h->size)
		|| !fits(t->slot_off, (uint64_t)t->slots * slot, slot, h->size))
		return refuse(why, "policy image: table of IPv6 or MAC addresses outside of it");
	return 0;
}

static int geometry_check(const struct policy_head *h, char why[128])
{
	uint64_t v4 = (POLICY_V4_TOP + (uint64_t)h->v4_blocks * POLICY_V4_BLOCK) * sizeof(uint16_t);
	if (h->v4_blocks < POLICY_LEAVES || h->v4_blocks > POLICY_V4_BLOCKS_MAX
		|| (h->v4_blocks & (h->v4_blocks - 1)) != 0 || !fits(h->v4_off, v4, 2, h->size))
		return refuse(why, "policy image: IPv4 table outside of it");
	if (h->mac_count && h->mac.length != 8 * POLICY_MAC_LEN)
		return refuse(why, "policy image: MAC addresses of another length");
	if (h->iid_count && h->iid.length != 8 * POLICY_IID_LEN)
		return refuse(why, "policy image: interface identifiers of another length");
	int rc = h->mac_count ? table_check(h, &h->mac, why) : 0;
	if (rc == 0 && h->iid_count)
		rc = table_check(h, &h->iid, why);
	for (unsigned i = 0; rc == 0 && i < h->v6_length_count; i++) {
		if (i > 0 && h->v6[i].length <= h->v6[i - 1].length)
			return refuse(why, "policy image: lengths of prefixes out of order");
		rc = table_check(h, &h->v6[i], why);
	}
	return rc;
}

static void table_use(
	struct policy_v6_reader *r, const struct policy_v6_table *t, const uint8_t *base)
{
	*r = (struct policy_v6_reader){
		.seed = t->seed,
		.pilots = (const uint16_t *)(const void *)(base + t->pilot_off),
		.slots = (const uint64_t *)(const void *)(base + t->slot_off),
		.pilot_mask = t->pilots - 1,
		.word_mask = (t->slots - 1) * policy_v6_words(t->length),
	};
	v6_bits(t->length, r->bits);
}

static unsigned top_of(uint64_t key)
{
	return (unsigned)(be64toh(key) >> (64 - POLICY_V6_TOP_BITS));
}

// The leaf of one short prefix.
static void top_fill(struct policy_reader *r, uint64_t key, uint64_t leaf, unsigned length)
{
	unsigned wide = 1u << (POLICY_V6_TOP_BITS - length), from = top_of(key) & ~(wide - 1);
	for (unsigned i = 0; i < wide; i++)
		r->v6_top[from + i] = leaf & (POLICY_LEAVES - 1);
}

static void top_use(struct policy_reader *r, const uint64_t *slots, unsigned count, unsigned length,
	bool is_short)
{
	const unsigned words = policy_v6_words(length);
	for (unsigned i = 0; i < count; i++, slots += words) {
		const uint64_t key = slots[0];
		if (is_short)
			top_fill(r, key, slots[1], length);
		else
			r->v6_top[top_of(key)] |= POLICY_LEAVES;
	}
}

// The tables of short prefixes, which come first, are all in the first load then.
static void v6_use(struct policy_reader *r, const struct policy_head *h, const uint8_t *base)
{
	for (unsigned i = 0; i < POLICY_V6_TOP; i++)
		r->v6_top[i] = h->other_leaf;
	for (unsigned i = 0; i < h->v6_length_count; i++) {
		const struct policy_v6_table *t = &h->v6[i];
		bool is_short = t->length <= POLICY_V6_TOP_BITS && t->slots <= POLICY_V6_TOP
				&& r->v6_length_count == 0;
		unsigned at = r->v6_length_count;
		table_use(&r->v6[at], t, base);
		top_use(r, r->v6[at].slots, t->slots, t->length, is_short);
		r->v6_length_count += !is_short;
		r->v6_narrow_count += !is_short && policy_v6_is_narrow(t->length);
	}
}

int policy_reader_init(struct policy_reader *r, const void *image, size_t size, char why[128])
{
	struct policy_head h; // a private copy from here on
	if (size < sizeof(h))
		return refuse(why, "policy image: cut short");
	memcpy(&h, image, sizeof(h));
	int rc = head_check(&h, size, why);
	if (rc == 0)
		rc = geometry_check(&h, why);
	if (rc == 0)
		rc = balancers_check(&h, why);
	if (rc < 0)
		return rc;
	const uint8_t *base = image;
	if (contenthash(base + sizeof(h), h.size - sizeof(h)) != h.body_sum)
		return refuse(why, "policy image: its body is damaged");
	*r = (struct policy_reader){
		.v4 = (const uint16_t *)(const void *)(base + h.v4_off),
		.v4_mask = (h.v4_blocks - UINT64_C(1)) * POLICY_V4_BLOCK * sizeof(uint16_t),
		.group_count = h.group_count,
		.has_macs = h.mac_count > 0,
		.has_iids = h.iid_count > 0,
		.has_access = h.has_access != 0,
		.refuse = h.refuse != 0,
		.other_leaf = h.other_leaf,
		.limit = h.limit,
	};
	if (h.mac_count)
		table_use(&r->mac, &h.mac, base);
	if (h.iid_count)
		table_use(&r->iid, &h.iid, base);
	v6_use(r, &h, base);
	r->balancer_count = h.balancer_count;
	memcpy(r->balancer, h.balancer, sizeof(r->balancer));
	for (unsigned i = 0; i < POLICY_GROUPS_MAX; i++) {
		r->group[i] = h.group[i < h.group_count ? i : 0];
		r->has_block_all |= r->group[i].block_all != 0;
	}
	memcpy(r->vlan, h.vlan, sizeof(r->vlan));
	for (unsigned i = 0; i < POLICY_VLANS; i++)
		r->has_vlans |= r->vlan[i] != 0;
	return 0;
}

bool policy_is_balancer(const struct policy_reader *r, unsigned ip_version, const uint8_t *address)
{
	for (unsigned i = 0; i < r->balancer_count; i++) {
		const struct policy_balancer *b = &r->balancer[i];
		if (b->ip_version == ip_version && bits_same(b->ip, address, b->prefix_len))
			return true;
	}
	return false;
}
