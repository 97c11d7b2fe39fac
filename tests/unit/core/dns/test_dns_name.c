// SPDX-License-Identifier: BSD-3-Clause

#include "dns_rand.h"
#include "tests/unit/unit.h"

#include <weir/ascii.h>

static int from_text(const char *text, struct dns_name *out)
{
	return dns_name_from_text(text, strlen(text), out);
}

TEST(test_lower_every_byte_in_every_lane)
{
	for (unsigned c = 0; c < 256; c++) {
		uint8_t want = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : (uint8_t)c;
		assert_int_equal(ascii_lower((uint8_t)c), want);
		for (unsigned at = 0; at < 19; at++) {
			uint8_t in[19], out[19];
			memset(in, at & 1 ? 0xff : 'Z', sizeof(in));
			in[at] = (uint8_t)c;
			ascii_lower_copy(out, in, sizeof(in));
			assert_int_equal(out[at], want);
			assert_int_equal(out[(at + 1) % 19], at & 1 ? 0xff : 'z');
		}
	}
}

TEST(test_read)
{
	static const uint8_t wire[] = "\3WwW\7eXample\3COM\0rest";
	struct dns_name name;
	struct rd r = rd_init(wire, sizeof(wire) - 1);
	assert_int_equal(dns_name_read(&r, &name), 0);
	assert_int_equal(name.len, 17);
	assert_int_equal(name.labels, 3);
	assert_memory_equal(name.wire, "\3www\7example\3com", 17);
	assert_int_equal(r.pos, 17);

	r = rd_init("", 1);
	assert_int_equal(dns_name_read(&r, &name), 0);
	assert_int_equal(name.len, 1);
	assert_int_equal(name.labels, 0);
}

TEST(test_read_refuses)
{
	static const struct {
		const char *wire;
		size_t len;
	} bad[] = {
		{"", 0},
		{"\3ww", 3},
		{"\3www", 4},       // no root
		{"\3www\xc0\0", 6}, // pointer
		{"\x40", 1},        // reserved types
		{"\x80", 1},
		{"\3www\x40", 6},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t *copy = dns_exact_copy((const uint8_t *)bad[i].wire, bad[i].len);
		struct dns_name name = {.len = 77};
		struct rd r = rd_init(copy, bad[i].len);
		assert_int_equal(dns_name_read(&r, &name), -EBADMSG);
		assert_int_equal(name.len, 77);
		assert_false(rd_ok(&r));
		free(copy);
	}
}

// One-byte labels up to the longest name that is allowed, and one byte more.
TEST(test_length_limits)
{
	uint8_t wire[300];
	struct dns_name name;
	memset(wire, 0, sizeof(wire));
	for (unsigned i = 0; i < 127; i++)
		memcpy(wire + i * 2, "\1a", 2);
	struct rd r = rd_init(wire, 255);
	assert_int_equal(dns_name_read(&r, &name), 0);
	assert_int_equal(name.len, 255);
	assert_int_equal(name.labels, 127);

	wire[252] = 2; // "\2ab": 256 bytes with the root
	wire[254] = 'b';
	r = rd_init(wire, sizeof(wire));
	assert_int_equal(dns_name_read(&r, &name), -EBADMSG);
	r = rd_init(wire, sizeof(wire));
	r.pos = 0;
	assert_int_equal(dns_name_read_compressed(&r, &name, NULL), -EBADMSG);

	memcpy(wire + 252, "\1a\1a\0", 5); // 128 labels
	r = rd_init(wire, sizeof(wire));
	assert_int_equal(dns_name_read(&r, &name), -EBADMSG);
}

TEST(test_compressed)
{
	static const uint8_t msg[] = "hdrhdrhdrhdr\3CoM\0\7Example\xc0\x0c\3www\xc0\x11!";
	struct dns_name name;
	uint8_t spelled[DNS_NAME_MAX];
	struct rd r = rd_init(msg, sizeof(msg) - 1);
	r.pos = 27;
	assert_int_equal(dns_name_read_compressed(&r, &name, spelled), 0);
	assert_int_equal(r.pos, 33);
	assert_int_equal(msg[r.pos], '!');
	assert_int_equal(name.labels, 3);
	assert_int_equal(name.len, 17);
	assert_memory_equal(name.wire, "\3www\7example\3com", 17);
	assert_memory_equal(spelled, "\3www\7Example\3CoM", 17);
}

TEST(test_compressed_refuses)
{
	static const struct {
		const char *wire;
		size_t len, at;
	} bad[] = {
		{"hdrhdrhdrhdr\xc0\x0c", 14, 12},               // itself
		{"hdrhdrhdrhdr\1a\xc0\x0c", 16, 12},            // its own run
		{"hdrhdrhdrhdr\xc0\x0e\1a\0", 17, 12},          // forwards
		{"hdrhdrhdrhdr\1a\xc0\x10\1b\xc0\x0c", 20, 16}, // forwards after backwards
		{"hdrhdrhdrhdr\xc0", 13, 12},                   // half a pointer
		{"\0drhdrhdrhdr\xc0\0", 14, 12},                // into the header
		{"hdrhdrhdrhdr\1a", 14, 12},                    // no end
		{"hdrhdrhdrhdr\3a", 14, 12},                    // label cut short
		{"hdrhdrhdrhdr\x80\0", 14, 12},                 // reserved type
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t *copy = dns_exact_copy((const uint8_t *)bad[i].wire, bad[i].len);
		struct dns_name name = {.len = 77};
		struct rd r = rd_init(copy, bad[i].len);
		r.pos = bad[i].at;
		assert_int_equal(dns_name_read_compressed(&r, &name, NULL), -EBADMSG);
		assert_int_equal(name.len, 77);
		free(copy);
	}
}

// 126 pointers in a row are the most that is followed.
TEST(test_pointer_chain)
{
	uint8_t msg[12 + 3 + 127 * 2] = {0};
	memcpy(msg + 12, "\1a", 3);
	for (unsigned i = 0; i < 127; i++)
		put_u16(msg + 15 + i * 2, (uint16_t)(0xc000 | (i ? 13 + i * 2 : 12)));
	struct dns_name name;
	struct rd r = rd_init(msg, sizeof(msg));
	r.pos = 15 + 125 * 2;
	assert_int_equal(dns_name_read_compressed(&r, &name, NULL), 0);
	assert_int_equal(name.len, 3);
	r = rd_init(msg, sizeof(msg));
	r.pos = 15 + 126 * 2;
	assert_int_equal(dns_name_read_compressed(&r, &name, NULL), -EBADMSG);
}

TEST(test_text)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{".", "."},
		{"com", "com"},
		{"WWW.Example.COM.", "www.example.com"},
		{"a\\.b.c", "a\\.b.c"},
		{"a\\046b.c", "a\\.b.c"},
		{"\\065\\000\\255.x", "a\\000\\255.x"},
		{"back\\\\slash", "back\\\\slash"},
		{"sp\\ ace", "sp\\032ace"},
		{"_dns._udp.x-y", "_dns._udp.x-y"},
	};
	char buf[DNS_NAME_TEXT_MAX];
	struct dns_name name, again;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(from_text(good[i].in, &name), 0);
		assert_string_equal(dns_name_to_text(&name, buf), good[i].out);
		struct rd r = rd_init(name.wire, name.len);
		assert_int_equal(dns_name_read(&r, &again), 0);
		assert_int_equal(rd_left(&r), 0);
		assert_true(dns_name_equal(&name, &again));
		assert_int_equal(name.labels, again.labels);
	}
}

TEST(test_text_refuses)
{
	static const char *const bad[] = {
		"", "..", ".a", "a..b", "a..", "a\\", "a\\1", "a\\12", "a\\25x", "a\\256", "\\999"};
	struct dns_name name = {.len = 77};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(from_text(bad[i], &name), -EINVAL);

	char text[600];
	memset(text, 'a', sizeof(text));
	assert_int_equal(dns_name_from_text(text, 64, &name), -EINVAL);
	for (unsigned i = 1; i < sizeof(text); i += 2)
		text[i] = '.';
	assert_int_equal(dns_name_from_text(text, 255, &name), -EINVAL); // 128 labels
	memset(text, 'a', sizeof(text));
	text[63] = text[127] = text[191] = '.';
	assert_int_equal(dns_name_from_text(text, 254, &name), -EINVAL); // 3 * 64 + 63 + 1 = 256
	assert_int_equal(name.len, 77);
	assert_int_equal(dns_name_from_text(text, 63, &name), 0);
	assert_int_equal(dns_name_from_text(text, 253, &name), 0);
	assert_int_equal(name.len, 255);
	text[253] = '.';
	assert_int_equal(dns_name_from_text(text, 254, &name), 0);
}

TEST(test_text_longest)
{
	uint8_t wire[255];
	memset(wire, 0xff, sizeof(wire));
	wire[0] = wire[64] = wire[128] = 63;
	wire[192] = 61;
	wire[254] = 0;
	char buf[DNS_NAME_TEXT_MAX];
	struct dns_name name, again;
	struct rd r = rd_init(wire, sizeof(wire));
	assert_int_equal(dns_name_read(&r, &name), 0);
	assert_true(strlen(dns_name_to_text(&name, buf)) < DNS_NAME_TEXT_MAX);
	assert_int_equal(from_text(buf, &again), 0);
	assert_true(dns_name_equal(&name, &again));
}

TEST(test_under)
{
	static const struct {
		const char *name, *apex;
		bool under;
	} cases[] = {
		{"example.com", "example.com", true},
		{"www.example.com", "EXAMPLE.com", true},
		{"a.b.example.com", "com", true},
		{"example.com", ".", true},
		{".", ".", true},
		{".", "com", false},
		{"badexample.com", "example.com", false},
		{"example.com", "www.example.com", false},
		{"example.org", "example.com", false},
		// The bytes of the second end the first's, but not at a label.
		{"x\\003com", "com", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_name name, apex;
		assert_int_equal(from_text(cases[i].name, &name), 0);
		assert_int_equal(from_text(cases[i].apex, &apex), 0);
		assert_int_equal(dns_name_is_under(&name, &apex), cases[i].under);
		assert_int_equal(
			dns_name_equal(&name, &apex), name.len == apex.len && cases[i].under);
	}
}
