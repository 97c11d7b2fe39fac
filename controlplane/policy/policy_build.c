// SPDX-License-Identifier: BSD-3-Clause
#include "policy_build.h"

#include "policy_leaves.h"

#include <errno.h>
#include <weir/bytes.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

static_assert((int)CONFIG_GROUPS_MAX + 1 == (int)POLICY_GROUPS_MAX);
static_assert((int)CONFIG_PREFIXES_MAX == (int)POLICY_PREFIXES_MAX);
static_assert((int)CONFIG_MACS_MAX == (int)POLICY_MACS_MAX);
static_assert((int)CONFIG_VLANS == (int)POLICY_VLANS);

struct v4_table {
	uint16_t *entry; // top, then the blocks
	unsigned blocks;
};

// MAC addresses as prefixes of their length, which are `*address`.
static int macs_collect(
	const struct config *c, struct policy_prefixes *out, struct ip_address **address)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->group_count; i++)
		n += c->groups[i].mac_count;
	if (n > POLICY_MACS_MAX)
		return -E2BIG;
	out->one = heap_calloc(n + 1, sizeof(*out->one));
	*address = heap_calloc(n + 1, sizeof **address);
	if (!out->one || !*address)
		return -ENOMEM;
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].mac_count; k++) {
			struct ip_address *a = &(*address)[out->count];
			a->prefix_len = 8 * POLICY_MAC_LEN;
			memcpy(a->bytes, c->groups[i].macs[k].bytes, POLICY_MAC_LEN);
			out->one[out->count++] = (struct policy_prefix){a, (uint8_t)(i + 1)};
		}
	qsort(out->one, out->count, sizeof(*out->one), policy_leaves_order);
	return 0;
}

// The block behind an entry, filled with the entry's value.
static uint16_t *v4_block(struct v4_table *t, uint16_t *entry)
{
	if (*entry < POLICY_LEAVES) {
		uint16_t *made = t->entry + POLICY_V4_TOP + t->blocks * POLICY_V4_BLOCK;
		for (unsigned i = 0; i < POLICY_V4_BLOCK; i++)
			made[i] = *entry;
		*entry = (uint16_t)t->blocks++;
	}
	return t->entry + POLICY_V4_TOP + *entry * POLICY_V4_BLOCK;
}

static void v4_fill(uint16_t *level, unsigned from, unsigned bits, uint8_t leaf)
{
	for (unsigned i = 0; i < 1u << bits; i++)
		level[from + i] = leaf;
}

// Shorter prefixes are in already, so no entry that is filled leads to a block.
static void v4_add(struct v4_table *t, const struct policy_prefix *p)
{
	uint32_t address = get_u32(p->address->bytes);
	unsigned length = p->address->prefix_len, depth = 16, at = address >> 16;
	uint16_t *level = t->entry;
	for (; length > depth; depth += POLICY_V4_BITS) {
		level = v4_block(t, &level[at]);
		at = address >> (32 - POLICY_V4_BITS - depth) & (POLICY_V4_BLOCK - 1);
	}
	v4_fill(level, at, depth - length, p->leaf);
}

// That its prefix may need.
static unsigned v4_blocks_of(unsigned length)
{
	return length > 16 ? (length - 16 + POLICY_V4_BITS - 1) / POLICY_V4_BITS : 0;
}

static int v4_build(const struct policy_prefixes *p, uint8_t other, struct v4_table *t)
{
	unsigned want = POLICY_LEAVES, cap = POLICY_LEAVES;
	for (unsigned i = 0; i < p->count; i++)
		want += v4_blocks_of(p->one[i].address->prefix_len);
	while (cap < want)
		cap *= 2;
	t->entry = heap_calloc(POLICY_V4_TOP + (size_t)cap * POLICY_V4_BLOCK, sizeof(*t->entry));
	if (!t->entry)
		return -ENOMEM;
	v4_fill(t->entry, 0, 16, other);
	for (; t->blocks < POLICY_LEAVES; t->blocks++)
		for (unsigned i = 0; i < POLICY_V4_BLOCK; i++)
			t->entry[POLICY_V4_TOP + t->blocks * POLICY_V4_BLOCK + i] =
				(uint16_t)t->blocks;
	for (unsigned i = 0; i < p->count; i++)
		v4_add(t, &p->one[i]);
	while (t->blocks & (t->blocks - 1)) // spare ones, which nothing leads to
		t->blocks++;
	return 0;
}

static size_t lines(size_t bytes)
{
	return (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

static void tables_shift(struct policy_v6_table *t, unsigned count, uint64_t pilots, uint64_t slots)
{
	for (unsigned i = 0; i < count; i++) {
		t[i].pilot_off += pilots;
		t[i].slot_off += slots;
	}
}

static void tables_copy(uint8_t *pilots, uint8_t *slots, const struct policy_v6 *v)
{
	if (v->word_count == 0)
		return;
	memcpy(pilots, v->pilot, v->pilot_count * sizeof(*v->pilot));
	memcpy(slots, v->slot, v->word_count * sizeof(*v->slot));
}

static int assemble(struct policy_head *h, const struct v4_table *v4, const struct policy_v6 *v6,
	const struct policy_v6 *mac, struct policy_image *out)
{
	size_t v4_bytes = (POLICY_V4_TOP + (size_t)v4->blocks * POLICY_V4_BLOCK) * sizeof(uint16_t);
	h->v4_blocks = v4->blocks;
	h->v4_off = lines(sizeof(*h));
	uint64_t pilots = h->v4_off + lines(v4_bytes);
	uint64_t mac_pilots = pilots + v6->pilot_count * sizeof(uint16_t);
	uint64_t slots = lines(mac_pilots + mac->pilot_count * sizeof(uint16_t));
	uint64_t mac_slots = slots + v6->word_count * sizeof(uint64_t);
	h->size = mac_slots + mac->word_count * sizeof(uint64_t);
	tables_shift(h->v6, h->v6_length_count, pilots, slots);
	tables_shift(&h->mac, h->mac_count > 0, mac_pilots, mac_slots);
	uint8_t *base = heap_aligned_alloc(CACHE_LINE, lines(h->size));
	if (!base)
		return -ENOMEM;
	memset(base, 0, lines(h->size));
	memcpy(base + h->v4_off, v4->entry, v4_bytes);
	tables_copy(base + pilots, base + slots, v6);
	tables_copy(base + mac_pilots, base + mac_slots, mac);
	h->body_sum = contenthash(base + sizeof(*h), h->size - sizeof(*h));
	h->head_sum = contenthash(h, offsetof(struct policy_head, head_sum));
	memcpy(base, h, sizeof(*h));
	*out = (struct policy_image){.head = (void *)base, .size = h->size};
	return 0;
}

static_assert((int)CONFIG_BALANCERS_MAX <= (int)POLICY_BALANCERS_MAX);

static void balancers_fill(struct policy_head *h, const struct config_proxy_protocol *c)
{
	h->balancer_count = (uint8_t)c->from_count;
	for (unsigned i = 0; i < c->from_count; i++) {
		struct policy_balancer *b = &h->balancer[i];
		b->ip_version = c->from[i].version;
		b->prefix_len = c->from[i].prefix_len;
		memcpy(b->ip, c->from[i].bytes, b->ip_version == 4 ? 4 : sizeof(b->ip));
	}
}

static void head_fill(
	struct policy_head *h, const struct config *c, const struct policy_group *group)
{
	h->magic = POLICY_MAGIC;
	h->version = POLICY_VERSION;
	h->group_count = c->group_count + 1;
	h->limit = (struct policy_limit){
		.rate = c->access.rate,
		.network_rate = c->access.network_rate,
		.burst_s = c->access.burst_s,
		.slip = c->access.slip,
		.reply_octets = c->access.reply_octets,
	};
	h->other_leaf = policy_leaf_other(c);
	h->has_access = policy_leaves_access(c);
	h->refuse = c->access.refuse;
	balancers_fill(h, &c->proxy_protocol);
	for (unsigned i = 0; i <= c->group_count; i++)
		h->group[i] = group[i];
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].vlan_count; k++)
			h->vlan[c->groups[i].vlans[k] % POLICY_VLANS] = (uint8_t)(i + 1);
}

struct parts {
	struct policy_prefixes v4, v6, mac;
	struct ip_address *mac_address;
	struct v4_table t;
	struct policy_v6 v6_tables, mac_tables;
};

static int parts_build(struct parts *p, const struct config *config, struct policy_head *h)
{
	uint32_t lengths;
	int rc = policy_leaves_collect(config, 4, &p->v4);
	if (rc == 0)
		rc = policy_leaves_collect(config, 6, &p->v6);
	if (rc == 0)
		rc = macs_collect(config, &p->mac, &p->mac_address);
	if (rc == 0)
		rc = v4_build(&p->v4, policy_leaf_other(config), &p->t);
	if (rc == 0)
		rc = policy_v6_build(&p->v6, h->v6, &h->v6_length_count, &p->v6_tables);
	if (rc == 0)
		rc = policy_v6_build(&p->mac, &h->mac, &lengths, &p->mac_tables);
	h->prefix_count = p->v4.count + p->v6.count;
	h->mac_count = p->mac.count;
	return rc;
}

static void parts_free(struct parts *p)
{
	FREE_AND_NULL(p->v4.one);
	FREE_AND_NULL(p->v6.one);
	FREE_AND_NULL(p->mac.one);
	FREE_AND_NULL(p->mac_address);
	FREE_AND_NULL(p->t.entry);
	policy_v6_free(&p->v6_tables);
	policy_v6_free(&p->mac_tables);
}

int policy_build(
	const struct config *config, const struct policy_group *group, struct policy_image *out)
{
	struct parts p = {0};
	struct policy_head h;

	memset(&h, 0, sizeof(h)); // padding too: the image is compared
	int rc = parts_build(&p, config, &h);
	if (rc == 0) {
		head_fill(&h, config, group);
		rc = assemble(&h, &p.t, &p.v6_tables, &p.mac_tables, out);
	}
	parts_free(&p);
	return rc;
}
