// SPDX-License-Identifier: BSD-3-Clause
#include "rule_build.h"

#include "rule_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	BLOOM_BITS_PER_NAME = 23, // 21 give 0.1 % false positives, 23 give 0.06 %
	TABLE_LOAD_PERCENT = 75,
	TABLE_TRIES_MAX = 32,
	PENDING_FIRST = 4096,
};

struct rule_builder {
	struct keyhash_secret secret;
	struct rule_sets *sets;
	struct rule_rows rows;
	uint64_t *pending; // fingerprints of the current list
	size_t pending_count, pending_room;
	uint64_t depths;
	unsigned list_count;
	struct rule_list_info list[RULE_LISTS_MAX];
	size_t peak_bytes;
};

int rule_arena_new(struct rule_arena *a, size_t size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	*a = (struct rule_arena){.base = base, .size = size};
	return 0;
}

void rule_arena_free(struct rule_arena *a)
{
	if (a->base)
		munmap(a->base, a->size);
	*a = (struct rule_arena){0};
}

int rule_builder_new(const struct keyhash_secret *secret, struct rule_builder **out)
{
	struct rule_builder *b = calloc(1, sizeof *b);
	if (!b)
		return -ENOMEM;
	b->sets = rule_sets_new();
	if (!b->sets) {
		free(b);
		return -ENOMEM;
	}
	b->secret = *secret;
	*out = b;
	return 0;
}

void rule_builder_free(struct rule_builder *b)
{
	if (!b)
		return;
	rule_rows_free(&b->rows);
	free(b->pending);
	free(b->sets);
	free(b);
}

static void note_peak(struct rule_builder *b, size_t arena)
{
	size_t now = sizeof *b + sizeof *b->sets + arena + b->pending_room * sizeof *b->pending
		     + b->rows.room * (sizeof *b->rows.hash + sizeof *b->rows.set);
	if (now > b->peak_bytes)
		b->peak_bytes = now;
}

size_t rule_builder_peak_bytes(const struct rule_builder *b)
{
	return b->peak_bytes;
}

static int end_list(struct rule_builder *b)
{
	if (b->list_count == 0)
		return 0;
	struct rule_list_info *info = &b->list[b->list_count - 1];
	size_t distinct = rule_hashes_sort(b->pending, b->pending_count);
	info->names = distinct;
	info->duplicates = b->pending_count - distinct;
	int err = rule_rows_merge(&b->rows, b->sets, b->list_count - 1, b->pending, distinct);
	note_peak(b, 0);
	b->pending_count = 0;
	return err;
}

void rule_title_make(char out[RULE_TITLE_MAX], const char *text)
{
	size_t n = 0;
	for (const char *c = text; *c && n + 5 <= RULE_TITLE_MAX; c++) {
		if (*c >= ' ' && *c < 0x7f && *c != '\\')
			out[n++] = *c;
		else
			n += (size_t)snprintf(out + n, 5, "\\%03u", (unsigned char)*c);
	}
	memset(out + n, 0, RULE_TITLE_MAX - n);
}

int rule_builder_list(struct rule_builder *b, const char *title, bool allow)
{
	int err = end_list(b);
	if (err)
		return err;
	if (b->list_count == RULE_LISTS_MAX)
		return -E2BIG;
	struct rule_list_info *info = &b->list[b->list_count++];
	*info = (struct rule_list_info){.allow = allow};
	rule_title_make(info->title, title);
	return 0;
}

int rule_builder_name(struct rule_builder *b, const struct dns_name *name)
{
	if (name->labels < 1 || name->labels > RULE_LABELS_MAX)
		return -EINVAL;
	if (b->pending_count == b->pending_room) {
		// Half as much again: what is not used of it was never touched.
		size_t room =
			b->pending_room ? b->pending_room + b->pending_room / 2 : PENDING_FIRST;
		if (room > 2 * (size_t)RULE_ROWS_MAX)
			return -E2BIG;
		uint64_t *pending = realloc(b->pending, room * sizeof *pending);
		if (!pending)
			return -ENOMEM;
		b->pending = pending;
		b->pending_room = room;
		note_peak(b, 0);
	}
	b->pending[b->pending_count++] = rule_name_hash(&b->secret, name);
	b->depths |= UINT64_C(1) << name->labels;
	return 0;
}

void rule_builder_list_info(struct rule_builder *b, const struct rule_list_info *info)
{
	struct rule_list_info *to = &b->list[b->list_count - 1];
	to->lines = info->lines;
	to->comments = info->comments;
	to->rejected = info->rejected;
	to->bytes = info->bytes;
	to->content_hash = info->content_hash;
}

// Puts the rows into the table in their order: each into its home bucket, or where that is full
// into the next one with room. With `table` NULL it only tries. False: a walk gets too long.
static bool fill_table(const struct rule_rows *rows, uint64_t homes, struct rule_bucket *table)
{
	uint64_t at = 0;
	unsigned slot = 0;
	for (size_t i = 0; i < rows->count; i++) {
		uint64_t hash = rows->hash[i];
		uint64_t home = rule_slot_of(hash, homes);
		if (slot == RULE_BUCKET_SLOTS || home > at) {
			at = home > at ? home : at + 1;
			slot = 0;
		}
		if (at - home > RULE_WALK_MAX)
			return false;
		if (table) {
			table[at].fingerprint[slot] = hash;
			table[at].set[slot] = rows->set[i];
			if (i + 1 < rows->count && rows->hash[i + 1] == hash)
				table[at].more |= (uint16_t)(1U << slot);
			table[home].walk = (uint16_t)(at - home);
		}
		slot++;
	}
	return true;
}

static void fill_bloom(
	const struct rule_rows *rows, uint64_t blocks, struct rule_bloom_block *bloom)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct rule_bloom_block *block = &bloom[rule_slot_of(rows->hash[i], blocks)];
		for (unsigned w = 0; w < 2; w++)
			block->word[w] |= rule_bloom_bits(rows->hash[i], w);
	}
}

// Sets in use get numbers without gaps, in the order of the old ones; the rows are renumbered.
static uint64_t pack_sets(struct rule_builder *b)
{
	uint32_t packed = 0;
	for (uint32_t id = 0; id < b->sets->numbered; id++) {
		bool used = b->sets->uses[id] > 0;
		b->sets->index[id] = packed; // the index is not needed any more
		if (used)
			b->sets->set[packed++] = b->sets->set[id];
	}
	for (size_t i = 0; i < b->rows.count; i++)
		b->rows.set[i] = (uint16_t)b->sets->index[b->rows.set[i]];
	return packed;
}

static uint64_t align_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

// Evenly spread fingerprints walk five buckets at most; with many split names it may be more, and
// a larger table helps. 0: it never fits.
static uint64_t choose_homes(const struct rule_rows *rows)
{
	uint64_t per_bucket = RULE_BUCKET_SLOTS * TABLE_LOAD_PERCENT;
	uint64_t homes = (rows->count * 100 + per_bucket - 1) / per_bucket;
	for (unsigned tries = 0; tries < TABLE_TRIES_MAX; tries++) {
		if (homes > 0 && fill_table(rows, homes, NULL))
			return homes;
		homes += homes / 8 + 1;
	}
	return 0;
}

static int lay_out(struct rule_builder *b, struct rule_image_head *h)
{
	uint64_t homes = choose_homes(&b->rows);
	if (homes == 0)
		return -E2BIG;
	h->names = b->rows.names;
	h->entries = b->rows.count;
	h->depths = b->depths;
	h->list_count = b->list_count;
	h->set_count = pack_sets(b);
	h->bloom_blocks = b->rows.names * BLOOM_BITS_PER_NAME / 128 + 1;
	h->table_buckets = homes + RULE_WALK_MAX;
	h->bloom_off = align_up(sizeof *h, CACHE_LINE);
	h->table_off = align_up(
		h->bloom_off + h->bloom_blocks * sizeof(struct rule_bloom_block), CACHE_LINE);
	h->sets_off = h->table_off + h->table_buckets * sizeof(struct rule_bucket);
	h->lists_off = h->sets_off + h->set_count * sizeof(struct rule_set);
	h->size = h->lists_off + h->list_count * sizeof(struct rule_list_info);
	for (unsigned i = 0; i < b->list_count; i++)
		if (b->list[i].allow)
			h->allow_lists[i / 64] |= UINT64_C(1) << i % 64;
	return 0;
}

int rule_builder_finish(struct rule_builder *b, uint64_t input_hash, uint64_t created_unix_s,
	struct rule_arena *out)
{
	struct rule_image_head h = {.magic = RULE_IMAGE_MAGIC, .version = RULE_IMAGE_VERSION};
	struct rule_arena arena;
	int err = end_list(b);
	if (err)
		return err;
	free(b->pending);
	b->pending = NULL;
	b->pending_room = 0;
	err = lay_out(b, &h);
	if (err)
		return err;
	err = rule_arena_new(&arena, h.size);
	if (err)
		return err;
	note_peak(b, arena.size);
	uint8_t *base = arena.base;
	fill_bloom(&b->rows, h.bloom_blocks, (void *)(base + h.bloom_off));
	(void)fill_table(&b->rows, h.table_buckets - RULE_WALK_MAX, (void *)(base + h.table_off));
	memcpy(base + h.sets_off, b->sets->set, h.set_count * sizeof(struct rule_set));
	memcpy(base + h.lists_off, b->list, h.list_count * sizeof(struct rule_list_info));
	h.secret = b->secret;
	h.input_hash = input_hash;
	h.created_unix_s = created_unix_s;
	h.body_sum = contenthash(base + sizeof h, arena.size - sizeof h);
	h.head_sum = contenthash(&h, offsetof(struct rule_image_head, head_sum));
	memcpy(base, &h, sizeof h);
	*out = arena;
	return 0;
}
