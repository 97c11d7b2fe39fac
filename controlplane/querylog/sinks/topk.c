// SPDX-License-Identifier: BSD-3-Clause
#include "topk.h"

#include "querylog/querylog_row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

enum { NOBODY = UINT16_MAX };

struct entry {
	uint64_t hash, count, error;
	uint32_t len;     // length of the whole text
	uint16_t place;   // index in `heap`
	uint16_t sibling; // next entry of its bucket
};

// heap[0] has the least count.
struct topk {
	unsigned cap, used, text_max, mask;
	uint64_t evicted;
	struct entry *entry;
	uint16_t *heap, *bucket;
	char *text;
};

int topk_open(struct topk **out, unsigned cap, unsigned text_max)
{
	if (cap < 1 || cap >= TOPK_CAP_MAX || text_max < 1)
		return -EINVAL;
	struct topk *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	unsigned buckets = 1;
	while (buckets < 2 * cap)
		buckets *= 2;
	*s = (struct topk){.cap = cap, .text_max = text_max, .mask = buckets - 1};
	s->entry = heap_calloc(cap, sizeof(*s->entry));
	s->heap = heap_calloc(cap, sizeof(*s->heap));
	s->bucket = heap_calloc(buckets, sizeof(*s->bucket));
	s->text = heap_calloc(cap, text_max);
	if (!s->entry || !s->heap || !s->bucket || !s->text) {
		topk_free(s);
		return -ENOMEM;
	}
	topk_clear(s);
	*out = s;
	return 0;
}

void topk_free(struct topk *s)
{
	if (!s)
		return;
	FREE_AND_NULL(s->entry);
	FREE_AND_NULL(s->heap);
	FREE_AND_NULL(s->bucket);
	FREE_AND_NULL(s->text);
	heap_free(s);
}

void topk_clear(struct topk *s)
{
	s->used = 0;
	for (unsigned i = 0; i <= s->mask; i++)
		s->bucket[i] = NOBODY;
}

// Chains blocks of 16 bytes, so that querylog_siphash serves texts of any length.
uint64_t topk_hash(const uint64_t key[2], const char *text, size_t len)
{
	uint64_t state = len;
	do {
		uint64_t word[2] = {0};
		uint8_t block[sizeof(word)];
		size_t part = len < sizeof(word) ? len : sizeof(word);
		memcpy(word, text, part);
		word[0] ^= state;
		memcpy(block, word, sizeof(word));
		state = querylog_siphash(key, block);
		text += part;
		len -= part;
	} while (len);
	return state;
}

static size_t kept(const struct topk *s, size_t len)
{
	return len < s->text_max ? len : s->text_max - 1;
}

static char *text_of(const struct topk *s, unsigned i)
{
	return s->text + (size_t)i * s->text_max;
}

static void heap_put(struct topk *s, unsigned place, uint16_t i)
{
	s->heap[place] = i;
	s->entry[i].place = (uint16_t)place;
}

static void heap_up(struct topk *s, unsigned place)
{
	uint16_t i = s->heap[place];
	while (place > 0) {
		unsigned parent = (place - 1) / 2;
		if (s->entry[s->heap[parent]].count <= s->entry[i].count)
			break;
		heap_put(s, place, s->heap[parent]);
		place = parent;
	}
	heap_put(s, place, i);
}

static void heap_down(struct topk *s, unsigned place)
{
	uint16_t i = s->heap[place];
	for (unsigned child; (child = 2 * place + 1) < s->used; place = child) {
		if (child + 1 < s->used
			&& s->entry[s->heap[child + 1]].count < s->entry[s->heap[child]].count)
			child++;
		if (s->entry[i].count <= s->entry[s->heap[child]].count)
			break;
		heap_put(s, place, s->heap[child]);
	}
	heap_put(s, place, i);
}

static uint16_t find(const struct topk *s, uint64_t hash, const char *text, size_t len)
{
	uint16_t i = s->bucket[hash & s->mask];
	while (i != NOBODY) {
		const struct entry *e = &s->entry[i];
		if (e->hash == hash && e->len == len
			&& memcmp(text_of(s, i), text, kept(s, len)) == 0)
			break;
		i = e->sibling;
	}
	return i;
}

static void unlink_entry(struct topk *s, uint16_t i)
{
	uint16_t *at = &s->bucket[s->entry[i].hash & s->mask];
	while (*at != i)
		at = &s->entry[*at].sibling;
	*at = s->entry[i].sibling;
}

static void text_put(struct topk *s, uint16_t i, uint64_t hash, const char *text, size_t len)
{
	struct entry *e = &s->entry[i];
	uint16_t *bucket = &s->bucket[hash & s->mask];
	e->hash = hash;
	e->len = (uint32_t)len;
	e->sibling = *bucket;
	*bucket = i;
	memcpy(text_of(s, i), text, kept(s, len));
	text_of(s, i)[kept(s, len)] = '\0';
}

void topk_add(struct topk *s, uint64_t hash, const char *text, size_t len, uint64_t weight)
{
	uint16_t i = find(s, hash, text, len);
	if (i == NOBODY && s->used < s->cap) {
		i = (uint16_t)s->used++;
		s->entry[i] = (struct entry){.count = weight};
		text_put(s, i, hash, text, len);
		heap_put(s, i, i);
		heap_up(s, i);
		return;
	}
	if (i == NOBODY) {
		i = s->heap[0];
		s->evicted++;
		unlink_entry(s, i);
		s->entry[i].error = s->entry[i].count;
		text_put(s, i, hash, text, len);
	}
	s->entry[i].count += weight;
	heap_down(s, s->entry[i].place);
}

// The greatest possible weight of a text that is not in the table.
static uint64_t unseen(const struct topk *s)
{
	return s->used == s->cap ? s->entry[s->heap[0]].count : 0;
}

static struct topk_item item_of(const struct topk *s, unsigned i, const struct topk *other)
{
	const struct entry *e = &s->entry[i];
	struct topk_item item = {text_of(s, i), e->hash, e->count, e->error};
	if (!other)
		return item;
	uint16_t j = find(other, e->hash, text_of(s, i), e->len);
	item.count += j == NOBODY ? unseen(other) : other->entry[j].count;
	item.error += j == NOBODY ? unseen(other) : other->entry[j].error;
	return item;
}

// Orders by `count` less `error` first, because a new text may have got the count of a large
// one.
static int by_count(const void *left, const void *right)
{
	const struct topk_item *a = left, *b = right;
	uint64_t x = a->count - a->error, y = b->count - b->error;
	if (x != y)
		return x < y ? 1 : -1;
	return a->count != b->count ? (a->count < b->count ? 1 : -1) : strcmp(a->text, b->text);
}

unsigned topk_best(const struct topk *now, const struct topk *before, struct topk_item *room,
	struct topk_item *out, unsigned max)
{
	unsigned n = 0;
	for (unsigned i = 0; i < now->used; i++)
		room[n++] = item_of(now, i, before);
	for (unsigned i = 0; before && i < before->used; i++)
		if (find(now, before->entry[i].hash, text_of(before, i), before->entry[i].len)
			== NOBODY)
			room[n++] = item_of(before, i, now);
	qsort(room, n, sizeof(*room), by_count);
	n = n < max ? n : max;
	memcpy(out, room, n * sizeof(*out));
	return n;
}

uint64_t topk_evicted(const struct topk *s)
{
	return s->evicted;
}

unsigned topk_used(const struct topk *s)
{
	return s->used;
}

size_t topk_bytes(const struct topk *s)
{
	return sizeof(*s) + s->cap * (sizeof(*s->entry) + sizeof(*s->heap) + s->text_max)
	       + (s->mask + 1u) * sizeof(*s->bucket);
}
