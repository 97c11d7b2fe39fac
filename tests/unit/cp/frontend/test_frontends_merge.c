// SPDX-License-Identifier: BSD-3-Clause
// What several frontends say, as one.
#include "controlplane/frontend/frontends.h"
#include "tests/unit/merge_fields.h"

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

static void merge(void *to, const void *from)
{
	frontends_merge_status(to, from);
}

TEST_WITH(every_figure_is_merged, setup, NULL)
{
	const struct merge_left left[] = {
		MERGE_KEPT(struct frontends_status, udp.sockets),
		MERGE_KEPT(struct frontends_status, tcp.enabled),
		MERGE_KEPT(struct frontends_status, tcp.clients),
		MERGE_KEPT(struct frontends_status, tcp.per_client),
		MERGE_KEPT(struct frontends_status, tcp.buffered_cap),
		MERGE_KEPT(struct frontends_status, tcp.idle_ms),
		MERGE_KEPT(struct frontends_status, tcp.tls.certificates),
		MERGE_KEPT(struct frontends_status, tcp.tls.certificate),
		MERGE_KEPT(struct frontends_status, tcp.tls.why),
		MERGE_APART(struct frontends_status, tcp.cap),
		MERGE_APART(struct frontends_status, tcp.pending_cap),
		MERGE_APART(struct frontends_status, tcp.listener_count),
		MERGE_APART(struct frontends_status, tcp.listener),
		MERGE_APART(struct frontends_status, tables),
		MERGE_KEPT(struct frontends_status, count),
		MERGE_KEPT(struct frontends_status, each),
		MERGE_GAP(struct frontends_status, tcp.enabled, tcp.open),
		MERGE_GAP(struct frontends_status, tcp.busiest.bytes[15], tcp.busiest_open),
		MERGE_GAP(struct frontends_status, tcp.pending_cap, tcp.buffered),
		MERGE_GAP(struct frontends_status, tcp.idle_ms, tcp.accepted),
		MERGE_GAP(struct frontends_status, tcp.tls.shaking_max, tcp.tls.handshakes),
		MERGE_GAP(struct frontends_status, tcp.tls.certificates,
			tcp.tls.certificate[0].names[0]),
		MERGE_GAP(struct frontends_status, tcp.doh.connections, tcp.doh.bytes),
		MERGE_GAP(struct frontends_status, tcp.listener[FRONTEND_TCP_LISTENERS_MAX - 1].err,
			lag.p50_us),
		MERGE_GAP(struct frontends_status, count, each[0].udp_received),
	};
	sum.tcp.cap = one.tcp.cap = sum.tcp.pending_cap = one.tcp.pending_cap = UINT32_MAX;
	one.tcp.busiest_open = 2;
	MERGE_CHECK(struct frontends_status, merge, left, ARRAY_LEN(left), &sum, &one);
}
