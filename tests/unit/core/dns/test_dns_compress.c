// SPDX-License-Identifier: BSD-3-Clause

// Names as they are written, beside a table of all suffixes that is searched from its begin to its
// end; names of one hash that are made to be taken for each other; and the hash of a label, a word
// a step, beside bytes.

#include "dns_one_hash.h"
#include "dns_rand.h"
#include "tests/unit/unit.h"

#include <assert.h>

enum { SUFFIXES = 4096, POINTER_TARGETS = 0x4000, NAMES = 60, DATA_MOST = 700, LETTERS = 4 };

static_assert(NAMES * (DNS_NAME_MAX + DATA_MOST) < DNS_MESSAGE_MAX - 2 * DNS_NAME_MAX);

// What was written, as the plain twin remembers it.
struct plain {
	struct dns_name suffix[SUFFIXES];
	uint8_t depth[SUFFIXES];
	unsigned count;
};

// Names behind one another, and what there is between them.
struct stream {
	struct dns_rand r;
	uint8_t letter[LETTERS]; // the last byte of a label is not the first of these
	uint32_t data_most;
	unsigned names;
	uint8_t wire[NAMES][DNS_NAME_MAX];
};

static struct plain plain;
static struct stream stream;
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

// Bytes that the name takes at `at` of the message.
static size_t plain_write(const struct dns_name *name, size_t at)
{
	struct dns_name suffix[DNS_LABELS_MAX];
	unsigned found = plain.count, known = plain.count, new = 0;
	for (; new < name->labels &&found == known; new += found == known) {
		suffix[new] = suffix_of(name, new);
		found = plain_find(&suffix[new]);
	}
	size_t own = found < known ? (size_t)name->len - plain.suffix[found].len : name->len;
	bool is_deep = found < known && plain.depth[found] == DNS_COMPRESS_DEPTH;
	unsigned depth = found < known && !is_deep ? plain.depth[found] + 1u : 0;
	if (is_deep && at + own < POINTER_TARGETS)
		plain.depth[found] = 0;
	for (unsigned i = 0; i < new &&at + name->len - suffix[i].len < POINTER_TARGETS; i++) {
		assert_true(plain.count < SUFFIXES);
		plain.depth[plain.count] = (uint8_t)depth;
		plain.suffix[plain.count++] = suffix[i];
	}
	return depth ? own + 2 : name->len;
}

// Letters, and now and then what is next to them, what is one but for its highest bit, and what
// length bytes and pointers look like.
static void letters_choose(struct stream *s)
{
	static const uint8_t telling[] = {
		'a', 'z', '@', '[', '`', '{', 0, 1, 7, 0x3f, 0x80, 0xc0, 0xc1, 0xda, 0xff};
	memcpy(s->letter, "xabc", LETTERS);
	if (dns_rand_below(&s->r, 2))
		return;
	for (unsigned i = 0; i < LETTERS; i++)
		s->letter[i] = telling[dns_rand_below(&s->r, sizeof(telling))];
}

// Of few labels, so that names share some: of one byte, of eight with the length byte, longer.
static void random_name(struct stream *s, unsigned labels, uint8_t *wire)
{
	static const uint8_t len[] = {1, 1, 2, 7, 8, 9, 15, 16, 30};
	size_t pos = 0;
	for (; labels; labels--) {
		uint8_t n = len[dns_rand_below(&s->r, sizeof(len))];
		if (pos + 1 + n >= DNS_NAME_MAX)
			break;
		wire[pos++] = n;
		for (unsigned i = 0; i < n; i++) {
			uint8_t letter =
				s->letter[i + 1 < n ? 0 : 1 + dns_rand_below(&s->r, LETTERS - 1)];
			wire[pos++] = letter ^ (dns_rand_below(&s->r, 4) ? 0 : 0x20);
		}
	}
	wire[pos] = 0;
}

static void read_name(const uint8_t *wire, struct dns_name *name)
{
	struct rd r = rd_init(wire, DNS_NAME_MAX);
	assert_int_equal(dns_name_read(&r, name), 0);
}

// A label above the name that was there, where there is room.
static void grow(struct stream *s, const uint8_t *from, uint8_t *wire)
{
	struct dns_name name;
	read_name(from, &name);
	size_t more = name.len + 2 <= DNS_NAME_MAX ? 2 : 0;
	memcpy(wire + more, from, name.len);
	if (more == 0)
		return;
	wire[0] = 1;
	wire[1] = s->letter[1 + dns_rand_below(&s->r, LETTERS - 1)];
}

// One of its own, or one above an earlier one, mostly the last.
static const uint8_t *name_next(struct stream *s)
{
	uint8_t *wire = s->wire[s->names];
	uint32_t kind = dns_rand_below(&s->r, 6), n = s->names++;
	if (n == 0 || kind < 2)
		random_name(s, dns_rand_below(&s->r, dns_rand_below(&s->r, 4) ? 6 : DNS_LABELS_MAX),
			wire);
	else
		grow(s, s->wire[kind == 2 ? dns_rand_below(&s->r, n) : n - 1], wire);
	return wire;
}

static void data_put(struct stream *s)
{
	uint32_t n = dns_rand_below(&s->r, s->data_most + 1);
	uint8_t *p = wr_space(&c.w, n);
	for (assert_non_null(p); n; n--)
		*p++ = (uint8_t)dns_rand_next(&s->r);
}

static void name_put(const uint8_t *wire, bool is_spelling_known)
{
	struct dns_name name;
	if (!is_spelling_known) {
		read_name(wire, &name);
		dns_compress_spelled(&c, &name, wire);
		return;
	}
	struct dns_spelling spelling;
	size_t left = DNS_NAME_MAX;
	struct rd whole = rd_init(wire, DNS_NAME_MAX);
	assert_int_equal(dns_name_read_bounded(&whole, &name, &spelling, &left), 0);
	dns_compress_name(&c, &name, &spelling);
}

// It takes `len` bytes, leads through so many pointers at most and reads as it was. Of what a
// pointer leads to only the letters count, not their case.
static void write_one(const uint8_t *wire, bool is_spelling_known, size_t len)
{
	struct dns_name name, again;
	size_t began = c.w.pos;
	name_put(wire, is_spelling_known);
	read_name(wire, &name);
	size_t left = name.len + 2 * DNS_COMPRESS_DEPTH;
	assert_true(wr_ok(&c.w));
	struct rd msg = rd_init(message, c.base + c.w.pos);
	rd_skip(&msg, c.base + began);
	assert_int_equal(dns_name_read_bounded(&msg, &again, NULL, &left), 0);
	assert_int_equal(msg.pos, msg.len);
	assert_true(dns_name_equal(&again, &name));
	assert_int_equal(again.labels, name.labels);
	assert_int_equal(c.w.pos - began, len);
	size_t own = len == name.len ? len : len - 2;
	assert_memory_equal(message + c.base + began, wire, own);
}

static void question_begin(struct dns_query *q)
{
	read_name(message + DNS_HEADER_LEN, &q->name);
	size_t base = DNS_HEADER_LEN + q->name.len + 4u;
	dns_compress_init(&c, q, message + base, sizeof(message) - base);
	assert_int_equal(c.base, base);
}

static void write_as_the_twin(const struct stream *s, const uint8_t *wire)
{
	struct dns_name name;
	read_name(wire, &name);
	size_t len = plain_write(&name, c.base + c.w.pos);
	write_one(wire, s->names % 2, len);
}

// Where there is no room left nothing behind it is read, neither for a name that was written nor
// for one that was not.
static void write_too_many(const struct stream *s)
{
	static const uint8_t fresh[DNS_NAME_MAX] = "\5fresh\5fresh";
	uint8_t *copy = dns_exact_copy(c.w.base, c.w.pos);
	c.w.base = copy;
	c.w.cap = c.w.pos;
	name_put(s->wire[s->names - 1], s->names % 2);
	name_put(fresh, true);
	name_put(fresh, true);
	assert_false(wr_ok(&c.w));
	free(copy);
}

TEST(test_as_the_plain_twin)
{
	enum { STREAMS = 300 };
	struct stream *s = &stream;
	for (uint64_t seed = 1; seed <= STREAMS; seed++) {
		struct dns_query q = {0};
		s->r = (struct dns_rand){seed};
		s->names = 0;
		s->data_most = dns_rand_below(&s->r, 2) ? DATA_MOST : 0;
		letters_choose(s);
		random_name(s, dns_rand_below(&s->r, 9), message + DNS_HEADER_LEN);
		question_begin(&q);
		plain.count = 0;
		(void)plain_write(&q.name, DNS_HEADER_LEN);
		while (s->names < NAMES && plain.count < DNS_COMPRESS_SLOTS / 4) {
			data_put(s);
			write_as_the_twin(s, name_next(s));
		}
		write_too_many(s);
	}
}

// Names that each stand above the one before, until the last leads through all the pointers that it
// may; then some above that and one above each, from where pointers no longer lead, or nearly so.
TEST(test_deep_and_far)
{
	enum { CHAIN = DNS_COMPRESS_DEPTH + 1, ABOVE = 3, NEAR = 32 };
	struct stream *s = &stream;
	for (unsigned far = POINTER_TARGETS - NEAR; far < POINTER_TARGETS + NEAR; far++) {
		struct dns_query q = {0};
		s->r = (struct dns_rand){far};
		memcpy(s->letter, "xabc", LETTERS);
		memcpy(s->wire[0], "\1a", 3);
		message[DNS_HEADER_LEN] = 0;
		question_begin(&q);
		plain.count = 0;
		for (s->names = 1; s->names <= CHAIN; s->names++) {
			write_as_the_twin(s, s->wire[s->names - 1]);
			grow(s, s->wire[s->names - 1], s->wire[s->names]);
		}
		assert_int_equal(plain.depth[plain.count - 1], DNS_COMPRESS_DEPTH);
		memset(wr_space(&c.w, far - c.base - c.w.pos), 0, far - c.base - c.w.pos);
		for (unsigned i = 0; i < ABOVE; i++) {
			s->wire[CHAIN][1] = (uint8_t)('e' + i);
			grow(s, s->wire[CHAIN], s->wire[CHAIN + 1]);
			write_as_the_twin(s, s->wire[CHAIN]);
			write_as_the_twin(s, s->wire[CHAIN + 1]);
		}
	}
}

// What is in its first word stays, but for the seventh byte and, where that is not enough, the
// sixth.
static void one_hash_complete(uint8_t *label)
{
	for (unsigned turn = 0; turn < 0x10000; turn++) {
		label[7] = (uint8_t)turn;
		label[6] = turn > UINT8_MAX ? (uint8_t)(turn >> 8) : label[6];
		if (one_hash_end(label, ONE_HASH_OF))
			return;
	}
	fail();
}

// Two names of one hash. At one byte, in the label or at its begin, they part: there the first has
// what would be a pointer, were it one, to bytes that go on as the second does.
TEST(test_bytes_that_look_like_a_pointer)
{
	enum { THERE = 0xf61 }; // 0xf is the label's length, where the reader expects a length
	for (unsigned at = 0; at < 6; at++) {
		uint8_t one[DNS_NAME_MAX] = "\17bcdefgh", other[DNS_NAME_MAX] = "\16bcdefgh";
		struct dns_query q = {0};
		other[0] = at ? 15 : 14;
		one_hash_complete(other);
		put_u16(one + at, (uint16_t)(THERE | (at ? 0xc000 : 0)));
		one_hash_complete(one);
		assert_int_equal(get_u16(one + at) & 0x3fff, THERE);
		assert_memory_equal(one, other, at);
		message[DNS_HEADER_LEN] = 0;
		question_begin(&q);
		memset(wr_space(&c.w, THERE - c.base), 0, THERE - c.base);
		wr_bytes(&c.w, other + at, other[0] + 2u - at);
		write_one(one, at % 2, one[0] + 2u);
		write_one(other, at % 2, other[0] + 2u);
		assert_int_equal(c.strangers, 1);
	}
}

// A label above one whose hash is 0, and above the root: one hash.
TEST(test_names_of_one_hash_that_end_elsewhere)
{
	uint8_t below[DNS_NAME_MAX] = "\1a\17bcdefgh", alone[DNS_NAME_MAX] = "\1a";
	struct dns_query q = {0};
	for (below[9] = 0; !one_hash_end(below + 2, 0); below[9]++)
		assert_int_not_equal(below[9], UINT8_MAX);
	for (unsigned i = 0; i < 2; i++) {
		message[DNS_HEADER_LEN] = 0;
		question_begin(&q);
		write_one(i ? below : alone, i, i ? 2 + ONE_HASH_LEN + 1 : 3);
		write_one(i ? alone : below, i, i ? 3 : 2 + ONE_HASH_LEN + 1);
		assert_int_equal(c.strangers, 1);
	}
}

// A label of 24 bytes next to letters, of either side: to who lowers them all one name.
static void near_letters(uint32_t number, uint8_t *wire)
{
	memset(wire, '@', 25);
	wire[0] = 24;
	for (unsigned i = 0; i < 24; i++)
		wire[1 + i] |= (uint8_t)((number >> i & 1) << 5);
	wire[25] = 0;
}

static int by_number(const void *one, const void *other)
{
	uint64_t x = *(const uint64_t *)one, y = *(const uint64_t *)other;
	return (x > y) - (x < y);
}

// Those of one hash are not one name. Eight pairs are expected.
TEST(test_bytes_that_are_no_letters)
{
	enum { LABELS = 1 << 18 };
	uint64_t *hashed = calloc(LABELS, sizeof(*hashed));
	unsigned pairs = 0;
	assert_non_null(hashed);
	for (uint32_t i = 0; i < LABELS; i++) {
		struct dns_name name;
		near_letters(i * 61, name.wire);
		uint64_t hash = dns_compress_label(&name, 0) * DNS_COMPRESS_FACTOR >> 32;
		hashed[i] = hash << 32 | i * 61;
	}
	qsort(hashed, LABELS, sizeof(*hashed), by_number);
	for (unsigned i = 1; i < LABELS; i++) {
		uint8_t one[DNS_NAME_MAX], other[DNS_NAME_MAX];
		struct dns_query q = {0};
		if (hashed[i] >> 32 != hashed[i - 1] >> 32)
			continue;
		near_letters((uint32_t)hashed[i], one);
		near_letters((uint32_t)hashed[i - 1], other);
		message[DNS_HEADER_LEN] = 0;
		question_begin(&q);
		write_one(one, i % 2, 26);
		write_one(other, i % 2, 26);
		assert_int_equal(c.strangers, 1);
		pairs++;
	}
	assert_true(pairs > 0);
	free(hashed);
}

// Wherever the label stands, and whatever is behind it.
TEST(test_hash_of_a_label)
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

TEST(test_labels_of_one_hash_have_it)
{
	struct dns_name name[2] = {0};
	for (unsigned i = 0; i < 9; i++) {
		one_hash_label(i, name[i > 0].wire);
		assert_true(dns_compress_label(&name[i > 0], 0) == dns_compress_label(&name[0], 0));
		assert_true(i == 0 || memcmp(name[0].wire, name[1].wire, ONE_HASH_LEN) != 0);
	}
}
