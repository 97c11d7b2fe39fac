// SPDX-License-Identifier: BSD-3-Clause

// dns_name_read_bounded beside a plain twin that takes a byte a step, over random messages of
// labels and pointers.

#include "dns_rand.h"
#include "tests/unit/unit.h"

#include <weir/ascii.h>

enum { LEN = 700, POINTERS = 126 };

struct plain {
	uint8_t wire[DNS_NAME_MAX], label_off[DNS_LABELS_MAX];
	unsigned len, labels;
	size_t end, followed;
};

// As the header has it: pointers strictly backwards, 126 of them at most, into no header.
static bool plain_read(const uint8_t *msg, size_t len, size_t at, struct plain *p)
{
	size_t run = at, pointers = 0;
	p->len = p->labels = 0;
	p->end = 0;
	for (;;) {
		if (at >= len)
			return false;
		uint8_t byte = msg[at++];
		if (byte >= 0xc0) {
			if (at == len || pointers++ == POINTERS)
				return false;
			size_t to = (byte & 0x3fu) * 256u + msg[at++];
			if (to < DNS_HEADER_LEN || to >= run)
				return false;
			p->end = p->end ? p->end : at;
			run = at = to;
			continue;
		}
		if (byte > DNS_LABEL_MAX || p->len + 1u + byte + (byte ? 1u : 0u) > DNS_NAME_MAX)
			return false;
		if (byte)
			p->label_off[p->labels++] = (uint8_t)p->len;
		p->wire[p->len++] = byte;
		for (unsigned i = 0; i < byte; i++) {
			if (at == len)
				return false;
			p->wire[p->len++] = msg[at++];
		}
		if (byte == 0)
			break;
	}
	p->end = p->end ? p->end : at;
	p->followed = p->len + 2 * pointers;
	return true;
}

// Names behind one another, with ends of all kinds: the root, pointers to where labels begin, and
// now and then one that is wrong.
static void fill(struct dns_rand *r, uint8_t *msg)
{
	static const uint8_t len[] = {1, 1, 1, 1, 2, 2, 3, 14, 15, 16, 17, 40, 63};
	size_t begin[LEN], begins = 0, pos = DNS_HEADER_LEN;
	uint32_t kinds = dns_rand_below(r, 3) ? 4 : 60; // of few labels, or of many
	for (size_t i = 0; i < LEN; i++)
		msg[i] = (uint8_t)dns_rand_next(r);
	while (pos + 70 < LEN) {
		begin[begins++] = pos;
		uint32_t kind = dns_rand_below(r, kinds);
		if (kind == 0 && begins > 1) {
			size_t to = begin[dns_rand_below(r, (uint32_t)begins - 1)];
			put_u16(msg + pos, (uint16_t)(0xc000 | to));
			pos += 2;
		} else if (kind == 1) {
			msg[pos++] = dns_rand_below(r, 20) ? 0 : 0x80;
		} else {
			msg[pos] = len[dns_rand_below(r, sizeof(len))];
			pos += 1u + msg[pos];
		}
	}
}

// With as many bytes to follow as it needs, with one less, and from a cursor that is bad.
static void compare_left(const uint8_t *msg, size_t len, size_t at, size_t followed)
{
	static const int expected[] = {0, -E2BIG, -EBADMSG};
	for (unsigned i = 0; i < 3; i++) {
		struct dns_name name;
		size_t left = followed - (i == 1);
		struct rd r = rd_init(msg, len);
		rd_skip(&r, at);
		r.bad = i == 2;
		assert_int_equal(dns_name_read_bounded(&r, &name, NULL, &left), expected[i]);
		assert_int_equal(rd_ok(&r), i == 0);
	}
}

static void compare(const uint8_t *msg, size_t len, size_t at, unsigned *good)
{
	struct plain plain;
	struct dns_name name;
	struct dns_spelling spelling;
	size_t left = 600;
	struct rd r = rd_init(msg, len);
	rd_skip(&r, at);
	bool is_name = plain_read(msg, len, at, &plain);
	assert_int_equal(dns_name_read_bounded(&r, &name, &spelling, &left) == 0, is_name);
	assert_int_equal(rd_ok(&r), is_name);
	if (!is_name)
		return;
	++*good;
	assert_int_equal(r.pos, plain.end);
	assert_int_equal(600 - left, plain.followed);
	assert_int_equal(name.len, plain.len);
	assert_int_equal(name.labels, plain.labels);
	assert_memory_equal(spelling.wire, plain.wire, plain.len);
	assert_memory_equal(spelling.label_off, plain.label_off, plain.labels);
	for (unsigned i = 0; i < plain.len; i++)
		assert_int_equal(name.wire[i], ascii_lower(plain.wire[i]));
	compare_left(msg, len, at, plain.followed);
}

TEST(test_as_the_plain_twin)
{
	unsigned good = 0;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct dns_rand r = {seed};
		uint8_t msg[LEN];
		fill(&r, msg);
		size_t len = LEN - dns_rand_below(&r, 90);
		uint8_t *copy = dns_exact_copy(msg, len);
		for (size_t at = 0; at <= len; at++)
			compare(copy, len, at, &good);
		free(copy);
	}
	assert_true(good > 20000);
}

// The most that names may have: 127 labels, 126 pointers, and one more of each.
TEST(test_the_longest)
{
	uint8_t msg[DNS_HEADER_LEN + 3 + 4 * 127] = {0};
	unsigned good = 0;
	memcpy(msg + DNS_HEADER_LEN, "\1a", 3);
	for (size_t at = DNS_HEADER_LEN + 3, to = DNS_HEADER_LEN; at < sizeof(msg); at += 4) {
		memcpy(msg + at, "\1b", 2);
		put_u16(msg + at + 2, (uint16_t)(0xc000 | to));
		compare(msg, sizeof(msg), at, &good);
		to = at;
	}
	assert_int_equal(good, POINTERS);
}
