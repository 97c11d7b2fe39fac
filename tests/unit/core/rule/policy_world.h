// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A configuration's groups with prefixes that lie within each other, the image made of it, and a
// model of it that is searched from end to end.

#include "controlplane/policy/policy_build.h"
#include "tests/unit/core/dns/dns_rand.h"
#include "tests/unit/unit.h"

#include <weir/keyhash.h>

enum { GROUPS = 32, PREFIXES = 1000, QUERIES = 20000 };

static struct dns_rand rnd;

struct world {
	struct config config;
	struct config_group group[CONFIG_GROUPS_MAX];
	struct ip_address prefix[CONFIG_GROUPS_MAX][CONFIG_PREFIXES_MAX];
	struct config_mac mac[CONFIG_GROUPS_MAX][CONFIG_MACS_MAX];
	struct config_iid iid[CONFIG_GROUPS_MAX][CONFIG_IIDS_MAX];
	uint16_t vlan[CONFIG_GROUPS_MAX][CONFIG_VLANS];
	struct policy_group what[POLICY_GROUPS_MAX];
	struct policy_image image;
	struct policy_reader reader;
};
static struct world w;

static inline void world_clear(unsigned groups)
{
	memset(&w.config, 0, sizeof(w.config));
	memset(w.group, 0, sizeof(w.group));
	memset(w.what, 0, sizeof(w.what));
	w.config.group_count = groups;
	w.config.groups = w.group;
	for (unsigned i = 0; i < groups; i++) {
		w.group[i].clients = w.prefix[i];
		w.group[i].macs = w.mac[i];
		w.group[i].iids = w.iid[i];
		w.group[i].vlans = w.vlan[i];
		w.what[i + 1].view = (uint16_t)(i + 100);
		w.what[i + 1].lists[0] = i;
	}
}

static inline bool covers(const struct ip_address *p, const uint8_t *address)
{
	for (unsigned i = 0; i < p->prefix_len; i++)
		if ((p->bytes[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static inline unsigned model(unsigned version, const uint8_t *address)
{
	int best = -1;
	unsigned group = 0;
	for (unsigned i = 0; i < w.config.group_count; i++)
		for (unsigned k = 0; k < w.group[i].client_count; k++) {
			const struct ip_address *p = &w.prefix[i][k];
			if (p->version == version && p->prefix_len > best && covers(p, address)) {
				best = p->prefix_len;
				group = i + 1;
			}
		}
	return group;
}

static inline unsigned look(unsigned version, const uint8_t *address)
{
	return version == 4 ? policy_leaf_v4(&w.reader, address)
			    : policy_leaf_v6(&w.reader, address);
}

static inline void add(unsigned group, const struct ip_address *a)
{
	for (unsigned i = 0; i < w.config.group_count; i++)
		for (unsigned k = 0; k < w.group[i].client_count; k++)
			if (memcmp(&w.prefix[i][k], a, sizeof(*a)) == 0)
				return; // equal ones are refused by the configuration
	w.prefix[group][w.group[group].client_count++] = *a;
}

static inline void add_text(unsigned group, const char *text)
{
	struct ip_address a = address_of_text(text);
	add(group, &a);
}

// Close together, so that many lie within each other.
static inline struct ip_address random_prefix(unsigned version)
{
	struct ip_address a = {.version = (uint8_t)version};
	unsigned bits = version == 4 ? 32 : 128;
	static const uint8_t usual[2][4] = {{16, 24, 28, 32}, {48, 56, 64, 128}};
	a.prefix_len = dns_rand_below(&rnd, 3) ? usual[version == 6][dns_rand_below(&rnd, 4)]
					       : (uint8_t)dns_rand_below(&rnd, bits + 1);
	for (unsigned i = 0; i < a.prefix_len; i++)
		if (dns_rand_below(&rnd, 4) == 0)
			a.bytes[i / 8] |= (uint8_t)(0x80u >> i % 8);
	return a;
}

static inline void build(void)
{
	char why[128] = "";
	assert_int_equal(policy_build(&w.config, w.what, &w.image), 0);
	if (policy_reader_init(&w.reader, w.image.head, w.image.size, why) != 0)
		fail_msg("%s", why);
}
