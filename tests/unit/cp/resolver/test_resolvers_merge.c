// SPDX-License-Identifier: BSD-3-Clause
// What several resolvers say, as one.
#include "controlplane/resolver/resolvers_set.h"
#include "tests/unit/merge_fields.h"

static struct resolver_status sum, one;

static int setup(void **)
{
	memset(&sum, 0, sizeof(sum));
	memset(&one, 0, sizeof(one));
	return 0;
}

#define ADDED(X)                                  \
	X(misses, 10, 5, 15)                      \
	X(inflight, 3, 4, 7)                      \
	X(l0.entries, 100, 11, 111)               \
	X(l0.oldest_ms, 0, 77, 77) /* 0: none */  \
	X(lag.p99_us, 40, 900, 900)               \
	X(lag.samples, 7, 8, 15)                  \
	X(loop_busy_us, 50, 49, 50)               \
	X(took[ANSWER_CACHED].bucket[3], 2, 5, 7) \
	X(sockets.open, 8, 9, 17)                 \
	X(sockets.since_ms, 500, 400, 400)        \
	X(streams.queries, 1, 2, 3)               \
	X(l1.lookups, 1000, 1, 1001)              \
	X(refused_suffix, 3, 5, 8)                \
	X(unlimited_zone, 7, 11, 18)              \
	X(subnet_hits, 3, 4, 7)                   \
	X(unlimited_client, 13, 17, 30)           \
	X(client_questions, 19, 23, 42)

TEST_WITH(counters_add_and_the_worst_is_shown, setup, NULL)
{
	ADDED(MERGE_SET)
	resolvers_merge_status(&sum, &one);
	ADDED(MERGE_IS)
}

// What the process has once is the first one's.
#define ONCE(X)                       \
	X(link_up, 1, 0, 1)           \
	X(worker_rings, 4, 4, 4)      \
	X(l0_bytes, 4096, 4096, 4096) \
	X(step.steps, 2, 2, 2)        \
	X(step.aged, 2, 3, 5)         \
	X(flush.asked, 6, 6, 6)       \
	X(flush.kept_out, 6, 1, 7)    \
	X(upstream_sets, 3, 3, 3)     \
	X(answer_policy.walks, 1, 1, 1)

TEST_WITH(what_is_there_once_is_counted_once, setup, NULL)
{
	ONCE(MERGE_SET)
	resolvers_merge_status(&sum, &one);
	ONCE(MERGE_IS)
}

static struct upstream_status handshake(uint64_t done_ms, uint64_t failed_ms, const char *why)
{
	struct upstream_status s = {
		.tls_about_ms = done_ms, .tls_why_ms = failed_ms > done_ms ? failed_ms : done_ms};
	snprintf(s.tls_about, sizeof(s.tls_about), "TLS of %u", (unsigned)done_ms);
	snprintf(s.tls_why, sizeof(s.tls_why), "%s", failed_ms > done_ms ? why : "");
	return s;
}

// One resolver had its failure before another one's good handshake, or after it.
TEST(the_latest_handshake_is_shown)
{
	struct upstream_status a = handshake(0, 100, "old"), b = handshake(200, 0, "");
	resolvers_merge_upstream(&a, &b);
	assert_string_equal(a.tls_why, "");
	assert_string_equal(a.tls_about, "TLS of 200");
	b = handshake(150, 300, "new");
	resolvers_merge_upstream(&a, &b);
	assert_string_equal(a.tls_why, "new");
	assert_string_equal(a.tls_about, "TLS of 200");
}

TEST(the_latest_exchange_is_shown)
{
	struct upstream_status a = {.https = {.why_ms = 5,
					    .status_ms = 5,
					    .status = 500,
					    .why = "x"}},
			       b = {.https = {.why_ms = 9, .version = 2, .replies = 3}};
	a.https.failed[UPSTREAM_HTTPS_status] = 1;
	b.https.failed[UPSTREAM_HTTPS_status] = 2;
	resolvers_merge_upstream(&a, &b);
	assert_string_equal(a.https.why, "");
	assert_int_equal(a.https.version, 2);
	assert_int_equal(a.https.status, 500);
	assert_int_equal(a.https.replies, 3);
	assert_int_equal(a.https.failed[UPSTREAM_HTTPS_status], 3);
}

TEST_WITH(a_server_is_the_same_for_all, setup, NULL)
{
	sum.upstream_count = 2;
	one.upstream_count = 3; // it has one more address of a host name by now, in front
	for (unsigned i = 0; i < 2; i++)
		sum.upstream[i].up = one.upstream[i + 1].up = true;
	snprintf(one.upstream[0].address, sizeof(one.upstream[0].address), "192.0.2.9:53");
	for (unsigned i = 0; i < 2; i++) {
		snprintf(sum.upstream[i].address, sizeof(sum.upstream[i].address), "192.0.2.%u:53",
			i);
		snprintf(one.upstream[i + 1].address, sizeof(one.upstream[i].address),
			"192.0.2.%u:53", i);
	}
	one.upstream[0].sent = 1000;
	one.upstream[2].up = false;
	sum.upstream[0].sent = 5, one.upstream[1].sent = 6;
	sum.upstream[1].srtt_us = 900, one.upstream[2].srtt_us = 1000;
	// A resolver of 100 queries sent all of them to the first server, one of 300 none.
	sum.upstream[0].share = 65535, sum.upstream[0].set_sent = 100;
	one.upstream[1].share = 0, one.upstream[1].set_sent = 300;
	resolvers_merge_status(&sum, &one);
	assert_int_equal(sum.upstream_count, 2);
	assert_int_equal(sum.upstream[0].sent, 11);
	assert_int_equal(sum.upstream[0].share, 65535 / 4);
	assert_int_equal(sum.upstream[0].set_sent, 400);
	assert_true(sum.upstream[0].up);
	assert_false(sum.upstream[1].up);
	assert_int_equal(sum.upstream[1].srtt_us, 1000);
}

TEST_WITH(tables_of_one_name_are_one, setup, NULL)
{
	const struct table_info inflight = {.name = "inflight",
		.kind = TABLE_WORK,
		.cap = 100,
		.used = 7,
		.high = 9,
		.bytes = 1000,
		.oldest_ms = 30,
		.has = TABLE_AGES};
	struct table_info other = inflight;
	const struct table_info alone = {.name = "alone", .kind = TABLE_FIXED, .cap = 1};

	table_register(&sum.tables, &inflight);
	other.used = 1;
	other.oldest_ms = 700;
	table_register(&one.tables, &alone);
	table_register(&one.tables, &other);
	resolvers_merge_status(&sum, &one);
	assert_int_equal(sum.tables.count, 2);
	const struct table_info *t = &sum.tables.table[0];
	assert_string_equal(t->name, "inflight");
	assert_int_equal(t->cap, 200);
	assert_int_equal(t->used, 8);
	assert_int_equal(t->high, 18);
	assert_int_equal(t->bytes, 2000);
	assert_int_equal(t->oldest_ms, 700);
	assert_string_equal(sum.tables.table[1].name, "alone");
}

TEST(minutes_of_refresh_ahead_add)
{
	static struct refresh_report a, b;
	a.stats.minute[5] = 3000, a.stats.count[5].done = 2;
	b.stats.minute[5] = 3000, b.stats.count[5].done = 3;
	a.stats.minute[6] = 3001 - REFRESH_MINUTES, a.stats.count[6].done = 50; // a day before
	b.stats.minute[6] = 3001, b.stats.count[6].done = 4;
	a.stats.minute[7] = 3002, a.stats.count[7].done = 6;
	b.stats.minute[7] = 0;
	a.inflight = 1, b.inflight = 2;
	resolvers_merge_refresh(&a, &b);
	assert_int_equal(a.inflight, 3);
	assert_int_equal(a.stats.count[5].done, 5);
	assert_int_equal(a.stats.minute[6], 3001);
	assert_int_equal(a.stats.count[6].done, 4);
	assert_int_equal(a.stats.count[7].done, 6);
}

TEST(the_oldest_questions_of_all_are_listed)
{
	struct pending_question of_a[2] = {{.age_ms = 90}, {.age_ms = 10}};
	struct pending_question of_b[3] = {{.age_ms = 95}, {.age_ms = 50}, {.age_ms = 5}};
	struct pending_question room[4] = {0};
	struct resolver_pending a = {.total = 2, .clients = 3, .count = 2, .question = of_a};
	const struct resolver_pending b = {
		.total = 30, .clients = 40, .count = 3, .question = of_b};

	resolvers_merge_pending(&a, &b, 4, room);
	assert_int_equal(a.total, 32);
	assert_int_equal(a.clients, 43);
	assert_int_equal(a.count, 4);
	static const unsigned ages[] = {95, 90, 50, 10};
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(a.question[i].age_ms, ages[i]);
}

static void merge_status(void *to, const void *from)
{
	resolvers_merge_status(to, from);
}

static void merge_upstream(void *to, const void *from)
{
	resolvers_merge_upstream(to, from);
}

static void merge_refresh(void *to, const void *from)
{
	resolvers_merge_refresh(to, from);
}

static void merge_table(void *to, const void *from)
{
	static struct table_registry a, b;
	a.count = b.count = 1;
	a.table[0] = *(const struct table_info *)to;
	b.table[0] = *(const struct table_info *)from;
	a.table[0].name = b.table[0].name = "one";
	tables_sum(&a, &b);
	a.table[0].name = ((const struct table_info *)to)->name;
	*(struct table_info *)to = a.table[0];
}

// What is of the process, or the same for all by the configuration, is the first one's.
TEST_WITH(every_figure_of_a_resolver_is_merged, setup, NULL)
{
	const struct merge_left left[] = {
		MERGE_KEPT(struct resolver_status, l0_bytes),
		MERGE_KEPT(struct resolver_status, link_up),
		MERGE_KEPT(struct resolver_status, dp_incarnation),
		MERGE_KEPT(struct resolver_status, worker_rings),
		MERGE_KEPT(struct resolver_status, l1_sweep),
		MERGE_KEPT(struct resolver_status, flush.asked),
		MERGE_KEPT(struct resolver_status, flush.told),
		MERGE_KEPT(struct resolver_status, flush.heard),
		MERGE_KEPT(struct resolver_status, flush.own),
		MERGE_KEPT(struct resolver_status, flush.bad),
		MERGE_KEPT(struct resolver_status, flush.subscribed),
		MERGE_KEPT(struct resolver_status, answer_policy.walks),
		MERGE_KEPT(struct resolver_status, step.steps),
		MERGE_KEPT(struct resolver_status, step.stepped_ms),
		MERGE_KEPT(struct resolver_status, upstream_sets),
		MERGE_KEPT(struct resolver_status, upstream_count),
		MERGE_APART(struct resolver_status, l1.redis.state),
		MERGE_APART(struct resolver_status, met_bounds),
		MERGE_APART(struct resolver_status, tables),
		MERGE_APART(struct resolver_status, upstream),
		MERGE_GAP(struct resolver_status, waiter_cap, ring_anomalies),
		MERGE_GAP(struct resolver_status, worker_rings, loop_busy_us),
		MERGE_GAP(struct resolver_status, streams.waiting_high, streams.waited),
		MERGE_GAP(struct resolver_status, https.high, https.late),
		MERGE_GAP(struct resolver_status, upstream_sets_down, l0.oldest_ms),
		MERGE_GAP(struct resolver_status, validation.contexts, recursion.queries),
		MERGE_GAP(struct resolver_status, recursion.ipv6_off, took[0].bucket[0]),
		MERGE_GAP(struct resolver_status, upstream_count, upstream[0].tls_handshakes),
	};
	sum.l1.redis.state = "up", one.l1.redis.state = "away";
	one.l1.redis.error_ms = 1;
	MERGE_CHECK(struct resolver_status, merge_status, left, ARRAY_LEN(left), &sum, &one);
}

TEST(every_figure_of_an_upstream_is_merged)
{
	const struct merge_left left[] = {
		MERGE_KEPT(struct upstream_status, name),
		MERGE_KEPT(struct upstream_status, address),
		MERGE_KEPT(struct upstream_status, is_tls),
		MERGE_KEPT(struct upstream_status, is_https),
		MERGE_KEPT(struct upstream_status, is_nowhere),
		MERGE_KEPT(struct upstream_status, subnet),
		MERGE_KEPT(struct upstream_status, way),
		MERGE_GAP(struct upstream_status, sends_subnet, srtt_us),
		MERGE_GAP(struct upstream_status, down_for_ms, sent_port),
		MERGE_GAP(struct upstream_status, is_nowhere, https.replies),
		MERGE_GAP(struct upstream_status, subnet.ipv6, took.bucket[0]),
	};
	static const struct upstream_status a = {.set_sent = 1},
					    b = {.set_sent = 1,
						    .tls_about_ms = 1,
						    .tls_why_ms = 1,
						    .https = {.why_ms = 1, .status_ms = 1}};
	MERGE_CHECK(struct upstream_status, merge_upstream, left, ARRAY_LEN(left), &a, &b);
}

TEST(every_figure_of_refresh_ahead_is_merged)
{
	const struct merge_left left[] = {
		MERGE_KEPT(struct refresh_report, now_ms),
		MERGE_KEPT(struct refresh_report, policy),
		{offsetof(struct refresh_report, stats.minute[1]),
			sizeof(uint64_t) * (REFRESH_MINUTES - 1), true},
		{offsetof(struct refresh_report, stats.count[1]),
			sizeof(struct refresh_counts) * (REFRESH_MINUTES - 1), true},
	};
	static const struct refresh_report none;
	MERGE_CHECK(struct refresh_report, merge_refresh, left, ARRAY_LEN(left), &none, &none);
}

TEST(every_figure_of_a_table_is_merged)
{
	const struct merge_left left[] = {
		MERGE_APART(struct table_info, name),
		MERGE_KEPT(struct table_info, owner),
		MERGE_KEPT(struct table_info, eviction),
		MERGE_KEPT(struct table_info, lifetime),
		MERGE_KEPT(struct table_info, kind),
		MERGE_KEPT(struct table_info, stay_ms),
		MERGE_KEPT(struct table_info, has),
		MERGE_KEPT(struct table_info, parts),
		MERGE_KEPT(struct table_info, fullest),
		MERGE_KEPT(struct table_info, fullest_used),
		MERGE_KEPT(struct table_info, fullest_cap),
		MERGE_KEPT(struct table_info, of_dataplane),
		MERGE_GAP(struct table_info, kind, stay_ms),
		MERGE_GAP(struct table_info, fullest, fullest_used),
		MERGE_END(struct table_info, of_dataplane),
	};
	static const struct table_info none;
	MERGE_CHECK(struct table_info, merge_table, left, ARRAY_LEN(left), &none, &none);
}

// Each has connections of its own.
TEST_WITH(the_worse_state_of_redis_is_shown, setup, NULL)
{
	sum.l1.redis =
		(struct redis_status){.state = "up", .sub_breaks = 1, .error_ms = 5, .rtt_us = 7};
	one.l1.redis = (struct redis_status){
		.state = "away", .sub_breaks = 2, .error_ms = 9, .away_since_ms = 8};
	snprintf(one.l1.redis.error, sizeof(one.l1.redis.error), "refused");
	resolvers_merge_status(&sum, &one);
	assert_string_equal(sum.l1.redis.state, "away");
	assert_string_equal(sum.l1.redis.error, "refused");
	assert_int_equal(sum.l1.redis.away_since_ms, 8);
	assert_int_equal(sum.l1.redis.sub_breaks, 3);
	one.l1.redis.state = "up";
	resolvers_merge_status(&sum, &one);
	assert_string_equal(sum.l1.redis.state, "away");
}
