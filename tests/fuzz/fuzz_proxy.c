// SPDX-License-Identifier: BSD-3-Clause

// Headers of PROXY protocol v2 (HAProxy's proxy-protocol.txt, section 2.2): each input as it is,
// and once more behind a good signature, so that the fields are reached. What a header says is
// computed here from the specification alone. Every shorter part of a good one is a part, and
// bytes behind it change nothing.

#include "fuzz.h"

#include <weir/sender.h>

enum { MOST = 700, SIGNATURE = 12, HEAD = 16 };

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

// Of 16 bytes or more.
static enum proxy_header_kind expected(const uint8_t *p, size_t len)
{
	const size_t body = p[14] * 256u + p[15];
	if (memcmp(p, signature, SIGNATURE) != 0 || (p[12] != 0x20 && p[12] != 0x21)
		|| body > PROXY_HEADER_MAX - HEAD)
		return PROXY_HEADER_BAD;
	if (len < HEAD + body)
		return PROXY_HEADER_PART;
	if (p[12] == 0x20)
		return PROXY_HEADER_SENDER;
	switch (p[13]) {
	case 0x00:
	case 0x01:
	case 0x02:
	case 0x10:
	case 0x20:
		return PROXY_HEADER_SENDER;
	case 0x11:
	case 0x12:
		return body < 12 ? PROXY_HEADER_BAD : PROXY_HEADER_CLIENT;
	case 0x21:
	case 0x22:
		return body < 36 ? PROXY_HEADER_BAD : PROXY_HEADER_CLIENT;
	default:
		return PROXY_HEADER_BAD;
	}
}

static void check_client(const uint8_t *p, const struct proxy_header *found)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const bool is_v4 = p[13] >> 4 == 1;
	const size_t port_at = HEAD + (is_v4 ? 8 : 32);
	const bool is_mapped = !is_v4 && memcmp(p + HEAD, mapped, sizeof(mapped)) == 0;
	const size_t at = HEAD + (is_mapped ? sizeof(mapped) : 0);
	FUZZ_CHECK(found->ip_version == (is_v4 || is_mapped ? 4 : 6));
	FUZZ_CHECK(memcmp(found->ip, p + at, found->ip_version == 4 ? 4 : 16) == 0);
	FUZZ_CHECK(found->port == p[port_at] * 256u + p[port_at + 1]);
}

// The bytes end where their block of memory does.
static enum proxy_header_kind read_exactly(const uint8_t *p, size_t len, struct proxy_header *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	FUZZ_CHECK(copy);
	memcpy(copy, p, len);
	const enum proxy_header_kind kind = proxy_header_read(copy, len, out);
	free(copy);
	return kind;
}

static void check(const uint8_t *p, size_t len)
{
	struct proxy_header whole = {0}, part = {0};
	const enum proxy_header_kind kind = read_exactly(p, len, &whole);

	if (len >= HEAD)
		FUZZ_CHECK(kind == expected(p, len));
	else
		FUZZ_CHECK(kind == PROXY_HEADER_BAD || kind == PROXY_HEADER_PART);
	if (kind == PROXY_HEADER_CLIENT)
		check_client(p, &whole);
	if (kind == PROXY_HEADER_BAD)
		return;
	FUZZ_CHECK(whole.len <= PROXY_HEADER_MAX);
	FUZZ_CHECK((kind == PROXY_HEADER_PART) == (len < whole.len));
	const size_t end = len < whole.len ? len : whole.len;
	for (size_t n = 0; n < end; n += n < HEAD + 2 ? 1 : 37) {
		FUZZ_CHECK(read_exactly(p, n, &part) == PROXY_HEADER_PART);
		FUZZ_CHECK(part.len > n && part.len <= whole.len);
	}
	if (kind != PROXY_HEADER_PART)
		FUZZ_CHECK(read_exactly(p, whole.len, &part) == kind && part.len == whole.len);
}

FUZZ_BODY(data, len)
{
	uint8_t bytes[SIGNATURE + MOST];
	if (len > MOST)
		return 0;
	check(data, len);
	memcpy(bytes, signature, SIGNATURE);
	memcpy(bytes + SIGNATURE, data, len);
	check(bytes, SIGNATURE + len);
	return 0;
}
