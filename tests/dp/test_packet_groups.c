// SPDX-License-Identifier: BSD-3-Clause
// Clients in groups: by source address, each with its lists and its view of the cache.
#include "harness.h"

enum { KIDS = 1, LAB = 2, KIDS_VIEW = 7, LAB_VIEW = 9 };

// Of KIDS: a network, and one address in LAB's; of LAB: the rest of that.
static const char *const prefixes[] = {
	"198.18.1.0/24 198.18.2.9 fd53:1::/64 fd53:2::9", "198.18.2.0/24 fd53:2::/64"};

static const struct policy_group groups[] = {
	{.lists = {7}}, {.lists = {7}, .view = KIDS_VIEW},
	{.lists = {3}, .view = LAB_VIEW}, // without list 2
};

struct client {
	const char *address;
	unsigned version, group;
};
static const struct client clients[] = {
	{"198.18.0.2", 4, 0},
	{"198.18.3.1", 4, 0},
	{"198.18.1.1", 4, KIDS},
	{"198.18.1.255", 4, KIDS},
	{"198.18.2.9", 4, KIDS},
	{"198.18.2.8", 4, LAB},
	{"198.18.2.10", 4, LAB},
	{"fd53::2", 6, 0},
	{"fd53:1::2", 6, KIDS},
	{"fd53:1:0:1::2", 6, 0},
	{"fd53:2::9", 6, KIDS},
	{"fd53:2::a", 6, LAB},
};

static struct wire_query query(const char *name, const struct client *c)
{
	return (struct wire_query){.name = name, .src = c->address, .version = c->version};
}

// The group decides the view that a miss carries, and is counted.
PACKET_TEST(test_view_of_source)
{
	unsigned counted[3] = {0};
	harness_groups(h, prefixes, 2, groups);
	h->tables.policy_generation = 65536 + 7;
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		struct wire_query q = query("cold.example", &clients[i]);
		const struct msg_miss m = harness_ask_missed(h, &q);
		assert_int_equal(m.view, groups[clients[i].group].view);
		assert_int_equal(m.group, clients[i].group);
		assert_int_equal(m.policy, 7); // the generation's lower half
		counted[clients[i].group]++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(atomic_load(&h->stats.group[i]), counted[i]);
}

// What is kept for one view no other sees, whichever has it.
PACKET_TEST(test_views_are_apart)
{
	harness_groups(h, prefixes, 2, groups);
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	HARNESS_PUT(h, .name = "a.example", .count = 2, .view = KIDS_VIEW);
	HARNESS_PUT(h, .name = "b.example", .count = 3, .view = LAB_VIEW);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		struct wire_query a = query("a.example", &clients[i]);
		struct wire_query b = query("b.example", &clients[i]);
		struct wire_reply r;
		if (clients[i].group == LAB) {
			harness_ask_dropped(h, &a, VERDICT_miss);
			r = harness_ask(h, &b, VERDICT_hit);
			assert_int_equal(r.count, 3);
		} else {
			r = harness_ask(h, &a, VERDICT_hit);
			assert_int_equal(r.count, clients[i].group == KIDS ? 2 : 1);
			harness_ask_dropped(h, &b, VERDICT_miss);
		}
	}
}

PACKET_TEST(test_lists_of_source)
{
	static const char *const listed[] = {"ads.example"};
	harness_groups(h, prefixes, 2, groups);
	harness_block(h, listed, 1);
	h->tables.config.group_lists[0] = 0; // of those who are in no group: the policy says so too
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		struct wire_query q = query("x.ads.example", &clients[i]);
		if (clients[i].group == LAB)
			harness_ask_dropped(h, &q, VERDICT_miss);
		else
			harness_ask(h, &q, VERDICT_blocked);
	}
}

// One batch with clients of all groups: each by its own.
PACKET_TEST(test_mixed_batch)
{
	static const char *const listed[] = {"ads.example"};
	static const enum verdict expected[] = {VERDICT_blocked, VERDICT_blocked, VERDICT_hit};
	uint8_t frame[WIRE_MAX];
	unsigned wanted[VERDICT_COUNT] = {0};
	harness_groups(h, prefixes, 2, groups);
	harness_block(h, listed, 1);
	HARNESS_PUT(h, .name = "ads.example", .count = 1, .view = LAB_VIEW);
	for (unsigned i = 0; i < 2 * ARRAY_LEN(clients); i++) {
		const struct client *c = &clients[i % ARRAY_LEN(clients)];
		struct wire_query q = query("ads.example", c);
		harness_inject(h, frame, wire_make(&q, frame));
		wanted[expected[c->group]]++;
	}
	assert_int_equal(worker_turn(&h->w, 0), 2 * ARRAY_LEN(clients));
	assert_int_equal(harness_verdict(h, VERDICT_blocked), wanted[VERDICT_blocked]);
	assert_int_equal(harness_verdict(h, VERDICT_hit), wanted[VERDICT_hit]);
	harness_drain(h);
}

// Clients of both families in one batch, in any order: each is in its own group.
PACKET_TEST(test_whole_batches)
{
	enum { BATCH = 32, BATCHES = 5 };
	harness_groups(h, prefixes, 2, groups);
	for (unsigned n = 0; n < BATCHES; n++) {
		const struct client *asked[BATCH];
		for (unsigned i = 0; i < BATCH; i++) {
			char name[32];
			uint8_t frame[WIRE_MAX];
			asked[i] = &clients[(n * n + i * (2 * n + 1)) % ARRAY_LEN(clients)];
			snprintf(name, sizeof(name), "cold-%u-%u.example", n, i);
			struct wire_query q = query(name, asked[i]);
			harness_inject(h, frame, wire_make(&q, frame));
		}
		assert_int_equal(worker_turn(&h->w, 0), BATCH);
		for (unsigned i = 0; i < BATCH; i++) {
			const struct msg_miss m = harness_miss(h);
			assert_int_equal(m.view, groups[asked[i]->group].view);
		}
	}
}

// A MAC that is in a group beats the address, and the miss carries the group.
PACKET_TEST(test_macs)
{
	static const char *const with_macs[] = {
		"198.18.1.0/24 02:00:00:00:01:01 fd53:1::/64", "198.18.2.0/24 02:00:00:00:01:02"};
	static const uint8_t mac[][6] = {
		{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 1, 2}, {2, 0, 0, 0, 1, 3}, {2, 0, 0, 0, 0, 1}};
	static const struct {
		unsigned mac;
		const char *address;
		unsigned version, group;
	} cases[] = {
		{0, "198.18.0.9", 4, KIDS},
		{0, "198.18.2.9", 4, KIDS},
		{1, "198.18.1.9", 4, LAB},
		{1, "fd53:1::9", 6, LAB},
		{2, "198.18.1.9", 4, KIDS},
		{3, "198.18.0.9", 4, 0},
		{0, "fd53::9", 6, KIDS},
	};
	harness_groups(h, with_macs, 2, groups);
	for (unsigned i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		unsigned n = i % ARRAY_LEN(cases);
		struct wire_query q = {.name = "cold.example",
			.src = cases[n].address,
			.version = cases[n].version,
			.mac = mac[cases[n].mac],
			.has_vlan = i >= ARRAY_LEN(cases),
			.vlan_tci = 7};
		const struct msg_miss m = harness_ask_missed(h, &q);
		assert_int_equal(m.group, cases[n].group);
		assert_int_equal(m.view, groups[cases[n].group].view);
	}
	harness_groups(h, prefixes, 2, groups); // without any
	struct wire_query q = {.name = "cold.example", .src = "198.18.2.8", .mac = mac[0]};
	assert_int_equal(harness_ask_missed(h, &q).group, LAB);
}

// The lower half of an IPv6 address beats its prefix under every prefix, and the MAC beats it.
PACKET_TEST(test_interface_identifiers)
{
	static const char *const with_iids[] = {"fd53:1::/64 ::9/-64 198.18.1.0/24",
		"fd53:2::/64 02:00:00:00:01:02 ::1234:56ff:fe78:9abc/-64"};
	static const uint8_t mac[][6] = {{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 1, 2}};
	static const struct {
		const char *address;
		unsigned mac, version, group;
	} cases[] = {
		{"fd53:2::9", 0, 6, KIDS},
		{"fd53:9::9", 0, 6, KIDS},
		{"fd53:1::1234:56ff:fe78:9abc", 0, 6, LAB},
		{"fd53:1::1234:56ff:fe78:9abd", 0, 6, KIDS},
		{"fd53:9::1234:56ff:fe78:9abd", 0, 6, 0},
		{"fd53:9::1:0:0:9", 0, 6, 0},
		{"fd53:9::9", 1, 6, LAB},
		{"198.18.1.9", 0, 4, KIDS},
		{"198.18.2.9", 0, 4, 0},
	};
	harness_groups(h, with_iids, 2, groups);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct wire_query q = {.name = "cold.example",
			.src = cases[i].address,
			.version = cases[i].version,
			.mac = mac[cases[i].mac]};
		const struct msg_miss m = harness_ask_missed(h, &q);
		assert_int_equal(m.group, cases[i].group);
		assert_int_equal(m.view, groups[cases[i].group].view);
	}
}

// Those of one batch are each in the group of their own MAC address.
PACKET_TEST(test_macs_of_a_batch)
{
	static const char *const with_macs[] = {"02:00:00:00:01:01", "02:00:00:00:01:02"};
	static const uint8_t mac[][6] = {{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 1, 2}};
	static const unsigned group[] = {KIDS, LAB};
	uint8_t frame[WIRE_MAX];
	harness_groups(h, with_macs, 2, groups);
	for (unsigned i = 0; i < ARRAY_LEN(mac); i++) {
		const struct wire_query q = {.name = i ? "two.example" : "one.example",
			.src = "198.18.0.9",
			.mac = mac[i]};
		harness_inject(h, frame, wire_make(&q, frame));
	}
	harness_turns(h);
	for (unsigned i = 0; i < ARRAY_LEN(mac); i++) {
		assert_int_equal(harness_miss(h).group, group[i]);
	}
}

// The VLAN decides for clients that are in no group by MAC and address; its miss has the group.
PACKET_TEST(test_vlans)
{
	static const char *const with_vlans[] = {
		"198.18.1.0/24 vlan10 vlan4094", "fd53:2::/64 02:00:00:00:01:02 vlan20"};
	static const uint8_t mac[][6] = {{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 1, 2}};
	enum { UNTAGGED = -1, PRIORITY = 7 << 13 | 1 << 12 };
	static const struct {
		int tci;
		unsigned mac, version, group;
		const char *address;
	} cases[] = {
		{10, 0, 4, KIDS, "198.18.0.9"},
		{4094, 0, 6, KIDS, "fd53::9"},
		{20, 0, 4, LAB, "198.18.0.9"},
		{20 | PRIORITY, 0, 6, LAB, "fd53::9"},
		{21, 0, 4, 0, "198.18.0.9"},
		{0, 0, 4, 0, "198.18.0.9"},
		{PRIORITY, 0, 4, 0, "198.18.0.9"},
		{4095, 0, 4, 0, "198.18.0.9"},
		{UNTAGGED, 0, 4, 0, "198.18.0.9"},
		{20, 0, 4, KIDS, "198.18.1.9"}, // its address decides
		{10, 0, 6, LAB, "fd53:2::9"},
		{10, 1, 4, LAB, "198.18.0.9"}, // its MAC
		{UNTAGGED, 0, 4, KIDS, "198.18.1.9"},
	};
	unsigned counted[3] = {0};
	harness_groups(h, with_vlans, 2, groups);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct wire_query q = {.name = "cold.example",
			.src = cases[i].address,
			.version = cases[i].version,
			.mac = mac[cases[i].mac],
			.has_vlan = cases[i].tci != UNTAGGED,
			.vlan_tci = (uint16_t)cases[i].tci};
		const struct msg_miss m = harness_ask_missed(h, &q);
		assert_int_equal(m.group, cases[i].group);
		assert_int_equal(m.view, groups[cases[i].group].view);
		counted[cases[i].group]++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(atomic_load(&h->stats.group[i]), counted[i]);
	harness_groups(h, prefixes, 2, groups); // without any
	struct wire_query q = {
		.name = "cold.example", .src = "198.18.0.9", .has_vlan = true, .vlan_tci = 10};
	assert_int_equal(harness_ask_missed(h, &q).group, 0);
}

// A client moves with the next image, and out of all groups with an empty one.
PACKET_TEST(test_moves)
{
	static const char *const turned[] = {"198.18.2.0/24", "198.18.1.0/24"};
	struct wire_query q = {.name = "a.example", .src = "198.18.1.1"};
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	HARNESS_PUT(h, .name = "a.example", .count = 2, .view = KIDS_VIEW);
	harness_groups(h, prefixes, 2, groups);
	struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(r.count, 2);
	harness_groups(h, turned, 2, groups);
	harness_ask_dropped(h, &q, VERDICT_miss);
	harness_groups(h, NULL, 0, groups);
	r = harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(r.count, 1);
}

// The view reaches the control plane also while there is no cache to look into.
TEST(test_without_l0)
{
	struct harness_options o = {.no_l0 = true};
	struct harness *h = harness_begin(&o);
	harness_groups(h, prefixes, 2, groups);
	assert_int_equal(
		harness_ask_missed(h, QUERY(.name = "a.example", .src = "198.18.2.1")).view,
		LAB_VIEW);
	harness_end(h);
}
