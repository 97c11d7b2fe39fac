// SPDX-License-Identifier: BSD-3-Clause

// The policy image against a list that is searched from end to end, and against hostile bytes.

#include "policy_world.h"

// The first and last address of each prefix, their neighbours outside of it, and random ones.
static void compare_near(const struct ip_address *p)
{
	unsigned bits = p->version == 4 ? 32 : 128;
	for (unsigned fill = 0; fill < 2; fill++) {
		uint8_t a[16];
		memcpy(a, p->bytes, sizeof(a));
		for (unsigned i = p->prefix_len; fill && i < bits; i++)
			a[i / 8] |= (uint8_t)(0x80u >> i % 8);
		assert_int_equal(look(p->version, a), model(p->version, a));
		for (unsigned i = 0; i < bits; i += 1 + dns_rand_below(&rnd, 24)) {
			a[i / 8] ^= (uint8_t)(0x80u >> i % 8);
			assert_int_equal(look(p->version, a), model(p->version, a));
			a[i / 8] ^= (uint8_t)(0x80u >> i % 8);
		}
	}
}

TEST(test_model)
{
	rnd.state = 4711;
	for (unsigned round = 0; round < 12; round++) {
		unsigned groups = round ? 1 + dns_rand_below(&rnd, GROUPS) : CONFIG_GROUPS_MAX;
		world_clear(groups);
		for (unsigned i = 0; i < 60u << round % 6 && i < PREFIXES; i++) {
			struct ip_address a = random_prefix(i % 2 ? 4 : 6);
			add(dns_rand_below(&rnd, groups), &a);
		}
		build();
		for (unsigned i = 0; i < groups; i++)
			for (unsigned k = 0; k < w.group[i].client_count; k += 1 + round % 6)
				compare_near(&w.prefix[i][k]);
		for (unsigned i = 0; i < 500; i++) {
			uint64_t a[2] = {dns_rand_next(&rnd), dns_rand_next(&rnd)};
			const uint8_t *bytes = (const uint8_t *)(const void *)a;
			assert_int_equal(look(4, bytes), model(4, bytes));
			assert_int_equal(look(6, bytes), model(6, bytes));
		}
		free(w.image.head);
	}
}

// Few prefixes of a length and nearly alike: the smallest tables, where a seed has least choice.
TEST(test_small_tables)
{
	for (unsigned length = 0; length <= 128; length++)
		for (unsigned count = 1; count <= 9 && (length > 3 || count <= 1u << length);
			count++) {
			world_clear(2);
			for (unsigned i = 0; i < count; i++) {
				struct ip_address a = {.version = 6, .prefix_len = (uint8_t)length};
				for (unsigned bit = 0; bit < 4 && bit < length; bit++)
					if (i >> bit & 1)
						a.bytes[(length - 1 - bit) / 8] |=
							(uint8_t)(0x80u >> (length - 1 - bit) % 8);
				w.prefix[i % 2][w.group[i % 2].client_count++] = a;
			}
			build();
			for (unsigned i = 0; i < count; i++)
				assert_int_equal(look(6, w.prefix[i % 2][i / 2].bytes), i % 2 + 1);
			free(w.image.head);
		}
}

static unsigned group_of(const char *text)
{
	struct ip_address a = address_of_text(text);
	return look(a.version, a.bytes);
}

TEST(test_longest_wins)
{
	world_clear(3);
	add_text(0, "0.0.0.0/0");
	add_text(1, "198.18.0.0/16");
	add_text(2, "198.18.7.0/24");
	add_text(0, "198.18.7.9");
	add_text(1, "198.18.7.8/31");
	add_text(0, "::/0");
	add_text(1, "fd53::/48");
	add_text(2, "fd53::1:0:0:0:0/64");
	add_text(0, "fd53::1:0:0:0:1");
	build();
	assert_int_equal(group_of("8.8.8.8"), 1);
	assert_int_equal(group_of("198.18.8.1"), 2);
	assert_int_equal(group_of("198.18.7.1"), 3);
	assert_int_equal(group_of("198.18.7.9"), 1);
	assert_int_equal(group_of("198.18.7.8"), 2);
	assert_int_equal(group_of("2001:db8::1"), 1);
	assert_int_equal(group_of("fd53:0:0:2::1"), 2);
	assert_int_equal(group_of("fd53::1:0:0:0:2"), 3);
	assert_int_equal(group_of("fd53::1:0:0:0:1"), 1);
	assert_int_equal(w.reader.group[3].view, 102);
	assert_int_equal(w.reader.group[4].view, w.reader.group[0].view); // no such group
	free(w.image.head);
}

TEST(test_none)
{
	world_clear(0);
	w.what[0].lists[3] = 5;
	build();
	assert_int_equal(w.reader.group_count, 1);
	assert_int_equal(group_of("198.18.7.9"), 0);
	assert_int_equal(group_of("fd53::1"), 0);
	assert_int_equal(w.reader.group[63].lists[3], 5);
	free(w.image.head);
}

// As many addresses as may be, each far from the others: the largest image, and nothing overflows.
TEST(test_full)
{
	world_clear(2);
	rnd.state = 1;
	for (unsigned i = 0; i < POLICY_PREFIXES_MAX; i++) {
		struct ip_address a = {.version = i % 2 ? 4 : 6, .prefix_len = i % 2 ? 32 : 128};
		uint64_t bytes = dns_rand_next(&rnd);
		memcpy(a.bytes, &bytes, i % 2 ? 4 : 8);
		w.prefix[i % 2][w.group[i % 2].client_count++] = a;
	}
	build();
	assert_true(w.image.size < 1u << 20);
	for (unsigned i = 0; i < w.group[0].client_count; i++)
		assert_int_equal(look(6, w.prefix[0][i].bytes), 1);
	for (unsigned i = 0; i < w.group[1].client_count; i++)
		assert_int_equal(look(4, w.prefix[1][i].bytes), 2);
	// The same again makes the same bytes: that is how a reload sees that nothing changed.
	struct policy_image again;
	assert_int_equal(policy_build(&w.config, w.what, &again), 0);
	assert_int_equal(again.size, w.image.size);
	assert_memory_equal(again.head, w.image.head, again.size);
	free(again.head);
	free(w.image.head);
}

static void add_mac(unsigned group, uint64_t bytes)
{
	memcpy(w.mac[group][w.group[group].mac_count++].bytes, &bytes, POLICY_MAC_LEN);
}

// In a frame, where other bytes follow.
static unsigned look_mac(uint64_t bytes, unsigned group)
{
	const uint64_t mac = (bytes & UINT64_C(0xffffffffffff)) | UINT64_C(0x0008) << 48;
	return policy_group_mac(&w.reader, (const uint8_t *)(const void *)&mac, group);
}

// Dense and scattered ones, from one to as many as may be: each is found, and no other.
TEST(test_macs)
{
	static const unsigned counts[] = {1, 2, 3, 8, 100, POLICY_MACS_MAX};
	for (unsigned c = 0; c < 2 * ARRAY_LEN(counts); c++) {
		unsigned count = counts[c / 2];
		uint64_t step = c % 2 ? UINT64_C(1) << 40 : UINT64_C(0x9e3779b97f4a7c15);
		world_clear(2);
		add_text(0, "198.18.7.9");
		build();
		assert_false(w.reader.has_macs);
		free(w.image.head);
		if (c % 2)
			count = count < 256 ? count : 256; // of which the last byte alone differs
		for (unsigned i = 0; i < count; i++)
			add_mac(i % 2, 2 + i * step);
		add_text(1, "fd53::/48");
		build();
		assert_true(w.reader.has_macs);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(look_mac(2 + i * step, 7), i % 2 + 1);
		for (unsigned i = 0; i < count; i++)
			for (unsigned bit = 0; bit < 40; bit += 13)
				assert_int_equal(
					look_mac((2 + i * step) ^ UINT64_C(1) << bit, 7), 7);
		assert_int_equal(group_of("198.18.7.9"), 1);
		assert_int_equal(group_of("fd53::1"), 2);
		free(w.image.head);
	}
}

TEST(test_macs_too_many_or_equal)
{
	struct policy_image image;
	world_clear(2);
	for (unsigned i = 0; i < POLICY_MACS_MAX; i++)
		add_mac(0, 2 + 4 * (uint64_t)i);
	add_mac(1, 1 << 30);
	assert_int_equal(policy_build(&w.config, w.what, &image), -E2BIG);
	world_clear(2);
	add_mac(0, 2);
	add_mac(1, 2);
	assert_int_equal(policy_build(&w.config, w.what, &image), -E2BIG);
}

static void add_iid(unsigned group, uint64_t bytes)
{
	memcpy(w.iid[group][w.group[group].iid_count++].bytes, &bytes, POLICY_IID_LEN);
}

static unsigned look_iid(uint64_t upper, uint64_t lower, unsigned group)
{
	const uint64_t address[2] = {upper, lower};
	return policy_group_iid(&w.reader, (const uint8_t *)(const void *)address, group);
}

// Under each prefix each is found, and no other; beside MAC addresses and prefixes, which have
// tables of their own.
TEST(test_iids)
{
	static const unsigned counts[] = {1, 2, 3, 8, 100, POLICY_IIDS_MAX};
	for (unsigned c = 0; c < ARRAY_LEN(counts); c++) {
		const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
		world_clear(2);
		add_text(0, "198.18.7.9");
		add_mac(0, 2);
		build();
		assert_false(w.reader.has_iids);
		free(w.image.head);
		for (unsigned i = 0; i < counts[c]; i++)
			add_iid(i % 2, 2 + i * step);
		add_text(1, "fd53::/48");
		add_text(1, "2001:db8::7");
		build();
		assert_true(w.reader.has_iids && w.reader.has_macs);
		for (unsigned i = 0; i < counts[c]; i++)
			for (uint64_t upper = 0; upper < 3; upper++)
				assert_int_equal(look_iid(upper, 2 + i * step, 7), i % 2 + 1);
		for (unsigned i = 0; i < counts[c]; i++)
			for (unsigned bit = 0; bit < 64; bit += 13)
				assert_int_equal(
					look_iid(1, (2 + i * step) ^ UINT64_C(1) << bit, 7), 7);
		assert_int_equal(look_mac(2, 7), 1);
		assert_int_equal(group_of("fd53::1"), 2);
		assert_int_equal(group_of("2001:db8::7"), 2);
		free(w.image.head);
	}
	add_iid(0, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct policy_image image;
		assert_int_equal(policy_build(&w.config, w.what, &image), -E2BIG);
		world_clear(2); // two equal ones
		add_iid(0, 2);
		add_iid(1, 2);
	}
}

// Each number that a group has, and no other; and a group by address or MAC stays.
TEST(test_vlans)
{
	world_clear(3);
	add_text(0, "198.18.7.9");
	build();
	assert_false(w.reader.has_vlans);
	free(w.image.head);
	for (unsigned id = 1; id <= CONFIG_VLAN_MAX; id += 1 + id % 5)
		w.vlan[id % 3][w.group[id % 3].vlan_count++] = (uint16_t)id;
	build();
	assert_true(w.reader.has_vlans);
	unsigned next = 1;
	for (unsigned id = 0; id < POLICY_VLANS; id++) {
		bool is_in = id == next && id <= CONFIG_VLAN_MAX;
		unsigned group = is_in ? id % 3 + 1 : 0;
		next += is_in ? 1 + id % 5 : 0;
		assert_int_equal(policy_group_vlan(&w.reader, id, 0), group);
		assert_int_equal(policy_group_vlan(&w.reader, id | 7 << 13, 0), group);
		assert_int_equal(policy_group_vlan(&w.reader, id, 2), 2);
	}
	free(w.image.head);
}

TEST(test_what_groups_have)
{
	world_clear(1);
	w.what[1].safe_view = 9;
	w.what[1].block = (struct dns_block){.mode = DNS_BLOCK_CUSTOM,
		.ttl_s = 5,
		.has = DNS_BLOCK_HAS_V4,
		.v4 = {198, 18, 0, 80}};
	build();
	assert_int_equal(w.reader.group[1].safe_view, 9);
	assert_memory_equal(&w.reader.group[1].block, &w.what[1].block, sizeof(struct dns_block));
	assert_int_equal(w.reader.group[0].safe_view, 0);
	free(w.image.head);
}

static void seal(struct policy_image *image)
{
	struct policy_head *h = image->head;
	h->body_sum = contenthash(h + 1, image->size - sizeof(*h));
	h->head_sum = contenthash(h, offsetof(struct policy_head, head_sum));
}

static void refused(size_t size)
{
	char why[128] = "";
	assert_int_equal(policy_reader_init(&w.reader, w.image.head, size, why), -EPROTO);
	assert_true(why[0]);
}

TEST(test_damaged)
{
	world_clear(2);
	add_text(0, "198.18.7.9");
	add_text(1, "fd53::/48");
	build();
	refused(sizeof(struct policy_head) - 1);
	refused(w.image.size - 1);
	uint8_t *bytes = (uint8_t *)w.image.head;
	for (size_t at = 0; at < w.image.size; at += at < 4096 ? 1 : 997) {
		bytes[at] ^= 1;
		refused(w.image.size);
		bytes[at] ^= 1;
	}
	free(w.image.head);
}

static bool is_balancer(const char *text)
{
	struct ip_address a = address_of_text(text);
	return policy_is_balancer(&w.reader, a.version, a.bytes);
}

TEST(test_balancers)
{
	static const char *const from[] = {
		"198.18.7.9", "10.0.0.0/8", "fd53::9", "fd54:0:0:ff00::/56"};
	world_clear(1);
	build();
	assert_int_equal(w.reader.balancer_count, 0);
	assert_false(is_balancer("198.18.7.9"));
	free(w.image.head);
	w.config.proxy_protocol.from_count = ARRAY_LEN(from);
	for (unsigned i = 0; i < ARRAY_LEN(from); i++)
		w.config.proxy_protocol.from[i] = address_of_text(from[i]);
	build();
	assert_true(is_balancer("198.18.7.9") && is_balancer("10.255.0.1"));
	assert_true(is_balancer("fd53::9") && is_balancer("fd54:0:0:ffff::1"));
	assert_false(is_balancer("198.18.7.8") || is_balancer("11.0.0.1"));
	assert_false(is_balancer("fd53::8") || is_balancer("fd54:0:0:fe00::1"));
	assert_false(is_balancer("c612:709::")); // the first one's bytes
	assert_false(w.reader.has_access);
	w.image.head->balancer_count = POLICY_BALANCERS_MAX + 1;
	seal(&w.image);
	refused(w.image.size);
	w.image.head->balancer_count = 1;
	w.image.head->balancer[0].prefix_len = 33;
	seal(&w.image);
	refused(w.image.size);
	w.image.head->balancer[0].prefix_len = 0;
	w.image.head->balancer[0].ip_version = 5;
	seal(&w.image);
	refused(w.image.size);
	free(w.image.head);
	w.config.proxy_protocol.from_count = 0;
}

#define LIE(field, value)                      \
	do {                                   \
		w.image.head->field = (value); \
		seal(&w.image);                \
		refused(w.image.size);         \
		*w.image.head = good;          \
	} while (0)

// A head whose sums fit, but whose numbers lie: each is refused.
TEST(test_lies)
{
	world_clear(2);
	add_text(0, "198.18.7.9");
	add_text(1, "fd53::/48");
	add_text(0, "fd53::7");
	add_mac(0, 2);
	build();
	const struct policy_head good = *w.image.head;
	LIE(group_count, 0);
	LIE(group_count, POLICY_GROUPS_MAX + 1);
	LIE(v4_off, 0);
	LIE(v4_off, good.v4_off + 1);
	LIE(v4_off, UINT64_MAX - 1);
	LIE(v4_blocks, UINT32_MAX);
	LIE(v4_blocks, POLICY_GROUPS_MAX - 1);
	LIE(v4_blocks, good.v4_blocks * 1024);
	LIE(v4_blocks, good.v4_blocks + 1);
	LIE(v6_length_count, POLICY_V6_LENGTHS + 1);
	LIE(v6_length_count, 3); // the third one's numbers are all zero
	LIE(v6[0].length, good.v6[1].length);
	LIE(v6[1].length, 8); // where keys are narrow
	LIE(v6[1].slots, good.v6[1].slots * 4);
	LIE(v6[1].slot_off, good.v6[1].slot_off + 16);
	LIE(v6[0].length, 129);
	LIE(v6[0].slots, 0);
	LIE(v6[0].slots, 3);
	LIE(v6[0].slots, good.v6[0].slots * 8);
	LIE(v6[0].slots, 1u << 31);
	LIE(v6[0].slot_off, 0);
	LIE(v6[0].slot_off, good.v6[0].slot_off + 8);
	LIE(v6[0].slot_off, UINT64_MAX - 7);
	LIE(v6[0].pilots, 0);
	LIE(v6[0].pilots, 3);
	LIE(v6[0].pilots, 1u << 31);
	LIE(v6[0].pilot_off, 8);
	LIE(v6[0].pilot_off, good.v6[0].pilot_off + 1);
	LIE(v6[0].pilot_off, good.size);
	LIE(group[1].block.mode, DNS_BLOCK_MODES);
	LIE(limit.network_rate, POLICY_RATE_MAX + 1);
	LIE(limit.burst_s, UINT32_MAX);
	LIE(mac_count, POLICY_MACS_MAX + 1);
	LIE(mac.length, 128);
	LIE(mac.slots, good.mac.slots * 4);
	LIE(mac.slot_off, good.size);
	LIE(mac.pilots, 0);
	LIE(mac.pilot_off, UINT64_MAX - 1);
	LIE(vlan[0], 3);
	LIE(vlan[POLICY_VLANS - 1], 255);
	LIE(version, POLICY_VERSION + 1);
	LIE(magic, 7);
	LIE(size, 8);
	free(w.image.head);
}

TEST(test_lies_of_identifiers)
{
	world_clear(1);
	add_iid(0, 2);
	build();
	const struct policy_head good = *w.image.head;
	LIE(iid_count, POLICY_IIDS_MAX + 1);
	LIE(iid.length, 48);
	LIE(iid.slots, good.iid.slots * 8);
	LIE(iid.slot_off, good.size);
	LIE(iid.pilots, 0);
	LIE(iid.pilot_off, UINT64_MAX - 1);
	free(w.image.head);
}
#undef LIE

TEST(test_greatest_limits)
{
	char why[128];
	world_clear(1);
	build();
	w.image.head->limit = (struct policy_limit){.rate = POLICY_RATE_MAX,
		.network_rate = POLICY_RATE_MAX,
		.burst_s = POLICY_BURST_MAX_S};
	seal(&w.image);
	assert_int_equal(policy_reader_init(&w.reader, w.image.head, w.image.size, why), 0);
	free(w.image.head);
}

// Written over while it is in use: any answer will do that is a group, and none reads outside
// (what the sanitizer is for: the image is its own allocation).
TEST(test_scribbled)
{
	world_clear(2);
	rnd.state = 99;
	for (unsigned i = 0; i < 64; i++) {
		struct ip_address a = random_prefix(i % 2 ? 4 : 6);
		add(i % 3 == 0, &a);
	}
	for (unsigned i = 0; i < 64; i++)
		add_mac(0, 2 + 4 * i);
	build();
	for (unsigned i = 0; i < QUERIES; i++) {
		uint8_t *bytes = (uint8_t *)w.image.head;
		uint64_t noise = dns_rand_next(&rnd), a[2];
		size_t span = w.image.size - sizeof(struct policy_head) - sizeof(noise);
		memcpy(bytes + sizeof(struct policy_head) + dns_rand_next(&rnd) % span, &noise,
			sizeof(noise));
		const struct ip_address *p = &w.prefix[0][i % w.group[0].client_count];
		assert_true(look(p->version, p->bytes) < POLICY_LEAVES);
		a[0] = dns_rand_next(&rnd), a[1] = dns_rand_next(&rnd);
		assert_true(policy_leaf_v4(&w.reader, (uint8_t *)a) < POLICY_LEAVES);
		assert_true(look_mac(i % 2 ? a[0] : 2 + 4 * (i % 64), 0) < POLICY_GROUPS_MAX);
		assert_true(policy_leaf_v6(&w.reader, (uint8_t *)a) < POLICY_LEAVES);
	}
	free(w.image.head);
}

// Room for the prefixes of each list of `access`, whichever of them has any.
TEST(test_room_for_each_list)
{
	enum { MANY = 300 };
	static struct ip_address one[MANY];
	for (unsigned i = 0; i < MANY; i++)
		one[i] = (struct ip_address){.version = 4,
			.prefix_len = 32,
			.bytes = {198, 51, (uint8_t)(i >> 8), (uint8_t)i}};
	const struct config_access lists[] = {{.allow = one, .allow_count = MANY},
		{.deny = one, .deny_count = MANY}, {.unlimited = one, .unlimited_count = MANY}};
	for (unsigned i = 0; i < ARRAY_LEN(lists); i++) {
		world_clear(1);
		w.config.access = lists[i];
		build();
		assert_int_equal(look(4, one[MANY - 1].bytes), 0); // of no group
		free(w.image.head);
	}
}
