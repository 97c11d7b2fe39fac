// SPDX-License-Identifier: BSD-3-Clause
// What several frontends say, as one.
#include "controlplane/frontend/frontends.h"
#include "tests/unit/unit.h"

static struct frontends_status sum, one;

static int setup(void **)
{
	memset(&sum, 0, sizeof(sum));
	memset(&one, 0, sizeof(one));
	return 0;
}

TEST_WITH(counters_add_and_the_worst_is_shown, setup, NULL)
{
	sum.engine.of[FRONTEND_TCP].verdict[VERDICT_hit] = 10;
	one.engine.of[FRONTEND_TCP].verdict[VERDICT_hit] = 5;
	sum.engine.of[FRONTEND_UDP].answers = 1, one.engine.of[FRONTEND_UDP].answers = 2;
	sum.engine.pending = 3, one.engine.pending = 4;
	sum.udp.received = 7, one.udp.received = 8;
	sum.udp.proxied = 1, one.udp.proxied = 3;
	sum.udp.bad_proxy = 2, one.udp.bad_proxy = 5;
	one.udp.forwarded_full = 6;
	sum.tcp.open = 20, one.tcp.open = 30;
	sum.tcp.ended[FRONTEND_TCP_END_idle] = 1, one.tcp.ended[FRONTEND_TCP_END_idle] = 6;
	sum.lag.p99_us = 40, one.lag.p99_us = 900;
	sum.lag.samples = 7, one.lag.samples = 8;
	frontends_merge_status(&sum, &one);
	assert_int_equal(sum.engine.of[FRONTEND_TCP].verdict[VERDICT_hit], 15);
	assert_int_equal(sum.engine.of[FRONTEND_UDP].answers, 3);
	assert_int_equal(sum.engine.pending, 7);
	assert_int_equal(sum.udp.received, 15);
	assert_int_equal(sum.udp.proxied, 4);
	assert_int_equal(sum.udp.bad_proxy, 7);
	assert_int_equal(sum.udp.forwarded_full, 6);
	assert_int_equal(sum.tcp.open, 50);
	assert_int_equal(sum.tcp.ended[FRONTEND_TCP_END_idle], 7);
	assert_int_equal(sum.lag.p99_us, 900);
	assert_int_equal(sum.lag.samples, 15);
}

// Bounds, clients and addresses are those of all frontends.
TEST_WITH(what_is_there_once_is_counted_once, setup, NULL)
{
	sum.udp.sockets = one.udp.sockets = 3;
	sum.udp.bound = 3, one.udp.bound = 2;
	sum.tcp.cap = one.tcp.cap = 100;
	sum.tcp.open_max = 80, one.tcp.open_max = 70; // at other times
	sum.tcp.pending_cap = one.tcp.pending_cap = 64;
	sum.tcp.pending_max = 10, one.tcp.pending_max = 20;
	sum.tcp.clients = one.tcp.clients = 9;
	sum.tcp.busiest_open = 4, one.tcp.busiest_open = 5;
	one.tcp.busiest.version = 6;
	sum.tcp.listener_count = one.tcp.listener_count = 2;
	one.tcp.listener[1].err = -98;
	sum.tcp.buffered_cap = one.tcp.buffered_cap = 4096;
	frontends_merge_status(&sum, &one);
	assert_int_equal(sum.udp.sockets, 3);
	assert_int_equal(sum.udp.bound, 2);
	assert_int_equal(sum.tcp.cap, 100);
	assert_int_equal(sum.tcp.open_max, 100);
	assert_int_equal(sum.tcp.pending_max, 30);
	assert_int_equal(sum.tcp.clients, 9);
	assert_int_equal(sum.tcp.busiest_open, 5);
	assert_int_equal(sum.tcp.busiest.version, 6);
	assert_int_equal(sum.tcp.listener_count, 2);
	assert_int_equal(sum.tcp.listener[0].err, 0);
	assert_int_equal(sum.tcp.listener[1].err, -98);
	assert_int_equal(sum.tcp.buffered_cap, 4096);
}

TEST_WITH(tables_of_one_name_are_added, setup, NULL)
{
	table_register(&sum.tables,
		&(struct table_info){
			.name = "a", .kind = TABLE_WORK, .cap = 10, .used = 3, .high = 8});
	table_register(&one.tables,
		&(struct table_info){.name = "a", .kind = TABLE_WORK, .used = 4, .high = 7});
	table_register(&one.tables, &(struct table_info){.name = "b", .kind = TABLE_FIXED});
	frontends_merge_status(&sum, &one);
	assert_int_equal(sum.tables.count, 2);
	assert_int_equal(sum.tables.table[0].cap, 10);
	assert_int_equal(sum.tables.table[0].used, 7);
	assert_int_equal(sum.tables.table[0].high, 10);
}
