// SPDX-License-Identifier: BSD-3-Clause
#include "policy_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/config.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/policy.h>

// The prefixes of the policy image with their leaves (policy.h): those of the groups and those of
// the section `access` merged, so that the longest prefix that covers an address has both its group
// and its access. Linear in the product of the two numbers, at most
// some 4,096 and 900: milliseconds.
//
// Without any prefix in access.allow, which no configuration file allows, every client may ask
// without limits.
struct policy_prefix {
	const struct ip_address *address;
	uint8_t leaf;
};

// Prefixes of one family, the shortest first.
struct policy_prefixes {
	unsigned count;
	struct policy_prefix *one;
};

// The perfect hash tables of the policy image: one for each length of IPv6 prefixes, one for MAC
// addresses, which pass as prefixes of 48 bits, and one for interface identifiers, as prefixes
// of 64. Keys fall into buckets of some four; the buckets, the fullest first, each look for a pilot
// that leads their keys to slots that are still free. Two keys of one bucket that no pilot can
// part, about one build in two, ask for another seed.
struct policy_v6 { // tables of all lengths, one after the other
	uint16_t *pilot;
	uint64_t *slot; // words
	size_t pilot_count, word_count;
};

enum { KEYS_PER_PILOT = 4, SEEDS_MAX = 256 };
// The prefixes of groups, and of the lists of access with what their words stand for.
static_assert(2 * (POLICY_PREFIXES_MAX + 4 * CONFIG_ACCESS_MAX) <= POLICY_V6_SLOTS_MAX);
static_assert(2 * POLICY_MACS_MAX <= POLICY_V6_SLOTS_MAX);
static_assert(2 * POLICY_IIDS_MAX <= POLICY_V6_SLOTS_MAX);
static_assert(POLICY_V6_SLOTS_MAX * POLICY_V6_WIDE_WORDS <= 1 << 16);

// The longest that covers `a`, or -1.
static int longest(const struct ip_address *list, unsigned count, const struct ip_address *a)
{
	int length = -1;
	for (unsigned i = 0; i < count; i++)
		if ((int)list[i].prefix_len > length && ip_address_covers(&list[i], a))
			length = list[i].prefix_len;
	return length;
}

static bool is_limited(const struct config *c)
{
	return c->access.rate > 0 || c->access.network_rate > 0;
}

static enum policy_access access_of(const struct config *c, const struct ip_address *a)
{
	const struct config_access *x = &c->access;
	if (x->allow_count == 0)
		return POLICY_ASK;
	if (longest(x->allow, x->allow_count, a) <= longest(x->deny, x->deny_count, a))
		return POLICY_DENIED; // no list has it, or `deny` is as near
	if (!is_limited(c) || longest(x->unlimited, x->unlimited_count, a) >= 0)
		return POLICY_ASK;
	return POLICY_ASK_LIMITED;
}

static unsigned group_of(const struct config *c, const struct ip_address *a)
{
	int best = -1;
	unsigned group = 0;
	for (unsigned i = 0; i < c->group_count; i++) {
		int length = longest(c->groups[i].clients, c->groups[i].client_count, a);
		if (length > best) {
			best = length;
			group = i + 1;
		}
	}
	return group;
}

// Orders prefixes by address.
static int prefix_order(const void *a, const void *b)
{
	const struct policy_prefix *x = a, *y = b;
	if (x->address->prefix_len != y->address->prefix_len)
		return x->address->prefix_len < y->address->prefix_len ? -1 : 1;
	return memcmp(x->address->bytes, y->address->bytes, sizeof(x->address->bytes));
}

static void add(
	struct policy_prefixes *p, const struct ip_address *list, unsigned count, unsigned version)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i].version == version)
			p->one[p->count++] = (struct policy_prefix){.address = &list[i]};
}

// Prefixes are in order, so equal ones are adjacent.
static void drop_twins(struct policy_prefixes *p)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < p->count; i++)
		if (kept == 0 || prefix_order(&p->one[i], &p->one[kept - 1]) != 0)
			p->one[kept++] = p->one[i];
	p->count = kept;
}

// Drops prefixes that do not change a leaf, such as those of a local network that is private too:
// lookups end where the first bits alone decide.
static void drop_idle(struct policy_prefixes *p, uint8_t other)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < p->count; i++) {
		unsigned k = kept; // behind the longest that covers it
		while (k > 0 && !ip_address_covers(p->one[k - 1].address, p->one[i].address))
			k--;
		if (p->one[i].leaf != (k > 0 ? p->one[k - 1].leaf : other))
			p->one[kept++] = p->one[i];
	}
	p->count = kept;
}

// The leaf of an address that no prefix covers.
static uint8_t leaf_other(const struct config *c)
{
	return c->access.allow_count == 0 ? 0 : POLICY_DENIED << POLICY_ACCESS_SHIFT;
}

// Collects the prefixes of one family, the shortest first; none twice, and no prefix that says what
// a shorter one says. free(3) out->one. -ENOMEM; -E2BIG: more groups or prefixes of groups than the
// image has room for.
static int prefixes_collect(const struct config *c, unsigned version, struct policy_prefixes *out)
{
	const struct config_access *x = &c->access;
	unsigned n = 0, all = x->allow_count + x->deny_count + x->unlimited_count;
	for (unsigned i = 0; i < c->group_count; i++)
		n += c->groups[i].client_count;
	if (n > POLICY_PREFIXES_MAX || c->group_count >= POLICY_GROUPS_MAX)
		return -E2BIG;
	out->one = heap_calloc(n + all + 1, sizeof(*out->one));
	if (!out->one)
		return -ENOMEM;
	for (unsigned i = 0; i < c->group_count; i++)
		add(out, c->groups[i].clients, c->groups[i].client_count, version);
	add(out, x->allow, x->allow_count, version);
	add(out, x->deny, x->deny_count, version);
	add(out, x->unlimited, x->unlimited_count, version);
	qsort(out->one, out->count, sizeof(*out->one), prefix_order);
	drop_twins(out);
	for (unsigned i = 0; i < out->count; i++) {
		const struct ip_address *a = out->one[i].address;
		out->one[i].leaf =
			(uint8_t)(group_of(c, a) | access_of(c, a) << POLICY_ACCESS_SHIFT);
	}
	drop_idle(out, leaf_other(c));
	return 0;
}

static bool has_access(const struct config *c)
{
	return c->access.allow_count > 0;
}

// One table under construction.
struct table {
	const struct policy_prefix *prefix;
	unsigned count;
	struct policy_v6_table *head;
	uint16_t *pilot;
	uint64_t *slot;
	unsigned words;  // words of a slot
	bool *taken;     // slots
	unsigned *first; // key of each bucket, plus 1; 0: empty
	unsigned *next;  // the next key of each key, in the same way
	uint64_t *hash;  // hash of each key
};

static uint32_t power_above(unsigned n)
{
	uint32_t power = 1;
	while (power < n)
		power *= 2;
	return power;
}

static void key_of(const struct policy_prefix *p, uint64_t key[2])
{
	memcpy(key, p->address->bytes, sizeof(p->address->bytes));
}

static uint64_t hash_of(const struct table *t, const uint64_t key[2])
{
	return policy_v6_is_narrow(t->head->length) ? policy_v6_hash_narrow(t->head->seed, key[0])
						    : policy_v6_hash_wide(t->head->seed, key);
}

static unsigned sort_into_buckets(struct table *t)
{
	unsigned fullest = 0;
	memset(t->first, 0, t->head->pilots * sizeof(*t->first));
	for (unsigned i = 0; i < t->count; i++) {
		uint64_t key[2];
		key_of(&t->prefix[i], key);
		t->hash[i] = hash_of(t, key);
		unsigned *first = &t->first[t->hash[i] & (t->head->pilots - 1)], size = 1;
		t->next[i] = *first;
		*first = i + 1;
		for (unsigned k = t->next[i]; k; k = t->next[k - 1])
			size++;
		fullest = size > fullest ? size : fullest;
	}
	return fullest;
}

static unsigned bucket_size(const struct table *t, unsigned bucket)
{
	unsigned size = 0;
	for (unsigned k = t->first[bucket]; k; k = t->next[k - 1])
		size++;
	return size;
}

// Pilots and what this returns count words, of which a slot begins at each `words`.
static uint32_t slot_of(const struct table *t, unsigned key, unsigned pilot)
{
	return (uint32_t)((t->hash[key] >> 32 ^ pilot) & (t->head->slots - 1) * t->words);
}

// Takes the slots that this pilot leads to, or none.
static bool pilot_fits(struct table *t, unsigned bucket, unsigned pilot)
{
	unsigned k = t->first[bucket];
	while (k && !t->taken[slot_of(t, k - 1, pilot) / t->words]) {
		t->taken[slot_of(t, k - 1, pilot) / t->words] = true;
		k = t->next[k - 1];
	}
	if (k == 0)
		return true;
	for (unsigned u = t->first[bucket]; u != k; u = t->next[u - 1])
		t->taken[slot_of(t, u - 1, pilot) / t->words] = false;
	return false;
}

static bool pilot_find(struct table *t, unsigned bucket)
{
	for (unsigned pilot = 0; pilot < t->head->slots * t->words; pilot += t->words)
		if (pilot_fits(t, bucket, pilot)) {
			t->pilot[bucket] = (uint16_t)pilot;
			return true;
		}
	return false;
}

static bool place_all(struct table *t)
{
	memset(t->taken, 0, t->head->slots * sizeof(*t->taken));
	for (unsigned size = sort_into_buckets(t); size > 0; size--)
		for (unsigned bucket = 0; bucket < t->head->pilots; bucket++)
			if (bucket_size(t, bucket) == size && !pilot_find(t, bucket))
				return false;
	return true;
}

static void slot_fill(const struct table *t, unsigned word, const struct policy_prefix *p)
{
	uint64_t key[2];
	key_of(p, key);
	if (policy_v6_is_narrow(t->head->length)) {
		const struct policy_v6_narrow s = {.key = key[0], .leaf = p->leaf};
		memcpy(&t->slot[word], &s, sizeof(s));
	} else {
		const struct policy_v6_wide s = {.key = {key[0], key[1]}, .leaf = p->leaf};
		memcpy(&t->slot[word], &s, sizeof(s));
	}
}

// A spare slot holds a key that belongs to another slot, so no lookup of that key ends here.
static void slots_fill(struct table *t)
{
	for (unsigned i = 0; i < t->head->slots; i++)
		slot_fill(t, i * t->words, &t->prefix[0]);
	for (unsigned i = 0; i < t->count; i++) {
		unsigned pilot = t->pilot[t->hash[i] & (t->head->pilots - 1)];
		slot_fill(t, slot_of(t, i, pilot), &t->prefix[i]);
	}
}

static int table_build(struct table *t)
{
	t->taken = heap_calloc(t->head->slots, sizeof(*t->taken));
	t->first = heap_calloc(t->head->pilots, sizeof(*t->first));
	t->next = heap_calloc(t->count, sizeof(*t->next));
	t->hash = heap_calloc(t->count, sizeof(*t->hash));
	int rc = t->taken && t->first && t->next && t->hash ? -E2BIG : -ENOMEM;
	for (unsigned i = 1; rc == -E2BIG && i <= SEEDS_MAX; i++) {
		t->head->seed = (2 * i + 1) * UINT64_C(0xa0761d6478bd642f);
		if (place_all(t))
			rc = 0;
	}
	if (rc == 0)
		slots_fill(t);
	FREE_AND_NULL(t->taken);
	FREE_AND_NULL(t->first);
	FREE_AND_NULL(t->next);
	FREE_AND_NULL(t->hash);
	return rc;
}

static void table_size(struct policy_v6_table *t, unsigned count)
{
	t->pilots = power_above((count + KEYS_PER_PILOT - 1) / KEYS_PER_PILOT);
	t->slots = power_above(2 * count);
}

// Lengths, sizes and offsets of all tables.
static void layout(const struct policy_prefixes *p, struct policy_v6_table *tables,
	uint32_t *lengths, struct policy_v6 *out)
{
	for (unsigned i = 0, n; i < p->count; i += n) {
		uint8_t length = p->one[i].address->prefix_len;
		for (n = 1; i + n < p->count && p->one[i + n].address->prefix_len == length;)
			n++;
		struct policy_v6_table *t = &tables[(*lengths)++];
		t->length = length;
		t->pilot_off = out->pilot_count * sizeof(*out->pilot);
		t->slot_off = out->word_count * sizeof(*out->slot);
		table_size(t, n);
		out->pilot_count += t->pilots;
		out->word_count += (size_t)t->slots * policy_v6_words(length);
	}
}

// Fills in a table for each length, *lengths of them, with offsets from the beginning of `pilot`
// and `slot`. -ENOMEM; -E2BIG: no perfect hash was found, as of equal keys.
static int v6_build(const struct policy_prefixes *p, struct policy_v6_table *tables,
	uint32_t *lengths, struct policy_v6 *out)
{
	*lengths = 0;
	layout(p, tables, lengths, out);
	if (p->count == 0)
		return 0;
	out->pilot = heap_calloc(out->pilot_count, sizeof(*out->pilot));
	out->slot = heap_calloc(out->word_count, sizeof(*out->slot));
	int rc = out->pilot && out->slot ? 0 : -ENOMEM;
	for (unsigned i = 0, done = 0; rc == 0 && i < *lengths; i++) {
		struct table t = {
			.prefix = p->one + done,
			.head = &tables[i],
			.pilot = out->pilot + tables[i].pilot_off / sizeof(*out->pilot),
			.slot = out->slot + tables[i].slot_off / sizeof(*out->slot),
			.words = policy_v6_words(tables[i].length),
		};
		while (done < p->count && p->one[done].address->prefix_len == tables[i].length)
			done++, t.count++;
		rc = table_build(&t);
	}
	return rc;
}

static void v6_free(struct policy_v6 *v)
{
	FREE_AND_NULL(v->pilot);
	FREE_AND_NULL(v->slot);
}

static_assert((int)CONFIG_GROUPS_MAX + 1 == (int)POLICY_GROUPS_MAX);
static_assert((int)CONFIG_PREFIXES_MAX == (int)POLICY_PREFIXES_MAX);
static_assert((int)CONFIG_MACS_MAX == (int)POLICY_MACS_MAX);
static_assert((int)CONFIG_IIDS_MAX == (int)POLICY_IIDS_MAX);
static_assert((int)CONFIG_VLANS == (int)POLICY_VLANS);

struct v4_table {
	uint16_t *entry; // top, then the blocks
	unsigned blocks;
};

// Addresses of one kind in a group: `count` of them, `len` bytes each.
struct of_group {
	unsigned count, len;
	const uint8_t *bytes;
};

static struct of_group macs_of(const struct config_group *g)
{
	return (struct of_group){g->mac_count, POLICY_MAC_LEN, g->macs ? g->macs->bytes : NULL};
}

static struct of_group iids_of(const struct config_group *g)
{
	return (struct of_group){g->iid_count, POLICY_IID_LEN, g->iids ? g->iids->bytes : NULL};
}

static_assert(sizeof(struct config_mac) == POLICY_MAC_LEN);
static_assert(sizeof(struct config_iid) == POLICY_IID_LEN);

// MAC addresses or interface identifiers as prefixes of their length, which are `*address`.
static int links_collect(const struct config *c,
	struct of_group (*of)(const struct config_group *g), unsigned most,
	struct policy_prefixes *out, struct ip_address **address)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->group_count; i++)
		n += of(&c->groups[i]).count;
	if (n > most)
		return -E2BIG;
	out->one = heap_calloc(n + 1, sizeof(*out->one));
	*address = heap_calloc(n + 1, sizeof **address);
	if (!out->one || !*address)
		return -ENOMEM;
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct of_group g = of(&c->groups[i]);
		for (unsigned k = 0; k < g.count; k++) {
			struct ip_address *a = &(*address)[out->count];
			a->prefix_len = (uint8_t)(8 * g.len);
			memcpy(a->bytes, g.bytes + (size_t)k * g.len, g.len);
			out->one[out->count++] = (struct policy_prefix){a, (uint8_t)(i + 1)};
		}
	}
	qsort(out->one, out->count, sizeof(*out->one), prefix_order);
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

// The tables of the image, in their order.
struct parts {
	struct policy_prefixes v4, v6, mac, iid;
	struct ip_address *mac_address, *iid_address;
	struct v4_table t;
	struct policy_v6 tables[3]; // prefixes of IPv6, MAC addresses, identifiers
};

static int assemble(struct policy_head *h, const struct parts *p, struct policy_image *out)
{
	struct policy_v6_table *of[] = {h->v6, &h->mac, &h->iid};
	const unsigned counts[] = {h->v6_length_count, h->mac_count > 0, h->iid_count > 0};
	const size_t v4_bytes =
		(POLICY_V4_TOP + (size_t)p->t.blocks * POLICY_V4_BLOCK) * sizeof(uint16_t);
	uint64_t pilots[ARRAY_LEN(of)], slots[ARRAY_LEN(of)];
	h->v4_blocks = p->t.blocks;
	h->v4_off = lines(sizeof(*h));
	uint64_t at = h->v4_off + lines(v4_bytes);
	for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
		pilots[i] = at;
		at += p->tables[i].pilot_count * sizeof(uint16_t);
	}
	at = lines(at);
	for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
		slots[i] = at;
		at += p->tables[i].word_count * sizeof(uint64_t);
		tables_shift(of[i], counts[i], pilots[i], slots[i]);
	}
	h->size = at;
	uint8_t *base = heap_aligned_alloc(CACHE_LINE, lines(h->size));
	if (!base)
		return -ENOMEM;
	memset(base, 0, lines(h->size));
	memcpy(base + h->v4_off, p->t.entry, v4_bytes);
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		tables_copy(base + pilots[i], base + slots[i], &p->tables[i]);
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
	h->other_leaf = leaf_other(c);
	h->has_access = has_access(c);
	h->refuse = c->access.refuse;
	balancers_fill(h, &c->proxy_protocol);
	for (unsigned i = 0; i <= c->group_count; i++)
		h->group[i] = group[i];
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].vlan_count; k++)
			h->vlan[c->groups[i].vlans[k] % POLICY_VLANS] = (uint8_t)(i + 1);
}

static int parts_build(struct parts *p, const struct config *config, struct policy_head *h)
{
	uint32_t lengths;
	int rc = prefixes_collect(config, 4, &p->v4);
	if (rc == 0)
		rc = prefixes_collect(config, 6, &p->v6);
	if (rc == 0)
		rc = links_collect(config, macs_of, POLICY_MACS_MAX, &p->mac, &p->mac_address);
	if (rc == 0)
		rc = links_collect(config, iids_of, POLICY_IIDS_MAX, &p->iid, &p->iid_address);
	if (rc == 0)
		rc = v4_build(&p->v4, leaf_other(config), &p->t);
	if (rc == 0)
		rc = v6_build(&p->v6, h->v6, &h->v6_length_count, &p->tables[0]);
	if (rc == 0)
		rc = v6_build(&p->mac, &h->mac, &lengths, &p->tables[1]);
	if (rc == 0)
		rc = v6_build(&p->iid, &h->iid, &lengths, &p->tables[2]);
	h->prefix_count = p->v4.count + p->v6.count;
	h->mac_count = p->mac.count;
	h->iid_count = p->iid.count;
	return rc;
}

static void parts_free(struct parts *p)
{
	FREE_AND_NULL(p->v4.one);
	FREE_AND_NULL(p->v6.one);
	FREE_AND_NULL(p->mac.one);
	FREE_AND_NULL(p->iid.one);
	FREE_AND_NULL(p->mac_address);
	FREE_AND_NULL(p->iid_address);
	FREE_AND_NULL(p->t.entry);
	for (unsigned i = 0; i < ARRAY_LEN(p->tables); i++)
		v6_free(&p->tables[i]);
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
		rc = assemble(&h, &p, out);
	}
	parts_free(&p);
	return rc;
}
