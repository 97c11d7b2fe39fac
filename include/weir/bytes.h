// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Bounded cursors over bytes that we do not trust (rd) and buffers that we fill (wr).
//
// Both have a sticky error: after the first access out of bounds every later one does nothing
// and reads yield zero, so a parser checks `rd_ok` once at the end of a step. Integers are in
// network byte order. A cursor owns nothing; the bytes must outlive it. Not shared by threads.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Are the first `bits` bits the same?
static inline bool bits_same(const void *a, const void *b, unsigned bits)
{
	const uint8_t *x = a, *y = b;
	unsigned whole = bits / 8, rest = bits % 8;
	return memcmp(x, y, whole) == 0 && (rest == 0 || (x[whole] ^ y[whole]) >> (8 - rest) == 0);
}

struct rd {
	const uint8_t *base;
	size_t len;
	size_t pos; // always <= len
	bool bad;
};

static inline struct rd rd_init(const void *base, size_t len)
{
	return (struct rd){.base = base, .len = len};
}

static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : r->len - r->pos;
}

// The next n bytes, or NULL (and the sticky error) when fewer are left.
static inline const uint8_t *rd_bytes(struct rd *r, size_t n)
{
	if (r->bad || r->len - r->pos < n) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *p = r->base + r->pos;
	r->pos += n;
	return p;
}

static inline void rd_skip(struct rd *r, size_t n)
{
	(void)rd_bytes(r, n);
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 1);
	return p ? p[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);
	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);
	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

struct wr {
	uint8_t *base;
	size_t cap;
	size_t pos; // always <= cap
	bool bad;
};

static inline struct wr wr_init(void *base, size_t cap)
{
	return (struct wr){.base = base, .cap = cap};
}

static inline bool wr_ok(const struct wr *w)
{
	return !w->bad;
}

// Room for n bytes, or NULL (and the sticky error) when there is less.
static inline uint8_t *wr_space(struct wr *w, size_t n)
{
	if (w->bad || w->cap - w->pos < n) {
		w->bad = true;
		return NULL;
	}
	uint8_t *p = w->base + w->pos;
	w->pos += n;
	return p;
}

static inline void wr_bytes(struct wr *w, const void *src, size_t n)
{
	uint8_t *p = wr_space(w, n);
	if (p && n)
		memcpy(p, src, n);
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, (uint16_t)(v >> 16));
	put_u16(p + 2, (uint16_t)v);
}

static inline uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_space(w, 1);
	if (p)
		*p = v;
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_space(w, 2);
	if (p)
		put_u16(p, v);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	uint8_t *p = wr_space(w, 4);
	if (p)
		put_u32(p, v);
}
