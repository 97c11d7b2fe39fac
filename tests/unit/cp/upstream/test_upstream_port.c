// SPDX-License-Identifier: BSD-3-Clause
// Queries that leave and come back through the port, and what is not believed.

#include "controlplane/base/table_registry.h"
#include "port_rig.h"

TEST_WITH(test_no_socket_is_opened, port_rig_setup, port_rig_teardown)
{
	for (unsigned i = 0; i < 100; i++) {
		ANSWERED(5000);
	}
	assert_int_equal(totals().sockets.opened, 0);
	assert_int_equal(port_stats().sent, 100);
	assert_int_equal(port_stats().replies, 100);
	assert_int_equal(port_stats().open, 0);
	assert_int_equal(port_stats().high, 1);
	assert_int_equal(status(0).sent, 100);
	assert_int_equal(status(0).sent_port, 100);
	assert_int_equal(status(0).way, ROUTE_port);
	assert_true(fake[0].upper_seen);
}

static bool is_ours(unsigned port, unsigned resolver, unsigned resolvers)
{
	return ((port >= 1024 && port <= 32767) || port >= 61000) && port % resolvers == resolver;
}

// Each query has a port of its own, any of this resolver's.
TEST_WITH(test_ports_are_drawn_anew, port_rig_setup, port_rig_teardown)
{
	static uint8_t seen[65536];
	unsigned distinct = 0, high = 0;

	port_open(3, 4);
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < 1000; i++) {
		ask(5000);
		const unsigned port = worker.sent[i].m.local_port;
		assert_true(is_ours(port, 3, 4));
		distinct += !seen[port];
		high += port >= 61000;
		seen[port] = 1;
	}
	// 1,000 of 9,070 without repetition would be 1,000; by chance some 947.
	assert_in_range(distinct, 850, 999);
	// An eighth of them are in the upper range.
	assert_in_range(high, 60, 200);
}

TEST_WITH(test_truncated_goes_to_tcp, port_rig_setup, port_rig_teardown)
{
	fake[0].mode = FAKE_TRUNCATE;
	ANSWERED(5000);
	assert_int_equal(fake[0].tcp_queries, 1);
	assert_int_equal(port_stats().open, 0);
}

// Longer than a ring takes.
TEST_WITH(test_cut_goes_to_tcp, port_rig_setup, port_rig_teardown)
{
	worker.is_cut = true;
	ANSWERED(5000);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[0].tcp_queries, 1);
}

// The beginning of a reply may be anyone's, with any bytes: nothing but a fit ends the wait.
TEST_WITH(test_cut_must_fit, port_rig_setup, port_rig_teardown)
{
	uint8_t dns[DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX];

	fake[0].held = true;
	ask_under_way(5000);
	const uint16_t len = upstream_leg_query(&fx.ask.leg[0], dns, sizeof(dns));
	assert_true(len > 0);
	put_u16(dns + 2, DNS_FLAG_QR);
	struct msg_heard m = heard_of(&worker.sent[0], HEARD_REPLY, len);
	m.is_cut = 1;
	dns[1] ^= 1; // another id
	upstream_port_heard(fx.port, &m, dns);
	dns[1] ^= 1;
	dns[DNS_HEADER_LEN + 1] ^= 'a' ^ 'A'; // another letter case
	upstream_port_heard(fx.port, &m, dns);
	dns[DNS_HEADER_LEN + 1] ^= 'a' ^ 'A';
	m.dns_len = DNS_HEADER_LEN + 2; // not the whole question
	upstream_port_heard(fx.port, &m, dns);
	assert_int_equal(totals().mismatched, 3);
	assert_int_equal(port_stats().open, 1);
	m.dns_len = DNS_HEADER_LEN + fx.ask.question_len;
	upstream_port_heard(fx.port, &m, dns);
	assert_int_equal(port_stats().open, 0);
	fake[0].held = false;
	FINISHED(replies);
	assert_int_equal(fake[0].tcp_queries, 1);
}

static struct table_info port_table(void)
{
	struct table_registry tables = {0};
	upstream_port_tables(fx.port, &tables);
	assert_int_equal(tables.count, 1);
	return tables.table[0];
}

// Answers that become slower keep more legs, as old as that.
TEST_WITH(test_the_age_of_legs, port_rig_setup, port_rig_teardown)
{
	CONFIGURE(first_timeout_ms, 1500);
	assert_int_equal(port_table().has, TABLE_AGES | TABLE_REFUSES);
	fake[0].held = true;
	ask_under_way(5000);
	clock_pass_ms(300);
	assert_int_equal(port_table().used, 1);
	assert_in_range(port_table().oldest_ms, 300, 301);
	fake[0].held = false;
	FINISHED(replies);
	assert_int_equal(port_table().oldest_ms, 0);
}

TEST_WITH(test_unreachable_ends_the_wait, port_rig_setup, port_rig_teardown)
{
	CONFIGURE(first_timeout_ms, 1500);
	fake[0].mode = FAKE_SILENT;
	ask_under_way(10000);
	struct msg_heard m = heard_of(&worker.sent[0], HEARD_UNREACHABLE, 0);
	m.code = 1; // host unreachable: as the kernel, weir waits on
	upstream_port_heard(fx.port, &m, NULL);
	assert_int_equal(fake[1].udp_queries, 0);
	m.code = 3;
	upstream_port_heard(fx.port, &m, NULL);
	FINISHED(replies);
	assert_int_equal(status(0).refused, 1);
	assert_int_equal(port_stats().unreachable, 1);
	assert_int_equal(fake[1].udp_queries, 1);
	assert_true(fx.took_ms < 1500);
}

// From another server, to another port, with another question.
TEST_WITH(test_strangers_are_not_believed, port_rig_setup, port_rig_teardown)
{
	uint8_t dns[64] = {0};

	fake[0].held = true;
	ask_under_way(5000);
	struct msg_heard m = heard_of(&worker.sent[0], HEARD_REPLY, sizeof(dns));
	put_u16(dns, worker.sent[0].id);
	m.server_port++;
	upstream_port_heard(fx.port, &m, dns);
	m.server_port--;
	m.server_ip[3]++;
	upstream_port_heard(fx.port, &m, dns);
	m.server_ip[3]--;
	m.local_port++;
	upstream_port_heard(fx.port, &m, dns);
	m.local_port--;
	assert_int_equal(port_stats().strays, 3);
	assert_int_equal(totals().mismatched, 0);
	upstream_port_heard(fx.port, &m, dns); // with the id: the wait goes on
	assert_int_equal(totals().mismatched, 1);
	fake[0].held = false;
	FINISHED(replies);
	assert_int_equal(fake[0].tcp_queries, 0);
}

TEST_WITH(test_the_board_decides, port_rig_setup, port_rig_teardown)
{
	board_say(ROUTE_no_neighbour);
	ANSWERED(5000);
	assert_int_equal(worker.count, 0);
	assert_int_equal(status(0).way, ROUTE_no_neighbour);
	board_say(ROUTE_port);
	ask(5000);
	assert_int_equal(worker.count, 1);
}
