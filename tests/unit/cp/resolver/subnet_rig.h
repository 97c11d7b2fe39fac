// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Clients of several subnets, in front of a resolver whose servers get these: 24 bits of IPv4, 56
// of IPv6. The fake server puts the subnet that it got into its answer.

#include "resolver_rig.h"

static inline int setup(void **state)
{
	rig_setup(state);
	rig_box_stop();
	rig.config.upstreams.count = 1;
	rig.config.upstreams.subnet = (struct config_subnet){.ipv4 = 24, .ipv6 = 56};
	fake[0].scope_more = 1 + 24;
	rig_box_start();
	return 0;
}

static uint16_t id;

static inline void from(struct fake_miss m, const char *client)
{
	m.id = ++id;
	m.type = m.type ? m.type : DNS_TYPE_A;
	assert_int_equal(inet_pton(AF_INET, client, &m.client), 1);
	FAKE_DATAPLANE_SEND(&dp, &m);
}

// The last four bytes of the answer's address record: 198.18.X.Y.
static inline const uint8_t *address_of_answer(void)
{
	const uint8_t *end = got.dns + got.head.dns_len;
	for (const uint8_t *p = end - 4; p >= got.dns + DNS_HEADER_LEN; p--)
		if (p[0] == 198 && p[1] == 18)
			return p;
	return NULL;
}

// X is the third byte of the client's address, Y the bits that the server got.
static inline void expect(enum answer_kind kind, unsigned x, unsigned y)
{
	expect_answer(id, 0, kind);
	const uint8_t *address = address_of_answer();
	assert_non_null(address);
	assert_int_equal(address[2], x);
	assert_int_equal(address[3], y);
}

static inline void asks(const char *name, const char *client, enum answer_kind kind, unsigned x)
{
	from((struct fake_miss){.name = name}, client);
	expect(kind, x, 24);
}
