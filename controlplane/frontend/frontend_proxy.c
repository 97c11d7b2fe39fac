// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_proxy.h"

#include <string.h>
#include <weir/bytes.h>

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
};

static const uint8_t signature[SIGNATURE_LEN] = {
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

// Source and destination addresses, then the source port.
static enum frontend_proxy_kind client_read(
	struct rd *r, unsigned family, union client_address *client)
{
	const size_t size = family == FAMILY_INET ? 4 : 16;
	const uint8_t *address = rd_bytes(r, size);

	rd_skip(r, size);
	const uint8_t *port = rd_bytes(r, 2);
	rd_skip(r, 2);
	if (!rd_ok(r))
		return FRONTEND_PROXY_BAD;
	*client = (union client_address){0};
	if (family == FAMILY_INET) {
		client->v4.sin_family = AF_INET;
		memcpy(&client->v4.sin_addr, address, size);
		memcpy(&client->v4.sin_port, port, 2);
	} else {
		client->v6.sin6_family = AF_INET6;
		memcpy(&client->v6.sin6_addr, address, size);
		memcpy(&client->v6.sin6_port, port, 2);
	}
	return FRONTEND_PROXY_CLIENT;
}

// `r` has the part behind the head and nothing else.
static enum frontend_proxy_kind body_read(
	struct rd *r, unsigned command, uint8_t transport, union client_address *client)
{
	const unsigned family = transport >> 4, protocol = transport & 0xf;

	if (command == COMMAND_LOCAL)
		return FRONTEND_PROXY_SENDER;
	if (family > FAMILY_INET6 || protocol > PROTOCOL_DGRAM)
		return FRONTEND_PROXY_BAD;
	if (family == FAMILY_UNSPEC || protocol == PROTOCOL_UNSPEC)
		return FRONTEND_PROXY_SENDER;
	return client_read(r, family, client);
}

enum frontend_proxy_kind frontend_proxy_read(
	const uint8_t *bytes, size_t len, struct frontend_proxy *out)
{
	const size_t known = len < SIGNATURE_LEN ? len : SIGNATURE_LEN;
	struct rd r = rd_init(bytes, len);

	if (known > 0 && memcmp(bytes, signature, known) != 0)
		return FRONTEND_PROXY_BAD;
	rd_skip(&r, SIGNATURE_LEN);
	const uint8_t version_command = rd_u8(&r), transport = rd_u8(&r);
	const unsigned command = version_command & 0xf;
	if (len > SIGNATURE_LEN && (version_command >> 4 != VERSION || command > COMMAND_PROXY))
		return FRONTEND_PROXY_BAD;
	const size_t whole = FRONTEND_PROXY_HEAD + (size_t)rd_u16(&r);
	if (whole > FRONTEND_PROXY_MAX)
		return FRONTEND_PROXY_BAD;
	if (len < whole) {
		out->len = (uint16_t)whole;
		return FRONTEND_PROXY_PART;
	}
	struct rd body = rd_init(bytes + FRONTEND_PROXY_HEAD, whole - FRONTEND_PROXY_HEAD);
	const enum frontend_proxy_kind kind = body_read(&body, command, transport, &out->client);
	out->len = (uint16_t)whole;
	return kind;
}
