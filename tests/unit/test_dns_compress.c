// SPDX-License-Identifier: BSD-3-Clause

// Names as they are written, beside a table of all suffixes that is searched from its begin to its
// end; and the hash of a label, a word a step, beside octets.

#include "dns_one_hash.h"
#include "dns_rand.h"
#include "unit.h"

#include <stdlib.h>

enum { SUFFIXES = 4096, CAP = 16000 };

// What was written, as the plain twin remembers it.
struct plain {
	struct dns_name suffix[SUFFIXES];
	uint8_t depth[SUFFIXES];
	unsigned count;
};

static struct plain plain;
static struct dns_compress c;
static uint8_t message[DNS_MESSAGE_MAX];

static struct dns_name suffix_of(const struct dns_name *name, unsigned skip)
{
	struct dns_name s = {.labels = (uint8_t)(name->labels - skip)};
	unsigned pos = 0;
	for (; skip; skip--)
		pos += 1u + name->wire[pos];
	s.len = (uint8_t)(name->len - pos);
	memcpy(s.wire, name->wire + pos, s.len);
	return s;
}

// Its number, or the one that is not taken yet.
static unsigned plain_find(const struct dns_name *suffix)
{
	unsigned i = 0;
	while (i < plain.count && !dns_name_equal(&plain.suffix[i], suffix))
		i++;
	return i;
}

// Octets that the name takes.
static size_t plain_write(const struct dns_name *name)
{
	struct dns_name suffix[DNS_LABELS_MAX];
	unsigned found = plain.count, known = plain.count, new = 0;
	for (; new < name->labels &&found == known; new += found == known) {
		suffix[new] = suffix_of(name, new);
		found = plain_find(&suffix[new]);
	}
	bool is_deep = found < known && plain.depth[found] == DNS_COMPRESS_DEPTH;
	unsigned depth = found < known && !is_deep ? plain.depth[found] + 1u : 0;
	if (is_deep)
		plain.depth[found] = 0;
	for (unsigned i = 0; i < new; i++) {
		assert_true(plain.count < SUFFIXES);
		plain.depth[plain.count] = (uint8_t)depth;
		plain.suffix[plain.count++] = suffix[i];
	}
	return depth ? name->len - plain.suffix[found].len + 2u : name->len;
}

// Of few labels, so that names share some: of one octet, of eight with the length octet, longer.
static void random_name(struct dns_rand *r, unsigned labels, uint8_t *wire)
{
	static const uint8_t len[] = {1, 1, 2, 7, 8, 9, 15, 16, 30};
	size_t pos = 0;
	for (; labels; labels--) {
		uint8_t n = len[dns_rand_below(r, sizeof len)];
		if (pos + 1 + n >= DNS_NAME_MAX)
			break;
		wire[pos++] = n;
		for (unsigned i = 0; i < n; i++)
			wire[pos++] = (uint8_t)((i + 1 == n ? 'a' + dns_rand_below(r, 3) : 'x')
						^ (dns_rand_below(r, 4) ? 0 : 0x20));
	}
	wire[pos] = 0;
}

static void read_name(const uint8_t *wire, struct dns_name *name)
{
	struct rd r = rd_init(wire, DNS_NAME_MAX);
	assert_int_equal(dns_name_read(&r, name), 0);
}

// A label above the name that was there, where there is room.
static void grow(struct dns_rand *r, uint8_t *wire)
{
	struct dns_name name;
	read_name(wire, &name);
	if (name.len + 2 > DNS_NAME_MAX)
		return;
	memmove(wire + 2, wire, name.len);
	wire[0] = 1;
	wire[1] = (uint8_t)('a' + dns_rand_below(r, 2));
}

// One name of the stream: it is as short as the twin's, and reads as it was. Of what a pointer
// leads to only the letters count, not their case.
static void write_one(struct dns_rand *r, uint8_t *wire, bool is_spelling_known)
{
	struct dns_name name, again;
	size_t began = c.w.pos;
	if (dns_rand_below(r, 3))
		grow(r, wire);
	else
		random_name(r, dns_rand_below(r, dns_rand_below(r, 4) ? 6 : DNS_LABELS_MAX), wire);
	read_name(wire, &name);
	size_t len = plain_write(&name);
	if (is_spelling_known) {
		struct dns_spelling spelling;
		size_t left = DNS_NAME_MAX;
		struct rd whole = rd_init(wire, DNS_NAME_MAX);
		assert_int_equal(dns_name_read_bounded(&whole, &again, &spelling, &left), 0);
		dns_compress_name(&c, &again, &spelling);
	} else {
		dns_compress_spelled(&c, &name, wire);
	}
	assert_true(wr_ok(&c.w));
	assert_int_equal(c.w.pos - began, len);
	struct rd msg = rd_init(message, c.base + c.w.pos);
	rd_skip(&msg, c.base + began);
	assert_int_equal(dns_name_read_compressed(&msg, &again, NULL), 0);
	assert_int_equal(msg.pos, msg.len);
	assert_true(dns_name_equal(&again, &name));
	assert_int_equal(again.labels, name.labels);
	size_t own = len == name.len ? len : len - 2;
	assert_memory_equal(message + c.base + began, wire, own);
}

static void test_as_the_plain_twin(void **)
{
	enum { STREAMS = 300, NAMES = 60 };
	for (uint64_t seed = 1; seed <= STREAMS; seed++) {
		struct dns_rand r = {seed};
		struct dns_query q = {0};
		random_name(&r, dns_rand_below(&r, 9), message + DNS_HEADER_LEN);
		read_name(message + DNS_HEADER_LEN, &q.name);
		size_t base = DNS_HEADER_LEN + q.name.len + 4u;
		plain.count = 0;
		(void)plain_write(&q.name);
		uint8_t wire[DNS_NAME_MAX] = {0};
		dns_compress_init(&c, &q, message + base, CAP);
		assert_int_equal(c.base, base);
		for (unsigned i = 0; i < NAMES && plain.count < DNS_COMPRESS_SLOTS / 4; i++)
			write_one(&r, wire, i % 2);
	}
}

// Wherever the label stands, and whatever is behind it.
static void test_hash_of_a_label(void **)
{
	struct dns_rand r = {7};
	for (unsigned len = 1; len <= DNS_LABEL_MAX; len++) {
		struct dns_name name;
		uint64_t first = 0;
		uint8_t label[1 + DNS_LABEL_MAX] = {(uint8_t)len};
		for (unsigned i = 1; i <= len; i++)
			label[i] = (uint8_t)dns_rand_next(&r);
		for (unsigned off = 0; off + 1 + len <= DNS_NAME_MAX; off++) {
			for (unsigned i = 0; i < DNS_NAME_MAX; i++)
				name.wire[i] = (uint8_t)dns_rand_next(&r);
			memcpy(name.wire + off, label, 1 + len);
			uint64_t hash = dns_compress_label(&name, off);
			first = off ? first : hash;
			assert_true(hash == first);
			name.wire[off + 1 + dns_rand_below(&r, len)] ^= 1;
			assert_true(dns_compress_label(&name, off) != hash);
		}
	}
}

static void test_labels_of_one_hash_have_it(void **)
{
	struct dns_name name[2] = {0};
	for (unsigned i = 0; i < 9; i++) {
		one_hash_label(i, name[i > 0].wire);
		assert_true(dns_compress_label(&name[i > 0], 0) == dns_compress_label(&name[0], 0));
		assert_true(i == 0 || memcmp(name[0].wire, name[1].wire, ONE_HASH_LEN) != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_plain_twin),
		cmocka_unit_test(test_hash_of_a_label),
		cmocka_unit_test(test_labels_of_one_hash_have_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
