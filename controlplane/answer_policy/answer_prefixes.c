// SPDX-License-Identifier: BSD-3-Clause
#include "answer_prefixes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/rule_image.h>

// Different sets of lists, each once, by number. They grow with each new set; the number of ranges
// bounds them.
enum { ANSWER_SET_NONE = 0 }; // number of the empty set

struct answer_sets {
	struct rule_set *set;
	uint32_t count, room;
	uint32_t *index; // hash table of numbers + 1, while it is filled
	uint32_t index_mask;
};

static inline void sets_add(const struct answer_sets *s, uint32_t number, struct rule_set *to)
{
	for (unsigned w = 0; w < 4; w++)
		to->lists[w] |= s->set[number].lists[w];
}

enum { ROOM_FIRST = 64 };

static uint32_t place_of(const struct answer_sets *s, const struct rule_set *set)
{
	uint32_t at = (uint32_t)contenthash(set, sizeof(*set)) & s->index_mask;
	while (s->index[at] && memcmp(&s->set[s->index[at] - 1], set, sizeof(*set)) != 0)
		at = (at + 1) & s->index_mask;
	return at;
}

// Twice the room, the index at most half full.
static int grow(struct answer_sets *s)
{
	uint32_t room = s->room ? 2 * s->room : ROOM_FIRST;
	struct rule_set *set = heap_realloc(s->set, room * sizeof(*set));
	if (!set)
		return -ENOMEM;
	s->set = set;
	uint32_t *index = heap_calloc(2 * (size_t)room, sizeof(*index));
	if (!index)
		return -ENOMEM;
	FREE_AND_NULL(s->index);
	s->index = index;
	s->index_mask = 2 * room - 1;
	s->room = room;
	for (uint32_t i = 0; i < s->count; i++)
		s->index[place_of(s, &s->set[i])] = i + 1;
	return 0;
}

// The number of a set, a new one if it has none. -ENOMEM.
static int sets_number(struct answer_sets *s, const struct rule_set *set, uint32_t *number)
{
	if (s->count == s->room) {
		int rc = grow(s);
		if (rc < 0)
			return rc;
	}
	uint32_t at = place_of(s, set);
	if (!s->index[at]) {
		s->set[s->count++] = *set;
		s->index[at] = s->count;
	}
	*number = s->index[at] - 1;
	return 0;
}

static int sets_init(struct answer_sets *s)
{
	const struct rule_set none = {{0}};
	uint32_t number;
	return sets_number(s, &none, &number);
}

static void sets_trim(struct answer_sets *s)
{
	FREE_AND_NULL(s->index);
	struct rule_set *less = heap_realloc(s->set, s->count * sizeof(*less));
	if (less) {
		s->set = less;
		s->room = s->count;
	}
}

static void sets_free(struct answer_sets *s)
{
	FREE_AND_NULL(s->set);
	FREE_AND_NULL(s->index);
	*s = (struct answer_sets){0};
}

typedef unsigned __int128 address_bits;

enum { V4_BITS = 32, V6_BITS = 128, V4_SHIFT = V6_BITS - V4_BITS };

// Range i reaches from its first address to before that of the next one; before the first range
// nothing is listed.
struct ranges_v4 {
	uint32_t count;
	uint32_t *first, *set;
};
struct ranges_v6 {
	uint32_t count;
	address_bits *first;
	uint32_t *set;
};

struct answer_prefixes {
	struct ranges_v4 v4;
	struct ranges_v6 v6;
	struct answer_sets sets;
};

// IPv4 in the upper bits, so that one pass serves both.
struct entry {
	address_bits first;
	uint8_t len;
	uint16_t list;
};

struct open { // prefixes around the present address, outermost first
	address_bits last;
	struct rule_set set;
};

struct sweep {
	struct answer_prefixes *made;
	bool v6;
	unsigned depth;
	struct open open[V6_BITS + 1];
	address_bits at; // where the last prefix begins
};

static address_bits bits_of(const uint8_t *bytes, unsigned n)
{
	address_bits b = 0;
	for (unsigned i = 0; i < n; i++)
		b |= (address_bits)bytes[i] << (V6_BITS - 8 - 8 * i);
	return b;
}

static address_bits last_of(const struct entry *e)
{
	return e->len == V6_BITS ? e->first : e->first | ~(address_bits)0 >> e->len;
}

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (int)x->len - (int)y->len;
}

// The range from `first` on has this set, until the next one begins.
static int range_put(struct sweep *s, address_bits first, const struct rule_set *set)
{
	uint32_t number;
	int rc = sets_number(&s->made->sets, set, &number);
	if (rc < 0)
		return rc;
	uint32_t *count = s->v6 ? &s->made->v6.count : &s->made->v4.count;
	uint32_t *sets = s->v6 ? s->made->v6.set : s->made->v4.set;
	if (*count ? sets[*count - 1] == number : number == ANSWER_SET_NONE)
		return 0;
	if (s->v6)
		s->made->v6.first[*count] = first;
	else
		s->made->v4.first[*count] = (uint32_t)(first >> V4_SHIFT);
	sets[(*count)++] = number;
	return 0;
}

static const struct rule_set *open_set(const struct sweep *s)
{
	static const struct rule_set none;
	return s->depth ? &s->open[s->depth - 1].set : &none;
}

// Closes what ends before `upto`, or everything.
static int sweep_close(struct sweep *s, address_bits upto, bool all)
{
	while (s->depth && (all || s->open[s->depth - 1].last < upto)) {
		address_bits last = s->open[--s->depth].last;
		bool ended = last == ~(address_bits)0; // no address is behind it
		int rc = ended ? 0 : range_put(s, last + 1, open_set(s));
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int sweep_entry(struct sweep *s, const struct entry *e)
{
	int rc = sweep_close(s, e->first, false);
	if (rc < 0)
		return rc;
	address_bits last = last_of(e);
	// A prefix may be in several lists, or twice in one.
	bool same = s->depth && s->open[s->depth - 1].last == last && s->at == e->first;
	if (!same) {
		s->open[s->depth] = (struct open){.last = last, .set = *open_set(s)};
		s->depth++;
	}
	struct rule_set *set = &s->open[s->depth - 1].set;
	set->lists[e->list / 64] |= UINT64_C(1) << e->list % 64;
	s->at = e->first;
	return 0;
}

// All entries of a prefix are in before its range is written.
static int sweep_all(struct sweep *s, const struct entry *entry, size_t count)
{
	int rc = 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = sweep_entry(s, &entry[i]);
		bool more = i + 1 < count && entry[i + 1].first == entry[i].first;
		if (rc == 0 && !more)
			rc = range_put(s, entry[i].first, open_set(s));
	}
	return rc < 0 ? rc : sweep_close(s, 0, true);
}

static int ranges_alloc(struct answer_prefixes *p, bool v6, size_t prefixes)
{
	size_t most = 2 * prefixes + 1;
	if (v6) {
		p->v6.first = heap_malloc(most * sizeof(*p->v6.first));
		p->v6.set = heap_malloc(most * sizeof(*p->v6.set));
		return p->v6.first && p->v6.set ? 0 : -ENOMEM;
	}
	p->v4.first = heap_malloc(most * sizeof(*p->v4.first));
	p->v4.set = heap_malloc(most * sizeof(*p->v4.set));
	return p->v4.first && p->v4.set ? 0 : -ENOMEM;
}

// Shrinks a block to its use. A block that cannot shrink stays as it is.
static void shrink(void **block, size_t bytes)
{
	void *less = heap_realloc(*block, bytes ? bytes : 1);
	if (less)
		*block = less;
}

static void ranges_trim(struct answer_prefixes *p)
{
	shrink((void **)&p->v4.first, p->v4.count * sizeof(*p->v4.first));
	shrink((void **)&p->v4.set, p->v4.count * sizeof(*p->v4.set));
	shrink((void **)&p->v6.first, p->v6.count * sizeof(*p->v6.first));
	shrink((void **)&p->v6.set, p->v6.count * sizeof(*p->v6.set));
}

static int ranges_make(struct answer_prefixes *p, bool v6, struct entry *entry, size_t count)
{
	struct sweep *s = heap_calloc(1, sizeof(*s));
	int rc = s ? ranges_alloc(p, v6, count) : -ENOMEM;
	if (rc == 0) {
		qsort(entry, count, sizeof(*entry), entry_compare);
		s->made = p;
		s->v6 = v6;
		rc = sweep_all(s, entry, count);
	}
	heap_free(s);
	return rc;
}

static bool entry_of(const struct answer_prefix *p, struct entry *out)
{
	const struct ip_address *a = &p->prefix;
	unsigned bits = a->version == 6 ? V6_BITS : V4_BITS;
	if ((a->version != 4 && a->version != 6) || a->prefix_len > bits
		|| p->list >= RULE_LISTS_MAX)
		return false;
	*out = (struct entry){.first = bits_of(a->bytes, bits / 8), .list = p->list};
	out->len = a->prefix_len;
	if (out->len < V6_BITS)
		out->first &= ~(~(address_bits)0 >> out->len);
	return true;
}

// How many prefixes of each list are taken: all of the smallest ones, so that a long list takes no
// place of a shorter one.
static void room_share(
	uint32_t room[RULE_LISTS_MAX], const struct answer_prefix *prefix, size_t count)
{
	size_t has[RULE_LISTS_MAX] = {0}, left = ANSWER_PREFIXES_MAX;
	memset(room, 0, RULE_LISTS_MAX * sizeof(*room));
	for (size_t i = 0; i < count; i++)
		if (prefix[i].list < RULE_LISTS_MAX)
			has[prefix[i].list]++;
	for (;;) {
		unsigned least = RULE_LISTS_MAX;
		for (unsigned i = 0; i < RULE_LISTS_MAX; i++)
			if (has[i] && (least == RULE_LISTS_MAX || has[i] < has[least]))
				least = i;
		if (least == RULE_LISTS_MAX)
			return;
		room[least] = (uint32_t)(has[least] < left ? has[least] : left);
		left -= room[least];
		has[least] = 0;
	}
}

// Takes the prefixes of one family; returns how many.
static size_t entries_take(struct entry *entry, bool v6, const struct answer_prefix *prefix,
	size_t count, uint32_t room[RULE_LISTS_MAX], struct answer_prefix_counts *counts)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		struct entry e;
		if (!entry_of(&prefix[i], &e)) {
			counts->refused_form += !v6; // once
		} else if ((prefix[i].prefix.version == 6) == v6) {
			if (room[e.list] == 0) {
				counts->refused_count++;
				continue;
			}
			room[e.list]--;
			entry[n++] = e;
		}
	}
	return n;
}

int answer_prefixes_new(struct answer_prefixes **out, const struct answer_prefix *prefix,
	size_t count, struct answer_prefix_counts *counts)
{
	const size_t most = count < ANSWER_PREFIXES_MAX ? count : ANSWER_PREFIXES_MAX;
	uint32_t room[RULE_LISTS_MAX];
	*counts = (struct answer_prefix_counts){0};
	*out = NULL;
	if (count == 0)
		return 0;
	struct answer_prefixes *p = heap_calloc(1, sizeof(*p));
	struct entry *entry = heap_malloc(most * sizeof(*entry));
	room_share(room, prefix, count);
	int rc = p && entry ? sets_init(&p->sets) : -ENOMEM;
	for (unsigned v6 = 0; v6 < 2 && rc == 0; v6++) {
		size_t n = entries_take(entry, v6, prefix, count, room, counts);
		rc = ranges_make(p, v6, entry, n);
		counts->taken += (uint32_t)n;
	}
	heap_free(entry);
	if (rc < 0) {
		answer_prefixes_free(p);
		return rc;
	}
	ranges_trim(p);
	sets_trim(&p->sets);
	counts->ranges_v4 = p->v4.count;
	counts->ranges_v6 = p->v6.count;
	counts->sets = p->sets.count;
	counts->bytes = sizeof(*p) + p->v4.count * UINT64_C(8) + p->v6.count * UINT64_C(20)
			+ p->sets.count * sizeof(struct rule_set);
	if (counts->taken == 0) {
		answer_prefixes_free(p);
		p = NULL;
	}
	*out = p;
	return 0;
}

void answer_prefixes_free(struct answer_prefixes *p)
{
	if (!p)
		return;
	FREE_AND_NULL(p->v4.first);
	FREE_AND_NULL(p->v4.set);
	FREE_AND_NULL(p->v6.first);
	FREE_AND_NULL(p->v6.set);
	sets_free(&p->sets);
	heap_free(p);
}

static void find_v4(const struct answer_prefixes *p, uint32_t address, struct rule_set *lists)
{
	uint32_t low = 0, high = p->v4.count; // ranges before low begin at or before it
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (p->v4.first[mid] <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low)
		sets_add(&p->sets, p->v4.set[low - 1], lists);
}

static void find_v6(const struct answer_prefixes *p, address_bits address, struct rule_set *lists)
{
	uint32_t low = 0, high = p->v6.count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (p->v6.first[mid] <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (low)
		sets_add(&p->sets, p->v6.set[low - 1], lists);
}

void answer_prefixes_find_v4(
	const struct answer_prefixes *p, const uint8_t address[4], struct rule_set *lists)
{
	if (p)
		find_v4(p, get_u32(address), lists);
}

void answer_prefixes_find_v6(
	const struct answer_prefixes *p, const uint8_t address[16], struct rule_set *lists)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
	if (!p)
		return;
	find_v6(p, bits_of(address, 16), lists);
	if (memcmp(address, mapped, sizeof(mapped)) == 0
		|| memcmp(address, nat64, sizeof(nat64)) == 0)
		find_v4(p, get_u32(address + 12), lists);
}
