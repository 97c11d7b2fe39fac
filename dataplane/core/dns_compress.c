// SPDX-License-Identifier: BSD-3-Clause

#include "dns_compress.h"

#include <weir/ascii.h>

enum { POINTER_TARGETS = 0x4000 }; // what 14 bits can tell

// The suffixes of a name: where each begins and its hash, nearest to the root last.
struct suffixes {
	uint8_t off[DNS_LABELS_MAX];
	uint32_t hash[DNS_LABELS_MAX];
};

static void suffixes_of(const struct dns_name *name, struct suffixes *s)
{
	unsigned pos = 0;
	for (unsigned i = 0; i < name->labels; i++) {
		s->off[i] = (uint8_t)pos;
		pos += 1u + name->wire[pos];
	}
	uint32_t h = 2166136261u; // FNV-1a, from the root towards the first label
	for (unsigned i = name->labels; i-- > 0;) {
		const uint8_t *label = name->wire + s->off[i];
		for (unsigned k = 0; k <= label[0]; k++)
			h = (h ^ label[k]) * 16777619u;
		s->hash[i] = h;
	}
}

// The octet at a message offset, which lies in the question's name or in what was written.
static uint8_t octet_at(const struct dns_compress *c, unsigned off)
{
	return off < c->base ? c->question->wire[off - DNS_HEADER_LEN] : c->w.base[off - c->base];
}

// Does the name written at `off` equal the lower-case one at `wire`? Our own pointers only lead
// backwards, so this ends.
static bool suffix_is_at(const struct dns_compress *c, unsigned off, const uint8_t *wire)
{
	for (;;) {
		unsigned len = octet_at(c, off);
		while (len > DNS_LABEL_MAX) {
			off = (len & 0x3f) << 8 | octet_at(c, off + 1);
			len = octet_at(c, off);
		}
		if (len != *wire)
			return false;
		if (len == 0)
			return true;
		for (unsigned i = 1; i <= len; i++)
			if (ascii_lower(octet_at(c, off + i)) != wire[i])
				return false;
		off += 1 + len;
		wire += 1 + len;
	}
}

static unsigned slot_of(uint32_t hash, unsigned probe)
{
	return ((hash ^ hash >> 15) + probe) % DNS_COMPRESS_SLOTS;
}

static unsigned find(struct dns_compress *c, uint32_t hash, const uint8_t *wire)
{
	for (unsigned i = 0; i < DNS_COMPRESS_PROBES; i++) {
		unsigned at = slot_of(hash, i);
		if (c->off[at] == 0)
			return 0;
		if (c->hash[at] != hash || c->strangers == DNS_COMPRESS_STRANGERS)
			continue;
		if (suffix_is_at(c, c->off[at], wire))
			return c->off[at];
		c->strangers++;
	}
	return 0;
}

static void remember(struct dns_compress *c, uint32_t hash, size_t off)
{
	if (off >= POINTER_TARGETS)
		return;
	for (unsigned i = 0; i < DNS_COMPRESS_PROBES; i++) {
		unsigned at = slot_of(hash, i);
		if (c->off[at] == 0) {
			c->off[at] = (uint16_t)off;
			c->hash[at] = hash;
			return;
		}
	}
}

void dns_compress_init(struct dns_compress *c, const struct dns_query *q, uint8_t *buf, size_t cap)
{
	memset(c->off, 0, sizeof c->off);
	c->w = wr_init(buf, cap);
	c->may_follow = SIZE_MAX;
	c->strangers = 0;
	c->question = &q->name;
	c->base = (uint16_t)(DNS_HEADER_LEN + q->name.len + 4);
	struct suffixes s;
	suffixes_of(&q->name, &s);
	for (unsigned i = 0; i < q->name.labels; i++)
		remember(c, s.hash[i], DNS_HEADER_LEN + (size_t)s.off[i]);
}

void dns_compress_name(
	struct dns_compress *c, const struct dns_name *name, const uint8_t *wire_case)
{
	struct suffixes s;
	suffixes_of(name, &s);
	unsigned pointer = 0, new = 0; // labels before the pointer, or all of them
	for (; new < name->labels; new ++) {
		pointer = find(c, s.hash[new], name->wire + s.off[new]);
		if (pointer)
			break;
	}

	size_t at = c->base + c->w.pos;
	if (pointer) {
		wr_bytes(&c->w, wire_case, s.off[new]);
		wr_u16(&c->w, (uint16_t)(0xc000 | pointer));
	} else {
		wr_bytes(&c->w, wire_case, name->len);
	}
	if (!wr_ok(&c->w))
		return;
	for (unsigned i = 0; i < new; i++)
		remember(c, s.hash[i], at + s.off[i]);
}
