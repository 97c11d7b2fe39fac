// SPDX-License-Identifier: BSD-3-Clause

// Headers of PROXY protocol v2 (HAProxy's proxy-protocol.txt, section 2.2): each input as it is,
// and once more behind a good signature, so that the fields are reached. What a header says is
// computed here from the specification alone. Every shorter part of a good one is a part, and
// bytes behind it change nothing.

#include "controlplane/frontend/frontend_proxy.h"
#include "fuzz.h"

#include <string.h>

enum { MOST = 700, SIGNATURE = 12, HEAD = 16 };

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

// Of 16 bytes or more.
static enum frontend_proxy_kind expected(const uint8_t *p, size_t len)
{
	const size_t body = p[14] * 256u + p[15];
	if (memcmp(p, signature, SIGNATURE) != 0 || (p[12] != 0x20 && p[12] != 0x21)
		|| body > FRONTEND_PROXY_MAX - HEAD)
		return FRONTEND_PROXY_BAD;
	if (len < HEAD + body)
		return FRONTEND_PROXY_PART;
	if (p[12] == 0x20)
		return FRONTEND_PROXY_SENDER;
	switch (p[13]) {
	case 0x00:
	case 0x01:
	case 0x02:
	case 0x10:
	case 0x20:
		return FRONTEND_PROXY_SENDER;
	case 0x11:
	case 0x12:
		return body < 12 ? FRONTEND_PROXY_BAD : FRONTEND_PROXY_CLIENT;
	case 0x21:
	case 0x22:
		return body < 36 ? FRONTEND_PROXY_BAD : FRONTEND_PROXY_CLIENT;
	default:
		return FRONTEND_PROXY_BAD;
	}
}

static void check_client(const uint8_t *p, const struct frontend_proxy *found)
{
	const union client_address *c = &found->client;
	const bool is_v4 = p[13] >> 4 == 1;
	const size_t port_at = HEAD + (is_v4 ? 8 : 32);
	FUZZ_CHECK(c->any.sa_family == (is_v4 ? AF_INET : AF_INET6));
	FUZZ_CHECK(memcmp(is_v4 ? (const void *)&c->v4.sin_addr : &c->v6.sin6_addr, p + HEAD,
			   is_v4 ? 4 : 16)
		   == 0);
	FUZZ_CHECK(client_port(c) == p[port_at] * 256u + p[port_at + 1]);
}

// The bytes end where their block of memory does.
static enum frontend_proxy_kind read_exactly(
	const uint8_t *p, size_t len, struct frontend_proxy *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	FUZZ_CHECK(copy);
	memcpy(copy, p, len);
	const enum frontend_proxy_kind kind = frontend_proxy_read(copy, len, out);
	free(copy);
	return kind;
}

static void check(const uint8_t *p, size_t len)
{
	struct frontend_proxy whole = {0}, part = {0};
	const enum frontend_proxy_kind kind = read_exactly(p, len, &whole);

	if (len >= HEAD)
		FUZZ_CHECK(kind == expected(p, len));
	else
		FUZZ_CHECK(kind == FRONTEND_PROXY_BAD || kind == FRONTEND_PROXY_PART);
	if (kind == FRONTEND_PROXY_CLIENT)
		check_client(p, &whole);
	if (kind == FRONTEND_PROXY_BAD)
		return;
	FUZZ_CHECK(whole.len <= FRONTEND_PROXY_MAX);
	FUZZ_CHECK((kind == FRONTEND_PROXY_PART) == (len < whole.len));
	const size_t end = len < whole.len ? len : whole.len;
	for (size_t n = 0; n < end; n += n < HEAD + 2 ? 1 : 37) {
		FUZZ_CHECK(read_exactly(p, n, &part) == FRONTEND_PROXY_PART);
		FUZZ_CHECK(part.len > n && part.len <= whole.len);
	}
	if (kind != FRONTEND_PROXY_PART)
		FUZZ_CHECK(read_exactly(p, whole.len, &part) == kind && part.len == whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
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
