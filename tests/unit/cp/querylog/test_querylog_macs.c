// SPDX-License-Identifier: BSD-3-Clause

// Clients that the query log names by their MAC addresses, from a kernel with neighbours that this
// test gave it, in a network namespace of its own.
#include "controlplane/querylog/querylog_row.h"
#include "querylog_rig.h"
#include "tests/unit/core/config/net_segment.h"

static struct querylog_rig rig;
static struct querylog_macs macs;
static struct querylog_hide hide;
static char said[QUERYLOG_NAME_MAX];

static int group_setup(void **)
{
	querylog_rig_open(&rig, 7);
	if (querylog_hide_beat(&hide, 1) < 0)
		return -1;
	return net_segment_open(
		"addr add 198.18.7.1/24 dev seg0\n"
		"addr add fd53:7::1/64 dev seg0 nodad\n"
		"neigh add 198.18.7.2 lladdr 02:00:00:00:00:02 dev seg0 nud permanent\n"
		"neigh add 198.18.7.3 lladdr 02:00:00:00:00:03 dev seg0 nud permanent\n"
		"neigh add 198.18.7.4 lladdr 02:00:00:00:00:04 dev seg0 nud permanent\n"
		"neigh add fd53:7::2 lladdr 02:00:00:00:00:02 dev seg0 nud permanent\n"
		"route add 198.18.9.0/24 via 198.18.7.2\n");
}

FIXTURE(group_teardown, querylog_rig_close(&rig))

static int setup(void **)
{
	memset(&macs, 0, sizeof(macs));
	querylog_macs_open(&macs);
	macs.now_ms = 1000;
	return 0;
}

FIXTURE(teardown, querylog_macs_close(&macs))

// "phone" by two cards, "desk" by a card and an address, "net" by addresses alone.
static struct config_mac phone[] = {{{2, 0, 0, 0, 0, 2}}, {{2, 0, 0, 0, 0, 9}}};
static struct config_mac desk_mac = {{2, 0, 0, 0, 0, 3}};
static struct ip_address net = {.version = 4, .prefix_len = 24, .bytes = {198, 18, 7}},
			 desk_address = {.version = 4, .prefix_len = 32, .bytes = {198, 18, 7, 2}};
static char name_phone[] = "phone", name_desk[] = "desk", name_net[] = "net";
static struct config_client clients[] = {
	{.name = name_phone, .mac_count = 2, .macs = phone},
	{.name = name_net, .address_count = 1, .addresses = &net},
	{.name = name_desk,
		.address_count = 1,
		.mac_count = 1,
		.macs = &desk_mac,
		.addresses = &desk_address},
};

// The name in the row of a query from there.
static const char *name_of(const struct querylog_names *n, const char *address)
{
	bool is_v4 = !strchr(address, ':');
	struct log_record r = {.time_us = 5,
		.weight = 1,
		.list = LOG_NO_LIST,
		.ede = LOG_NO_EDE,
		.upstream = LOG_NO_UPSTREAM,
		.flags = is_v4 ? 0 : LOG_IPV6};
	uint64_t weight;
	assert_int_equal(inet_pton(is_v4 ? AF_INET : AF_INET6, address, r.client), 1);
	struct querylog_batch *b = querylog_rig_empty(&rig);
	const struct querylog_maker by = {.names = n, .hide = &hide, .macs = &macs};
	assert_int_equal(querylog_row_make(b, &by, (const uint8_t *)&r, sizeof(r), NULL, &weight),
		QUERYLOG_MADE);
	strcpy(said, b->row[0].client_name.at);
	assert_int_equal(b->row[0].client_name.len, strlen(said));
	querylog_release(b);
	return said;
}

static struct querylog_names *names_of(unsigned first, unsigned count, enum log_clients how)
{
	struct config c = {
		.client_count = count, .clients = clients + first, .query_log.anonymize = how};
	struct querylog_names *n = querylog_names_new(&c, NULL, 0, NULL);
	assert_non_null(n);
	return n;
}

TEST_WITH(test_a_mac_names, setup, teardown)
{
	net_segment_need();
	struct querylog_names *n = names_of(0, 3, LOG_CLIENTS_WHOLE);
	assert_string_equal(name_of(n, "198.18.7.2"), "phone"); // and not the address's "desk"
	assert_string_equal(name_of(n, "fd53:7::2"), "phone");
	assert_string_equal(name_of(n, "198.18.7.3"), "desk");
	assert_string_equal(name_of(n, "198.18.7.4"), "net"); // nobody's MAC
	assert_string_equal(name_of(n, "198.18.7.5"), "net"); // none is known
	assert_string_equal(name_of(n, "fd53:7::5"), "");
	assert_string_equal(name_of(n, "198.18.9.2"), ""); // behind a router that is "phone"
	assert_true(macs.neighbours.used > 0);
	querylog_names_release(n);
}

TEST_WITH(test_it_follows_the_card, setup, teardown)
{
	net_segment_need();
	struct querylog_names *n = names_of(0, 3, LOG_CLIENTS_WHOLE);
	assert_string_equal(name_of(n, "198.18.7.6"), "net");
	assert_int_equal(
		net_segment_ip(
			"neigh add 198.18.7.6 lladdr 02:00:00:00:00:09 dev seg0 nud permanent\n"),
		0);
	macs.now_ms += FRONTEND_NEIGHBOUR_NONE_MS;
	assert_string_equal(name_of(n, "198.18.7.6"), "phone");
	querylog_names_release(n);
}

TEST_WITH(test_the_kernel_is_asked_for_names_alone, setup, teardown)
{
	net_segment_need();
	struct querylog_names *n = names_of(1, 1, LOG_CLIENTS_WHOLE); // none by MAC
	assert_string_equal(name_of(n, "198.18.7.2"), "net");
	querylog_names_release(n);
	n = names_of(0, 3, LOG_CLIENTS_TRUNCATED);
	assert_string_equal(name_of(n, "198.18.7.2"), "");
	querylog_names_release(n);
	assert_int_equal(macs.neighbours.used, 0);
	assert_int_equal(macs.neighbours.kernel.fd, -1);
}

TEST_GROUP(group_setup, group_teardown)
