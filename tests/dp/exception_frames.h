// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Frames that are the kernel's, as a client sends them, and as the kernel does. Each maker returns
// the length; `f` holds WIRE_MAX bytes.

#include "harness.h"

enum { L4_V4 = 34, L4_V6 = 54, TCP_FLAGS = 13, TCP_LEN = 20 };
enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10, BARE = 0x80 };

static inline size_t make(uint8_t *f, unsigned version, unsigned protocol, uint16_t src_port)
{
	const struct wire_query q = {
		.name = "a.long.name.for.a.tcp.header.example",
		.version = version,
		.src_port = src_port,
		.dst_port = 54,
	};
	size_t len = wire_make(&q, f);
	f[version == 6 ? 20 : 23] = (uint8_t)protocol;
	if (version != 6) {
		wire_put16(f + 24, 0);
		wire_put16(f + 24, 0xffff - wire_fold(wire_sum(f + 14, 20)));
	}
	return len;
}

static inline size_t make_tcp(uint8_t *f, unsigned version, uint8_t flags)
{
	size_t len = make(f, version, 6, 4242);
	f[(version == 6 ? L4_V6 : L4_V4) + TCP_FLAGS - 1] = TCP_LEN / 4 << 4;
	f[(version == 6 ? L4_V6 : L4_V4) + TCP_FLAGS] = flags;
	return len;
}

static inline size_t make_arp(uint8_t *f)
{
	size_t len = make(f, 4, 17, 4242);
	wire_put16(f + 12, 0x0806);
	return len;
}

// The other end's: addresses and ports change places.
static inline void turn_round(uint8_t *out, const uint8_t *frame, size_t len)
{
	const unsigned tag = frame[12] == 0x81 ? 4 : 0;
	const bool v6 = frame[12 + tag] == 0x86;
	const unsigned at = (v6 ? 22 : 26) + tag, one = v6 ? 16 : 4, ports = at + 2 * one;
	memcpy(out, frame, len);
	if (len < ports + 4)
		return;
	memcpy(out + at, frame + at + one, one);
	memcpy(out + at + one, frame + at, one);
	memcpy(out + ports, frame + ports + 2, 2);
	memcpy(out + ports + 2, frame + ports, 2);
}

// The kernel sends what this is answered by, and worker `w` takes it.
static inline void kernel_sends(
	struct harness *h, struct worker *w, const uint8_t *frame, size_t len)
{
	uint8_t f[WIRE_MAX];
	turn_round(f, frame, len);
	h->any_replies = true; // it may send what it likes
	harness_inject_kernel(h, f, len);
	assert_int_equal(stage_exceptions(w, 0), 1);
	harness_drain(h);
}
