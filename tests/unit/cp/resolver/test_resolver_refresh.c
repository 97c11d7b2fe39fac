// SPDX-License-Identifier: BSD-3-Clause
// Refresh-ahead through the resolver: who is renewed, who is not, and what a failure costs.
#include "resolver_rig.h"
#include "tests/unit/clock_still.h"

static struct refresh_report report_now;
static _Atomic bool report_there;

static void on_report(void *, const struct refresh_report *report)
{
	report_now = *report;
	report_there = true;
}

static struct refresh_counts counts(void)
{
	struct refresh_counts sum;
	report_there = false;
	assert_int_equal(resolvers_refresh_report(&rig.all, rig.loop, on_report, NULL), 0);
	WAIT_FOR(report_there);
	refresh_stats_sum(&report_now.stats, report_now.now_ms, 60, &sum);
	return sum;
}

static void tell(const char *name)
{
	rig_ask((struct fake_miss){.name = name, .refresh = true});
}

// 80 questions, of which the first fills the cache.
static void make_hot(const char *name)
{
	resolves(name, 1, ANSWER_UPSTREAM);
	for (uint16_t i = 2; i <= 80; i++) {
		resolves(name, i, ANSWER_CACHED);
	}
}

static void wait_until_asked(unsigned queries)
{
	WAIT_FOR(rig_asked() >= queries);
	assert_int_equal(rig_asked(), queries);
}

TEST_WITH(test_cold_and_absent_records_are_left_alone, rig_setup, rig_teardown)
{
	tell("absent.example");
	resolves("cold.example", 1, ANSWER_UPSTREAM);
	tell("cold.example");
	clock_pass_ms(250);
	assert_int_equal(rig_asked(), 1);
	struct resolver_status s = status();
	assert_int_equal(s.refreshes, 2);
	assert_int_equal(s.inflight, 0);
	assert_int_equal(counts().asked, 0);
}

// TTL 2 s: due at half of it. Told of early, it is planned and waits for its time.
TEST_WITH(test_hot_record_is_renewed_before_it_expires, rig_setup, rig_teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = 2;
	make_hot("hot.example");
	tell("hot.example");
	assert_int_equal(rig_asked(), 1);
	wait_until_asked(2);
	WAIT_FOR(counts().done > 0);
	struct refresh_counts c = counts();
	assert_int_equal(c.asked, 1);
	assert_int_equal(c.done, 1);
	assert_int_equal(report_now.inflight, 0);
	resolves("hot.example", 99, ANSWER_CACHED);
	struct resolver_status s = status();
	assert_int_equal(s.stored, 2);
	assert_int_equal(s.no_waiter, 0);
	// Its heat went over to the new life, which is so short that it is planned at once.
	assert_int_equal(report_now.planned, 1);
	wait_until_asked(3);
	assert_int_equal(fake[0].cd_queries + fake[1].cd_queries, 0);
}

// A record of those who ask with CD is asked for with CD again.
TEST_WITH(test_cd_is_asked_for_again, rig_setup, rig_teardown)
{
	struct fake_miss m = {.name = "cd.example", .type = DNS_TYPE_A, .cd = true};
	fake[0].ttl_s = fake[1].ttl_s = 2;
	for (m.id = 1; m.id <= 80; m.id++) {
		FAKE_DATAPLANE_SEND(&dp, &m);
		expect_answer(m.id, 0, m.id == 1 ? ANSWER_UPSTREAM : ANSWER_CACHED);
	}
	m.refresh = true;
	FAKE_DATAPLANE_SEND(&dp, &m);
	wait_until_asked(2);
	assert_int_equal(fake[0].cd_queries + fake[1].cd_queries, 2);
}

// ANY that was cached while the upstreams' answers to it were wanted: it ends with its TTL,
// whatever expired records are for.
TEST_WITH(test_any_is_not_renewed_once_it_is_minimal, rig_setup, rig_teardown)
{
	struct fake_miss m = {.name = "any.example", .type = DNS_TYPE_ANY};
	fake[0].ttl_s = fake[1].ttl_s = 2;
	for (m.id = 1; m.id <= 80; m.id++) {
		FAKE_DATAPLANE_SEND(&dp, &m);
		expect_answer(m.id, 0, m.id == 1 ? ANSWER_UPSTREAM : ANSWER_CACHED);
	}
	rig.config.access.any_minimal = true;
	rig.config.cache.stale_immediate = true;
	rig_reload();
	m.refresh = true;
	FAKE_DATAPLANE_SEND(&dp, &m);
	clock_pass_ms(1900);
	const uint64_t records = status().l0.entries;
	clock_pass_ms(1000);
	FAKE_DATAPLANE_SEND(&dp, &m);
	WAIT_FOR(status().l0.entries < records);
	assert_int_equal(counts().asked, 0);
	assert_int_equal(rig_asked(), 1);
}

TEST_WITH(test_failed_refresh_keeps_the_record_and_is_held_back, rig_setup, rig_teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = 3;
	make_hot("fails.example");
	fake[0].mode = FAKE_SERVFAIL;
	fake[1].mode = FAKE_REFUSED;
	tell("fails.example");
	WAIT_FOR(counts().failed > 0);
	assert_int_equal(counts().failed, 1);
	assert_int_equal(report_now.held_back, 1);
	unsigned before = rig_asked();
	resolves("fails.example", 100, ANSWER_CACHED);
	tell("fails.example");
	WAIT_FOR(counts().held_back > 0);
	assert_int_equal(counts().held_back, 1);
	assert_int_equal(rig_asked(), before);
	assert_int_equal(counts().asked, 1);
}

// stale: immediate. A request for a record past its soft expiry is served whatever its heat.
TEST_WITH(test_expired_record_is_renewed_though_cold, rig_setup, rig_teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = 1;
	resolves("stale.example", 1, ANSWER_UPSTREAM);
	clock_pass_ms(1050);
	tell("stale.example");
	wait_until_asked(2);
	WAIT_FOR(counts().done > 0);
	assert_int_equal(counts().done, 1);
	resolves("stale.example", 2, ANSWER_CACHED);
}

TEST_WITH(test_clients_join_a_refresh, rig_setup, rig_teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = 1;
	resolves("join.example", 1, ANSWER_UPSTREAM);
	clock_pass_ms(1050);
	fake[0].delay_ms = fake[1].delay_ms = 200;
	tell("join.example");
	wait_until_asked(2);
	resolves("join.example", 2, ANSWER_UPSTREAM);
	assert_int_equal(status().coalesced, 1);
	assert_int_equal(counts().asked, 1);
	assert_int_equal(counts().done, 1);
}
