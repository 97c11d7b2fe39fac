// SPDX-License-Identifier: BSD-3-Clause

// Flushes: their messages, hostile ones, how many pass, and what is remembered of them.

#include "controlplane/l1/flush.h"
#include "tests/unit/unit.h"

static struct flush flush_of(enum flush_kind kind, const char *text)
{
	return (struct flush){kind, name_of_text(text)};
}

TEST(test_messages_come_back_as_they_were)
{
	static const char *const names[] = {".", "a.example", "\\000\\255.b\\.c.example", "*.x"};
	for (unsigned kind = FLUSH_NAME; kind <= FLUSH_ALL; kind++) {
		for (size_t i = 0; i < (kind == FLUSH_ALL ? 1 : ARRAY_LEN(names)); i++) {
			const struct flush f = flush_of(kind, names[i]);
			struct flush got;
			char text[FLUSH_MESSAGE_MAX];
			uint64_t box = 0;
			size_t len = flush_write(&f, UINT64_C(0xfedcba9876543210) + i, text);
			assert_true(flush_parse(text, len, &got, &box));
			assert_int_equal(got.kind, kind);
			assert_true(dns_name_equal(&got.name, &f.name));
			assert_int_equal(box, UINT64_C(0xfedcba9876543210) + i);
		}
	}
}

// Four bytes of text for each of the name's, the longest there can be.
TEST(test_longest_name)
{
	struct flush f = flush_of(FLUSH_BELOW, "."), got;
	char text[FLUSH_MESSAGE_MAX];
	uint64_t box;
	for (unsigned i = 0; i < 254; i += 64) {
		unsigned n = i + 64 <= 254 ? 63 : 254 - i - 1;
		f.name.wire[i] = (uint8_t)n;
		memset(f.name.wire + i + 1, 0xff, n);
	}
	f.name.wire[254] = 0;
	f.name.len = 255;
	f.name.labels = 4;
	size_t len = flush_write(&f, 1, text);
	assert_in_range(len, 1000, FLUSH_MESSAGE_MAX - 1);
	assert_true(flush_parse(text, len, &got, &box));
	assert_true(dns_name_equal(&got.name, &f.name));
}

TEST(test_hostile_messages)
{
	static const char *const bad[] = {"", "1", "1 ", "2 0123456789abcdef name a.example",
		"1 0123456789ABCDEF name a.example", "1 0123456789abcdef name A.example",
		"1 0123456789abcdef name a.example.", "1 0123456789abcdef name ",
		"1 0123456789abcdef name", "1 0123456789abcdef name a..example",
		"1 0123456789abcdef all a.example", "1 0123456789abcdef all",
		"1 0123456789abcdef nam a", "1 0123456789abcdef names a",
		"1 0123456789abcdef name  a", "1 0123456789abcdef name a ",
		"1 0x23456789abcdef name a", "1 -123456789abcdef name a",
		"1 0123456789abcdef0 name a", "1 0123456789abcde name a",
		"1  123456789abcdef name a", "1 0123456789abcdef name \\999",
		"1 0123456789abcdef name \\097", "1\t0123456789abcdef name a"};
	struct flush got;
	uint64_t box;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (flush_parse(bad[i], strlen(bad[i]), &got, &box))
			fail_msg("taken: %s", bad[i]);
	assert_false(flush_parse("1 0123456789abcdef name a\0b", 27, &got, &box));
	char large[FLUSH_MESSAGE_MAX + 1];
	memset(large, 'a', sizeof(large));
	memcpy(large, "1 0123456789abcdef name ", 24);
	for (size_t len = 24 + 64; len <= sizeof(large); len++)
		assert_false(flush_parse(large, len, &got, &box));
}

TEST(test_fits)
{
	struct flush one = flush_of(FLUSH_NAME, "b.example");
	struct flush below = flush_of(FLUSH_BELOW, "b.example"), all = flush_of(FLUSH_ALL, ".");
	const struct dns_name same = name_of_text("b.example"), under = name_of_text("a.b.example"),
			      beside = name_of_text("ab.example"), root = name_of_text(".");
	assert_true(flush_fits(&one, &same) && !flush_fits(&one, &under));
	assert_true(flush_fits(&below, &same) && flush_fits(&below, &under));
	assert_false(flush_fits(&below, &beside) || flush_fits(&one, &beside));
	assert_true(flush_fits(&all, &beside) && flush_fits(&all, &root));
}

static unsigned admitted(struct flush_gate *g, enum flush_kind kind, uint64_t from_ms,
	uint64_t to_ms, unsigned step_ms)
{
	unsigned n = 0;
	for (uint64_t now = from_ms; now < to_ms; now += step_ms)
		n += flush_admit(g, kind, now);
	return n;
}

// A flood for three hours: what it can do is bounded, and the one kind does not use up the other.
TEST(test_gate)
{
	struct flush_gate g = {0};
	enum { HOUR = 3600000 };
	assert_int_equal(admitted(&g, FLUSH_NAME, 5000, 6000, 1), FLUSH_NAMES_A_SECOND);
	assert_true(flush_admit(&g, FLUSH_ALL, 6000));
	assert_false(flush_admit(&g, FLUSH_BELOW, 6000));
	assert_false(flush_admit(&g, FLUSH_ALL, 7999));
	assert_true(flush_admit(&g, FLUSH_BELOW, 8000));
	assert_true(flush_admit(&g, FLUSH_NAME, 8000));
	g = (struct flush_gate){0};
	assert_int_equal(
		admitted(&g, FLUSH_NAME, 1000, 1000 + 3 * HOUR, 20), 3 * FLUSH_NAMES_AN_HOUR);
	assert_int_equal(
		admitted(&g, FLUSH_ALL, 1000, 1000 + 3 * HOUR, 500), 3 * FLUSH_WIDE_AN_HOUR);
}

TEST(test_what_was_asked_before_is_covered)
{
	static struct flush_log l;
	const struct flush f = flush_of(FLUSH_BELOW, "b.example");
	const struct dns_name under = name_of_text("a.b.example"),
			      other = name_of_text("c.example");
	assert_false(flush_log_covers(&l, &under, 0, 1000));
	flush_log_add(&l, &f, 1000);
	assert_true(flush_log_covers(&l, &under, 999, 1001));
	assert_true(flush_log_covers(&l, &under, 1000, 1001)); // the same millisecond: unknown
	assert_false(flush_log_covers(&l, &under, 1001, 1001));
	assert_false(flush_log_covers(&l, &other, 999, 1001));
	assert_true(flush_log_covers(&l, &under, 999, 1000 + FLUSH_REMEMBER_MS - 1));
	assert_false(flush_log_covers(&l, &under, 999, 1000 + FLUSH_REMEMBER_MS));
	assert_int_equal(flush_log_used(&l, 1001), 1);
	assert_int_equal(flush_log_used(&l, 1000 + FLUSH_REMEMBER_MS), 0);
}

// More than it can hold: what is too old to be known counts as flushed, for so long.
TEST(test_full_log_covers_more)
{
	static struct flush_log l;
	const struct dns_name other = name_of_text("c.example"), first = name_of_text("n0.example");
	for (unsigned i = 0; i < FLUSH_LOG_MAX + 4; i++) {
		const struct flush f = flush_of(FLUSH_NAME, text_from("n%u.example", i));
		flush_log_add(&l, &f, 1000 + i);
	}
	assert_int_equal(flush_log_used(&l, 2000), FLUSH_LOG_MAX);
	assert_true(flush_log_covers(&l, &first, 900, 2000));
	assert_true(flush_log_covers(&l, &other, 1003, 2000));
	assert_false(flush_log_covers(&l, &other, 1004, 2000));
	assert_false(flush_log_covers(&l, &other, 1003, 1003 + FLUSH_REMEMBER_MS));
}
