// SPDX-License-Identifier: BSD-3-Clause

// MAC addresses of clients, from a kernel with neighbours that this test gave it, in a network
// namespace of its own.
#include "controlplane/base/frontend_neighbour.h"
#include "tests/unit/core/config/net_segment.h"

#include <net/if.h>

static struct frontend_neighbours table;

static int group_setup(void **)
{
	return net_segment_open(
		"addr add 198.18.7.1/24 dev seg0\n"
		"addr add fd53:7::1/64 dev seg0 nodad\n"
		"neigh add 198.18.7.2 lladdr 02:00:00:00:00:02 dev seg0 nud permanent\n"
		"neigh add fd53:7::2 lladdr 02:00:00:00:00:03 dev seg0 nud permanent\n"
		"neigh add fe80::2 lladdr 02:00:00:00:00:04 dev seg0 nud permanent\n"
		"route add 198.18.9.0/24 via 198.18.7.2\n");
}

static int setup(void **)
{
	memset(&table, 0, sizeof(table));
	frontend_neighbours_open(&table);
	return 0;
}

FIXTURE(teardown, frontend_neighbours_close(&table))

// The last byte; -1: none.
static int mac_at(const char *address, uint32_t scope, uint64_t now_ms)
{
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC] = {0};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = scope};
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	if (!is_v4)
		assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	const struct sockaddr *sa = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	if (!frontend_neighbour_mac(&table, sa, now_ms, mac))
		return -1;
	assert_memory_equal(mac, "\2\0\0\0\0", 5);
	assert_int_equal(mac[6] | mac[7], 0);
	return mac[5];
}

TEST_WITH(test_segment, setup, teardown)
{
	net_segment_need();
	assert_int_equal(mac_at("198.18.7.2", 0, 1), 2);
	assert_int_equal(mac_at("::ffff:198.18.7.2", 0, 1), 2);
	assert_int_equal(mac_at("fd53:7::2", 0, 1), 3);
	assert_int_equal(mac_at("fe80::2", if_nametoindex("seg0"), 1), 4);
	assert_int_equal(mac_at("198.18.7.3", 0, 1), -1);
}

// A router's MAC means nobody; without a route there is none at all.
TEST_WITH(test_elsewhere, setup, teardown)
{
	net_segment_need();
	assert_int_equal(mac_at("198.18.9.2", 0, 1), -1);
	assert_int_equal(mac_at("192.0.2.1", 0, 1), -1);
	assert_int_equal(mac_at("127.0.0.1", 0, 1), -1);
	assert_int_equal(table.refused, 0);
}

TEST_WITH(test_kept_for_a_while, setup, teardown)
{
	net_segment_need();
	assert_int_equal(mac_at("198.18.7.9", 0, 1000), -1);
	assert_int_equal(
		net_segment_ip(
			"neigh add 198.18.7.9 lladdr 02:00:00:00:00:09 dev seg0 nud permanent\n"),
		0);
	assert_int_equal(mac_at("198.18.7.9", 0, 1000 + FRONTEND_NEIGHBOUR_NONE_MS - 1), -1);
	assert_int_equal(mac_at("198.18.7.9", 0, 1000 + FRONTEND_NEIGHBOUR_NONE_MS), 9);
	assert_int_equal(net_segment_ip("neigh del 198.18.7.9 dev seg0\n"), 0);
	assert_int_equal(mac_at("198.18.7.9", 0, 2500), 9);
	assert_int_equal(mac_at("198.18.7.9", 0, 2000 + FRONTEND_NEIGHBOUR_KEEP_MS), -1);
	assert_int_equal(table.used, 1);
}

// An IPv6 address of the bytes of an IPv4 address is another client.
TEST_WITH(test_families, setup, teardown)
{
	net_segment_need();
	assert_int_equal(mac_at("198.18.7.2", 0, 1), 2);
	assert_int_equal(mac_at("c612:702::", 0, 1), -1);
	assert_int_equal(mac_at("198.18.7.2", 0, 1), 2);
	assert_int_equal(mac_at("c612:702::", 0, 1 + FRONTEND_NEIGHBOUR_KEEP_MS), -1);
	assert_int_equal(mac_at("198.18.7.2", 0, 2 + FRONTEND_NEIGHBOUR_KEEP_MS), 2);
}

// A client with made-up addresses does not keep the loop in system calls, and displaces nobody from
// a group.
TEST_WITH(test_bounded, setup, teardown)
{
	net_segment_need();
	assert_int_equal(mac_at("fd53:7::2", 0, 0), 3);
	for (unsigned i = 0; i < FRONTEND_NEIGHBOUR_ASKS + 100; i++) {
		assert_int_equal(mac_at(text_from("192.0.%u.%u", i / 256, i % 256), 0, 5000), -1);
	}
	assert_true(table.refused > 0);
	assert_int_equal(mac_at("fd53:7::2", 0, 5500), 3);
	assert_int_equal(mac_at("198.18.7.2", 0, 5500), -1);
	assert_int_equal(mac_at("198.18.7.2", 0, 6000), 2);
}

// A table full of clients without a MAC, more of them than it has places, displaces no client that
// has one, although its answer is old by then.
TEST_WITH(test_none_displaces_no_client, setup, teardown)
{
	const uint64_t end_ms = FRONTEND_NEIGHBOUR_LAST_MS;
	net_segment_need();
	assert_int_equal(mac_at("fd53:7::2", 0, 1), 3);
	for (unsigned i = 0; i < 4 * FRONTEND_NEIGHBOURS; i++)
		assert_int_equal(
			mac_at(text_from("192.0.%u.%u", i / 256, i % 256), 0, 1 + i * UINT64_C(30)),
			-1);
	// Few sets, if any, have a place left.
	assert_in_range(table.used, FRONTEND_NEIGHBOURS - 64, FRONTEND_NEIGHBOURS);
	for (unsigned i = 0; i <= FRONTEND_NEIGHBOUR_ASKS; i++) // of this second
		(void)mac_at(text_from("192.1.%u.%u", i / 256, i % 256), 0, end_ms);
	assert_int_equal(mac_at("fd53:7::2", 0, end_ms), 3);
}

TEST_GROUP(group_setup, NULL)
