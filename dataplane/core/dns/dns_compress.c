// SPDX-License-Identifier: BSD-3-Clause

#include "dns_compress.h"

#include <weir/ascii.h>
#include <weir/keyhash.h>

enum {
	POINTER = 0xc0,
	POINTER_TARGETS = 0x4000, // greatest offset in 14 bits
	WORD = 8,
	NONE = DNS_COMPRESS_SLOTS,
};

uint64_t dns_compress_label(const struct dns_name *name, unsigned off)
{
	unsigned len = 1u + name->wire[off];
	uint64_t h = DNS_COMPRESS_FIRST;
	for (; len > WORD; len -= WORD, off += WORD)
		h = keyhash_fold(h ^ keyhash_word(name->wire + off), DNS_COMPRESS_FACTOR);
	// The rest of it, from a word within the name's buffer.
	unsigned at = off < DNS_NAME_MAX - WORD ? off : DNS_NAME_MAX - WORD;
	uint64_t last = keyhash_word(name->wire + at) >> 8 * (off - at);
	return keyhash_fold(h ^ (last & UINT64_MAX >> 8 * (WORD - len)), DNS_COMPRESS_FACTOR);
}

// From the root towards the first label. The low bits do not depend on the high ones, so the high
// ones are the hash.
static void suffixes_hash(const struct dns_name *name, const uint8_t *label_off, uint32_t *hash)
{
	uint64_t h = 0;
	for (unsigned i = name->labels; i-- > 0;) {
		h = (h + dns_compress_label(name, label_off[i])) * DNS_COMPRESS_FACTOR;
		hash[i] = (uint32_t)(h >> 32);
	}
}

static void labels_find(const struct dns_name *name, uint8_t *label_off)
{
	unsigned pos = 0;
	for (unsigned i = 0; i < name->labels; i++) {
		label_off[i] = (uint8_t)pos;
		pos += 1u + name->wire[pos];
	}
}

// The bytes from a message offset on, which lies in the question's name or in what was written.
static struct rd bytes_at(const struct dns_compress *c, unsigned off)
{
	if (off < c->base)
		return rd_init(c->question->wire + (off - DNS_HEADER_LEN),
			c->question->len - (off - DNS_HEADER_LEN));
	return rd_init(c->w.base + (off - c->base), c->w.pos - (off - c->base));
}

// How many of the first `n` bytes are the same, letter case of `a` ignored.
static unsigned bytes_same(const uint8_t *a, const uint8_t *lower, unsigned n)
{
	unsigned i = 0;
	while (i + WORD <= n && ascii_lower_8(keyhash_word(a + i)) == keyhash_word(lower + i))
		i += WORD;
	while (i < n && ascii_lower(a[i]) == lower[i])
		i++;
	return i;
}

// Does the name written at `off` equal the lower-case one of `len` bytes at `wire`? They may first
// differ where a label begins in `wire` and a pointer stands in its place. weir's own pointers only
// lead backwards, so this ends.
static bool suffix_is_at(
	const struct dns_compress *c, unsigned off, const uint8_t *wire, unsigned len)
{
	unsigned at = 0, same = 0;
	for (;;) {
		struct rd there = bytes_at(c, off);
		unsigned n = there.len < len - same ? (unsigned)there.len : len - same;
		unsigned more = bytes_same(there.base, wire + same, n);
		same += more;
		if (same == len)
			return true;
		while (at < same)
			at += 1u + wire[at];
		rd_skip(&there, more);
		uint8_t byte = rd_u8(&there);
		if (at != same || byte < POINTER)
			return false;
		off = (byte & 0x3fu) << 8 | rd_u8(&there);
	}
}

static unsigned slot_of(uint32_t hash, unsigned probe)
{
	return ((hash ^ hash >> 15) + probe) % DNS_COMPRESS_SLOTS;
}

// The slot of a label, or NONE.
static unsigned find(struct dns_compress *c, uint32_t hash, const uint8_t *wire, unsigned len)
{
	for (unsigned i = 0; i < DNS_COMPRESS_PROBES; i++) {
		unsigned at = slot_of(hash, i);
		if (c->off[at] == 0)
			return NONE;
		if (c->hash[at] != hash || c->strangers == DNS_COMPRESS_STRANGERS)
			continue;
		if (suffix_is_at(c, c->off[at], wire, len))
			return at;
		c->strangers++;
	}
	return NONE;
}

static void remember(struct dns_compress *c, uint32_t hash, size_t off, uint8_t depth)
{
	if (off >= POINTER_TARGETS)
		return;
	for (unsigned i = 0; i < DNS_COMPRESS_PROBES; i++) {
		unsigned at = slot_of(hash, i);
		if (c->off[at] == 0) {
			c->off[at] = (uint16_t)off;
			c->hash[at] = hash;
			c->depth[at] = depth;
			return;
		}
	}
}

void dns_compress_init(struct dns_compress *c, const struct dns_query *q, uint8_t *buf, size_t cap)
{
	memset(c->off, 0, sizeof(c->off));
	c->w = wr_init(buf, cap);
	c->may_follow = SIZE_MAX;
	c->strangers = 0;
	c->question = &q->name;
	c->base = (uint16_t)(DNS_HEADER_LEN + q->name.len + 4);
	uint8_t label_off[DNS_LABELS_MAX];
	uint32_t hash[DNS_LABELS_MAX];
	labels_find(&q->name, label_off);
	suffixes_hash(&q->name, label_off, hash);
	for (unsigned i = 0; i < q->name.labels; i++)
		remember(c, hash[i], DNS_HEADER_LEN + (size_t)label_off[i], 0);
}

static void name_write(struct dns_compress *c, const struct dns_name *name,
	const uint8_t *wire_case, const uint8_t *label_off)
{
	uint32_t hash[DNS_LABELS_MAX];
	suffixes_hash(name, label_off, hash);
	unsigned found = NONE, new = 0; // labels before the pointer, or all of them
	for (; new < name->labels; new ++) {
		unsigned off = label_off[new];
		found = find(c, hash[new], name->wire + off, name->len - off);
		if (found != NONE)
			break;
	}

	size_t at = c->base + c->w.pos;
	uint8_t depth = 0;
	bool is_deep = found != NONE && c->depth[found] == DNS_COMPRESS_DEPTH;
	if (found != NONE && !is_deep) {
		wr_bytes(&c->w, wire_case, label_off[new]);
		wr_u16(&c->w, (uint16_t)(POINTER << 8 | c->off[found]));
		depth = (uint8_t)(c->depth[found] + 1);
	} else {
		wr_bytes(&c->w, wire_case, name->len);
	}
	if (!wr_ok(&c->w))
		return;
	if (is_deep && at + label_off[new] < POINTER_TARGETS) {
		c->off[found] = (uint16_t)(at + label_off[new]);
		c->depth[found] = 0;
	}
	for (unsigned i = 0; i < new; i++)
		remember(c, hash[i], at + label_off[i], depth);
}

void dns_compress_name(
	struct dns_compress *c, const struct dns_name *name, const struct dns_spelling *spelling)
{
	name_write(c, name, spelling->wire, spelling->label_off);
}

void dns_compress_spelled(
	struct dns_compress *c, const struct dns_name *name, const uint8_t *wire_case)
{
	uint8_t label_off[DNS_LABELS_MAX];
	labels_find(name, label_off);
	name_write(c, name, wire_case, label_off);
}
