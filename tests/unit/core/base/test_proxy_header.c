// SPDX-License-Identifier: BSD-3-Clause
// Headers of PROXY protocol v2: whose client they name, and which are refused.

#include "tests/unit/unit.h"

#include <weir/sender.h>

enum { HEADER_MAX = 128, ANY = 20000 };

#define SIGNATURE   0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 'Q', 'U', 'I', 'T', 0x0a
#define V4          192, 0, 2, 7, 198, 51, 100, 53, 0x12, 0x34, 0, 53
#define V6(last)    0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last
#define V6_PORTS    0x12, 0x34, 0, 53
#define MAPPED      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7
#define TLV         4, 0, 3, 'a', 'b', 'c' // PP2_TYPE_NOOP
#define UNIX_SOCKET 0x31

static const struct {
	const char *client; // NULL: none
	enum proxy_header_kind kind;
	uint8_t len, bytes[HEADER_MAX];
} cases[] = {
	{"192.0.2.7", PROXY_HEADER_CLIENT, 28, {SIGNATURE, 0x21, 0x11, 0, 12, V4}},
	{"192.0.2.7", PROXY_HEADER_CLIENT, 28, {SIGNATURE, 0x21, 0x12, 0, 12, V4}},
	{"192.0.2.7", PROXY_HEADER_CLIENT, 34, {SIGNATURE, 0x21, 0x11, 0, 18, V4, TLV}},
	{"2001:db8::9", PROXY_HEADER_CLIENT, 52,
		{SIGNATURE, 0x21, 0x21, 0, 36, V6(9), V6(53), V6_PORTS}},
	{"2001:db8::9", PROXY_HEADER_CLIENT, 58,
		{SIGNATURE, 0x21, 0x22, 0, 42, V6(9), V6(53), V6_PORTS, TLV}},
	{"192.0.2.7", PROXY_HEADER_CLIENT, 52,
		{SIGNATURE, 0x21, 0x21, 0, 36, MAPPED, V6(53), V6_PORTS}},
	// The sender itself: LOCAL, whatever follows; no address.
	{NULL, PROXY_HEADER_SENDER, 16, {SIGNATURE, 0x20, 0, 0, 0}},
	{NULL, PROXY_HEADER_SENDER, 28, {SIGNATURE, 0x20, 0x11, 0, 12, V4}},
	{NULL, PROXY_HEADER_SENDER, 18, {SIGNATURE, 0x20, 0xff, 0, 2, 0, 0}},
	{NULL, PROXY_HEADER_SENDER, 16, {SIGNATURE, 0x21, 0, 0, 0}},
	{NULL, PROXY_HEADER_SENDER, 22, {SIGNATURE, 0x21, 0, 0, 6, TLV}},
	{NULL, PROXY_HEADER_SENDER, 28, {SIGNATURE, 0x21, 0x10, 0, 12, V4}},
	// Addresses that do not fit the length, or are none of IP.
	{NULL, PROXY_HEADER_BAD, 27, {SIGNATURE, 0x21, 0x11, 0, 11, V4}},
	{NULL, PROXY_HEADER_BAD, 51, {SIGNATURE, 0x21, 0x21, 0, 35, V6(9), V6(53), 0, 1, 0}},
	{NULL, PROXY_HEADER_BAD, 16, {SIGNATURE, 0x21, 0x11, 0, 0}},
	{NULL, PROXY_HEADER_BAD, 28, {SIGNATURE, 0x21, UNIX_SOCKET, 0, 12, V4}},
	{NULL, PROXY_HEADER_BAD, 28, {SIGNATURE, 0x21, 0x13, 0, 12, V4}},
	{NULL, PROXY_HEADER_BAD, 28, {SIGNATURE, 0x21, 0x41, 0, 12, V4}},
	// Other versions and commands, over 536 bytes, DNS, and the text form.
	{NULL, PROXY_HEADER_BAD, 28, {SIGNATURE, 0x11, 0x11, 0, 12, V4}},
	{NULL, PROXY_HEADER_BAD, 28, {SIGNATURE, 0x31, 0x11, 0, 12, V4}},
	{NULL, PROXY_HEADER_BAD, 28, {SIGNATURE, 0x22, 0x11, 0, 12, V4}},
	{NULL, PROXY_HEADER_BAD, 16, {SIGNATURE, 0x21, 0x11, 0x02, 0x09}},
	{NULL, PROXY_HEADER_BAD, 16, {SIGNATURE, 0x20, 0x11, 0xff, 0xff}},
	{NULL, PROXY_HEADER_BAD, 2, {0, 29}},
	{NULL, PROXY_HEADER_BAD, 1, {'P'}},
};

// Of a copy without a byte behind its end.
static enum proxy_header_kind read_exactly(
	const uint8_t *bytes, size_t len, struct proxy_header *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	memcpy(copy, bytes, len);
	const enum proxy_header_kind kind = proxy_header_read(copy, len, out);
	free(copy);
	return kind;
}

static void client_is(const struct proxy_header *p, const char *text)
{
	static const uint8_t zero[12];
	char found[INET6_ADDRSTRLEN];

	assert_non_null(
		inet_ntop(p->ip_version == 4 ? AF_INET : AF_INET6, p->ip, found, sizeof(found)));
	assert_string_equal(found, text);
	assert_int_equal(p->port, 0x1234);
	if (p->ip_version == 4)
		assert_memory_equal(p->ip + 4, zero, sizeof(zero));
}

TEST(test_kinds)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proxy_header p = {0};
		assert_int_equal(read_exactly(cases[i].bytes, cases[i].len, &p), cases[i].kind);
		if (cases[i].kind != PROXY_HEADER_BAD)
			assert_int_equal(p.len, cases[i].len);
		if (cases[i].client)
			client_is(&p, cases[i].client);
	}
}

// A reader that has a part asks for no byte behind the header, and comes to its end.
TEST(test_parts)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].kind == PROXY_HEADER_BAD)
			continue;
		for (size_t len = 0; len < cases[i].len; len++) {
			struct proxy_header p = {0};
			assert_int_equal(read_exactly(cases[i].bytes, len, &p), PROXY_HEADER_PART);
			assert_true(p.len > len && p.len <= cases[i].len);
		}
	}
}

// Bytes behind the header are not its own, and 536 bytes are not too many.
TEST(test_longest)
{
	static const uint8_t head[] = {SIGNATURE, 0x21, 0x11, 0x02, 0x08, V4};
	uint8_t bytes[PROXY_HEADER_MAX + 1] = {0};
	struct proxy_header p;

	memcpy(bytes, head, sizeof(head));
	assert_int_equal(proxy_header_read(bytes, sizeof(head), &p), PROXY_HEADER_PART);
	assert_int_equal(p.len, PROXY_HEADER_MAX);
	assert_int_equal(proxy_header_read(bytes, sizeof(bytes), &p), PROXY_HEADER_CLIENT);
	assert_int_equal(p.len, PROXY_HEADER_MAX);
	client_is(&p, "192.0.2.7");
}

// Nothing is read behind the end, whatever it says.
TEST(test_any)
{
	srand(2010);
	for (unsigned i = 0; i < ANY; i++) {
		const size_t k = (size_t)rand() % ARRAY_LEN(cases);
		const size_t len = (size_t)rand() % (cases[k].len + 1U);
		uint8_t bytes[HEADER_MAX];
		struct proxy_header p = {0};
		memcpy(bytes, cases[k].bytes, sizeof(bytes));
		for (unsigned n = (unsigned)rand() % 3; n; n--)
			bytes[12 + (size_t)rand() % 16] = (uint8_t)rand();
		const enum proxy_header_kind kind = read_exactly(bytes, len, &p);
		assert_true(kind == PROXY_HEADER_BAD || p.len <= PROXY_HEADER_MAX);
		assert_true(kind != PROXY_HEADER_PART || p.len > len);
	}
}
