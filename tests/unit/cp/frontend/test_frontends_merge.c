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

#define ADDED(X)                                                   \
	X(engine.of[FRONTEND_TCP].verdict[VERDICT_hit], 10, 5, 15) \
	X(engine.of[FRONTEND_UDP].answers, 1, 2, 3)                \
	X(engine.pending, 3, 4, 7)                                 \
	X(udp.received, 7, 8, 15)                                  \
	X(udp.proxied, 1, 3, 4)                                    \
	X(udp.bad_proxy, 2, 5, 7)                                  \
	X(udp.forwarded_full, 0, 6, 6)                             \
	X(tcp.open, 20, 30, 50)                                    \
	X(tcp.leaving, 2, 3, 5)                                    \
	X(tcp.ended[FRONTEND_TCP_END_idle], 1, 6, 7)               \
	X(lag.p99_us, 40, 900, 900)                                \
	X(lag.samples, 7, 8, 15)

TEST_WITH(counters_add_and_the_worst_is_shown, setup, NULL)
{
	ADDED(MERGE_SET)
	frontends_merge_status(&sum, &one);
	ADDED(MERGE_IS)
}

// Bounds, clients and addresses are those of all frontends.
#define ONCE(X)                                           \
	X(udp.sockets, 3, 3, 3)                           \
	X(udp.bound, 3, 2, 2)                             \
	X(tcp.cap, 100, 100, 100)                         \
	X(tcp.open_max, 80, 70, 100) /* at other times */ \
	X(tcp.pending_max, 10, 20, 30)                    \
	X(tcp.clients, 9, 9, 9)                           \
	X(tcp.busiest_open, 4, 5, 5)                      \
	X(tcp.busiest.version, 0, 6, 6)                   \
	X(tcp.listener_count, 2, 2, 2)                    \
	X(tcp.listener[1].err, 0, -98, -98)               \
	X(tcp.buffered_cap, 4096, 4096, 4096)             \
	X(tcp.listener[0].err, 0, 0, 0)

TEST_WITH(what_is_there_once_is_counted_once, setup, NULL)
{
	sum.tcp.pending_cap = 64, one.tcp.pending_cap = 64;
	ONCE(MERGE_SET)
	frontends_merge_status(&sum, &one);
	ONCE(MERGE_IS)
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
		MERGE_GAP(struct frontends_status, tcp.busiest.bytes[15], tcp.accept_errors[0]),
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
