// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Is this a frame that may leave weir? IPv4 and IPv6 headers, lengths and every checksum of UDP,
// ICMP and ICMPv6, and that ARP is a reply. Code of its own, byte by byte; aborts with the
// property that is broken.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame_udp {
	const uint8_t *eth, *addresses, *ports, *dns;
	size_t addresses_len, dns_len;
	unsigned tag; // 0x10000 + TCI, 0: none
};

// True: UDP, and *out says where its parts lie.
bool frame_oracle_check(const uint8_t *frame, size_t len, struct frame_udp *out);
// The same of a frame that came in and may be anything: false if it is no UDP.
bool frame_oracle_read(const uint8_t *frame, size_t len, struct frame_udp *out);
// Is the one sent back to where the other came from?
void frame_oracle_check_ends(const struct frame_udp *query, const struct frame_udp *reply);
