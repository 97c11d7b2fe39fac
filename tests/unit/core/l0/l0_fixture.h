// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A table of L0 in plain memory with a writer, or several, and two workers' epochs, and answers
// whose bytes follow from name and serial number, so that any reader can tell a right one from a
// torn one.

#include <stdlib.h>
#include <string.h>
#include <weir/l0_writer.h>

enum { BOX_WORKERS = 2, BOX_ANSWER_MIN = 16 };

struct box {
	uint8_t *base;
	size_t size;
	struct l0_writer *w;                      // the only one, or the first
	struct l0_writer *all[SHM_RESOLVERS_MAX]; // where there are several
	unsigned writers;
	_Atomic uint64_t epoch;
	_Atomic uint64_t seen[BOX_WORKERS];
	struct epoch_writer ew;
	uint8_t *marks;
};

static inline uint64_t mix64(uint64_t x) // splitmix64's finalizer
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline uint64_t rnd(uint64_t *state)
{
	return mix64((*state)++);
}

static inline uint32_t rnd_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(rnd(state) % n);
}

// The region alone. The memory ends where the last unit ends, for ASan's sake.
static inline bool box_map_for(struct box *b, uint64_t bytes, unsigned mean_units, unsigned writers)
{
	memset(b, 0, sizeof(*b));
	uint64_t geometry[SHM_GEOMETRY_WORDS];
	size_t data_size;
	if (l0_plan(bytes, mean_units, writers, geometry, &data_size) < 0)
		return false;
	b->writers = writers;
	b->size = SHM_PAGE + data_size;
	b->base = aligned_alloc(CACHE_LINE, b->size);
	if (!b->base)
		return false;
	memset(b->base, 0, b->size);
	struct region_header *head = (struct region_header *)(void *)b->base;
	memcpy(head->geometry, geometry, sizeof(geometry));
	b->epoch = 1;
	b->ew.epoch = &b->epoch;
	for (unsigned i = 0; i < BOX_WORKERS; i++) {
		b->seen[i] = EPOCH_OFFLINE;
		b->ew.seen[i] = &b->seen[i];
	}
	return l0_region_init(b->base, b->size) == 0;
}

static inline bool box_map(struct box *b, uint64_t bytes, unsigned mean_units)
{
	return box_map_for(b, bytes, mean_units, 1);
}

static inline bool box_writers_open(struct box *b, bool fresh, uint64_t now_ms)
{
	for (unsigned i = 0; i < b->writers; i++)
		if (l0_writer_open(&b->all[i], b->base, b->size, i, fresh, &b->ew, now_ms) != 0)
			return false;
	b->w = b->all[0];
	return true;
}

static inline bool box_open_for(
	struct box *b, uint64_t bytes, unsigned mean_units, unsigned writers)
{
	return box_map_for(b, bytes, mean_units, writers) && box_writers_open(b, true, 0);
}

static inline bool box_open(struct box *b, uint64_t bytes, unsigned mean_units)
{
	return box_open_for(b, bytes, mean_units, 1);
}

static inline void box_writers_close(struct box *b)
{
	for (unsigned i = 0; i < b->writers; i++)
		l0_writer_close(b->all[i]);
	memset(b->all, 0, sizeof(b->all));
	b->w = NULL;
}

// The control plane dies and another one takes over.
static inline bool box_reopen(struct box *b, uint64_t now_ms)
{
	box_writers_close(b);
	return box_writers_open(b, false, now_ms);
}

// Whose the key is.
static inline struct l0_writer *box_writer(const struct box *b, uint64_t hash)
{
	return b->writers > 1 ? b->all[l0_resolver_of(l0_writer_reader(b->w), hash)] : b->w;
}

static inline void box_close(struct box *b)
{
	box_writers_close(b);
	free(b->marks);
	free(b->base);
}

// Gives `worker` marks, all clear.
static inline _Atomic uint8_t *box_marks(struct box *b, unsigned worker)
{
	b->marks = calloc(l0_writer_reader(b->w)->unit_count, 1);
	for (unsigned i = 0; i < b->writers; i++)
		l0_writer_set_marks(b->all[i], worker, (_Atomic uint8_t *)b->marks);
	return (_Atomic uint8_t *)b->marks;
}

struct box_name {
	uint8_t wire[32];
};

// <8 letters>.<2 letters>.test, the middle label from id % 16 so that subtrees exist.
static inline uint8_t box_name_of(uint32_t id, struct box_name *n)
{
	uint8_t *p = n->wire;
	*p++ = 8;
	for (unsigned i = 0; i < 8; i++)
		*p++ = (uint8_t)('a' + (id >> 4 * i & 15));
	*p++ = 2;
	*p++ = 'z';
	*p++ = (uint8_t)('a' + id % 16);
	memcpy(p, "\4test", 6);
	return (uint8_t)(p + 6 - n->wire);
}

static inline struct l0_key box_key(const struct l0_reader *r, uint32_t id, struct box_name *n)
{
	struct l0_key key = {.name_len = box_name_of(id, n), .qtype = 1, .qclass = 1};
	key.name = n->wire;
	l0_key_hash(r, &key);
	return key;
}

// Bytes of the answer to (id, serial): both in front, then a stream that they seed.
static inline void box_answer(uint8_t *bytes, uint16_t len, uint32_t id, uint32_t serial)
{
	memcpy(bytes, &id, 4);
	memcpy(bytes + 4, &serial, 4);
	uint64_t seed = (uint64_t)id << 32 | serial;
	for (unsigned i = 8; i < len; i += 8) {
		uint64_t word = mix64(seed + i);
		memcpy(bytes + i, &word, len - i < 8 ? len - i : 8);
	}
}

// A mask that belongs to (id, serial), of which `n` is free to choose.
static inline struct rule_set box_mask(uint32_t id, uint32_t serial, uint64_t n)
{
	uint64_t both = (uint64_t)id << 32 | serial;
	return (struct rule_set){{both | 1, n, mix64(both ^ n), ~n}};
}

static inline bool box_is_mask(const struct rule_set *mask, uint32_t id, uint32_t serial)
{
	struct rule_set want = box_mask(id, serial, mask->lists[1]);
	return memcmp(mask, &want, sizeof(want)) == 0;
}

struct box_put {
	struct box_name name;
	struct rule_set mask;
	uint16_t ttl_off[2];
	uint8_t bytes[L0_ANSWER_MAX];
	struct l0_put put;
};

// Two TTLs, for every answer of at least BOX_ANSWER_MIN bytes; every eighth id's is judged.
static inline void box_put_fill(const struct l0_reader *r, struct box_put *p, uint32_t id,
	uint32_t serial, uint16_t len, uint64_t now_ms, uint32_t hard_ms)
{
	box_answer(p->bytes, len, id, serial);
	p->ttl_off[0] = 8;
	p->ttl_off[1] = (uint16_t)(len - 4);
	p->mask = box_mask(id, serial, serial);
	p->put = (struct l0_put){
		.key = box_key(r, id, &p->name),
		.answer =
			{
				.bytes = p->bytes,
				.ttl_off = p->ttl_off,
				.len = len,
				.ttl_count = 2,
				.ancount = 2,
				.sum = csum_partial(p->bytes, len),
			},
		.created_ms = now_ms,
		.soft_ms = hard_ms / 2,
		.hard_ms = hard_ms,
		.refresh_ms = UINT32_MAX,
		.mask = id % 8 == 5 ? &p->mask : NULL,
	};
}

static inline int box_put(struct box *b, uint32_t id, uint32_t serial, uint16_t len,
	uint64_t now_ms, uint32_t hard_ms)
{
	struct box_put p;
	box_put_fill(l0_writer_reader(b->w), &p, id, serial, len, now_ms, hard_ms);
	return l0_writer_put(box_writer(b, p.put.key.hash), &p.put);
}

// The lookup as a worker does it. False: absent.
static inline bool box_get(
	const struct l0_reader *r, uint32_t id, struct l0_view *v, uint32_t *number)
{
	struct box_name n;
	struct l0_key key = box_key(r, id, &n);
	uint64_t anomalies = 0;
	*number = l0_find(r, &key, l0_candidate(r, key.hash), &anomalies);
	return *number != L0_NONE && l0_record_read(r, *number, v);
}

// Is it the whole answer to `id`, of whichever serial number?
static inline bool box_is_answer(const struct l0_view *v, uint32_t id, uint32_t *serial)
{
	uint8_t want[L0_ANSWER_MAX];
	if (v->answer.len < BOX_ANSWER_MIN || v->answer.ttl_count != 2)
		return false;
	memcpy(serial, v->answer.bytes + 4, 4);
	box_answer(want, v->answer.len, id, *serial);
	if (v->masked && !box_is_mask(&v->mask, id, *serial))
		return false;
	return memcmp(want, v->answer.bytes, v->answer.len) == 0 && v->answer.ttl_off[0] == 8
	       && v->answer.ttl_off[1] == v->answer.len - 4;
}

// Judges the record of the id anew; n = 0: by no list.
static inline int box_set_mask(struct box *b, uint32_t id, uint64_t n)
{
	const struct l0_reader *r = l0_writer_reader(b->w);
	struct box_name name;
	struct l0_key key = box_key(r, id, &name);
	struct l0_view v;
	uint32_t number, serial = 0;
	if (box_get(r, id, &v, &number))
		memcpy(&serial, v.answer.bytes + 4, 4);
	struct rule_set mask = box_mask(id, serial, n);
	return l0_writer_set_mask(box_writer(b, key.hash), &key, n ? &mask : NULL);
}
