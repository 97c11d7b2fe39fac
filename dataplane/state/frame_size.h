// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sizes of the headers around a DNS message.

enum {
	FRAME_ETHER_LEN = 14,
	FRAME_VLAN_LEN = 4,
	FRAME_IPV4_LEN = 20,
	FRAME_IPV6_LEN = 40,
	FRAME_UDP_LEN = 8,
	FRAME_HEADERS_MAX = FRAME_ETHER_LEN + FRAME_VLAN_LEN + FRAME_IPV6_LEN + FRAME_UDP_LEN,
	FRAME_TTL = 64,
	FRAME_DNS_PORT = 53,
};
