// SPDX-License-Identifier: BSD-3-Clause
#include "policy_leaves.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

enum { KEYS_PER_PILOT = 4, SEEDS_MAX = 256 };
// The prefixes of groups, and of the lists of access with what their words stand for.
static_assert(2 * (POLICY_PREFIXES_MAX + 4 * CONFIG_ACCESS_MAX) <= POLICY_V6_SLOTS_MAX);
static_assert(2 * POLICY_MACS_MAX <= POLICY_V6_SLOTS_MAX);
static_assert(POLICY_V6_SLOTS_MAX * POLICY_V6_WIDE_WORDS <= 1 << 16);

static bool covers(const struct ip_address *p, const struct ip_address *a)
{
	return p->version == a->version && p->prefix_len <= a->prefix_len
	       && bits_same(p->bytes, a->bytes, p->prefix_len);
}

// The longest that covers `a`, -1: none.
static int longest(const struct ip_address *list, unsigned count, const struct ip_address *a)
{
	int length = -1;
	for (unsigned i = 0; i < count; i++)
		if ((int)list[i].prefix_len > length && covers(&list[i], a))
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
		return POLICY_DENIED; // also where neither has it
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

int policy_leaves_order(const void *a, const void *b)
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

// In order, so equal ones are adjacent.
static void drop_twins(struct policy_prefixes *p)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < p->count; i++)
		if (kept == 0 || policy_leaves_order(&p->one[i], &p->one[kept - 1]) != 0)
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
		while (k > 0 && !covers(p->one[k - 1].address, p->one[i].address))
			k--;
		if (p->one[i].leaf != (k > 0 ? p->one[k - 1].leaf : other))
			p->one[kept++] = p->one[i];
	}
	p->count = kept;
}

int policy_leaves_collect(const struct config *c, unsigned version, struct policy_prefixes *out)
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
	qsort(out->one, out->count, sizeof(*out->one), policy_leaves_order);
	drop_twins(out);
	for (unsigned i = 0; i < out->count; i++) {
		const struct ip_address *a = out->one[i].address;
		out->one[i].leaf =
			(uint8_t)(group_of(c, a) | access_of(c, a) << POLICY_ACCESS_SHIFT);
	}
	drop_idle(out, policy_leaf_other(c));
	return 0;
}

uint8_t policy_leaf_other(const struct config *c)
{
	return c->access.allow_count == 0 ? 0 : POLICY_DENIED << POLICY_ACCESS_SHIFT;
}

bool policy_leaves_access(const struct config *c)
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
	unsigned words;  // of a slot
	bool *taken;     // slots
	unsigned *first; // key of each bucket, plus 1; 0: none
	unsigned *next;  // of each key, in the same way
	uint64_t *hash;  // of each key
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

int policy_v6_build(const struct policy_prefixes *p, struct policy_v6_table *tables,
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

void policy_v6_free(struct policy_v6 *v)
{
	FREE_AND_NULL(v->pilot);
	FREE_AND_NULL(v->slot);
}
