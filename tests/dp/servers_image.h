// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A hops image of one server for each IP version, for packet tests and fuzzers: its parts may be
// changed before it is sealed.

#include "tests/unit/unit.h"

#include <weir/hops.h>

#define SOURCE4 "198.18.0.60"
#define SOURCE6 "fd53::60"
#define SERVER4 "192.0.2.1"
#define SERVER6 "2001:db8::1"
enum { SERVER_PORT = 53, LOCAL = 4000, MTU4 = 600, MTU6 = 1280 };

static const uint8_t hop_mac[6] = {2, 0, 0, 0, 0, 0x77}, our_mac[6] = {2, 0, 0, 0, 0, 0x78};

static inline void servers_image(struct hops_image *out)
{
	*out = (struct hops_image){.hop_count = 2,
		.server_count = 2,
		.has_v4 = 1,
		.has_v6 = 1,
		.resolvers = 1,
		.range_count = 2,
		.range = {{1024, 32767}, {61000, 65535}},
		.hop = {{.mtu = MTU4}, {.mtu = MTU6, .vlan = 7}},
		.server = {{.ip_version = 4, .port = SERVER_PORT},
			{.ip_version = 6, .port = SERVER_PORT, .hop = 1}}};
	for (unsigned i = 0; i < 2; i++) {
		memcpy(out->hop[i].destination, hop_mac, 6);
		memcpy(out->hop[i].source, our_mac, 6);
	}
	assert_int_equal(inet_pton(AF_INET, SOURCE4, out->source_v4), 1);
	assert_int_equal(inet_pton(AF_INET6, SOURCE6, out->source_v6), 1);
	assert_int_equal(inet_pton(AF_INET, SERVER4, out->server[0].ip), 1);
	assert_int_equal(inet_pton(AF_INET6, SERVER6, out->server[1].ip), 1);
}

// Into tables that no worker uses at the moment.
static inline void servers_use(struct hops_reader *r, struct hops_image *image)
{
	char why[128];
	hops_image_seal(image);
	assert_int_equal(hops_reader_init(r, image, sizeof(*image), why), 0);
}
