// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>
#include <weir/bytes.h>
#include <weir/sender.h>

enum {
	SIGNATURE_LEN = 12,
	VERSION = 2,
	COMMAND_LOCAL = 0,
	COMMAND_PROXY = 1,
	FAMILY_UNSPEC = 0,
	FAMILY_INET = 1,
	FAMILY_INET6 = 2,
	PROTOCOL_UNSPEC = 0,
	PROTOCOL_DGRAM = 2, // the last one
	MAPPED_PREFIX = 12,
};

static const uint8_t signature[SIGNATURE_LEN] = {
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const uint8_t mapped[MAPPED_PREFIX] = {[10] = 0xff, [11] = 0xff};

// Source and destination addresses, then the source port.
static enum proxy_header_kind client_read(struct rd *r, unsigned family, struct proxy_header *out)
{
	const size_t size = family == FAMILY_INET ? 4 : 16;
	const uint8_t *address = rd_bytes(r, size);

	rd_skip(r, size);
	const uint16_t port = rd_u16(r);
	rd_skip(r, 2);
	if (!rd_ok(r))
		return PROXY_HEADER_BAD;
	const bool is_mapped = size == 16 && memcmp(address, mapped, MAPPED_PREFIX) == 0;
	out->port = port;
	out->ip_version = size == 16 && !is_mapped ? 6 : 4;
	memset(out->ip, 0, sizeof(out->ip));
	memcpy(out->ip, is_mapped ? address + MAPPED_PREFIX : address, is_mapped ? 4 : size);
	return PROXY_HEADER_CLIENT;
}

// `r` has the part behind the head and nothing else.
static enum proxy_header_kind body_read(
	struct rd *r, unsigned command, uint8_t transport, struct proxy_header *out)
{
	const unsigned family = transport >> 4, protocol = transport & 0xf;

	if (command == COMMAND_LOCAL)
		return PROXY_HEADER_SENDER;
	if (family > FAMILY_INET6 || protocol > PROTOCOL_DGRAM)
		return PROXY_HEADER_BAD;
	if (family == FAMILY_UNSPEC || protocol == PROTOCOL_UNSPEC)
		return PROXY_HEADER_SENDER;
	return client_read(r, family, out);
}

enum proxy_header_kind proxy_header_read(const uint8_t *bytes, size_t len, struct proxy_header *out)
{
	const size_t known = len < SIGNATURE_LEN ? len : SIGNATURE_LEN;
	struct rd r = rd_init(bytes, len);

	if (known > 0 && memcmp(bytes, signature, known) != 0)
		return PROXY_HEADER_BAD;
	rd_skip(&r, SIGNATURE_LEN);
	const uint8_t version_command = rd_u8(&r), transport = rd_u8(&r);
	const unsigned command = version_command & 0xf;
	if (len > SIGNATURE_LEN && (version_command >> 4 != VERSION || command > COMMAND_PROXY))
		return PROXY_HEADER_BAD;
	const size_t whole = PROXY_HEADER_HEAD + (size_t)rd_u16(&r);
	if (whole > PROXY_HEADER_MAX)
		return PROXY_HEADER_BAD;
	if (len < whole) {
		out->len = (uint16_t)whole;
		return PROXY_HEADER_PART;
	}
	struct rd body = rd_init(bytes + PROXY_HEADER_HEAD, whole - PROXY_HEADER_HEAD);
	const enum proxy_header_kind kind = body_read(&body, command, transport, out);
	out->len = (uint16_t)whole;
	return kind;
}
