// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a balancer sends: a PROXY header and the query of a client, for the packet tests.

#include "harness.h"

enum { HEADER_MAX = 600, LOCAL = 0x20, PROXY = 0x21 };

#define SIGNATURE     "\r\n\r\n\0\r\nQUIT\n"
#define CLIENT4       "203.0.113.7"
#define CLIENT6       "2001:db8::7"
#define CLIENT_MAPPED "::ffff:" CLIENT4
#define KID           "203.0.113.66"

struct header {
	size_t len;
	uint8_t bytes[HEADER_MAX];
};

// Of a client with port 999, and `tlvs` bytes of TLV.
static inline struct header naming(const char *client, size_t tlvs)
{
	struct header h = {0};
	const bool is_six = strchr(client, ':');
	const size_t size = is_six ? 16 : 4, body = 2 * size + 4;
	memcpy(h.bytes, SIGNATURE, 12);
	h.bytes[12] = PROXY;
	h.bytes[13] = is_six ? 0x22 : 0x12;
	wire_put16(h.bytes + 14, (unsigned)(body + tlvs));
	assert_int_equal(inet_pton(is_six ? AF_INET6 : AF_INET, client, h.bytes + 16), 1);
	memset(h.bytes + 16 + size, 0xee, size);
	wire_put16(h.bytes + 16 + 2 * size, 999);
	wire_put16(h.bytes + 16 + 2 * size + 2, 53);
	h.len = 16 + body + tlvs;
	return h;
}

static inline struct header plain(uint8_t command, uint8_t transport, unsigned body)
{
	struct header h = {.len = 16 + body};
	memcpy(h.bytes, SIGNATURE, 12);
	h.bytes[12] = command;
	h.bytes[13] = transport;
	wire_put16(h.bytes + 14, body);
	return h;
}

// The harness' clients are balancers: 198.18.0.2 and all of fd53::/64.
static inline struct harness *begin(void)
{
	struct harness *h = harness_begin(NULL);
	h->balancers.from_count = 2;
	h->balancers.from[0] = address_of_text("fd53::/64");
	h->balancers.from[1] = address_of_text(WIRE_CLIENT4);
	harness_access(h, &(struct config_access){0});
	harness_put(h, &(struct harness_record){.name = "a.example", .count = 1});
	return h;
}

// What a balancer sends: `q` has its addresses and the query of the client.
static inline size_t frame_make(
	const struct wire_query *q, const struct header *header, uint8_t *out)
{
	uint8_t message[WIRE_MAX];
	memcpy(message, header->bytes, header->len);
	const size_t len = header->len + wire_make_dns(q, message + header->len);
	return wire_make_udp(q, message, len, out);
}

static inline void send_in(
	struct harness *h, const struct wire_query *q, const struct header *header, enum verdict v)
{
	uint8_t frame[WIRE_MAX];
	const uint64_t before = harness_verdict(h, v);
	harness_send(h, frame, frame_make(q, header, frame));
	assert_int_equal(harness_verdict(h, v), before + 1);
}

// Its reply fits the balancer's addresses, port and tag, and the client's question.
static inline void answered(struct harness *h, const struct wire_query *q,
	const struct header *header, enum verdict v, struct wire_reply *r)
{
	static uint8_t frame[WIRE_MAX]; // r points into it
	send_in(h, q, header, v);
	wire_check_answers(frame, harness_take(h, frame), q, r);
	assert_int_equal(harness_waiting(h), 0);
}

static inline void dropped(
	struct harness *h, const struct wire_query *q, const struct header *header, enum verdict v)
{
	send_in(h, q, header, v);
	assert_int_equal(harness_waiting(h), 0);
}
